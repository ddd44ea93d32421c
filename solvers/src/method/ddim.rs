//! DDIM with noise level η (Song, Meng & Ermon 2021, eqs. 12 and 16), on any linear SDE:
//!
//! x_s = α_s x̂₀ + √(σ_s² − κ²) ε̂ + κ z,  κ = η (σ_s/σ_t) √V,  V = σ_t² − (α_t/α_s)² σ_s².
//!
//! η = 0 is Euler's method in σ/α and DPM-Solver of order 1; η = 1 is ancestral sampling with the posterior variance.

use candle_core::Tensor;

use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::kernel::Row;
use crate::noise::{Draw, Noise};
use crate::{Error, Result};

/// DDIM.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ddim {
    eta: f64,
}

impl Ddim {
    /// 0 ≤ η ≤ 1.
    ///
    /// # Errors
    /// If η is outside.
    pub fn new(eta: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&eta) {
            Ok(Self { eta })
        } else {
            Err(Error::parameter("eta", eta, "lie from 0 to 1"))
        }
    }
}

impl Method for Ddim {
    fn order(&self) -> Order {
        if self.eta > 0.0 {
            Order::Stochastic { weak: 1, strong: Some(1.0) }
        } else {
            Order::Deterministic(1)
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.eta > 0.0
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::UniformT
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { eta: self.eta, problem }))
    }
}

struct Walk<'a> {
    eta: f64,
    problem: Problem<'a>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let sde = self.problem.sde;
        let (from, to) = (sde.kernel(step.from), sde.kernel(step.to));
        let kappa = self.eta * to.sigma / from.sigma * sde.transition(step.to, step.from).1.sqrt();
        // κ² ≤ σ_s² for η ≤ 1, up to rounding.
        let row = Row { data: to.alpha, noise: (to.sigma * to.sigma - kappa * kappa).max(0.0).sqrt() };
        let mean = self.problem.predict(x, &[step.from])?.read(|_| row)?;
        if kappa == 0.0 {
            return Ok(mean);
        }
        Ok((mean + (noise.normal(step, Draw::Increment, x)? * kappa)?)?)
    }
}
