//! The score network on a CPU: the same function as [`Mlp`], with frozen weights, a tile of rows at a time through all layers.
//!
//! [`Mlp`] defines what is computed, is what trains by candle's gradients, and runs on a GPU. Here weights are packed once, and the products,
//! the embedding of the noise level and SiLU work on vectors of the processor's own width while the tile lies in its caches. Where all
//! rows share one noise level the embedding is made once. A row's numbers do not depend on its companions or on the number of threads.

mod product;

use candle_core::{DType, Storage, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::lanes::{Aligned, sin_cos_turns};
use tweedie_solvers::model::{self, ScoreModel};
use tweedie_solvers::{Error, Result};

use super::{Mlp, MlpConfig};
use product::{Panels, TILE, activate, dot, lanes, product, whole};

/// Batches of more rows than this are spread over threads.
const TOGETHER: usize = 10 * TILE;

/// A network with frozen weights, packed.
#[derive(Debug)]
pub struct Fused {
    config: MlpConfig,
    arch: Arch,
    /// f, padded with zeros to whole vectors.
    frequencies: Aligned,
    /// W_e for the features [sin, cos] of the padded frequencies.
    embed: Layer,
    /// W_i, then the hidden layers.
    layers: Vec<Layer>,
    /// The rows of W_o, padded like the columns of a tile.
    output: Vec<Aligned>,
    output_bias: Vec<f32>,
}

#[derive(Debug)]
struct Layer {
    weights: Panels,
    bias: Aligned,
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
        let lanes = lanes(arch);
        let config = net.config().clone();
        let (frequencies, weights) = net.host()?;
        let (half, width) = (frequencies.len(), config.width.next_multiple_of(2 * lanes));
        let padded_half = half.next_multiple_of(lanes);
        let pad = |values: &[f32], to: usize| {
            let mut out = Aligned::zeros(to);
            out[..values.len()].copy_from_slice(values);
            out
        };
        let layer = |i: usize, inner: usize, column: &dyn Fn(usize) -> Option<usize>| {
            let (w, bias) = (&weights[2 * i], &weights[2 * i + 1]);
            let from = w.len() / config.width;
            let at = |k: usize, j: usize| column(k).map_or(0.0, |k| w[j * from + k]);
            Layer { weights: Panels::new(inner, config.width, lanes, at), bias: pad(bias, width) }
        };
        let feature = |k: usize| {
            let (part, i) = (k / padded_half, k % padded_half);
            (i < half).then_some(part * half + i)
        };
        let embed = layer(0, 2 * padded_half, &feature);
        let own = |k: usize| (k < config.width).then_some(k);
        let layers = (0..=config.depth).map(|i| match i {
            0 => layer(1, config.dim, &|k| Some(k)),
            _ => layer(1 + i, width, &own),
        });
        let layers = layers.collect();
        let last = &weights[2 * (config.depth + 2)];
        Ok(Self {
            arch,
            frequencies: pad(&frequencies, padded_half),
            embed,
            layers,
            output: last.chunks_exact(config.width).map(|row| pad(row, width)).collect(),
            output_bias: weights[2 * (config.depth + 2) + 1].clone(),
            config,
        })
    }

    /// F and its derivatives along tangents, for rows x (B × D, row-major), with one kernel or one for each row.
    fn run(&self, x: &[f32], tangents: &[Vec<f32>], at: &[Kernel]) -> Vec<Vec<f32>> {
        let dim = self.config.dim;
        let rows = x.len() / dim;
        let shared = (at.len() == 1).then(|| self.embedding(at));
        let tile = |first: usize| {
            let count = TILE.min(rows - first);
            let part = |v: &[f32]| v[first * dim..][..count * dim].to_vec();
            let points: Vec<Vec<f32>> =
                std::iter::once(x).chain(tangents.iter().map(Vec::as_slice)).map(part).collect();
            let own = if at.len() == 1 { at } else { &at[first..first + count] };
            let each = shared.is_none().then(|| self.embedding(own));
            let level = (shared.as_deref(), each.as_deref());
            self.arch.dispatch(Tile { net: self, points, at: own, level })
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
    fn embedding(&self, at: &[Kernel]) -> Aligned {
        let levels = at.iter().map(|k| (-0.25 * k.log_snr()) as f32).collect();
        self.arch.dispatch(Embedding { net: self, levels })
    }
}

struct Embedding<'a> {
    net: &'a Fused,
    levels: Vec<f32>,
}

impl WithSimd for Embedding<'_> {
    type Output = Aligned;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Aligned {
        let Self { net, levels } = self;
        let (half, width) = (net.frequencies.len(), net.embed.bias.len());
        let rows = whole::<S>(levels.len());
        let mut features = Aligned::zeros(rows * 2 * half);
        for (row, level) in features.chunks_exact_mut(2 * half).zip(levels) {
            let (sines, cosines) = row.split_at_mut(half);
            let (sines, cosines) = (S::as_mut_simd_f32s(sines).0, S::as_mut_simd_f32s(cosines).0);
            for ((f, sin), cos) in S::as_simd_f32s(&net.frequencies).0.iter().zip(sines).zip(cosines) {
                (*sin, *cos) = sin_cos_turns(s, s.mul_f32s(*f, s.splat_f32s(level)));
            }
        }
        let mut e = Aligned::zeros(rows * width);
        product(s, &features, &net.embed.weights, (&net.embed.bias, None), &mut e, rows);
        activate(s, &mut e, &mut []);
        e
    }
}

