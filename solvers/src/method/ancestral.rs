//! Ancestral sampling: a draw from q(x_s | x_t, x̂₀), the posterior of the forward chain given the denoised point,
//!
//! x_s = (A σ_s²/σ_t²) x_t + (α_s V/σ_t²) x̂₀ + σ_s √V/σ_t · z,   A = α_t/α_s,  V = σ_t² − A² σ_s²
//!
//! (Ho et al. 2020, eqs. 6–7; for VE, Song et al. 2021, appendix F). It holds for any linear SDE, sub-VP included. It is DDIM
//! with η = 1 (Song, Meng & Ermon 2021, eq. 12) with the posterior variance: its mean is exact, its variance a little small.

use candle_core::Tensor;

use super::{Method, Order, Stepper};
use crate::Result;
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::kernel::Row;
use crate::noise::{Draw, Noise};

/// DDPM's and SMLD's ancestral sampling, on any linear SDE.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ancestral;

impl Method for Ancestral {
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
        Ok(Box::new(Posterior(problem)))
    }
}

struct Posterior<'a>(Problem<'a>);

impl Stepper for Posterior<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let sde = self.0.sde;
        let (from, to) = (sde.kernel(step.from), sde.kernel(step.to));
        let (a, v) = sde.transition(step.to, step.from);
        let keep = a * to.sigma * to.sigma / (from.sigma * from.sigma);
        let pull = to.alpha * v / (from.sigma * from.sigma);
        // keep · x_t + pull · x̂₀ as a row, with x_t = (α_t, σ_t).
        let row = Row { data: keep * from.alpha + pull, noise: keep * from.sigma };
        let mean = self.0.predict(x, &[step.from])?.read(|_| row)?;
        Ok((mean + (noise.normal(step, Draw::Increment, x)? * (to.sigma * v.sqrt() / from.sigma))?)?)
    }
}
