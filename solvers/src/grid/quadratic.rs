//! `quadratic`: tᵢ = (√T + (√ε − √T) i/N)², finer near the data (Song, Meng & Ermon 2021, appendix D.2).

use super::{Spacing, nodes};
use crate::Result;
use crate::clock::Grid;
use crate::sde::{LinearSde, Span};

/// Equal steps of √t.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quadratic;

impl Spacing for Quadratic {
    fn grid(&self, _: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        let (top, bottom) = (span.end.sqrt(), span.start.sqrt());
        nodes(span, steps, |u| (top + u * (bottom - top)).powi(2))
    }
}