/// Some rows and their tangents, through all layers.
struct Tile<'a> {
    net: &'a Fused,
    /// x, then the tangents.
    points: Vec<Vec<f32>>,
    at: &'a [Kernel],
    /// e: of all rows in its first, or of each.
    level: (Option<&'a [f32]>, Option<&'a [f32]>),
}

impl WithSimd for Tile<'_> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Vec<Vec<f32>> {
        let Self { net, points, at, level } = self;
        let (dim, width) = (net.config.dim, net.embed.bias.len());
        let count = points[0].len() / dim;
        let rows = whole::<S>(count);
        let by: Vec<f32> = at.iter().map(|k| (1.0 / k.deviation(net.config.sigma_data)) as f32).collect();
        let scaled = |points: Vec<f32>| {
            let mut out = Aligned::zeros(rows * dim);
            for (i, (to, from)) in out.iter_mut().zip(points).enumerate() {
                *to = from * by[if by.len() == 1 { 0 } else { i / dim }];
            }
            out
        };
        let mut now: Vec<Aligned> = points.into_iter().map(scaled).collect();
        let mut next: Vec<Aligned> = now.iter().map(|_| Aligned::zeros(rows * width)).collect();
        let none = Aligned::zeros(width);
        for (i, layer) in net.layers.iter().enumerate() {
            let start: Aligned = match level.0 {
                Some(e) => layer.bias.iter().zip(e).map(|(b, e)| b + e).collect(),
                None => layer.bias.iter().copied().collect(),
            };
            for (j, (now, next)) in now.iter().zip(&mut next).enumerate() {
                let start = if j == 0 { (&*start, level.1) } else { (&*none, None) };
                product(s, now, &layer.weights, start, next, rows);
            }
            if let [h, tangents @ ..] = &mut next[..] {
                activate(s, h, tangents);
            }
            if i == 0 {
                now = next.iter().map(|_| Aligned::zeros(rows * width)).collect();
            }
            std::mem::swap(&mut now, &mut next);
        }
        let outputs = now.iter().enumerate().map(|(j, h)| {
            let rows = h.chunks_exact(width).take(count);
            let each =
                rows.flat_map(|h| net.output.iter().zip(&net.output_bias).map(move |(w, b)| (h, w, *b)));
            each.map(|(h, w, b)| dot(s, h, w) + if j == 0 { b } else { 0.0 }).collect()
        });
        outputs.collect()
    }
}

/// The numbers of a tensor on the host, row-major, as f32.
fn values(x: &Tensor) -> Result<Vec<f32>> {
    let x = x.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return Err(Error::Unsupported("the packed network runs on the CPU only".into()));
    };
    let (from, to) = layout.contiguous_offsets().unwrap_or((0, 0));
    Ok(storage.as_slice::<f32>()?[from..to].to_vec())
}

impl ScoreModel for Fused {
    fn dim(&self) -> usize {
        self.config.dim
    }

    fn target(&self) -> Target {
        self.config.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        Ok(self.raw_jvp(x, &[], at)?.0)
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        model::check(x, self.config.dim, at)?;
        let moved = tangents.iter().map(values).collect::<Result<Vec<_>>>()?;
        let out = self.run(&values(x)?, &moved, at).into_iter();
        let mut out = out.map(|v| Ok(Tensor::from_vec(v, x.shape(), x.device())?.to_dtype(x.dtype())?));
        let value = out.next().ok_or_else(|| Error::Solve("a network without output".into()))??;
        Ok((value, out.collect::<Result<_>>()?))
    }
}

#[cfg(test)]
mod tests;
