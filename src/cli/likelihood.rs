//! `tweedie likelihood`.

use std::path::PathBuf;

use candle_core::DType;
use clap::Args;
use serde::Serialize;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::likelihood::{Divergence, Flow, bits_per_dimension};
use tweedie_solvers::sde::Use;

use super::target::{Source, choose};
use super::{Machine, check_out, must_exist, not_both, one_of, say, warn};
use crate::data::{Empirical, digest};
use crate::error::{Error, Result};
use crate::files::{check_suffix, numbered, read_columns};
use crate::recipe::PROBES;
use crate::registry::{GRIDS, METHODS, SDES};
use crate::run::lore::{Digits, few_dimensions, foresee_densities, numbers, unbounded};
use crate::run::{Solved, densities, far_off, solver_error};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Points, one per row (CSV or NPY)
    #[arg(long, value_name = "FILE")]
    points: PathBuf,
    /// Whether the first line of a CSV file holds names; by default the line tells
    #[arg(long, value_name = "BOOL")]
    header: Option<bool>,
    /// The SDE, with options as in ve:sigma-max=20; by default the one that the model was trained under, or vp
    #[arg(long)]
    sde: Option<String>,
    /// A method that solves the flow, with options as in rk45:rtol=1e-7
    #[arg(long, default_value = "rk45")]
    method: String,
    /// The time grid, for methods of fixed steps
    #[arg(long, default_value = "uniform-log-snr")]
    grid: String,
    /// Steps, for methods of fixed steps
    #[arg(long, default_value_t = 100, value_name = "N")]
    steps: usize,
    /// exact (d derivatives) or hutchinson (random probes)
    #[arg(long, default_value = "exact")]
    divergence: String,
    /// Probes of hutchinson; two or more give a standard error
    #[arg(long, default_value_t = 8, value_name = "K")]
    probes: usize,
    /// The law of the probes: rademacher or gaussian
    #[arg(long, default_value = "rademacher")]
    probe: String,
    /// The seed of the probes
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Where the table goes (CSV)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    pub(super) machine: Machine,
}

/// A row of the table.
#[derive(Serialize)]
struct Row {
    log_p: f64,
    standard_error: Option<f64>,
    bits_per_dimension: f64,
    evals: f64,
}

/// The mean, and its standard error; that is not a number for one value.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

