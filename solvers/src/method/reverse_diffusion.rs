//! The reverse-diffusion predictor (Song et al. 2021, eq. 46): with the forward chain x_t = A x_s + √V z over the step,
//!
//! x_s = (2 − A) x_t + V ∇log p_t(x_t) + √V z,   A = α_t/α_s,  V = σ_t² − A² σ_s².
//!
//! With DDPM's β_i = V this is the paper's VP predictor, and with V = σ_t² − σ_s² its VE predictor. A and V are those of the exact
//! transition, so that sub-VP has one too.

use candle_core::Tensor;

use super::{Method, Order, Stepper};
use crate::Result;
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::kernel::Row;
use crate::noise::{Draw, Noise};

/// The reverse-diffusion predictor, on any linear SDE.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReverseDiffusion;

impl Method for ReverseDiffusion {
    fn order(&self) -> Order {
        Order::Stochastic { weak: 1, strong: Some(1.0) }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        true
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::UniformT
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Chain(problem)))
    }
}

struct Chain<'a>(Problem<'a>);

impl Stepper for Chain<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let (a, v) = self.0.sde.transition(step.to, step.from);
        let from = self.0.sde.kernel(step.from);
        // (2 − A) x_t + V · score, with x_t = (α_t, σ_t) and the score −ε/σ_t.
        let row = Row { data: (2.0 - a) * from.alpha, noise: (2.0 - a) * from.sigma - v / from.sigma };
        let mean = self.0.predict(x, &[step.from])?.read(|_| row)?;
        Ok((mean + (noise.normal(step, Draw::Increment, x)? * v.sqrt())?)?)
    }
}
