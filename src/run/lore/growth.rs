//! Whether a sampler's own recursion makes its errors grow on a grid.
//!
//! On N(m, s²) the exact score is affine, so that a sampler of fixed steps maps its start and its normals affinely: mean and deviation at ε
//! follow from coefficients, without a sample. They are read off its tape, from the end backward. What they are held against is the law
//! itself there, N(α m, α² s² + σ²).

use tweedie_solvers::Result;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::Spacing;
use tweedie_solvers::integrate::{Finish, Sampler};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::method::Method;
use tweedie_solvers::sde::{LinearSde, Use};
use tweedie_solvers::tape::{Op, Tape};

use super::{Law, listed, short};
use crate::recipe::{Named, Section, named, one};
use crate::registry::{GRIDS, default_grid};

/// The largest distance from the law at ε, in deviations of it. Where it is more, the mean is half a deviation away, or the samples are half
/// or one and a half times as wide as they should be, or both: no comparison of methods is meant to be one of such samples.
const FAR: f64 = 0.5;

/// Runs of more steps are not looked at: recording one takes microseconds for each step.
const MOST: usize = 10_000;

/// The largest step count that a remedy may have.
const MOST_TRIED: usize = 2000;

/// Grids that may do where another does not, after the method's own.
const OTHERS: [&str; 2] = ["uniform-log-snr", "karras"];

/// A normal law on the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Normal {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Normal {
    /// The law with noise, N(α m, α² s² + σ²).
    fn noised(self, at: Kernel) -> Self {
        Self { mean: at.alpha * self.mean, deviation: at.deviation(self.deviation) }
    }

    /// 2-Wasserstein distance.
    fn distance(self, other: Self) -> f64 {
        (self.mean - other.mean).hypot(self.deviation - other.deviation)
    }
}

/// A sampler's run from exact noised data, on one normal law after the other.
#[derive(Debug)]
pub(super) struct Run<'a> {
    sde: &'a dyn LinearSde,
    tape: Tape,
    ends: (f64, f64),
}

impl<'a> Run<'a> {
    /// A method on a grid; `None` if it is not linear, or cannot be recorded.
    ///
    /// # Errors
    /// Those of the method.
    pub(super) fn of(sde: &'a dyn LinearSde, method: &dyn Method, grid: &Grid) -> Result<Option<Self>> {
        // The model that is asked says only that it predicts the noise.
        let model = Mixture::gaussian(vec![0.0], 1.0)?;
        let sampler = Sampler { problem: Problem { sde, model: &model }, method, grid, finish: Finish::Stop };
        let ends = (grid.first(), grid.last());
        Ok(sampler.recorded()?.map(|tape| Self { sde, tape, ends }))
    }

    /// What the sampler makes of N(m, s²) with exact noise at T. Its model predicts the noise, ε̂ = σ (x − α m)/(α² s² + σ²).
    pub(super) fn end(&self, law: Normal) -> Normal {
        let start = law.noised(self.sde.kernel(self.ends.0));
        let (mut offset, mut variance) = (0.0, 0.0);
        let mut slope = vec![0.0; self.tape.slots];
        slope[self.tape.end] = 1.0;
        for op in self.tape.ops.iter().rev() {
            let own = std::mem::take(&mut slope[op.into()]);
            match op {
                Op::Sum { terms, .. } => terms.iter().for_each(|&(slot, c)| slope[slot] += c * own),
                Op::Ask { from, at, .. } => {
                    let noised = law.noised(*at);
                    let rate = own * at.sigma / noised.deviation.powi(2);
                    slope[*from] += rate;
                    offset -= rate * noised.mean;
                }
                Op::Normal { .. } => variance += own * own,
            }
        }
        let gain = slope[0];
        Normal {
            mean: offset + gain * start.mean,
            deviation: (gain * start.deviation).hypot(f64::sqrt(variance)),
        }
    }

    /// The distance of that end from the law at ε, in deviations of it. A point mass at the mean has distance 1.
    pub(super) fn off(&self, law: Normal) -> f64 {
        let truth = law.noised(self.sde.kernel(self.ends.1));
        let off = self.end(law).distance(truth) / truth.deviation;
        if off.is_nan() { f64::INFINITY } else { off }
    }
}

/// A method under an SDE.
#[derive(Clone, Copy)]
struct Trial<'a> {
    sde: &'a dyn LinearSde,
    method: &'a dyn Method,
}

