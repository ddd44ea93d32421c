//! The score network on a CPU: the same function as [`Mlp`], with its weights packed, a tile of rows at a time through all layers.
//!
//! [`Mlp`] defines what is computed, and runs on a GPU. Here the products, the embedding of the noise level and SiLU work on vectors of the
//! processor's own width while the tile lies in its caches. Where all rows share one noise level the embedding is made once. A row's
//! numbers do not depend on its companions or on the number of threads.

mod backward;
mod forward;
mod product;
mod shape;

use candle_core::{DType, Device, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::lanes::{Aligned, Scratch};
use tweedie_solvers::model::{self, ScoreModel};
use tweedie_solvers::{Error, Result};

use super::{Mlp, MlpConfig};
use backward::Descent;
pub use backward::Goals;
use forward::{Embedding, TILE, Tile};
use shape::Shape;

/// Batches of more rows than this are spread over threads.
const TOGETHER: usize = 10 * TILE;

/// Rows that go forward and back together in training.
const DESCENT: usize = 64;

/// Rows of a group, whose gradients are summed by one thread, and the most groups: then they grow.
const GROUP: usize = 2 * DESCENT;
const GROUPS: usize = 8;

/// Weights that a thread takes at a time.
const CHUNK: usize = 8192;

/// A network with packed weights.
#[derive(Debug)]
pub struct Fused {
    shape: Shape,
    /// f, padded with zeros to whole vectors.
    frequencies: Aligned,
    values: Aligned,
}

impl Fused {
    /// The network, packed for the widest vectors of this machine.
    ///
    /// # Errors
    /// If its weights cannot be read.
    pub fn new(net: &Mlp) -> Result<Self> {
        Self::on(net, Arch::new())
    }

    /// The same for other vectors: `Arch::Scalar` has one lane.
    ///
    /// # Errors
    /// If its weights cannot be read.
    pub fn on(net: &Mlp, arch: Arch) -> Result<Self> {
        let shape = Shape::new(net.config(), arch);
        let (own, weights) = net.host()?;
        let mut frequencies = Aligned::zeros(shape.half);
        frequencies[..own.len()].copy_from_slice(&own);
        Ok(Self { values: shape.pack(&weights), frequencies, shape })
    }

    /// F and its derivatives along tangents, for rows x (B × D, row-major), with one kernel or one for each row.
    fn run(&self, x: &[f32], tangents: &[Vec<f32>], at: &[Kernel]) -> Vec<Vec<f32>> {
        let dim = self.shape.config.dim;
        let rows = x.len() / dim;
        let shared = (at.len() == 1).then(|| {
            let e = self.embedding(at);
            let bias = self.shape.layers.iter().map(|l| &self.values[l.bias.clone()]);
            bias.map(|bias| bias.iter().zip(&*e).map(|(b, e)| b + e).collect()).collect::<Vec<Aligned>>()
        });
        let tile = |first: usize| {
            let count = TILE.min(rows - first);
            let all = std::iter::once(x).chain(tangents.iter().map(Vec::as_slice));
            let points: Vec<&[f32]> = all.map(|v| &v[first * dim..][..count * dim]).collect();
            let at = if at.len() == 1 { at } else { &at[first..first + count] };
            let each = shared.is_none().then(|| self.embedding(at));
            let (shared, each) = (shared.as_deref(), each.as_deref());
            self.shape.arch.dispatch(Tile { net: self, points: &points, at, shared, each })
        };
        let tiles: Vec<Vec<Vec<f32>>> = if rows > TOGETHER {
            (0..rows.div_ceil(TILE)).into_par_iter().map(|i| tile(i * TILE)).collect()
        } else {
            (0..rows).step_by(TILE).map(tile).collect()
        };
        let mut out = vec![Vec::with_capacity(x.len()); 1 + tangents.len()];
        for tile in tiles {
            out.iter_mut().zip(tile).for_each(|(all, own)| all.extend(own));
        }
        out
    }

    /// e for each kernel, in whole blocks of rows.
    fn embedding(&self, at: &[Kernel]) -> Scratch {
        self.shape.arch.dispatch(Embedding { net: self, levels: levels(&self.shape.config, at) })
    }
}

/// Training: the gradient of a squared error, and updates of all weights at once.
impl Fused {
    /// The weights, packed.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// A list in the order of [`MlpConfig::layout`](super::MlpConfig::layout), packed as the weights are.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn pack(&self, list: &[Tensor]) -> Result<Aligned> {
        Ok(self.shape.pack(&list.iter().map(model::host).collect::<Result<Vec<_>>>()?))
    }

    /// A packed list in the order of the layout.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn unpack(&self, packed: &[f32]) -> Result<Vec<Tensor>> {
        let layout = self.shape.config.layout();
        let lists = self.shape.unpack(packed).into_iter().zip(layout);
        lists.map(|(values, (_, shape))| Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)).collect()
    }

    /// The loss; its gradient by every weight, packed, becomes the first of `room`, whose others are room for parts of it. Rows are
    /// summed in an order that depends on their number alone.
    pub fn gradient(&self, goals: &Goals, room: &mut Vec<Aligned>) -> f64 {
        let count = goals.at.len();
        let transposed: Vec<Aligned> = self.shape.layers[1..]
            .par_iter()
            .map(|layer| self.shape.transposed(&self.values, layer))
            .collect();
        let groups = (count / GROUP).clamp(2, GROUPS);
        room.resize_with(groups, || Aligned::zeros(self.shape.len));
        let of = |(group, gradient): (usize, &mut Aligned)| {
            gradient.fill(0.0);
            let (from, to) = (group * count / groups, (group + 1) * count / groups);
            let mut loss = 0.0;
            for first in (from..to).step_by(DESCENT) {
                let (rows, gradient) = (first..to.min(first + DESCENT), &mut **gradient);
                loss += self.shape.arch.dispatch(Descent {
                    net: self,
                    transposed: &transposed,
                    goals,
                    rows,
                    gradient,
                });
            }
            loss
        };
        let losses: Vec<f64> = room.par_iter_mut().enumerate().map(of).collect();
        let (gradient, parts) = room.split_at_mut(1);
        gradient[0].par_chunks_mut(CHUNK).enumerate().for_each(|(i, sum)| {
            for part in &*parts {
                sum.iter_mut().zip(&part[i * CHUNK..]).for_each(|(sum, g)| *sum += g);
            }
        });
        losses.iter().sum()
    }

    /// `change(weight, gradient, a, b, c)` for every weight, with three lists of the same shape beside them.
    pub fn update(
        &mut self,
        gradient: &[f32],
        (a, b, c): (&mut [f32], &mut [f32], &mut [f32]),
        change: impl Fn(&mut f32, f32, &mut f32, &mut f32, &mut f32) + Sync,
    ) {
        let (arch, change) = (self.shape.arch, &change);
        let weights = self.values.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let others = a.par_chunks_mut(CHUNK).zip(b.par_chunks_mut(CHUNK)).zip(c.par_chunks_mut(CHUNK));
        weights.zip(others).for_each(|((w, g), ((a, b), c))| {
            arch.dispatch(Change { w, g, a, b, c, change });
        });
    }
}

