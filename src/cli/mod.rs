//! The command line: parse, do, print. The only place that prints.

mod bench;
mod likelihood;
mod list;
mod markdown;
mod run;
mod sample;
mod target;
mod verify;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use candle_core::Device;
use clap::{Args, Parser, Subcommand};

use crate::device;
use crate::error::{Error, Result, suggest};
use crate::files::{abandon, check_writable};
use crate::run as runs;

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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            // Help and versions are printed here too.
            let lost = asked.print().is_err_and(|e| e.kind() != ErrorKind::BrokenPipe);
            return ExitCode::from(if lost && !asked.use_stderr() { 1 } else { asked.exit_code() as u8 });
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("TWEEDIE_LOG").unwrap_or_else(|_| "warn".into());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        // Where stderr cannot be written there is no place to say so.
        .log_internal_errors(false)
        .try_init();
    // The first Ctrl-C ends training after its step, with a checkpoint; any other ends the program, and leaves no file half written.
    let _ = ctrlc::set_handler(|| {
        if runs::INTERRUPTED.swap(true, Ordering::Relaxed) || !runs::TRAINING.load(Ordering::Relaxed) {
            abandon();
            std::process::exit(130);
        }
    });
    // All work is done on a thread of the pool: from outside, each of thousands of small parallel jobs would wake one up.
    let done = pool(cli.command.threads()).and_then(|()| rayon::scope(|_| cli.command.run()));
    let lost =
        || LOST.get().map_or(Ok(()), |why| Err(Error::Run(format!("stdout cannot be written ({why})"))));
    match done.and_then(|()| lost()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain("error", &cut(&error.to_string()));
            ExitCode::from(if matches!(error, Error::Input(_)) { 2 } else { 1 })
        }
    }
}

/// Why something that was to be printed is lost.
static LOST: OnceLock<String> = OnceLock::new();

/// Says something on stderr. Where that cannot be written the work goes on.
fn complain(what: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "{what}: {}", visible(text));
}

fn warn(text: &str) {
    complain("warning", text);
}

/// Prints a text. That nobody reads any more (`tweedie list | head`) is no failure; that it cannot be written is one, of which `main` tells.
fn say(text: &str) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
}

/// A text whose control characters are shown, not sent to the terminal.
fn visible(text: &str) -> String {
    let one =
        |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(one).collect()
}

/// How many characters of a message are kept at either end.
const KEPT: usize = 400;

/// A message without the middle of what is very long: it begins with the place and ends with the rule, and a list of a hundred thousand
/// numbers may stand between them.
fn cut(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    if all.len() <= 2 * KEPT + 100 {
        return text.to_owned();
    }
    let [head, tail] = [&all[..KEPT], &all[all.len() - KEPT..]].map(|part| part.iter().collect::<String>());
    format!("{head} [… {} characters …] {tail}", all.len() - 2 * KEPT)
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

/// Checks, before the work, that its result can be written to a file, and replaces nothing that is there unless told.
fn check_out(out: &Path, overwrite: bool) -> Result<()> {
    if out.is_file() && !overwrite {
        return Err(Error::Input(format!(
            "--out {}: there is such a file; --overwrite replaces it",
            out.display()
        )));
    }
    Ok(check_writable(out)?)
}

/// A file that must be there, said before any work is done.
fn must_exist(flag: &str, path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    Err(Error::Input(format!("{flag} {}: there is no such file or folder", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short_and_visible() {
        assert_eq!(visible("a\u{1b}[31mb\u{7}\nc"), "a\\u{1b}[31mb\\u{7}\nc");
        let long = format!("r.toml: seed = [{}], but it must be short", "1, ".repeat(100_000));
        let short = cut(&long);
        assert!(
            short.starts_with("r.toml: seed = [1, ") && short.ends_with("but it must be short"),
            "{short}"
        );
        assert!(short.chars().count() < 900 && short.contains("characters …]"));
        assert_eq!(cut("short"), "short");
    }
}
