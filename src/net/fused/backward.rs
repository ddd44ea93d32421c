//! The gradient of a weighted squared error over a tile of rows: all layers forward, and back.
//!
//! With z = W h + b + e, h' = SiLU(z) and the gradient g of the loss by h': dz = g SiLU'(z), dW = Σ h dz, db = Σ dz, de = Σ_layers dz, and
//! Wᵀ dz goes on to the layer before.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::lanes::{Aligned, Scratch, silu_and_slope};

use super::forward::{features, scaled};
use super::product::{Start, add_transposed, dot, product, whole};
use super::{Fused, levels};

/// What a network should say at some noised points: the loss is Σ (scale (F(x) − goal))².
#[derive(Clone, Debug, Default)]
pub struct Goals {
    /// x, (B, D), row-major.
    pub x: Vec<f32>,
    /// What F should be there, (B, D).
    pub goal: Vec<f32>,
    /// One number for each row.
    pub scale: Vec<f32>,
    /// The kernel of each row.
    pub at: Vec<Kernel>,
}

/// Adds the gradient of the loss over some rows to `gradient`; the result is the loss.
pub(super) struct Descent<'a> {
    pub(super) net: &'a Fused,
    /// The hidden matrices transposed, in panels.
    pub(super) transposed: &'a [Aligned],
    pub(super) goals: &'a Goals,
    pub(super) rows: Range<usize>,
    pub(super) gradient: &'a mut [f32],
}

/// What a layer leaves for the way back.
struct Trace {
    input: Scratch,
    slope: Scratch,
}

impl WithSimd for Descent<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> f64 {
        let Self { net, transposed, goals, rows, gradient } = self;
        let Fused { shape, values, .. } = net;
        let (dim, width) = (shape.config.dim, shape.width);
        let (at, scale) = (&goals.at[rows.clone()], &goals.scale[rows.clone()]);
        let numbers = rows.start * dim..rows.end * dim;
        let (x, goal) = (&goals.x[numbers.clone()], &goals.goal[numbers]);
        let count = at.len();
        let rows = whole::<S>(count);

        let features = features(s, net, &levels(&net.shape.config, at));
        let mut e = Scratch::new(rows * width);
        let mut e_slope = Scratch::new(rows * width);
        let embed = &shape.embed;
        let start = Start { row: &values[embed.bias.clone()], each: None };
        product::<S, false>(s, &features, (&values[embed.weights.clone()], embed.inner), start, &mut e, rows);
        activate(s, &mut e, &mut e_slope);

        let mut traces = Vec::with_capacity(shape.layers.len());
        let mut h = scaled::<S>(shape, x, at);
        for layer in &shape.layers {
            let (mut next, mut slope) = (Scratch::new(rows * width), Scratch::new(rows * width));
            let start = Start { row: &values[layer.bias.clone()], each: Some(&e) };
            let matrix = (&values[layer.weights.clone()], layer.inner);
            product::<S, false>(s, &h, matrix, start, &mut next, rows);
            activate(s, &mut next, &mut slope);
            traces.push(Trace { input: std::mem::replace(&mut h, next), slope });
        }

        // The output layer, its loss, and g by its input.
        let mut loss = 0.0;
        let mut g = Scratch::zeros(rows * width);
        for row in 0..count {
            let h = &h[row * width..][..width];
            for j in 0..dim {
                let w = &values[shape.output.start + j * width..][..width];
                let f = dot(s, h, w) + values[shape.output_bias.start + j];
                let error = scale[row] * (f - goal[row * dim + j]);
                loss += f64::from(error) * f64::from(error);
                let d = 2.0 * scale[row] * error;
                gradient[shape.output_bias.start + j] += d;
                add_scaled(s, h, d, &mut gradient[shape.output.start + j * width..][..width]);
                add_scaled(s, w, d, &mut g[row * width..][..width]);
            }
        }

        let none = Scratch::zeros(width);
        let mut g_e = Scratch::zeros(rows * width);
        for (i, (layer, trace)) in shape.layers.iter().zip(&traces).enumerate().rev() {
            multiply(s, &trace.slope, &mut g);
            add(s, &g, &mut g_e);
            add_rows(s, &g, &mut gradient[layer.bias.clone()]);
            add_transposed(s, (&trace.input, layer.inner), (&g, width), &mut gradient[layer.weights.clone()]);
            if i > 0 {
                let mut before = Scratch::new(rows * width);
                let start = Start { row: &none, each: None };
                product::<S, false>(s, &g, (&transposed[i - 1], width), start, &mut before, rows);
                g = before;
            }
        }
        multiply(s, &e_slope, &mut g_e);
        add_rows(s, &g_e, &mut gradient[embed.bias.clone()]);
        add_transposed(s, (&features, embed.inner), (&g_e, width), &mut gradient[embed.weights.clone()]);
        loss
    }
}

/// z ← SiLU(z), slope ← SiLU'(z).
#[inline(always)]
fn activate<S: Simd>(s: S, z: &mut [f32], slope: &mut [f32]) {
    for (z, slope) in S::as_mut_simd_f32s(z).0.iter_mut().zip(S::as_mut_simd_f32s(slope).0) {
        (*z, *slope) = silu_and_slope(s, *z);
    }
}

/// y ← a y.
#[inline(always)]
fn multiply<S: Simd>(s: S, a: &[f32], y: &mut [f32]) {
    for (&a, y) in S::as_simd_f32s(a).0.iter().zip(S::as_mut_simd_f32s(y).0) {
        *y = s.mul_f32s(a, *y);
    }
}

/// y ← y + a.
#[inline(always)]
fn add<S: Simd>(s: S, a: &[f32], y: &mut [f32]) {
    for (&a, y) in S::as_simd_f32s(a).0.iter().zip(S::as_mut_simd_f32s(y).0) {
        *y = s.add_f32s(a, *y);
    }
}

/// y ← y + c a.
#[inline(always)]
fn add_scaled<S: Simd>(s: S, a: &[f32], c: f32, y: &mut [f32]) {
    let c = s.splat_f32s(c);
    for (&a, y) in S::as_simd_f32s(a).0.iter().zip(S::as_mut_simd_f32s(y).0) {
        *y = s.mul_add_e_f32s(a, c, *y);
    }
}

/// y ← y + Σ of the rows of a.
#[inline(always)]
fn add_rows<S: Simd>(s: S, a: &[f32], y: &mut [f32]) {
    let width = y.len();
    for row in a.chunks_exact(width) {
        add(s, row, y);
    }
}
