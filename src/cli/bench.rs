//! `tweedie bench`: how fast the program is here.

use clap::Args;

use super::{Machine, one_of, say};
use crate::bench::{self, TASKS, Timing};
use crate::error::{Error, Result};
use crate::report::{Progress, fresh, right};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// gemm, train, sample, exact, likelihood, w2; all by default
    tasks: Vec<String>,
    /// table, or json: one line for each measurement
    #[arg(long, default_value = "table")]
    format: String,
    #[command(flatten)]
    pub(super) machine: Machine,
}

pub(super) fn bench(arguments: &Arguments) -> Result<()> {
    let json = one_of("--format", &arguments.format, &[("table", false), ("json", true)])?;
    let device = arguments.machine.open()?;
    let timings = bench::bench(&arguments.tasks, &device, &Progress::default())?;
    if json {
        for timing in &timings {
            say(&serde_json::to_string(timing).map_err(|e| Error::Run(e.to_string()))?);
        }
    } else {
        say(&table(&timings));
    }
    Ok(())
}

fn table(timings: &[Timing]) -> String {
    let mut table = fresh();
    table.set_header(["task", "size", "value", "unit", "of the floor"]);
    for t in timings {
        let floor = t.of_floor.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share));
        let value = if t.value >= 100.0 { format!("{:.0}", t.value) } else { format!("{:.3e}", t.value) };
        let value = if (1e-3..100.0).contains(&t.value) { format!("{:.3}", t.value) } else { value };
        table.add_row([t.task.to_owned(), t.size.to_string(), value, t.unit.to_owned(), floor]);
    }
    right(&mut table);
    let about = TASKS.iter().map(|(name, about)| format!("{name}: {about}\n"));
    format!(
        "{table}\n{}The floor of train and sample: their hidden products alone at the rate of gemm.",
        about.collect::<String>()
    )
}
