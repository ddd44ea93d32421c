//! The command line: parse, do, print. The only place that prints.

mod bench;
mod likelihood;
mod list;
mod markdown;
mod run;
mod sample;
mod target;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use candle_core::Device;
use clap::{Args, Parser, Subcommand};

use crate::device;
use crate::error::{Error, Result, suggest};

/// Train score networks, compare diffusion samplers by step count, and compute likelihoods through the probability flow.
#[derive(Debug, Parser)]
#[command(name = "tweedie", version, about, arg_required_else_help = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Do everything that a recipe says: train, sample, measure, draw; ends with the table
    Run(run::Arguments),
    /// Only train; leaves model directories under OUT/models
    Train(run::Arguments),
    /// Draw samples from a trained model, or from a mixture by its exact score
    Sample(sample::Arguments),
    /// Log-densities of points through the probability flow
    Likelihood(likelihood::Arguments),
    /// Check the program itself: schedules, orders, scores, likelihoods against closed forms
    Verify(verify::Arguments),
    /// How fast the program is on this machine, beside a matrix product
    Bench(bench::Arguments),
    /// What there is: SDEs, methods, grids, data sets, metrics, with their options and defaults
    List(list::Arguments),
}

impl Command {
    fn threads(&self) -> Option<usize> {
        match self {
            Self::Run(arguments) | Self::Train(arguments) => arguments.machine.threads,
            Self::Sample(arguments) => arguments.machine.threads,
            Self::Likelihood(arguments) => arguments.machine.threads,
            Self::Verify(arguments) => arguments.threads,
            Self::Bench(arguments) => arguments.machine.threads,
            Self::List(_) => Some(1),
        }
    }

    fn run(&self) -> Result<()> {
        match self {
            Self::Run(arguments) => run::run(arguments),
            Self::Train(arguments) => run::train(arguments),
            Self::Sample(arguments) => sample::sample(arguments),
            Self::Likelihood(arguments) => likelihood::likelihood(arguments),
            Self::Verify(arguments) => verify::verify(arguments),
            Self::Bench(arguments) => bench::bench(arguments),
            Self::List(arguments) => list::list(arguments),
        }
    }
}

/// What every command that computes takes.
#[derive(Debug, Args)]
struct Machine {
    /// Where to compute: auto, cpu or cuda
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
    /// Threads; all cores by default. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl Machine {
    /// Opens the device.
    fn open(&self) -> Result<Device> {
        let choice = one_of("--device", &self.device, &device::Choice::NAMES)?;
        choice.open().map_err(Error::Input)
    }
}

/// Sets up a number of threads, or as many as there are cores.
fn pool(threads: Option<usize>) -> Result<()> {
    if let Some(n) = threads.filter(|n| !(1..=1024).contains(n)) {
        return Err(Error::Input(format!("--threads {n}, but it must be from 1 to 1024")));
    }
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    // It fails only if there is a pool already, as in tests, and then that one serves.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    Ok(())
}

/// The program: 0 when all went well, 1 when the work failed, 2 when the input was wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("TWEEDIE_LOG").unwrap_or_else(|_| "warn".into());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .try_init();
    // All work is done on a thread of the pool: from outside, each of thousands of small parallel jobs would wake one up.
    let done = pool(cli.command.threads()).and_then(|()| rayon::scope(|_| cli.command.run()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_wrong(&error);
            ExitCode::from(if matches!(error, Error::Input(_)) { 2 } else { 1 })
        }
    }
}

#[expect(clippy::print_stderr, reason = "the command line prints")]
fn say_wrong(error: &Error) {
    eprintln!("error: {error}");
}

#[expect(clippy::print_stderr, reason = "the command line prints")]
fn warn(text: &str) {
    eprintln!("warning: {text}");
}

/// Prints a text, unless nobody reads any more (`tweedie list | head`).
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One of a few names behind a flag.
fn one_of<T: Copy>(flag: &str, typed: &str, names: &[(&'static str, T)]) -> Result<T> {
    let found = names.iter().find(|(name, _)| *name == typed).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known = suggest(typed, names.iter().map(|(name, _)| *name));
        Error::Input(format!("{flag} {typed}: there is no such name; {known}"))
    })
}

/// A file that is read must not be the one that is written.
fn not_both((flag, read): (&str, &Path), out: &Path) -> Result<()> {
    let same = matches!((read.canonicalize(), out.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if !same {
        return Ok(());
    }
    Err(Error::Input(format!("--out {}: this is the file of {flag}, which would be lost", out.display())))
}

/// A file that must be there, said before any work is done.
fn must_exist(flag: &str, path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    Err(Error::Input(format!("{flag} {}: there is no such file or folder", path.display())))
}
