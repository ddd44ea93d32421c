//! Methods of the σ world (Karras et al. 2022; k-diffusion), on any linear SDE: in y = x/α and s = σ/α the flow is dy/ds = ε̂, whatever the SDE.
//!
//! * `edm-heun` (Karras et al. 2022, algorithm 1 without churn): Heun's trapezoid;
//! * `dpm-2` (k-diffusion): the midpoint rule at the geometric middle of s;
//! * `lms` (k-diffusion): linear multistep, the polynomial through the last k slopes integrated exactly over the step (Adams–Bashforth for
//!   any nodes).

use std::collections::VecDeque;

use candle_core::Tensor;

use super::exponential::combine;
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::Noise;
use crate::{Error, Result};

/// The rule of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Heun,
    Midpoint,
    Multistep(usize),
}

/// A method in y and s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InSigma(Rule);

impl InSigma {
    /// Heun's trapezoid, two evaluations a step.
    pub const HEUN: Self = Self(Rule::Heun);
    /// The midpoint rule, two evaluations a step.
    pub const DPM2: Self = Self(Rule::Midpoint);

    /// Linear multistep of an order from 1 to 4; the first steps take the orders 1, 2, … .
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn lms(order: usize) -> Result<Self> {
        if (1..=4).contains(&order) {
            Ok(Self(Rule::Multistep(order)))
        } else {
            Err(Error::parameter("order", order, "be from 1 to 4"))
        }
    }
}

impl Method for InSigma {
    fn order(&self) -> Order {
        Order::Deterministic(match self.0 {
            Rule::Multistep(order) => order as u8,
            _ => 2,
        })
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(if matches!(self.0, Rule::Multistep(_)) { steps } else { 2 * steps })
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { rule: self.0, problem, past: VecDeque::new() }))
    }
}

/// The method at work; s and slopes at the last nodes, newest first.
struct Walk<'a> {
    rule: Rule,
    problem: Problem<'a>,
    past: VecDeque<(f64, Tensor)>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, _: &dyn Noise) -> Result<Tensor> {
        let sde = self.problem.sde;
        let (from, to) = (sde.kernel(step.from), sde.kernel(step.to));
        let (s, end) = (from.sigma / from.alpha, to.sigma / to.alpha);
        let slope = |x: &Tensor, t: f64| self.problem.predict(x, &[t])?.noise();
        let d = slope(x, step.from)?;
        // x at another kernel: α (x/α_t + Σ w d).
        let keep = to.alpha / from.alpha;
        match self.rule {
            Rule::Heun => {
                let ahead = combine(x, keep, [(to.alpha * (end - s), &d)])?;
                let other = slope(&ahead, step.to)?;
                let half = 0.5 * to.alpha * (end - s);
                combine(x, keep, [(half, &d), (half, &other)])
            }
            Rule::Midpoint => {
                let t = sde.time_at(0.5 * (from.log_snr() + to.log_snr()));
                let middle = sde.kernel(t);
                let way = middle.alpha * (middle.sigma / middle.alpha - s);
                let ahead = combine(x, middle.alpha / from.alpha, [(way, &d)])?;
                combine(x, keep, [(to.alpha * (end - s), &slope(&ahead, t)?)])
            }
            Rule::Multistep(order) => {
                self.past.push_front((s, d));
                self.past.truncate(order);
                let nodes: Vec<f64> = self.past.iter().map(|p| p.0).collect();
                let weights = integrals(&nodes, s, end).into_iter().map(|w| to.alpha * w);
                combine(x, keep, weights.zip(self.past.iter().map(|p| &p.1)))
            }
        }
    }
}

/// ∫ of each Lagrange polynomial of up to four nodes from `a` to `b`, by the two Gauss points, which is exact for cubics.
fn integrals(nodes: &[f64], a: f64, b: f64) -> Vec<f64> {
    let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
    let basis = |j: usize, x: f64| -> f64 {
        let others = nodes.iter().enumerate().filter(|(i, _)| *i != j);
        others.map(|(_, node)| (x - node) / (nodes[j] - node)).product()
    };
    let shift = half / 3f64.sqrt();
    (0..nodes.len()).map(|j| half * (basis(j, middle - shift) + basis(j, middle + shift))).collect()
}
