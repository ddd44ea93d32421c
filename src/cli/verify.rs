//! `tweedie verify`: the checks, one row each.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::{markdown, must_exist, one_of, say};
use crate::error::{Error, Result};
use crate::report::{Progress, fresh, right};
use crate::verify::{self, Check};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Groups of checks: schedules, kernels, golden, orders, identities, evaluations, scores, likelihood, langevin, marginals; all by default
    names: Vec<String>,
    /// End points of other implementations, as JSON; checked instead, or beside the named groups
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// table, csv, or markdown: measured orders as a table for a document
    #[arg(long, default_value = "table")]
    format: String,
    /// Threads; all cores by default
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
}

#[derive(Clone, Copy)]
enum Format {
    Table,
    Csv,
    Markdown,
}

pub(super) fn verify(arguments: &Arguments) -> Result<()> {
    let formats = [("table", Format::Table), ("csv", Format::Csv), ("markdown", Format::Markdown)];
    let format = one_of("--format", &arguments.format, &formats)?;
    if matches!(format, Format::Markdown) && arguments.names != ["orders"] {
        return Err(Error::Input(
            "--format markdown is a table of orders: write `verify orders --format markdown`".into(),
        ));
    }
    let start = Instant::now();
    let mut checks = Vec::new();
    let mut remarks = String::new();
    if let Some(path) = &arguments.reference {
        must_exist("--reference", path)?;
        let found = verify::reference(path)?;
        checks.extend(found.checks);
        for (reason, count) in found.left_out {
            let cases = if count == 1 { "case is" } else { "cases are" };
            remarks += &format!("{count} {cases} not covered: {reason}\n");
        }
    }
    if arguments.reference.is_none() || !arguments.names.is_empty() {
        checks.extend(verify::verify(&arguments.names, &Progress::default())?);
    }
    let failed = checks.iter().filter(|c| !c.passes()).count();
    match format {
        Format::Csv => say(text(&checks)?.trim_end()),
        Format::Markdown => say(markdown::orders(&checks).trim_end()),
        Format::Table => {
            say(&table(&checks));
            let seconds = start.elapsed().as_secs_f64();
            let (passed, all) = (checks.len() - failed, checks.len());
            say(&format!("{remarks}{passed} of {all} checks passed in {seconds:.1} s"));
        }
    }
    if failed > 0 {
        return Err(Error::Run(format!("{failed} of {} checks failed", checks.len())));
    }
    Ok(())
}

fn table(checks: &[Check]) -> String {
    let mut table = fresh();
    table.set_header(["group", "check", "expected", "measured", "tolerance", ""]);
    let mut group = "";
    for c in checks {
        // A group is named once.
        let name = if c.group == group { "" } else { c.group };
        group = c.group;
        let numbers = [c.expected, c.measured, c.tolerance].map(number);
        let [expected, measured, tolerance] = numbers;
        let end = if c.passes() { "pass" } else { "FAIL" };
        table.add_row([name.to_owned(), c.name.clone(), expected, measured, tolerance, end.to_owned()]);
    }
    right(&mut table);
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    table.to_string()
}

/// Up to ten digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&size) {
        let text = format!("{value:.*}", (9.0 - size.max(1e-3).log10().floor()) as usize);
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let text = format!("{value:.9e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, ""));
    format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
}

fn text(checks: &[Check]) -> Result<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let failed = |e: csv::Error| Error::Run(e.to_string());
    out.write_record(["group", "check", "expected", "measured", "tolerance", "passes"]).map_err(failed)?;
    for c in checks {
        let numbers = [c.expected, c.measured, c.tolerance].map(|v| v.to_string());
        let [expected, measured, tolerance] = &numbers;
        let passes = c.passes().to_string();
        out.write_record([c.group, &c.name, expected, measured, tolerance, &passes]).map_err(failed)?;
    }
    let bytes = out.into_inner().map_err(|e| Error::Run(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| Error::Run(e.to_string()))
}
