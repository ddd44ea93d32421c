//! Evaluations, counted where they happen: a model around a model.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{DType, Tensor};

use crate::Result;
use crate::kernel::{Kernel, Target};
use crate::model::ScoreModel;

/// Counts the rows that a model evaluates. A derivative along one direction counts as one more evaluation of its row.
pub struct Counted<'a> {
    model: &'a dyn ScoreModel,
    rows: AtomicU64,
}

impl std::fmt::Debug for Counted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Counted({} rows)", self.rows())
    }
}

impl<'a> Counted<'a> {
    /// A counter at 0 around a model.
    pub fn new(model: &'a dyn ScoreModel) -> Self {
        Self { model, rows: AtomicU64::new(0) }
    }

    /// The rows evaluated so far.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// The evaluations of each of `rows` rows so far: equal shares, or shares by visits where rows differ.
    pub fn per_row(&self, rows: usize, visits: Option<&[u64]>) -> Vec<f64> {
        let total = self.rows() as f64;
        match visits {
            Some(visits) => {
                let all = visits.iter().sum::<u64>() as f64;
                visits.iter().map(|&v| total * v as f64 / all).collect()
            }
            None => vec![total / rows.max(1) as f64; rows],
        }
    }

    fn add(&self, x: &Tensor, times: usize) -> Result<()> {
        self.rows.fetch_add((x.dim(0)? * times) as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl ScoreModel for Counted<'_> {
    fn dim(&self) -> usize {
        self.model.dim()
    }

    fn target(&self) -> Target {
        self.model.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        self.add(x, 1)?;
        self.model.raw(x, at)
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        self.add(x, 1 + tangents.len())?;
        self.model.raw_jvp(x, tangents, at)
    }

    fn room(&self) -> usize {
        self.model.room()
    }

    fn rows_apart(&self) -> bool {
        self.model.rows_apart()
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.model.rounding(dtype)
    }

    fn log_densities(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        self.model.log_densities(x, at)
    }
}
