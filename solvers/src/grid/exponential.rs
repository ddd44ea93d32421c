//! `exponential`: ln rᵢ = ln r_ε + (1 − i/N)^ρ (ln r_T − ln r_ε) for the noise-to-signal ratio r = σ/α (k-diffusion's `get_sigmas_exponential`, and
//! its `get_sigmas_polyexponential` for ρ ≠ 1). At ρ = 1 these are equal steps of log-SNR.

use super::{Spacing, nodes};
use crate::clock::Grid;
use crate::sde::{LinearSde, Span};
use crate::{Result, error};

/// Powers of the log-SNR: the larger ρ, the more steps at little noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    rho: f64,
}

impl Exponential {
    /// ρ > 0.
    ///
    /// # Errors
    /// If ρ is not a finite number above 0.
    pub fn new(rho: f64) -> Result<Self> {
        Ok(Self { rho: error::positive("rho", rho)? })
    }
}

impl Spacing for Exponential {
    fn grid(&self, sde: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        let (from, to) = (sde.kernel(span.end).log_snr(), sde.kernel(span.start).log_snr());
        nodes(span, steps, |u| sde.time_at(to + (1.0 - u).powf(self.rho) * (from - to)))
    }
}
