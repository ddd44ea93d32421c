//! `explicit`: the nodes themselves, from noise to data.

use super::Spacing;
use crate::clock::Grid;
use crate::sde::{LinearSde, Span, Use};
use crate::{Error, Result};

/// A list of times, falling.
#[derive(Clone, Debug, PartialEq)]
pub struct Explicit {
    times: Grid,
}

impl Explicit {
    /// At least two falling times above 0.
    ///
    /// # Errors
    /// If the list is not such.
    pub fn new(times: Vec<f64>) -> Result<Self> {
        let times = Grid::new(times)?;
        if times.first() < times.last() || times.last() <= 0.0 {
            return Err(Error::parameter("times", format!("{:?}", times.times()), "fall, and stay above 0"));
        }
        Ok(Self { times })
    }
}

impl Spacing for Explicit {
    fn grid(&self, sde: &dyn LinearSde, _: Span, steps: usize) -> Result<Grid> {
        let end = sde.span(Use::Sampling).end;
        if self.times.first() > end {
            return Err(Error::parameter("times", self.times.first(), format!("not exceed T = {end}")));
        }
        if steps != self.times.len() {
            return Err(Error::parameter(
                "steps",
                steps,
                format!("be {}, one less than the times", self.times.len()),
            ));
        }
        Ok(self.times.clone())
    }

    fn fixed_steps(&self) -> Option<usize> {
        Some(self.times.len())
    }
}
