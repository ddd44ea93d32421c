//! The program proves itself: everything that is registered against closed forms, one row per check. What is deterministic is held to
//! printed digits; what is sampled has a fixed seed and says how rare a false alarm is.

pub mod affine;
mod evaluations;
mod golden;
mod identities;
mod kernels;
mod langevin;
mod likelihood;
mod marginals;
mod orders;
mod reference;
mod schedules;
mod scores;

use rayon::prelude::*;
use tweedie_solvers::method::Method;
use tweedie_solvers::sde::LinearSde;

use crate::error::{Error, Result, suggest};
use crate::recipe::{Section, named};
use crate::registry::{METHODS, SDES};
use crate::report::Progress;

pub use reference::{Compared, reference};

/// One number against what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The group that it belongs to.
    pub group: &'static str,
    /// What was measured.
    pub name: String,
    /// What it must be.
    pub expected: f64,
    /// What it is.
    pub measured: f64,
    /// The largest difference that passes.
    pub tolerance: f64,
}

impl Check {
    /// Whether it is within its tolerance; what is not a number is not.
    pub fn passes(&self) -> bool {
        (self.measured - self.expected).abs() <= self.tolerance
    }
}

/// A check without its group.
struct Row {
    name: String,
    expected: f64,
    measured: f64,
    tolerance: f64,
}

/// `measured` must be `expected` within `tolerance`.
fn near(name: impl Into<String>, expected: f64, measured: f64, tolerance: f64) -> Row {
    Row { name: name.into(), expected, measured, tolerance }
}

/// The largest of some differences must be 0 within `tolerance`; one that is not a number counts as the largest.
fn zero(name: impl Into<String>, differences: impl IntoIterator<Item = f64>, tolerance: f64) -> Row {
    let worst = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b.abs()) };
    near(name, 0.0, differences.into_iter().fold(0.0, worst), tolerance)
}

/// A piece of a group that can be worked on beside others.
type Job = Box<dyn Fn() -> Result<Vec<Row>> + Send + Sync>;

/// Checks of one kind.
#[derive(Debug)]
pub struct Group {
    /// What users type.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    jobs: fn() -> Vec<Job>,
}

/// All groups, in the order in which they are printed.
pub const GROUPS: [Group; 10] = [
    Group { name: "schedules", about: "α, σ, log-SNR and g at printed values", jobs: schedules::jobs },
    Group { name: "kernels", about: "drift and diffusion against the kernel they make", jobs: kernels::jobs },
    Group { name: "golden", about: "errors on N(1, 0.5²) to their printed digits", jobs: golden::jobs },
    Group { name: "orders", about: "measured orders against declared ones", jobs: orders::jobs },
    Group {
        name: "identities",
        about: "methods that are one another under other names",
        jobs: identities::jobs,
    },
    Group {
        name: "evaluations",
        about: "evaluations counted against declared ones",
        jobs: evaluations::jobs,
    },
    Group {
        name: "scores",
        about: "exact scores, densities and entropies of every data set",
        jobs: scores::jobs,
    },
    Group {
        name: "likelihood",
        about: "the flow's log-densities against exact ones",
        jobs: likelihood::jobs,
    },
    Group { name: "langevin", about: "stationary variances of Langevin dynamics", jobs: langevin::jobs },
    Group {
        name: "marginals", about: "Fokker–Planck, and moments of reversed time", jobs: marginals::jobs
    },
];

/// The checks of the named groups, or of all.
///
/// # Errors
/// If a name is not known, or a computation fails.
pub fn verify(names: &[String], progress: &Progress) -> Result<Vec<Check>> {
    let known = GROUPS.iter().map(|g| g.name);
    if let Some(name) = names.iter().find(|n| known.clone().all(|k| k != n.as_str())) {
        return Err(Error::Input(format!(
            "verify {name}: there is no such group of checks; {}",
            suggest(name, known)
        )));
    }
    let asked = GROUPS.iter().filter(|g| names.is_empty() || names.iter().any(|n| n == g.name));
    let jobs: Vec<(&'static str, Job)> =
        asked.flat_map(|g| (g.jobs)().into_iter().map(|job| (g.name, job))).collect();
    let bar = progress.bar("verify", jobs.len() as u64);
    let one = |(group, job): &(&'static str, Job)| -> Result<Vec<Check>> {
        let rows = job()?;
        bar.inc(1);
        let check = |Row { name, expected, measured, tolerance }| Check {
            group,
            name,
            expected,
            measured,
            tolerance,
        };
        Ok(rows.into_iter().map(check).collect())
    };
    let checks: Vec<Vec<Check>> = jobs.par_iter().map(one).collect::<Result<_>>()?;
    bar.finish_and_clear();
    Ok(checks.into_iter().flatten().collect())
}

/// Every registered SDE with its defaults.
fn sdes() -> Result<Vec<(&'static str, Box<dyn LinearSde>)>> {
    SDES.names().map(|name| Ok((name, SDES.build(&section(name))?))).collect()
}

/// A registered SDE with its defaults.
fn sde(name: &str) -> Result<Box<dyn LinearSde>> {
    SDES.build(&section(name))
}

/// Every registered method with its defaults.
fn methods() -> Result<Vec<(&'static str, Box<dyn Method>)>> {
    METHODS.names().map(|name| Ok((name, METHODS.build(&section(name))?))).collect()
}

/// `{ name = NAME }`.
fn section(name: &str) -> Section {
    Section::new("verify", "", named(name))
}

/// f′(x) by central differences of step h and h/2, extrapolated: an error of order h⁴.
fn slope(f: impl Fn(f64) -> f64, x: f64, h: f64) -> f64 {
    let central = |h: f64| (f(x + h) - f(x - h)) / (2.0 * h);
    (4.0 * central(0.5 * h) - central(h)) / 3.0
}
