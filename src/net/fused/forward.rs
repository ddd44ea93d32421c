//! A tile of rows, and tangents with it, through all layers.

use pulp::{Simd, WithSimd};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::lanes::{Aligned, Scratch, silu_and_slope, sin_cos_turns};

use super::Fused;
use super::product::{Start, dot, product, whole};
use super::shape::Shape;

/// Rows that go through all layers together, while they lie in the caches; a multiple of every block's height.
pub(super) const TILE: usize = 48;

/// The Fourier features of some noise levels, in whole blocks of rows.
#[inline(always)]
pub(super) fn features<S: Simd>(s: S, net: &Fused, levels: &[f32]) -> Scratch {
    let half = net.shape.half;
    let mut features = Scratch::zeros(whole::<S>(levels.len()) * 2 * half);
    for (row, &level) in features.chunks_exact_mut(2 * half).zip(levels) {
        let (sines, cosines) = row.split_at_mut(half);
        let (sines, cosines) = (S::as_mut_simd_f32s(sines).0, S::as_mut_simd_f32s(cosines).0);
        for ((&f, sin), cos) in S::as_simd_f32s(&net.frequencies).0.iter().zip(sines).zip(cosines) {
            (*sin, *cos) = sin_cos_turns(s, s.mul_f32s(f, s.splat_f32s(level)));
        }
        // cos 0, of the padding.
        row[half + net.shape.config.embedding / 2..].fill(0.0);
    }
    features
}

/// x/S, in whole blocks of rows.
#[inline(always)]
pub(super) fn scaled<S: Simd>(shape: &Shape, x: &[f32], at: &[Kernel]) -> Scratch {
    let dim = shape.config.dim;
    let mut out = Scratch::zeros(whole::<S>(x.len() / dim) * dim);
    let by = |k: &Kernel| (1.0 / k.deviation(shape.config.sigma_data)) as f32;
    let shared = by(&at[0]);
    for (row, (to, x)) in out.chunks_exact_mut(dim).zip(x.chunks_exact(dim)).enumerate() {
        let by = if at.len() == 1 { shared } else { by(&at[row]) };
        to.iter_mut().zip(x).for_each(|(to, x)| *to = x * by);
    }
    out
}

/// e of some noise levels, in whole blocks of rows.
pub(super) struct Embedding<'a> {
    pub(super) net: &'a Fused,
    pub(super) levels: Vec<f32>,
}

impl WithSimd for Embedding<'_> {
    type Output = Scratch;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Scratch {
        let Fused { shape, values, .. } = self.net;
        let rows = whole::<S>(self.levels.len());
        let features = features(s, self.net, &self.levels);
        let mut e = Scratch::new(rows * shape.width);
        let embed = &shape.embed;
        let start = Start { row: &values[embed.bias.clone()], each: None };
        product::<S, true>(s, &features, (&values[embed.weights.clone()], embed.inner), start, &mut e, rows);
        e
    }
}

/// Some rows, and their tangents, through all layers.
pub(super) struct Tile<'a> {
    pub(super) net: &'a Fused,
    /// x, then the tangents.
    pub(super) points: &'a [&'a [f32]],
    pub(super) at: &'a [Kernel],
    /// bias + e of every layer, where all rows share it.
    pub(super) shared: Option<&'a [Aligned]>,
    /// e of each row, where they do not.
    pub(super) each: Option<&'a [f32]>,
}

impl WithSimd for Tile<'_> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Vec<Vec<f32>> {
        let Self { net, points, at, shared, each } = self;
        let Fused { shape, values, .. } = net;
        let (dim, width) = (shape.config.dim, shape.width);
        let count = points[0].len() / dim;
        let rows = whole::<S>(count);
        let mut now: Vec<Scratch> = points.iter().map(|x| scaled::<S>(shape, x, at)).collect();
        let mut next: Vec<Scratch> = now.iter().map(|_| Scratch::new(rows * width)).collect();
        let none = Scratch::zeros(width);
        for (i, layer) in shape.layers.iter().enumerate() {
            let row = shared.map_or(&values[layer.bias.clone()], |starts| &starts[i]);
            let matrix = (&values[layer.weights.clone()], layer.inner);
            match (&now[..], &mut next[..]) {
                ([x], [h]) => product::<S, true>(s, x, matrix, Start { row, each }, h, rows),
                ([x, along @ ..], [h, moved @ ..]) => {
                    product::<S, false>(s, x, matrix, Start { row, each }, h, rows);
                    for (u, moved) in along.iter().zip(&mut *moved) {
                        product::<S, false>(s, u, matrix, Start { row: &none, each: None }, moved, rows);
                    }
                    activate(s, h, moved);
                }
                _ => {}
            }
            if i == 0 {
                now = next.iter().map(|_| Scratch::new(rows * width)).collect();
            }
            std::mem::swap(&mut now, &mut next);
        }
        let (weights, bias) = (&values[shape.output.clone()], &values[shape.output_bias.clone()]);
        let mut outputs = Vec::with_capacity(now.len());
        for (i, h) in now.iter().enumerate() {
            let mut output = Vec::with_capacity(count * dim);
            for h in h.chunks_exact(width).take(count) {
                for (w, b) in weights.chunks_exact(width).zip(bias) {
                    output.push(dot(s, h, w) + if i == 0 { *b } else { 0.0 });
                }
            }
            outputs.push(output);
        }
        outputs
    }
}

/// z ← SiLU(z), and every tangent u ← SiLU'(z) u.
#[inline(always)]
fn activate<S: Simd>(s: S, z: &mut [f32], tangents: &mut [Scratch]) {
    let mut slope = Scratch::new(z.len());
    for (z, slope) in S::as_mut_simd_f32s(z).0.iter_mut().zip(S::as_mut_simd_f32s(&mut slope).0) {
        (*z, *slope) = silu_and_slope(s, *z);
    }
    for u in tangents {
        for (u, &slope) in S::as_mut_simd_f32s(u).0.iter_mut().zip(S::as_simd_f32s(&slope).0) {
            *u = s.mul_f32s(*u, slope);
        }
    }
}
