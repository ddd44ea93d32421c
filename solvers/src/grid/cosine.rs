//! `cosine`: equal steps of the angle arctan(σ/α), which the cosine schedule of improved DDPM (Nichol & Dhariwal 2021, eq. 17) makes of equal steps of
//! its time; on any SDE.

use super::{Spacing, nodes};
use crate::Result;
use crate::clock::Grid;
use crate::sde::{LinearSde, Span};

/// Equal steps of arctan(σ/α).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cosine;

impl Spacing for Cosine {
    fn grid(&self, sde: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        let angle = |t: f64| {
            let k = sde.kernel(t);
            k.sigma.atan2(k.alpha)
        };
        let (from, to) = (angle(span.end), angle(span.start));
        nodes(span, steps, |u| sde.time_at(-(from + u * (to - from)).tan().ln()))
    }
}
