//! EDM (Karras et al. 2022, eq. 1 with σ(t) = t, s(t) = 1): dx = √(2t) dw on [σ_min, σ_max]; α = 1, σ = t. Time is the noise level.

use candle_core::Tensor;

use super::{LinearSde, Sde, Span, Use};
use crate::Result;
use crate::kernel::Kernel;

/// The SDE whose clock is σ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edm {
    span: Span,
}

impl Edm {
    /// 0 < `sigma_min` < `sigma_max`, units of x; sampling, likelihood and training all use this span.
    ///
    /// # Errors
    /// If a parameter is out of its domain.
    pub fn new(sigma_min: f64, sigma_max: f64) -> Result<Self> {
        crate::error::positive("sigma-min", sigma_min)?;
        if !sigma_max.is_finite() || sigma_max <= sigma_min {
            let rule = format!("exceed sigma-min = {sigma_min}");
            return Err(crate::Error::parameter("sigma-max", sigma_max, rule));
        }
        Ok(Self { span: Span::new(sigma_min, sigma_max)? })
    }
}

impl Default for Edm {
    /// σ from 0.002 to 80.
    fn default() -> Self {
        Self { span: Span { start: 0.002, end: 80.0 } }
    }
}

impl Sde for Edm {
    fn drift(&self, x: &Tensor, _: f64) -> Result<Tensor> {
        Ok(x.zeros_like()?)
    }

    fn diffusion(&self, t: f64) -> f64 {
        (2.0 * t).sqrt()
    }
}

impl LinearSde for Edm {
    fn rate(&self, _: f64) -> f64 {
        0.0
    }

    fn kernel(&self, t: f64) -> Kernel {
        Kernel { alpha: 1.0, sigma: t }
    }

    fn time_at(&self, log_snr: f64) -> f64 {
        (-log_snr).exp()
    }

    fn span(&self, _: Use) -> Span {
        self.span
    }
}
