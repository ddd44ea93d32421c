//! Variance preserving (Song et al. 2021, eq. 11): dx = −½ β(t) x dt + √β(t) dw on [ε, 1],
//! β(t) = β_min + t (β_max − β_min), B(t) = ∫₀ᵗ β; α = e^(−B/2), σ² = 1 − e^(−B).

use candle_core::Tensor;

use super::{FINE, LinearBeta, LinearSde, Sde, Span, Use};
use crate::Result;
use crate::kernel::Kernel;

/// The VP SDE with the linear schedule of DDPM.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vp {
    beta: LinearBeta,
    sampling: Span,
}

impl Vp {
    /// 0 < `beta_min` < `beta_max` (per time) of a sum up to 2500, and where sampling stops, 0 < `epsilon` < 1.
    ///
    /// # Errors
    /// If a parameter is out of its domain.
    pub fn new(beta_min: f64, beta_max: f64, epsilon: f64) -> Result<Self> {
        Ok(Self { beta: LinearBeta::new(beta_min, beta_max)?, sampling: Span::new(epsilon, 1.0)? })
    }
}

impl Default for Vp {
    /// β from 0.1 to 20, ε = 1e-3.
    fn default() -> Self {
        Self { beta: LinearBeta { min: 0.1, max: 20.0 }, sampling: Span { start: 1e-3, end: 1.0 } }
    }
}

impl Sde for Vp {
    fn drift(&self, x: &Tensor, t: f64) -> Result<Tensor> {
        Ok((x * self.rate(t))?)
    }

    fn diffusion(&self, t: f64) -> f64 {
        self.beta.at(t).sqrt()
    }
}

impl LinearSde for Vp {
    fn rate(&self, t: f64) -> f64 {
        -0.5 * self.beta.at(t)
    }

    fn kernel(&self, t: f64) -> Kernel {
        let b = self.beta.integral(t);
        Kernel { alpha: (-0.5 * b).exp(), sigma: (-(-b).exp_m1()).sqrt() }
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        self.beta.inverse((-2.0 * log_snr).exp().ln_1p())
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
        let rows = [
            (1.0, 0.006571586495, 0.9999784069, -5.0249784),
            (0.5, 0.2811828808, 0.9596542021, -1.2275677),
            (0.1, 0.9467217988, 0.3220525355, 1.0782906),
            (1e-2, 0.9990029973, 0.04464315524, 3.1080568),
            (1e-3, 0.9999450265, 0.01048541634, 4.5577149),
            (1e-4, 0.9999949503, 0.003177963027, 5.7515098),
            (1e-5, 0.9999994995, 0.001000497126, 6.9072578),
        ];
        for (t, alpha, sigma, log_snr) in rows {
            let k = Vp::default().kernel(t);
            assert!((k.alpha / alpha - 1.0).abs() < 1e-9 && (k.sigma / sigma - 1.0).abs() < 1e-9, "{t}");
            assert!((k.log_snr() - log_snr).abs() < 6e-8);
        }
    }
}
