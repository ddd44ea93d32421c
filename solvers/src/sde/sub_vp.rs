//! Sub-VP (Song et al. 2021, eq. 12): dx = −½ β(t) x dt + √(β(t) (1 − e^(−2B(t)))) dw on [ε, 1], with VP's β and B;
//! α = e^(−B/2), σ = 1 − e^(−B): the variance stays below VP's.

use candle_core::Tensor;

use super::{FINE, LinearBeta, LinearSde, Sde, Span, Use};
use crate::Result;
use crate::kernel::Kernel;

/// The sub-VP SDE with the linear schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubVp {
    beta: LinearBeta,
    sampling: Span,
}

impl SubVp {
    /// 0 < `beta_min` < `beta_max` (per time) of a sum up to 2500, and where sampling stops, 0 < `epsilon` < 1.
    ///
    /// # Errors
    /// If a parameter is out of its domain.
    pub fn new(beta_min: f64, beta_max: f64, epsilon: f64) -> Result<Self> {
        Ok(Self { beta: LinearBeta::new(beta_min, beta_max)?, sampling: Span::new(epsilon, 1.0)? })
    }
}

impl Default for SubVp {
    /// β from 0.1 to 20, ε = 1e-3.
    fn default() -> Self {
        Self { beta: LinearBeta { min: 0.1, max: 20.0 }, sampling: Span { start: 1e-3, end: 1.0 } }
    }
}

impl Sde for SubVp {
    fn drift(&self, x: &Tensor, t: f64) -> Result<Tensor> {
        Ok((x * self.rate(t))?)
    }

    fn diffusion(&self, t: f64) -> f64 {
        (-self.beta.at(t) * (-2.0 * self.beta.integral(t)).exp_m1()).sqrt()
    }
}

impl LinearSde for SubVp {
    fn rate(&self, t: f64) -> f64 {
        -0.5 * self.beta.at(t)
    }

    fn kernel(&self, t: f64) -> Kernel {
        let b = self.beta.integral(t);
        Kernel { alpha: (-0.5 * b).exp(), sigma: -(-b).exp_m1() }
    }

    /// e^(−λ) = 2 sinh(B/2).
    fn time_at(&self, log_snr: f64) -> f64 {
        self.beta.inverse(2.0 * (0.5 * (-log_snr).exp()).asinh())
    }

    fn span(&self, of: Use) -> Span {
        match of {
            Use::Sampling => self.sampling,
            Use::Likelihood | Use::Training => Span { start: FINE.min(self.sampling.start), ..self.sampling },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_values() {
        for (t, sigma) in [(1e-3, 1.0994396e-4), (1e-5, 1.0009945e-6)] {
            assert!((SubVp::default().kernel(t).sigma / sigma - 1.0).abs() < 1e-7);
        }
        assert!((SubVp::default().kernel(1.0).alpha / 0.006571586495 - 1.0).abs() < 1e-9);
    }
}
