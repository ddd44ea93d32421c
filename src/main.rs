//! The program `tweedie`: everything is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    one_thread_per_operation();
    tweedie::cli::main()
}

/// Threads carry pieces of a batch, or networks, side by side; inside an operation candle then needs one. Its own pool spins while it
/// waits, which costs ten times the work as soon as two operations run at once.
#[expect(unsafe_code, reason = "the environment is changed before any other thread exists")]
fn one_thread_per_operation() {
    for name in ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
        // SAFETY: this is the first statement of the program, so no other thread reads the environment.
        unsafe { std::env::set_var(name, "1") };
    }
}
