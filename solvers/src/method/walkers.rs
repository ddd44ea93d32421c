//! What adaptive methods share: rows that walk at their own pace, and leave the batch when they arrive.

use candle_core::{D, DType, Tensor};

use crate::Result;
use crate::model::read;

/// Rows that have left, with their numbers.
#[derive(Debug, Default)]
pub(super) struct Arrived(Vec<(usize, Tensor)>);

impl Arrived {
    /// Takes row `i` of x, which is number `row` of the batch.
    pub(super) fn take(&mut self, row: usize, x: &Tensor, i: usize) -> Result<()> {
        self.0.push((row, x.narrow(0, i, 1)?));
        Ok(())
    }

    /// The same for a row that was given up: NaN, so that it counts as diverged.
    pub(super) fn give_up(&mut self, row: usize, x: &Tensor, i: usize) -> Result<()> {
        self.0.push((row, (x.narrow(0, i, 1)? * f64::NAN)?));
        Ok(())
    }

    /// All rows in their first order.
    pub(super) fn assemble(mut self) -> Result<Tensor> {
        self.0.sort_by_key(|(row, _)| *row);
        let rows: Vec<Tensor> = self.0.into_iter().map(|(_, x)| x).collect();
        Ok(Tensor::cat(&rows, 0)?)
    }
}

/// The rows of x with these numbers.
pub(super) fn select(x: &Tensor, rows: &[usize]) -> Result<Tensor> {
    // A card launches nothing over nothing.
    if rows.is_empty() {
        return Ok(x.narrow(0, 0, 0)?);
    }
    let index: Vec<u32> = rows.iter().map(|&i| i as u32).collect();
    Ok(x.index_select(&Tensor::new(index, x.device())?, 0)?)
}

/// Where accepted, `new`, and `old` elsewhere, row by row.
pub(super) fn choose(accepted: &[bool], new: &Tensor, old: &Tensor) -> Result<Tensor> {
    let mask: Vec<u8> = accepted.iter().map(|&a| u8::from(a)).collect();
    let mask = Tensor::from_vec(mask, (accepted.len(), 1), new.device())?.broadcast_as(new.shape())?;
    Ok(mask.where_cond(new, old)?)
}

/// Root mean squares of the rows, on the host, where the adaptive controller decides: one read an attempt.
pub(super) fn norms(ratio: &Tensor) -> Result<Vec<f64>> {
    read(&ratio.to_dtype(DType::F64)?.sqr()?.mean(D::Minus1)?.sqrt()?)
}
