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
        let root = |t: f64| (-sde.kernel(t).log_snr() / self.rho).exp();
        let (from, to) = (root(span.end), root(span.start));
        nodes(span, steps, |u| sde.time_at(-self.rho * (from + u * (to - from)).ln()))
    }
}
