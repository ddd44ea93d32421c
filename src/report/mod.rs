//! What a run leaves behind: tables, CSV files, a manifest, pictures and progress bars.

pub mod plot;

mod comparisons;
mod figures;
mod footer;
mod layout;
mod manifest;
mod progress;
mod ranking;
mod table;

use std::path::Path;

use serde::Serialize;

pub use comparisons::comparisons;
pub use figures::{Shown, figure_names, figures};
pub use footer::{footer, span};
pub(crate) use layout::{fresh, right};
pub use manifest::{FILE as MANIFEST, Manifest, PROGRAM};
pub use progress::Progress;
pub use ranking::rankings;
pub use table::{networks, tables};

use crate::error::{Error, Result};
use crate::files::replace;
use crate::run::{Level, Paired, Ranked, Record, Summary};

/// Writes `results.csv` and `summary.csv`.
///
/// # Errors
/// If a file cannot be written.
pub fn write_records(out: &Path, records: &[Record], summary: &[Summary]) -> Result<()> {
    write_csv(&out.join("results.csv"), records)?;
    write_csv(&out.join("summary.csv"), summary)
}

/// Writes `excess.csv`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_levels(out: &Path, rows: &[Level]) -> Result<()> {
    write_csv(&out.join("excess.csv"), rows)
}

/// Writes `paired.csv`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_paired(out: &Path, rows: &[Paired]) -> Result<()> {
    write_csv(&out.join("paired.csv"), rows)
}

/// Writes `ranking.csv`.
///
/// # Errors
/// If the file cannot be written.
pub fn write_ranking(out: &Path, rows: &[Ranked]) -> Result<()> {
    write_csv(&out.join("ranking.csv"), rows)
}

/// Writes `timings.csv`: seconds of each sampling run, metrics excluded; by name, so that the order of threads does not show.
///
/// # Errors
/// If the file cannot be written.
pub fn write_timings(out: &Path, mut timings: Vec<(String, f64)>) -> Result<()> {
    #[derive(Serialize)]
    struct Row {
        run: String,
        seconds: f64,
    }
    timings.sort_by(|a, b| a.0.cmp(&b.0));
    let rows: Vec<Row> = timings.into_iter().map(|(run, seconds)| Row { run, seconds }).collect();
    write_csv(&out.join("timings.csv"), &rows)
}

#[derive(Serialize, serde::Deserialize)]
struct Loss {
    step: u64,
    loss: f64,
}

/// Writes `loss.csv` of a model directory.
///
/// # Errors
/// If the file cannot be written.
pub fn write_losses(directory: &Path, losses: &[(u64, f64)]) -> Result<()> {
    let rows: Vec<Loss> = losses.iter().map(|&(step, loss)| Loss { step, loss }).collect();
    write_csv(&directory.join("loss.csv"), &rows)
}

/// The losses up to a step, from `loss.csv` of a model directory.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn read_losses(directory: &Path, until: u64) -> Result<Vec<(u64, f64)>> {
    let path = directory.join("loss.csv");
    if !path.exists() {
        return Ok(vec![]);
    }
    let bad = |e: csv::Error| Error::Input(format!("{}: {e}", path.display()));
    let rows = csv::Reader::from_path(&path)
        .map_err(bad)?
        .into_deserialize()
        .collect::<std::result::Result<Vec<Loss>, _>>();
    Ok(rows.map_err(bad)?.into_iter().filter(|l| l.step <= until).map(|l| (l.step, l.loss)).collect())
}

/// Writes rows as CSV with a header, atomically.
pub(crate) fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let bad = |e: &dyn std::fmt::Display| Error::Run(format!("{}: {e}", path.display()));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| bad(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| bad(&e))?;
    Ok(replace(path, &bytes)?)
}
