//! What an adaptive method is held to: tolerances that its numbers can keep, and limits of its steps.
//!
//! A tolerance of fewer digits than an answer of the model has is no tolerance: what the method sees of its error is then rounding, which does
//! not fall with a power of the step, so that it takes more and more steps which each add rounding of their own. So the error that is allowed of
//! a coordinate is never less than 4 ε |x|, with ε the rounding of the model's answers (Shampine & Gordon 1975, chapter 9, stop at twice the
//! unit of rounding, which is ε/2, and say so; here the rule is twice as careful and does not stop).

use candle_core::Tensor;

use crate::{Error, Result, error};

/// The least relative tolerance, in units of ε.
const DIGITS: f64 = 4.0;

/// The error that is allowed of a number of size |x|: `atol` and `rtol` |x|.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    pub(super) rtol: f64,
    pub(super) atol: f64,
}

impl Tolerance {
    /// Relative and absolute, above 0.
    ///
    /// # Errors
    /// If one is not.
    pub fn new(rtol: f64, atol: f64) -> Result<Self> {
        Ok(Self { rtol: error::positive("rtol", rtol)?, atol: error::positive("atol", atol)? })
    }

    /// The relative part.
    pub fn rtol(self) -> f64 {
        self.rtol
    }

    /// The absolute part.
    pub fn atol(self) -> f64 {
        self.atol
    }

    /// The least relative tolerance that answers of a rounding error ε can keep.
    pub fn least(rounding: f64) -> f64 {
        DIGITS * rounding
    }

    /// Whether answers of a rounding error ε cannot keep it at numbers of a size.
    pub fn beyond(self, size: f64, rounding: f64) -> bool {
        self.atol + self.rtol * size < Self::least(rounding) * size
    }

    /// atol + rtol |x|, and no less than answers of a rounding error ε can keep.
    pub(super) fn sum(self, size: &Tensor, rounding: f64) -> Result<Tensor> {
        Ok(size.affine(self.rtol, self.atol)?.maximum(&(size * Self::least(rounding))?)?)
    }

    /// max(atol, rtol |x|), and no less than answers of a rounding error ε can keep.
    pub(super) fn larger(self, size: &Tensor, rounding: f64) -> Result<Tensor> {
        Ok((size * self.rtol.max(Self::least(rounding)))?.maximum(self.atol)?)
    }
}

/// Limits of steps, in the clock of the method: t, or log-SNR for `dpm-adaptive`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub(super) first: Option<f64>,
    pub(super) least: f64,
    pub(super) most: usize,
}

impl Limits {
    /// The length of the first step, which the method chooses if it is not given; the length at which a row that needs shorter steps is given up
    /// and counts as diverged; and how many steps a row may try.
    ///
    /// # Errors
    /// If the first step is not above 0 or below the least, the least is below 0, or no step may be tried.
    pub fn new(first: Option<f64>, least: f64, most: usize) -> Result<Self> {
        error::non_negative("min-step", least)?;
        if let Some(first) = first
            && error::positive("first-step", first)? < least
        {
            return Err(Error::parameter("first-step", first, format!("be min-step = {least} or more")));
        }
        if most == 0 {
            return Err(Error::parameter("max-steps", most, "be 1 or more"));
        }
        Ok(Self { first, least, most })
    }

    /// The step after one that was refused; `None` where that was the least, or no longer than the spacing of numbers.
    pub(super) fn shorter(self, tried: f64, wanted: f64, spacing: f64) -> Option<f64> {
        let least = self.least.max(spacing);
        // What was tried is the least up to the rounding of times.
        (tried > least * (1.0 + 1e-6)).then(|| wanted.max(least))
    }

    /// The error that a row did not arrive.
    pub(super) fn exhausted(self, who: &str, to: f64, tolerance: Tolerance) -> Error {
        let Self { most, .. } = self;
        let Tolerance { rtol, atol } = tolerance;
        Error::Solve(format!(
            "{who} tried {most} steps without arriving at t = {to}: set rtol above {rtol:e} and atol above {atol:e}, or max-steps above {most}"
        ))
    }
}

impl Default for Limits {
    /// A first step of the method's choice, no least one, and 100 000 steps.
    fn default() -> Self {
        Self { first: None, least: 0.0, most: 100_000 }
    }
}
