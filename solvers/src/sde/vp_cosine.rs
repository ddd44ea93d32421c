//! VP with the cosine schedule (Nichol & Dhariwal 2021, eq. 17) in continuous time:
//! α(t) = cos u / cos u₀, u = (t + s)/(1 + s) · π/2, u₀ = u(0); β(t) = −2 d ln α/dt = π/(1 + s) · tan u.
//!
//! β grows without bound as t → 1, where the paper clips it; here the clock ends at T = 0.9946 instead, where ln(α/σ) = −4.77,
//! close to linear VP's −5.02. Differences of cosines are written as products of sines: nothing cancels near t = 0.

use std::f64::consts::{FRAC_PI_2, PI};

use candle_core::Tensor;

use super::{FINE, LinearSde, Sde, Span, Use};
use crate::Result;
use crate::kernel::Kernel;

/// The VP SDE with improved DDPM's cosine schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VpCosine {
    offset: f64,
    sampling: Span,
}

/// Where the clock ends.
const END: f64 = 0.9946;

impl VpCosine {
    /// The paper's s > 0, and where sampling stops, 0 < `epsilon` < 0.9946.
    ///
    /// # Errors
    /// If a parameter is out of its domain.
    pub fn new(offset: f64, epsilon: f64) -> Result<Self> {
        Ok(Self { offset: crate::error::positive("offset", offset)?, sampling: Span::new(epsilon, END)? })
    }

    fn angle(&self, t: f64) -> f64 {
        (t + self.offset) / (1.0 + self.offset) * FRAC_PI_2
    }
}

impl Default for VpCosine {
    /// s = 0.008, ε = 1e-3.
    fn default() -> Self {
        Self { offset: 0.008, sampling: Span { start: 1e-3, end: END } }
    }
}

impl Sde for VpCosine {
    fn drift(&self, x: &Tensor, t: f64) -> Result<Tensor> {
        Ok((x * self.rate(t))?)
    }

    fn diffusion(&self, t: f64) -> f64 {
        (-2.0 * self.rate(t)).sqrt()
    }
}

impl LinearSde for VpCosine {
    fn rate(&self, t: f64) -> f64 {
        -0.5 * PI / (1.0 + self.offset) * self.angle(t).tan()
    }

    /// σ² = (cos² u₀ − cos² u)/cos² u₀ = sin(u − u₀) sin(u + u₀)/cos² u₀.
    fn kernel(&self, t: f64) -> Kernel {
        let (u, u0) = (self.angle(t), self.angle(0.0));
        let turned = t / (1.0 + self.offset) * FRAC_PI_2;
        Kernel { alpha: u.cos() / u0.cos(), sigma: (turned.sin() * (u + u0).sin()).sqrt() / u0.cos() }
    }

    /// sin² u = sin² u₀ + σ² cos² u₀, and u − u₀ from the sine of the difference while it is small.
    fn time_at(&self, log_snr: f64) -> f64 {
        let u0 = self.angle(0.0);
        // α² = 1/(1 + e^(−2λ)), σ² = 1/(1 + e^(2λ)), both times cos² u₀.
        let alpha = u0.cos() / (1.0 + (-2.0 * log_snr).exp()).sqrt();
        let noise = u0.cos().powi(2) / (1.0 + (2.0 * log_snr).exp());
        let u = (u0.sin().powi(2) + noise).sqrt().atan2(alpha);
        let turned = if u - u0 < 0.5 { (noise / (u + u0).sin()).asin() } else { u - u0 };
        turned * (1.0 + self.offset) / FRAC_PI_2
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

    /// ᾱ = α² at a few times, by the paper's formula f(t)/f(0) directly; s = 0.008.
    #[test]
    fn alpha_bar_is_the_papers() {
        let f = |t: f64| ((t + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
        for t in [0.0, 0.001, 0.2, 0.5, 0.9, 0.9946] {
            let k = VpCosine::default().kernel(t);
            assert!((k.alpha.powi(2) - f(t) / f(0.0)).abs() < 1e-14);
            assert!((k.alpha.powi(2) + k.sigma.powi(2) - 1.0).abs() < 1e-14);
        }
        assert!((VpCosine::default().kernel(END).log_snr() + 4.77).abs() < 0.01);
    }
}
