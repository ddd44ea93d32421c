//! DEIS tAB (Zhang & Chen 2023, eqs. 14 and 15): exponential Adams–Bashforth whose polynomial runs in time. With s = σ/α and ε̂_j at the last
//! r + 1 nodes t_j,  x ← (α_s/α_t) x + α_s Σ_j ε̂_j ∫ L_j(τ) ds(τ),  L_j the Lagrange polynomials of degree r in τ. The first steps take
//! degrees 0, 1, … . ρAB and ρRK of the same paper run in s and are in `in_sigma`.
//!
//! The integrals are taken in λ = −ln s, where all of it is smooth; the authors' code sums ten thousand rectangles.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::exponential::{combine, gauss};
use super::in_sigma::lagrange;
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::noise::Noise;
use crate::sde::LinearSde;
use crate::{Error, Result};

/// tAB of degree r: r + 1 nodes, order r + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeisTab {
    degree: usize,
}

impl DeisTab {
    /// Of degree 0 (DDIM) to 3.
    ///
    /// # Errors
    /// If the degree is none of these.
    pub fn new(degree: usize) -> Result<Self> {
        if degree > 3 {
            return Err(Error::parameter("degree", degree, "be from 0 to 3"));
        }
        Ok(Self { degree })
    }
}

impl Method for DeisTab {
    fn order(&self) -> Order {
        Order::Deterministic(self.degree as u8 + 1)
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        false
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::Quadratic
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { degree: self.degree, problem, past: VecDeque::new() }))
    }
}

/// The method at work; times and predictions at the last nodes, newest first.
struct Walk<'a> {
    degree: usize,
    problem: Problem<'a>,
    past: VecDeque<(f64, Tensor)>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, _: &dyn Noise) -> Result<Tensor> {
        let sde = self.problem.sde;
        let (from, to) = (sde.kernel(step.from).alpha, sde.kernel(step.to).alpha);
        self.past.push_front((step.from, self.problem.predict(x, &[step.from])?.noise()?));
        self.past.truncate(self.degree + 1);
        let nodes: Vec<f64> = self.past.iter().map(|p| p.0).collect();
        let weights = integrals(sde, &nodes, step).into_iter().map(|w| to * w);
        combine(x, to / from, weights.zip(self.past.iter().map(|p| &p.1)))
    }
}

/// ∫ L_j(τ) ds(τ) over the step, for every node.
fn integrals(sde: &dyn LinearSde, nodes: &[f64], step: Step) -> Vec<f64> {
    let (a, b) = (sde.kernel(step.from).log_snr(), sde.kernel(step.to).log_snr());
    let mut sums = vec![0.0; nodes.len()];
    gauss(a, b, |lambda, weight| {
        // ds = −e^(−λ) dλ.
        let (t, ds) = (sde.time_at(lambda), -(-lambda).exp() * weight);
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum += ds * lagrange(nodes, j, t);
        }
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sde::Edm;

    /// Where s = t the integrals are those of polynomials: over [2, 0.5] with nodes 2, 3, 5 of 1, τ and τ².
    #[test]
    fn polynomials_are_integrated() {
        let (nodes, step) = ([2.0, 3.0, 5.0], Step { index: 2, of: 9, from: 2.0, to: 0.5 });
        let w = integrals(&Edm::default(), &nodes, step);
        for k in 0..3 {
            let got: f64 = w.iter().zip(nodes).map(|(w, t)| w * t.powi(k)).sum();
            let want = (0.5f64.powi(k + 1) - 2f64.powi(k + 1)) / f64::from(k + 1);
            assert!((got - want).abs() < 1e-12, "{k}: {got} {want}");
        }
    }
}
