//! EDM's stochastic sampler (Karras et al. 2022, algorithm 2), on any linear SDE: with y = x/α and s = σ/α, noise is added from s to
//! ŝ = (1 + γ) s,  y ← y + S_noise √(ŝ² − s²) z,  then a method without noise goes from ŝ to the next node. γ = min(S_churn/N, √2 − 1) where
//! S_tmin ≤ s ≤ S_tmax, and 0 elsewhere; N is the number of the grid's nodes, as EDM counts its last step to s = 0 (here `finish = "denoise"`,
//! before which no noise is added). Adding noise is exact for p_t, so that only the second part errs.

use candle_core::Tensor;

use super::{InSigma, Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::noise::{Draw, Noise};
use crate::{Error, Result, error};

/// Noise, then a step in σ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Churn {
    inner: InSigma,
    churn: f64,
    from: f64,
    to: f64,
    noise: f64,
}

impl Churn {
    /// S_churn ≥ 0, on S_tmin ≤ s ≤ S_tmax in units of σ/α, with S_noise ≥ 0, around a method of one step in σ.
    ///
    /// # Errors
    /// If a number is out of its domain, or the method remembers earlier steps.
    pub fn new(inner: InSigma, churn: f64, (from, to): (f64, f64), noise: f64) -> Result<Self> {
        if inner.is_multistep() {
            return Err(Error::parameter("inner", "multistep", "be of one step, such as heun"));
        }
        error::non_negative("s-churn", churn)?;
        error::non_negative("s-tmin", from)?;
        if to.is_nan() || to <= from {
            return Err(Error::parameter("s-tmax", to, format!("exceed s-tmin = {from}")));
        }
        Ok(Self { inner, churn, from, to, noise: error::non_negative("s-noise", noise)? })
    }
}

impl Method for Churn {
    fn order(&self) -> Order {
        match self.inner.order() {
            // S_noise ≠ 1 leaves p_t, and the law does not converge to it.
            _ if self.noise != 1.0 => Order::None,
            Order::Deterministic(order) if self.churn > 0.0 => {
                Order::Stochastic { weak: order, strong: None }
            }
            order => order,
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        self.inner.evals(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.churn > 0.0
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::Karras
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: self, inner: self.inner.stepper(problem)?, problem }))
    }
}

struct Walk<'a> {
    method: &'a Churn,
    inner: Box<dyn Stepper + 'a>,
    problem: Problem<'a>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let (Churn { churn, from, to, noise: scale, .. }, sde) = (*self.method, self.problem.sde);
        let here = sde.kernel(step.from);
        let s = here.ratio();
        let gamma = (churn / (step.of + 1) as f64).min(2f64.sqrt() - 1.0);
        if gamma == 0.0 || s < from || s > to {
            return self.inner.step(x, step, noise);
        }
        let up = sde.time_at(-((1.0 + gamma) * s).ln());
        let there = sde.kernel(up);
        let spread = scale * s * (gamma * (2.0 + gamma)).sqrt();
        let z = noise.normal(step, Draw::Other(0), x)?;
        let x = ((x * (there.alpha / here.alpha))? + (z * (there.alpha * spread))?)?;
        self.inner.step(&x, Step { from: up, ..step }, noise)
    }
}
