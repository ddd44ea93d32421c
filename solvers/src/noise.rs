//! The standard normals that a sampler asks for: addressed by (sample, step, draw), never drawn from a moving generator.

use candle_core::{DType, Device, Tensor};

use crate::clock::Step;
use crate::{Key, Result, model};

/// A source of standard normals for the rows of a batch.
pub trait Noise: Send + Sync {
    /// Normals of the shape (B, D), dtype and device of `like`. Draw 0 of a step drives the diffusion over it (times
    /// `step.root_dt()` it is the Brownian increment); draws 1, 2, … are independent of it, for correctors.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor>;
}

/// Independent normals: row i of a batch is sample `first + i`, and gets the same numbers in every batch.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: Key,
    first: u64,
}

impl Stream {
    /// The noise of samples `first …` under a key.
    pub fn new(key: &Key, first: u64) -> Self {
        Self { key: key.branch("noise"), first }
    }
}

impl Noise for Stream {
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor> {
        let (rows, dim) = like.dims2()?;
        let stream = (step.index as u64) << 24 | u64::from(draw);
        model::tensor(self.key.normals(stream, self.first, rows, dim), (rows, dim), like)
    }
}

/// `rows` prior points, σ z, of samples `first …` under a key: shape (rows, dim).
///
/// # Errors
/// If the tensor cannot be made.
pub fn prior(
    key: &Key,
    sigma: f64,
    (first, rows, dim): (u64, usize, usize),
    on: (&Device, DType),
) -> Result<Tensor> {
    let like = Tensor::zeros((1, 1), on.1, on.0)?;
    let values = key.branch("prior").normals(0, first, rows, dim).into_iter().map(|z| sigma * z).collect();
    model::tensor(values, (rows, dim), &like)
}
