//! What is known about a data set beside points: its modes, and its density p₀.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tweedie_solvers::exact::Exact;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::{Error, Key, Result};

use super::Modes;
use super::kl::Cells;
use crate::data::Data;
use crate::points::Points;

/// Points of the data that quantiles and ranges are taken from.
const DRAWS: usize = 20_000;
/// How many of them lie at or below the quantile, 0.1 %.
const BELOW: usize = 20;

/// What is known about a data set; made once for each and shared by all measurements.
#[derive(Debug, Default)]
pub struct Known {
    /// The modes, for Gaussian mixtures.
    pub modes: Option<Modes>,
    /// The density, for laws that have one.
    pub density: Option<Density>,
}

impl Known {
    /// All there is to know about a data set.
    pub fn of(data: &dyn Data) -> Self {
        let modes = data.mixture().map(|m| Modes {
            weights: m.weights().to_vec(),
            means: m.means().to_vec(),
            covs: m.covs().to_vec(),
        });
        let law = if data.continuous() { data.exact().ok() } else { None };
        let draws = || data.sample(&Key::root(0).branch("density"), 0, DRAWS);
        Self { modes, density: law.map(|law| Density::new(law, draws())) }
    }

    /// The modes.
    pub(super) fn modes(&self) -> Result<&Modes> {
        self.modes.as_ref().ok_or_else(|| lacking("the modes of the data"))
    }

    /// The density.
    pub(super) fn density(&self) -> Result<&Density> {
        self.density.as_ref().ok_or_else(|| lacking("the density of the data"))
    }
}

fn lacking(what: &str) -> Error {
    Error::Unsupported(format!("this metric needs {what}, which this data set lacks"))
}

/// The exact density of the data, and what metrics work out from it, each once.
#[derive(Debug)]
pub struct Density {
    law: Box<dyn Exact>,
    draws: Points,
    least: OnceLock<f64>,
    cells: Mutex<BTreeMap<usize, Arc<Cells>>>,
}

// A thread that waits inside of rayon may pick up a job that waits for the same value: nothing in here runs on several threads.
impl Density {
    /// A law, and draws of it.
    pub(super) fn new(law: Box<dyn Exact>, draws: Points) -> Self {
        Self { law, draws, least: OnceLock::new(), cells: Mutex::default() }
    }

    /// log p₀(x) in nats.
    pub(super) fn log(&self, x: &[f64]) -> f64 {
        self.law.log_density(x, Kernel { alpha: 1.0, sigma: 0.0 })
    }

    /// The 0.1 % quantile of log p₀ over the draws: the 20th smallest of 20 000.
    pub(super) fn least(&self) -> f64 {
        *self.least.get_or_init(|| {
            let mut logs: Vec<f64> = self.draws.rows().map(|x| self.log(x)).collect();
            *logs.select_nth_unstable_by(BELOW - 1, f64::total_cmp).1
        })
    }

    /// The grid of `count` cells per axis over the draws.
    pub(super) fn cells(&self, count: usize) -> Result<Arc<Cells>> {
        let mut made = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cells) = made.get(&count) {
            return Ok(Arc::clone(cells));
        }
        let cells = Arc::new(Cells::over(&*self.law, &self.draws, count)?);
        made.insert(count, Arc::clone(&cells));
        Ok(cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Checkerboard, Empirical, GaussianMixture, TwoMoons};
    use tweedie_solvers::exact::Mixture;

    #[test]
    fn what_data_sets_know() {
        let has = |known: Known| (known.modes.is_some(), known.density.is_some());
        assert_eq!(has(Known::of(&Checkerboard::default())), (false, true));
        let gaussian = Mixture::gaussian(vec![0.0; 2], 1.0).expect("a law");
        assert_eq!(has(Known::of(&GaussianMixture(gaussian))), (true, true));
        let own = Points::new(2, vec![0.0, 1.0, 2.0, 3.0]);
        assert_eq!(has(Known::of(&Empirical::new(own, "own.csv").expect("points"))), (false, false));
        // Too thin for an exact density.
        assert_eq!(has(Known::of(&TwoMoons::new(1e-9).expect("moons"))), (false, false));
    }

    /// N(0, 1): the 20th smallest of 20 000 log-densities is near that of |z| = 3.2905, P(|z| > 3.2905) = 0.001. The mass below it
    /// has the law Beta(20, 19 981), mean 0.001 and deviation 0.00022: |z| within 0.21 (5 deviations), false-alarm rate below 1e-4.
    #[test]
    fn the_quantile_of_a_normal() {
        let data = GaussianMixture(Mixture::gaussian(vec![0.0], 1.0).expect("a law"));
        let known = Known::of(&data);
        let density = known.density().expect("a density");
        let edge = (-2.0 * density.least() - std::f64::consts::TAU.ln()).sqrt();
        assert!((edge - 3.2905).abs() < 0.21, "{edge}");
        let [once, again, other] = [8, 8, 9].map(|count| density.cells(count).expect("a grid"));
        assert!(Arc::ptr_eq(&once, &again) && !Arc::ptr_eq(&once, &other));
        let logs = density.draws.rows().map(|x| density.log(x));
        assert_eq!(logs.filter(|log| *log <= density.least()).count(), BELOW);
    }
}
