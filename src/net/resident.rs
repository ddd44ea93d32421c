//! A network that stays on its device: its weights once more as the kernel of whole trajectories reads them.

use std::any::Any;

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::Result;
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::model::ScoreModel;

use super::Mlp;
use crate::device::{Program, Trajectory, Weights};

/// A network as tensors, and packed for trajectories if it is small enough.
#[derive(Clone, Debug)]
pub struct Resident {
    net: Mlp,
    weights: Option<Weights>,
}

impl Resident {
    /// A network on a device.
    ///
    /// # Errors
    /// If its weights cannot be read, or packed ones not made on the device.
    pub fn new(net: Mlp, device: &Device) -> Result<Self> {
        let config = net.config();
        let (dim, depth, own) = (config.dim, config.depth, config.width);
        let Some(width) = Weights::stored(dim, own) else { return Ok(Self { net, weights: None }) };
        let (_, layers) = net.host()?;
        // Layers after the embedding: matrices and biases by turns.
        let (matrices, biases): (Vec<_>, Vec<_>) = layers[2..].chunks(2).map(|l| (&l[0], &l[1])).unzip();
        let row = |list: &[f32]| {
            let mut row = list.to_vec();
            row.resize(width, 0.0);
            row
        };
        let transposed = |matrix: &[f32], from: usize| -> Vec<Vec<f32>> {
            (0..from)
                .map(|k| row(&matrix.iter().skip(k).step_by(from).copied().collect::<Vec<_>>()))
                .collect()
        };
        let mut rows = Vec::new();
        for matrix in &matrices[1..=depth] {
            rows.extend(transposed(matrix, own));
            rows.extend(vec![row(&[]); width - own]);
        }
        rows.extend(transposed(matrices[0], dim));
        rows.extend(biases[..=depth].iter().map(|bias| row(bias)));
        rows.extend(matrices[depth + 1].chunks(own).map(row));
        let mut list = rows.concat();
        list.extend(biases[depth + 1]);
        let list = Tensor::from_vec(list.clone(), list.len(), device)?;
        Ok(Self { weights: Some(Weights { dim, width, depth, list }), net })
    }

    /// A whole run as one launch; `None` if the network is too large for that, or is never asked.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn trajectory(&self, program: Program) -> Result<Option<Trajectory<'_>>> {
        let Some(weights) = self.weights.as_ref().filter(|_| !program.questions.is_empty()) else {
            return Ok(None);
        };
        let e = self.net.embed(&program.questions)?;
        let e = e.pad_with_zeros(1, 0, weights.width - e.dim(1)?)?.contiguous()?;
        let scales = program.questions.iter().map(|&k| self.net.inverse_deviation(k) as f32).collect();
        Ok(Some(Trajectory { program, weights, e, scales }))
    }
}

impl ScoreModel for Resident {
    fn dim(&self) -> usize {
        self.net.dim()
    }

    fn target(&self) -> Target {
        self.net.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        self.net.raw(x, at)
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        self.net.raw_jvp(x, tangents, at)
    }

    fn room(&self) -> usize {
        self.net.room()
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.net.rounding(dtype)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
