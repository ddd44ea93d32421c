//! ER-SDE (Cui et al. 2023, and the authors' code): in y = x/α and s = σ/α, with a noise scale function φ and r = φ(s′)/φ(s),
//!
//! y′ = r y + (1 − r) x̂₀ + [s′ − s + φ(s′) I₀] x̂₀′ + [½ (s′ − s)² + φ(s′) I₁] x̂₀″ + √(s′² − r² s²) z,   I_k = ∫_{s′}^{s} (u − s)ᵏ/φ(u) du,
//!
//! x̂₀′ and x̂₀″ by differences at the last nodes. The published code takes the plain backward difference for x̂₀′ at order 3 too, which leaves
//! an error of the second order; the slope of the parabola, x̂₀′ + ½ (s − s₋₁) x̂₀″, is exact: `difference`. The integrals are taken by Gauss's
//! points in ln u, where the code sums a hundred rectangles.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::exponential::{Form, combine, gauss};
use super::{Method, Order, Stepper, Third};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::{Draw, Noise};
use crate::{Error, Result};

/// φ, as the authors' code numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseScale {
    /// s: the flow.
    Ode,
    /// s²: the reverse SDE.
    Sde,
    /// s (e^(−1/s) + 10).
    Sde1,
    /// s^1.5.
    Sde2,
    /// s^2.5.
    Sde3,
    /// s^0.9 log₁₀(1 + 100 s^1.5).
    Sde4,
    /// s (e^(s^0.3) + 10), the authors' choice.
    Sde5,
}

impl NoiseScale {
    fn at(self, s: f64) -> f64 {
        match self {
            Self::Ode => s,
            Self::Sde => s * s,
            Self::Sde1 => s * ((-1.0 / s).exp() + 10.0),
            Self::Sde2 => s.powf(1.5),
            Self::Sde3 => s.powf(2.5),
            Self::Sde4 => s.powf(0.9) * (1.0 + 100.0 * s.powf(1.5)).log10(),
            Self::Sde5 => s * (s.powf(0.3).exp() + 10.0),
        }
    }
}

/// ER-SDE of order 1 to 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErSde {
    order: usize,
    scale: NoiseScale,
    third: Third,
}

impl ErSde {
    /// An order from 1 to 3, a noise scale, and which difference order 3 takes.
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn new(order: usize, scale: NoiseScale, third: Third) -> Result<Self> {
        if !(1..=3).contains(&order) {
            return Err(Error::parameter("order", order, "be 1, 2 or 3"));
        }
        Ok(Self { order, scale, third })
    }
}

impl Method for ErSde {
    fn order(&self) -> Order {
        let order = if self.third == Third::Exact { self.order } else { self.order.min(2) } as u8;
        if self.scale == NoiseScale::Ode {
            Order::Deterministic(order)
        } else {
            Order::Stochastic { weak: order.min(2), strong: Some(1.0) }
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.scale != NoiseScale::Ode
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: *self, problem, past: VecDeque::new() }))
    }
}

/// The method at work; s and predictions at the last nodes, newest first.
struct Walk<'a> {
    method: ErSde,
    problem: Problem<'a>,
    past: VecDeque<(f64, Tensor)>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let (sde, ErSde { order, scale, third }) = (self.problem.sde, self.method);
        let (from, to) = (sde.kernel(step.from), sde.kernel(step.to));
        let (s, end) = (from.ratio(), to.ratio());
        self.past.push_front((s, Form::Data.predict(self.problem, x, step.from)?));
        self.past.truncate(order);
        let (phi, r) = (scale.at(end), scale.at(end) / scale.at(s));
        let mut integrals = [0.0; 2];
        if self.past.len() > 1 {
            gauss(end.ln(), s.ln(), |log, weight| {
                let u = log.exp();
                let density = weight * u / scale.at(u);
                integrals[0] += density;
                integrals[1] += density * (u - s);
            });
        }
        let nodes: Vec<f64> = self.past.iter().map(|p| p.0).collect();
        let slope = end - s + phi * integrals[0];
        let mut weights = vec![1.0 - r];
        if nodes.len() > 1 {
            let c = slope / (nodes[0] - nodes[1]);
            weights[0] += c;
            weights.push(-c);
        }
        if nodes.len() > 2 {
            let mut bend = 0.5 * (end - s).powi(2) + phi * integrals[1];
            if third == Third::Exact {
                bend += 0.5 * (nodes[0] - nodes[1]) * slope;
            }
            let c = 2.0 * bend / (nodes[0] - nodes[2]);
            let (near, far) = (c / (nodes[0] - nodes[1]), c / (nodes[1] - nodes[2]));
            weights[0] += near;
            weights[1] -= near + far;
            weights.push(far);
        }
        let weights = weights.into_iter().map(|w| to.alpha * w);
        let mean = combine(x, r * to.alpha / from.alpha, weights.zip(self.past.iter().map(|p| &p.1)))?;
        // 1 − (r s/s′)², and 0 where only rounding is left.
        let free = 1.0 - (r * s / end).powi(2);
        if free < 1e-13 {
            return Ok(mean);
        }
        Ok((mean + (noise.normal(step, Draw::Increment, x)? * (to.sigma * free.sqrt()))?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against values of the authors' `customized_func` at s = 0.5.
    #[test]
    fn noise_scales() {
        let golden = [
            (NoiseScale::Ode, 0.5),
            (NoiseScale::Sde, 0.25),
            (NoiseScale::Sde1, 5.067667641618306),
            (NoiseScale::Sde2, 0.3535533905932738),
            (NoiseScale::Sde3, 0.1767766952966369),
            (NoiseScale::Sde4, 0.8362877912663065),
            (NoiseScale::Sde5, 6.126488436431104),
        ];
        for (scale, want) in golden {
            assert!((scale.at(0.5) - want).abs() < 1e-14, "{scale:?}: {}", scale.at(0.5));
        }
    }
}
