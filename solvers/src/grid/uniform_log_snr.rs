//! `uniform-log-snr`: λᵢ = λ_T + (λ_ε − λ_T) i/N for λ = ln(α/σ) (Lu et al. 2022, DPM-Solver, §3.3).

use super::{Spacing, nodes};
use crate::Result;
use crate::clock::Grid;
use crate::sde::{LinearSde, Span};

/// Equal steps of ln(α/σ).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UniformLogSnr;

impl Spacing for UniformLogSnr {
    fn grid(&self, sde: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        let (from, to) = (sde.kernel(span.end).log_snr(), sde.kernel(span.start).log_snr());
        nodes(span, steps, |u| sde.time_at(from + u * (to - from)))
    }
}
