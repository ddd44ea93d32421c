//! Methods of the σ world (Karras et al. 2022; k-diffusion; DEIS), on any linear SDE: in y = x/α and s = σ/α the flow is dy/ds = ε̂, whatever
//! the SDE.
//!
//! * Runge–Kutta tableaux in s: `edm-heun` (Karras et al. 2022, algorithm 1 without churn), `deis` ρRK (Zhang & Chen 2023);
//! * `dpm-2` (k-diffusion): the midpoint rule at the geometric middle of s;
//! * Adams–Bashforth, from the slopes at the last k nodes, its first steps with 1, 2, … of them: `lms` (k-diffusion), which is also ρAB of
//!   `deis`, `ipndm` (Zhang & Chen 2023) and `ipndm-v` (diff-sampler). [`Adams`] says how they differ.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::exponential::combine;
use super::{Method, Order, RungeKutta, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::noise::Noise;
use crate::{Error, Result};

/// The weights of Adams–Bashforth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adams {
    /// The integrals of the Lagrange polynomials: order k on any grid.
    Exact,
    /// Those of equal steps in s, whatever the steps are: order 2 at most on other grids.
    Equal,
    /// `ipndm-v` as diff-sampler has it. For three slopes 1 − A B stands where (1 − A) B is exact, which keeps the order. For four slopes a
    /// sign is turned and h₁/h₂ stands for h₂/h₃: the weights do not add up to the step, and the order is 1 where steps are not equal.
    DiffSampler,
}

/// The rule of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Tableau(RungeKutta),
    Midpoint,
    Multistep(usize, Adams),
}

/// A method in y and s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InSigma(Rule);

impl InSigma {
    /// Heun's trapezoid, two evaluations a step.
    pub const HEUN: Self = Self(Rule::Tableau(RungeKutta::HEUN));
    /// The midpoint rule, two evaluations a step.
    pub const DPM2: Self = Self(Rule::Midpoint);

    /// A Runge–Kutta method in s.
    pub fn tableau(of: RungeKutta) -> Self {
        Self(Rule::Tableau(of))
    }

    /// Adams–Bashforth from 1 to 4 slopes.
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn multistep(order: usize, weights: Adams) -> Result<Self> {
        if (1..=4).contains(&order) {
            Ok(Self(Rule::Multistep(order, weights)))
        } else {
            Err(Error::parameter("order", order, "be from 1 to 4"))
        }
    }
}

impl InSigma {
    /// Whether it remembers earlier steps.
    pub(super) fn is_multistep(&self) -> bool {
        matches!(self.0, Rule::Multistep(..))
    }
}

impl Method for InSigma {
    fn order(&self) -> Order {
        Order::Deterministic(match self.0 {
            Rule::Tableau(of) => of.order,
            Rule::Midpoint => 2,
            Rule::Multistep(order, Adams::Exact) => order as u8,
            Rule::Multistep(order, Adams::Equal) => order.min(2) as u8,
            Rule::Multistep(4, Adams::DiffSampler) => 1,
            Rule::Multistep(order, Adams::DiffSampler) => order as u8,
        })
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(match self.0 {
            Rule::Tableau(of) => steps * of.b.len(),
            Rule::Midpoint => steps * 2,
            Rule::Multistep(..) => steps,
        })
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        false
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::Karras
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
        let (s, end) = (from.ratio(), to.ratio());
        let slope = |x: &Tensor, t: f64| self.problem.predict(x, &[t])?.noise();
        let d = slope(x, step.from)?;
        // x at another kernel: α (x/α_t + Σ w d).
        let keep = to.alpha / from.alpha;
        match self.rule {
            Rule::Tableau(of) => {
                let mut stages = vec![d];
                for row in of.a {
                    let c: f64 = row.iter().sum();
                    // The last stage sits on the node itself.
                    let t = if c == 1.0 { step.to } else { sde.time_at(-(s + c * (end - s)).ln()) };
                    let alpha = sde.kernel(t).alpha;
                    let weights = row.iter().map(|a| alpha * (end - s) * a);
                    stages.push(slope(&combine(x, alpha / from.alpha, weights.zip(&stages))?, t)?);
                }
                combine(x, keep, of.b.iter().map(|b| to.alpha * (end - s) * b).zip(&stages))
            }
            Rule::Midpoint => {
                let t = sde.time_at(0.5 * (from.log_snr() + to.log_snr()));
                let middle = sde.kernel(t);
                let way = middle.alpha * (middle.ratio() - s);
                let ahead = combine(x, middle.alpha / from.alpha, [(way, &d)])?;
                combine(x, keep, [(to.alpha * (end - s), &slope(&ahead, t)?)])
            }
            Rule::Multistep(order, adams) => {
                self.past.push_front((s, d));
                self.past.truncate(order);
                let nodes: Vec<f64> = self.past.iter().map(|p| p.0).collect();
                let weights = match adams {
                    Adams::Exact => integrals(&nodes, s, end),
                    Adams::Equal => equal(nodes.len()).iter().map(|w| (end - s) * w).collect(),
                    Adams::DiffSampler => diff_sampler(&nodes, end),
                };
                let weights = weights.into_iter().map(|w| to.alpha * w);
                combine(x, keep, weights.zip(self.past.iter().map(|p| &p.1)))
            }
        }
    }
}

