//! Euler–Maruyama:  x_s = x_t + f(x_t, t) (s − t) + g(t) √|s − t| z   (Kloeden & Platen 1992, eq. 9.1.16),
//! on the reverse SDE with noise level λ:  f = a x − ½ (1 + λ²) g² ∇log p_t,  diffusion λ g   (Song et al. 2021, eq. 6 at λ = 1).

use candle_core::Tensor;

use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::{Problem, Reverse};
use crate::grid::DefaultGrid;
use crate::noise::{Draw, Noise};
use crate::sde::Sde;
use crate::{Result, error};

/// Euler–Maruyama on the reverse SDE. λ = 1 is Anderson's reverse SDE; λ = 0 is Euler on the flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EulerMaruyama {
    lambda: f64,
}

impl EulerMaruyama {
    /// λ ≥ 0.
    ///
    /// # Errors
    /// If λ is negative or not finite.
    pub fn new(lambda: f64) -> Result<Self> {
        Ok(Self { lambda: error::non_negative("lambda", lambda)? })
    }
}

impl Default for EulerMaruyama {
    /// λ = 1.
    fn default() -> Self {
        Self { lambda: 1.0 }
    }
}

impl Method for EulerMaruyama {
    fn order(&self) -> Order {
        if self.lambda == 0.0 {
            Order::Deterministic(1)
        } else {
            Order::Stochastic { weak: 1, strong: Some(1.0) }
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::UniformT
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.lambda > 0.0
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Maruyama(Reverse { problem, lambda: self.lambda })))
    }
}

/// Euler–Maruyama at work on any drift and diffusion, in either direction of time.
#[derive(Clone, Copy, Debug)]
pub struct Maruyama<S>(pub S);

impl<S: Sde> Stepper for Maruyama<S> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let mean = (x + (self.0.drift(x, step.from)? * step.dt())?)?;
        let scale = self.0.diffusion(step.from) * step.root_dt();
        if scale == 0.0 {
            return Ok(mean);
        }
        Ok((mean + (noise.normal(step, Draw::Increment, x)? * scale)?)?)
    }
}