impl<'a> Trial<'a> {
    fn run(&self, grid: &dyn Spacing, steps: usize) -> Result<Option<Run<'a>>> {
        Run::of(self.sde, self.method, &grid.grid(self.sde, self.sde.span(Use::Sampling), steps)?)
    }

    /// Whether a run ends near enough to all of these laws; one that cannot be tried does not.
    fn good(&self, grid: &dyn Spacing, steps: usize, laws: &[(Normal, &str)]) -> bool {
        let run = self.run(grid, steps).ok().flatten();
        run.is_some_and(|run| laws.iter().all(|(law, _)| run.off(*law) <= FAR))
    }

    /// The end of a sentence about step counts that are bad on a grid: a grid on which all of them are good, or the least good step count.
    fn remedy(
        &self,
        grid: &Named<dyn Spacing>,
        bad: &[usize],
        laws: &[(Normal, &str)],
    ) -> crate::Result<String> {
        let mut others = vec![default_grid(self.sde, self.method)?];
        for name in OTHERS {
            others.push(one(&Section::new("", "grid", named(name)), |s| GRIDS.build(s))?);
        }
        let other = others.iter().filter(|other| other.label != grid.label);
        if let Some(other) = other.into_iter().find(|o| bad.iter().all(|&n| self.good(&*o.it, n, laws))) {
            return Ok(format!("take grid {}", other.label));
        }
        let most = bad.iter().copied().max().unwrap_or(1);
        let tried = if grid.it.fixed_steps().is_some() { &others[0] } else { grid };
        let place =
            if tried.label == grid.label { String::new() } else { format!("grid {} with ", tried.label) };
        Ok(match self.enough(&*tried.it, most, laws) {
            Some(n) => format!("take {place}{n} steps or more"),
            None => "take another method".into(),
        })
    }

    /// The least good step count above one that is bad: by doubling, then by bisection.
    fn enough(&self, grid: &dyn Spacing, bad: usize, laws: &[(Normal, &str)]) -> Option<usize> {
        let (mut short, mut long) = (bad, 2 * bad);
        while !self.good(grid, long, laws) {
            (short, long) = (long, 2 * long);
            if long > MOST_TRIED {
                return None;
            }
        }
        while long - short > 1 {
            let middle = short + (long - short) / 2;
            if self.good(grid, middle, laws) { long = middle } else { short = middle }
        }
        Some(long)
    }
}

/// Where a method on a grid ends far from normal laws of the scale of the data.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    /// The method, the grid and the step counts.
    place: String,
    /// The law that is missed most, and what it is.
    law: Normal,
    what: &'static str,
    /// By how many of its deviations.
    off: f64,
    remedy: String,
}

/// More than these under an SDE are said in one sentence.
const MOST_SAID: usize = 3;

impl Growth {
    /// The ends of sentences about all that were found under an SDE.
    pub(super) fn said(found: &[&Self]) -> Vec<String> {
        let each = found.iter().map(|Self { place, law, what, off, remedy }| {
            let law = format!("N({}, {}²), {what},", short(law.mean), short(law.deviation));
            format!(
                "{place} misses even {law} by up to {} of its deviations, above {FAR}; {remedy}",
                short(*off)
            )
        });
        if found.len() <= MOST_SAID {
            return each.collect();
        }
        let all: Vec<String> = found.iter().map(|f| format!("{} ({})", f.place, f.remedy)).collect();
        vec![format!(
            "{} methods on grids miss even normal laws of the data's mean and deviation, narrowest coordinate or narrowest mode by more than {FAR} \
             of their deviations: {}",
            found.len(),
            all.join("; ")
        )]
    }
}

/// What becomes of a method on a grid, for each data set, at the step counts that end far from normal laws of the scale of the data.
///
/// # Errors
/// Those of the grid and the method.
pub(super) fn growth(
    data: &[(String, Law)],
    sde: &Named<dyn LinearSde>,
    (method, grid): (&Named<dyn Method>, &Named<dyn Spacing>),
    steps: &[usize],
) -> crate::Result<Vec<Option<Growth>>> {
    let trial = Trial { sde: &*sde.it, method: &*method.it };
    let mut runs = Vec::new();
    for &n in steps.iter().filter(|n| **n <= MOST) {
        runs.extend(trial.run(&*grid.it, n)?.map(|run| (n, run)));
    }
    let of = |given: &Law| -> crate::Result<Option<Growth>> {
        let laws = given.scales();
        // At each step count the worst law; of these the worst.
        let worst = |(n, run): &(usize, Run<'_>)| {
            // From the last, so that of two that are as bad it is the first.
            let offs = laws.iter().rev().map(|&law| (*n, run.off(law.0), law));
            offs.max_by(|a, b| a.1.total_cmp(&b.1))
        };
        let bad: Vec<_> = runs.iter().filter_map(worst).filter(|b| b.1 > FAR).collect();
        let Some(&(_, off, (law, what))) = bad.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return Ok(None);
        };
        let counts: Vec<usize> = bad.iter().map(|b| b.0).collect();
        // Of a user's points alone: a law that is given has the units that it was given.
        let cured = given.least.is_some()
            && given.cured(|other| {
                let laws = other.scales();
                counts.iter().all(|&n| trial.good(&*grid.it, n, &laws))
            });
        let remedy = if cured {
            "set standardise = true in the data".to_owned()
        } else {
            trial.remedy(grid, &counts, &laws)?
        };
        let steps = if counts == [1] { "step" } else { "steps" };
        let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
        let place = format!("{} on {} at {} {steps}", method.label, grid.label, listed(&counts));
        Ok(Some(Growth { place, law, what, off, remedy }))
    };
    data.iter().map(|(_, law)| of(law)).collect()
}

#[cfg(test)]
mod tests;