/// A stretch of [`Fused::update`].
struct Change<'a, F> {
    w: &'a mut [f32],
    g: &'a [f32],
    a: &'a mut [f32],
    b: &'a mut [f32],
    c: &'a mut [f32],
    change: &'a F,
}

impl<F: Fn(&mut f32, f32, &mut f32, &mut f32, &mut f32)> WithSimd for Change<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { w, g, a, b, c, change } = self;
        let others = a.iter_mut().zip(b).zip(c);
        for ((w, &g), ((a, b), c)) in w.iter_mut().zip(g).zip(others) {
            change(w, g, a, b, c);
        }
    }
}

/// c at each kernel, as the network is told it.
fn levels(config: &MlpConfig, at: &[Kernel]) -> Vec<f32> {
    at.iter().map(|&k| config.level(k) as f32).collect()
}

impl ScoreModel for Fused {
    fn dim(&self) -> usize {
        self.shape.config.dim
    }

    fn target(&self) -> Target {
        self.shape.config.target()
    }

    fn rows_apart(&self) -> bool {
        true
    }

    /// Whatever the dtype of x, it computes in f32.
    fn rounding(&self, _: DType) -> f64 {
        f64::from(f32::EPSILON)
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        Ok(self.raw_jvp(x, &[], at)?.0)
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        model::check(x, self.dim(), at)?;
        let moved = tangents.iter().map(model::host).collect::<Result<Vec<_>>>()?;
        let out = self.run(&model::host(x)?, &moved, at).into_iter();
        let mut out = out.map(|v| Ok(Tensor::from_vec(v, x.shape(), x.device())?.to_dtype(x.dtype())?));
        let value = out.next().ok_or_else(|| Error::Solve("a network without output".into()))??;
        Ok((value, out.collect::<Result<_>>()?))
    }
}

#[cfg(test)]
mod tests;