pub(super) fn likelihood(a: &Arguments) -> Result<()> {
    check_suffix(&a.points)?;
    if a.out.extension().is_none_or(|e| e != "csv") {
        return Err(Error::Input(format!(
            "--out {}: the table is CSV, so the file must end in .csv",
            a.out.display()
        )));
    }
    must_exist("--points", &a.points)?;
    not_both(("--points", &a.points), &a.out)?;
    let method = choose(&METHODS, "method", &a.method)?;
    let ode = method.it.ode().ok_or_else(|| {
        Error::Input(format!(
            "--method {}: this method does not solve the probability flow; use euler, heun, rk4, rk45, dopri5 or dop853",
            a.method
        ))
    })?;
    let spacing = choose(&GRIDS, "grid", &a.grid)?;
    let law = one_of("--probe", &a.probe, &PROBES)?;
    let hutchinson = one_of("--divergence", &a.divergence, &[("exact", false), ("hutchinson", true)])?;
    if !(1..=10_000).contains(&a.probes) {
        return Err(Error::Input(format!("--probes {}, but it must be from 1 to 10000", a.probes)));
    }
    let divergence =
        if hutchinson { Divergence::Hutchinson { probes: a.probes, law } } else { Divergence::Exact };
    let typed_sde = a.sde.as_deref().map(|typed| choose(&SDES, "sde", typed)).transpose()?;
    check_out(&a.out, a.overwrite)?;
    let device = a.machine.open()?;
    let score = a.source.open(&device)?;
    let (points, names) = read_columns(&a.points, a.header)?;
    if let Some(said) = numbered(names.as_deref()) {
        warn(&format!("--points {}: {said}; --header false reads it as a point", a.points.display()));
    }
    if points.dim() != score.model.dim() {
        let (got, dim) = (points.dim(), score.model.dim());
        return Err(Error::Input(format!(
            "--points {}: the points have dimension {got}, the model {dim}",
            a.points.display()
        )));
    }
    // One point is a law of its own, of which there is nothing to say.
    if let Ok(own) = Empirical::new(points.clone(), a.points.display().to_string())
        && let Some(why) = unbounded(&own.named(names))
    {
        warn(&format!("{}: {why}", a.points.display()));
    }
    let foreign = score.data().filter(|_| score.is_network());
    if let Some(far) = foreign.and_then(|data| far_off(&*data, &points, "points")) {
        warn(&format!("{}: {far}; the model has learned nothing there", a.points.display()));
    }
    let known: Vec<bool> = points.rows().map(|row| score.rows.binary_search(&digest(row)).is_ok()).collect();
    let sde = score.sde(typed_sde)?;
    score.warn_outside(&sde, Use::Likelihood)?;
    few_dimensions(divergence, points.dim()).iter().for_each(|text| warn(text));
    if let Some((name, law)) = score.law()? {
        foresee_densities(&name, &law, &sde).iter().for_each(|text| warn(text));
    }
    let span = sde.it.span(Use::Likelihood);
    let grid = if ode.adaptive() {
        Grid::new(vec![span.end, span.start])?
    } else {
        let fitted = spacing.it.fit(&*sde.it, &*score.model, span, &device)?;
        let spacing = fitted.as_deref().unwrap_or(&*spacing.it);
        spacing.grid(&*sde.it, span, spacing.fixed_steps().unwrap_or(a.steps))?
    };
    if grid.first() < span.end {
        let (at, end) = (grid.first(), span.end);
        return Err(Error::Input(format!(
            "--grid {}: it starts at {at}, but it must start at T = {end}, where the prior is",
            a.grid
        )));
    }
    let digits = Digits { dtype: DType::F64, network: score.is_network() };
    let found = numbers(std::slice::from_ref(&method), &sde, score.model.dim(), digits);
    found.iter().for_each(|text| warn(text));
    let flow = Flow { problem: Problem { sde: &*sde.it, model: &*score.model }, method: ode, grid: &grid };
    let found =
        densities(flow, divergence, &points, score.standardise.as_ref(), &Key::root(a.seed), &device)?;
    let errors = found.standard_error.as_ref();
    let rows = found.log_p.iter().zip(&found.evals).enumerate().map(|(i, (&log_p, &evals))| Row {
        log_p,
        standard_error: errors.and_then(|e| e[i]),
        bits_per_dimension: bits_per_dimension(log_p, points.dim()),
        evals,
    });
    let rows: Vec<Row> = rows.collect();
    crate::report::write_csv(&a.out, &rows)?;
    let n = rows.len() as f64;
    let (mean, spread) = mean_and_error(&found.log_p);
    let mean = -mean;
    let spread = if rows.len() > 1 {
        format!(" ± {spread:.4} nats (one standard error of the mean)")
    } else {
        " nats".into()
    };
    let bits = bits_per_dimension(-mean, points.dim());
    let evals = found.evals.iter().sum::<f64>() / n;
    say(&format!(
        "{n} points in {}: NLL {mean:.4}{spread}, {bits:.4} bits per dimension, \
         {evals:.0} evaluations each; the density is that at t = {}",
        a.out.display(),
        grid.last()
    ));
    let met = known.iter().filter(|known| **known).count();
    if met > 0 {
        let new: Vec<f64> = found.log_p.iter().zip(&known).filter(|(_, k)| !**k).map(|(p, _)| *p).collect();
        let rest = if new.is_empty() {
            "none is left that says how the model does on new ones".to_owned()
        } else {
            let (mean, error) = mean_and_error(&new);
            format!("the NLL of the other {} is {:.4} ± {error:.4} nats", new.len(), -mean)
        };
        warn(&format!("{}: the model was trained on {met} of the {n} points; {rest}", a.points.display()));
    }
    let key = Key::root(a.seed);
    let solved = Solved { flow, method: &method, divergence, key: &key };
    let log_p = (score.standardise.as_ref(), &found.log_p[..]);
    match solver_error(&solved, &points, log_p, &device) {
        Err(error) => {
            warn(&format!("the solver's error is not known, for solving more finely failed: {error}"));
        }
        Ok(None) => {}
        Ok(Some(error)) => say(&format!(
            "The solver's error, by solving {} points more finely: {:.0e} nats of their mean, {:.0e} at the worst",
            error.points,
            error.mean.abs(),
            error.largest
        )),
    }
    if let Some(first) = found.log_p.iter().position(|p| !p.is_finite()) {
        let bad = found.log_p.iter().filter(|p| !p.is_finite()).count();
        return Err(Error::Run(format!(
            "{bad} of {n} log-densities are not finite, the first that of point {} ({:?}); take tighter tolerances or more steps, or \
             leave out points this far from the data",
            first + 1,
            points.row(first)
        )));
    }
    Ok(())
}
