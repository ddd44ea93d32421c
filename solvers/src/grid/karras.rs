//! `karras`: rᵢ = (r_T^(1/ρ) + (r_ε^(1/ρ) − r_T^(1/ρ)) i/N)^ρ for the noise-to-signal ratio r = σ/α
//! (Karras et al. 2022, eq. 5, where α = 1 and r = σ).

use super::{Spacing, nodes};
use crate::clock::Grid;
use crate::sde::{LinearSde, Span};
use crate::{Result, error};

/// Equal steps of (σ/α)^(1/ρ): the larger ρ, the more steps at little noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Karras {
    rho: f64,
}

impl Karras {
    /// ρ > 0; the paper's is 7.
    ///
    /// # Errors
    /// If ρ is not a finite number above 0.
    pub fn new(rho: f64) -> Result<Self> {
        Ok(Self { rho: error::positive("rho", rho)? })
    }
}

impl Spacing for Karras {
    fn grid(&self, sde: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        // ln r = ln r_T + ρ ln(1 + u ((r_ε/r_T)^(1/ρ) − 1)): no power overflows, and large ρ lose no digits.
        let (from, to) = (sde.kernel(span.end).log_snr(), sde.kernel(span.start).log_snr());
        let fall = ((from - to) / self.rho).exp_m1();
        nodes(span, steps, |u| sde.time_at(from - self.rho * (u * fall).ln_1p()))
    }
}