/// ∫ of each Lagrange polynomial of up to four nodes from `a` to `b`, by the two Gauss points, which is exact for cubics.
fn integrals(nodes: &[f64], a: f64, b: f64) -> Vec<f64> {
    let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
    let shift = half / 3f64.sqrt();
    let basis = |j: usize, x: f64| lagrange(nodes, j, x);
    (0..nodes.len()).map(|j| half * (basis(j, middle - shift) + basis(j, middle + shift))).collect()
}

/// The polynomial that is 1 at node j and 0 at the others.
pub(super) fn lagrange(nodes: &[f64], j: usize, x: f64) -> f64 {
    let others = nodes.iter().enumerate().filter(|(i, _)| *i != j);
    others.map(|(_, node)| (x - node) / (nodes[j] - node)).product()
}

/// Adams–Bashforth of one to four equal steps (Hairer, Nørsett & Wanner 1993, eq. III.1.5′).
fn equal(order: usize) -> &'static [f64] {
    match order {
        1 => &[1.0],
        2 => &[3.0 / 2.0, -1.0 / 2.0],
        3 => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
        _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
    }
}

/// The weights of diff-sampler's `ipndm_v_sampler`, in Newton's form: Σ_k c_k ∏ of the differences of the slopes.
fn diff_sampler(nodes: &[f64], end: f64) -> Vec<f64> {
    let h: Vec<f64> = std::iter::once(end - nodes[0]).chain(nodes.windows(2).map(|w| w[0] - w[1])).collect();
    let mut weights = vec![0.0; nodes.len()];
    weights[0] = h[0];
    if nodes.len() > 1 {
        let half = 0.5 * h[0] * h[0] / h[1];
        weights[0] += half;
        weights[1] -= half;
    }
    if nodes.len() > 2 {
        let ab = h[0] / (3.0 * (h[0] + h[1])) * (h[0] * (h[0] + h[1])) / (h[1] * (h[1] + h[2]));
        let second = 0.5 * h[0] * (1.0 - ab);
        let r = h[1] / h[2];
        weights[0] += second;
        weights[1] -= (1.0 + r) * second;
        weights[2] += r * second;
    }
    if nodes.len() > 3 {
        let (near, far) = (h[0] + h[1], h[0] + h[1] + h[2]);
        let (a, b) = (1.0 - h[0] / (3.0 * near), (1.0 - h[0] / (2.0 * near)) * h[0] / (6.0 * far));
        let scale = h[0] * near * far / (h[1] * (h[1] + h[2]) * (h[1] + h[2] + h[3]));
        let third = h[0] * (0.5 * a + b) * scale;
        let (r, q) = (h[1] / h[2], h[1] * (h[1] + h[2]) / (h[2] * (h[2] + h[3])));
        weights[0] += third;
        weights[1] -= (1.0 + r + q) * third;
        weights[2] += (r + q * (1.0 + h[2] / h[3])) * third;
        weights[3] -= q * r * third;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On equal steps the exact weights are the tabulated ones; diff-sampler's are for up to three slopes.
    #[test]
    fn weights_of_equal_steps() {
        for order in 1..=4 {
            let nodes: Vec<f64> = (0..order).map(|i| 2.0 + 0.5 * i as f64).collect();
            let exact = integrals(&nodes, 2.0, 1.5);
            let theirs = diff_sampler(&nodes, 1.5);
            for (i, w) in equal(order).iter().enumerate() {
                assert!((exact[i] + 0.5 * w).abs() < 1e-14, "{order} {i}: {}", exact[i]);
                assert!(order == 4 || (theirs[i] + 0.5 * w).abs() < 1e-14, "{order} {i}: {}", theirs[i]);
            }
        }
    }

    /// A literal case, by hand from diff-sampler's lines: steps 1, 2, 4, 8 (newest first), the next of 1.
    #[test]
    fn weights_of_diff_sampler() {
        // One slope back: (2 + 1/2)/2, −(1/2)/2. Two: + ½ (1 − (1/9)(3/12)) = 35/72.
        let got = diff_sampler(&[0.0, -2.0, -6.0], 1.0);
        let t = 35.0 / 72.0;
        for (g, w) in got.iter().zip([1.25 + t, -0.25 - 1.5 * t, 0.5 * t]) {
            assert!((g - w).abs() < 1e-14, "{got:?}");
        }
        // Three: ((8/9)/2 + (5/6)/42) (1·3·7)/(2·6·14).
        let u = (4.0 / 9.0 + 5.0 / 252.0) * 0.125;
        let got = diff_sampler(&[0.0, -2.0, -6.0, -14.0], 1.0);
        let wanted = [
            1.25 + t + u,
            -0.25 - 1.5 * t - (1.5 + 0.25) * u,
            0.5 * t + (0.5 + 0.25 * 1.5) * u,
            -0.25 * 0.5 * u,
        ];
        for (g, w) in got.iter().zip(wanted) {
            assert!((g - w).abs() < 1e-14, "{got:?}");
        }
    }
}
