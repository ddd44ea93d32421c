//! Where the weights of a network lie when they are packed: all in one list, every matrix in panels, everything padded with zeros to whole
//! vectors. Gradients, moments and averages are lists of the same shape, in which the padding stays zero.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use tweedie_solvers::lanes::Aligned;

use super::super::MlpConfig;

/// A layer: a matrix in panels (inner × width) and a bias.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Rows of the matrix.
    pub(super) inner: usize,
    pub(super) weights: Range<usize>,
    pub(super) bias: Range<usize>,
}

/// The packed form of a configuration for vectors of one width.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) config: MlpConfig,
    pub(super) arch: Arch,
    /// Half the Fourier features, padded.
    pub(super) half: usize,
    /// H, padded.
    pub(super) width: usize,
    pub(super) embed: Place,
    /// The input layer, then the hidden ones.
    pub(super) layers: Vec<Place>,
    /// W_o, D rows of `width`.
    pub(super) output: Range<usize>,
    pub(super) output_bias: Range<usize>,
    /// Numbers in all.
    pub(super) len: usize,
    /// For each weight, in the order of [`MlpConfig::layout`], its place.
    places: Vec<u32>,
}

impl Shape {
    pub(super) fn new(config: &MlpConfig, arch: Arch) -> Self {
        let lanes = lanes(arch);
        let wide = 2 * lanes;
        let (dim, own) = (config.dim, config.width);
        let (own_half, width) = (config.embedding / 2, own.next_multiple_of(wide));
        let half = own_half.next_multiple_of(lanes);
        let (mut len, mut places) = (0, Vec::new());
        let mut take = |count: usize| {
            let range = len..len + count;
            // The next starts on a cache line.
            len = range.end.next_multiple_of(16);
            range
        };
        let mut layer = |inner: usize, columns: usize, row: &dyn Fn(usize) -> usize| {
            let (weights, bias) = (take(inner * width), take(width));
            for j in 0..own {
                // Element (row, j) of panel j / wide.
                let at = |k: usize| weights.start + (j / wide * inner + row(k)) * wide + j % wide;
                places.extend((0..columns).map(|k| at(k) as u32));
            }
            places.extend((0..own).map(|j| (bias.start + j) as u32));
            Place { inner, weights, bias }
        };
        let embed = layer(2 * half, 2 * own_half, &|k| if k < own_half { k } else { half + k - own_half });
        let mut layers = vec![layer(dim, dim, &|k| k)];
        layers.extend((0..config.depth).map(|_| layer(width, own, &|k| k)));
        let (output, output_bias) = (take(dim * width), take(dim));
        for j in 0..dim {
            places.extend((0..own).map(|k| (output.start + j * width + k) as u32));
        }
        places.extend((0..dim).map(|j| (output_bias.start + j) as u32));
        Self { config: config.clone(), arch, half, width, embed, layers, output, output_bias, len, places }
    }

    /// The packed list of weights in the order of the layout.
    pub(super) fn pack(&self, weights: &[Vec<f32>]) -> Aligned {
        let mut out = Aligned::zeros(self.len);
        for (&at, &w) in self.places.iter().zip(weights.iter().flatten()) {
            out[at as usize] = w;
        }
        out
    }

    /// The transpose of a hidden layer's matrix, in panels.
    pub(super) fn transposed(&self, packed: &[f32], layer: &Place) -> Aligned {
        let (width, wide) = (self.width, 2 * lanes(self.arch));
        let from = &packed[layer.weights.clone()];
        let mut out = Aligned::zeros(from.len());
        for (p, panel) in from.chunks_exact(width * wide).enumerate() {
            for (k, row) in panel.chunks_exact(wide).enumerate() {
                // Row k, columns p · wide …: they become column k of rows p · wide ….
                let to = &mut out[(k / wide * width + p * wide) * wide + k % wide..];
                for (j, &w) in row.iter().enumerate() {
                    to[j * wide] = w;
                }
            }
        }
        out
    }

    /// The weights in the order of the layout.
    pub(super) fn unpack(&self, packed: &[f32]) -> Vec<Vec<f32>> {
        let mut places = self.places.iter();
        let layout = self.config.layout();
        let one = |(_, shape): &(String, Vec<usize>)| {
            places.by_ref().take(shape.iter().product()).map(|&at| packed[at as usize]).collect()
        };
        layout.iter().map(one).collect()
    }
}

/// Lanes of a vector on a machine.
fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}
