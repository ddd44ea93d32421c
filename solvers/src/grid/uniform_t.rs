//! `uniform-t`: tᵢ = T + (ε − T) i/N.

use super::{Spacing, nodes};
use crate::Result;
use crate::clock::Grid;
use crate::sde::{LinearSde, Span};

/// Equal steps of time, as in score_sde.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UniformT;

impl Spacing for UniformT {
    fn grid(&self, _: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        nodes(span, steps, |u| span.end + u * (span.start - span.end))
    }
}
