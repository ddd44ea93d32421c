//! Variance exploding (Song et al. 2021, eq. 9 and appendix C): dx = σ(t) √(2 ln(σ_max/σ_min)) dw on [ε, 1],
//! σ(t) = σ_min (σ_max/σ_min)ᵗ, α = 1.
//!
//! As in the paper the kernel has variance σ(t)², not σ(t)² − σ(0)²: x at t = 0 is the data smoothed by σ_min.

use candle_core::Tensor;

use super::{LinearSde, Sde, Span, Use};
use crate::kernel::Kernel;
use crate::{Error, Result, error};

/// The VE SDE with geometric noise levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ve {
    sigma_min: f64,
    sigma_max: f64,
    span: Span,
}

impl Ve {
    /// 0 < `sigma_min` < `sigma_max` (units of x), and where sampling stops, 0 < `epsilon` < 1.
    ///
    /// # Errors
    /// If a parameter is out of its domain.
    pub fn new(sigma_min: f64, sigma_max: f64, epsilon: f64) -> Result<Self> {
        error::positive("sigma-min", sigma_min)?;
        if !sigma_max.is_finite() || sigma_max <= sigma_min {
            return Err(Error::parameter("sigma-max", sigma_max, format!("exceed sigma-min = {sigma_min}")));
        }
        Ok(Self { sigma_min, sigma_max, span: Span::new(epsilon, 1.0)? })
    }

    /// ln(σ_max/σ_min), the growth rate of σ.
    fn growth(&self) -> f64 {
        (self.sigma_max / self.sigma_min).ln()
    }
}

impl Default for Ve {
    /// σ from 0.01 to 50, ε = 1e-5.
    fn default() -> Self {
        Self { sigma_min: 0.01, sigma_max: 50.0, span: Span { start: 1e-5, end: 1.0 } }
    }
}

impl Sde for Ve {
    fn drift(&self, x: &Tensor, _: f64) -> Result<Tensor> {
        Ok(x.zeros_like()?)
    }

    fn diffusion(&self, t: f64) -> f64 {
        self.kernel(t).sigma * (2.0 * self.growth()).sqrt()
    }
}

impl LinearSde for Ve {
    fn rate(&self, _: f64) -> f64 {
        0.0
    }

    fn kernel(&self, t: f64) -> Kernel {
        Kernel { alpha: 1.0, sigma: self.sigma_min * (t * self.growth()).exp() }
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        (-log_snr - self.sigma_min.ln()) / self.growth()
    }

    fn span(&self, of: Use) -> Span {
        match of {
            Use::Sampling => self.span,
            Use::Likelihood | Use::Training => Span { start: super::FINE.min(self.span.start), ..self.span },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_values() {
        let ve = Ve::default();
        assert!((ve.diffusion(0.0) - 0.0412727).abs() < 5e-8);
        assert!((ve.diffusion(1.0) - 206.363674).abs() < 5e-7);
        assert!((ve.kernel(1.0).sigma - 50.0).abs() < 1e-12 && ve.prior() == ve.kernel(1.0).sigma);
    }
}
