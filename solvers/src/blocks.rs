//! A model asked in blocks of one height, so that a row's numbers do not depend on how many rows there are: products of matrices of different
//! heights round differently, and one row of a batch may be all that is left of it when an adaptive method comes to its end.

use candle_core::{DType, Tensor};

use crate::kernel::{Kernel, Target};
use crate::model::{self, ScoreModel};
use crate::{Error, Result};

/// A model around a model that is asked about `height` rows at a time, the last of them as often as it takes, each with a kernel of its own.
pub struct Blocks<'a> {
    model: &'a dyn ScoreModel,
    height: usize,
}

impl std::fmt::Debug for Blocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blocks of {}", self.height)
    }
}

impl<'a> Blocks<'a> {
    /// Blocks of `height` rows, 1 or more.
    ///
    /// # Errors
    /// If it is 0.
    pub fn new(model: &'a dyn ScoreModel, height: usize) -> Result<Self> {
        if height == 0 {
            return Err(Error::parameter("height", height, "be 1 or more"));
        }
        Ok(Self { model, height })
    }

    /// `ask(x, tangents, kernels)` block by block.
    fn each(
        &self,
        x: &Tensor,
        tangents: &[Tensor],
        at: &[Kernel],
        ask: impl Fn(&Tensor, &[Tensor], &[Kernel]) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<Tensor>> {
        let rows = model::check(x, self.dim(), at)?;
        let mut found: Vec<Vec<Tensor>> = vec![Vec::new(); 1 + tangents.len()];
        for first in (0..rows).step_by(self.height) {
            let last = rows.min(first + self.height) - 1;
            let numbers: Vec<u32> = (first..first + self.height).map(|row| row.min(last) as u32).collect();
            let index = Tensor::new(&numbers[..], x.device())?;
            let part = |t: &Tensor| Ok(t.contiguous()?.index_select(&index, 0)?);
            let own: Vec<Kernel> =
                numbers.iter().map(|&row| at[if at.len() == 1 { 0 } else { row as usize }]).collect();
            let moved = tangents.iter().map(part).collect::<Result<Vec<_>>>()?;
            for (all, block) in found.iter_mut().zip(ask(&part(x)?, &moved, &own)?) {
                all.push(block.narrow(0, 0, last + 1 - first)?);
            }
        }
        if rows == 0 {
            return Ok(vec![x.clone(); 1 + tangents.len()]);
        }
        found.iter().map(|blocks| Ok(Tensor::cat(blocks, 0)?)).collect()
    }
}

impl ScoreModel for Blocks<'_> {
    fn dim(&self) -> usize {
        self.model.dim()
    }

    fn target(&self) -> Target {
        self.model.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        let mut found = self.each(x, &[], at, |x, _, at| Ok(vec![self.model.raw(x, at)?]))?;
        Ok(found.swap_remove(0))
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let mut found = self.each(x, tangents, at, |x, tangents, at| {
            let (value, slopes) = self.model.raw_jvp(x, tangents, at)?;
            Ok(std::iter::once(value).chain(slopes).collect())
        })?;
        Ok((found.remove(0), found))
    }

    fn log_densities(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        self.model.log_densities(x, at)
    }

    fn room(&self) -> usize {
        self.model.room()
    }

    fn rows_apart(&self) -> bool {
        true
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.model.rounding(dtype)
    }
}
