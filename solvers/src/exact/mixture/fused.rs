//! ε̂ of a mixture at one kernel for many rows in f32, a row in each lane: distances, log-sum-exp and weighted sum while a row's numbers are
//! in registers.

use pulp::{Simd, WithSimd};

use super::Mixture;
use crate::kernel::Kernel;
use crate::lanes::{Scratch, exp};

/// A component at a kernel, in its eigenbasis.
struct Component {
    /// Q, row-major; none where it is the identity.
    axes: Option<Vec<f32>>,
    /// α Qᵀ μ.
    centre: Vec<f32>,
    /// 1/(α² λ + σ²).
    precision: Vec<f32>,
    /// log w − ½ Σ ln (α² λ + σ²).
    bias: f32,
}

/// The prediction for rows x, (B, D) row-major.
pub(super) struct Fused<'a> {
    x: &'a [f32],
    dim: usize,
    sigma: f32,
    components: Vec<Component>,
}

impl<'a> Fused<'a> {
    pub(super) fn new(mixture: &Mixture, x: &'a [f32], at: Kernel) -> Self {
        let d = mixture.dim;
        let (precisions, biases) = mixture.spectra(&[at]);
        let component = |k: usize| {
            let axes = &mixture.axes[k];
            let plain = (0..d * d).all(|i| axes[i] == f64::from(u8::from(i / d == i % d)));
            let mean = |j: usize| (0..d).map(|i| mixture.means[k][i] * axes[i * d + j]).sum::<f64>();
            Component {
                axes: (!plain).then(|| axes.iter().map(|v| *v as f32).collect()),
                centre: (0..d).map(|j| (at.alpha * mean(j)) as f32).collect(),
                precision: precisions[k * d..][..d].iter().map(|v| *v as f32).collect(),
                bias: biases[k] as f32,
            }
        };
        Self { x, dim: d, sigma: at.sigma as f32, components: (0..biases.len()).map(component).collect() }
    }
}

impl WithSimd for Fused<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Vec<f32> {
        let Self { x, dim, sigma, components } = self;
        let (lanes, count) = (S::F32_LANES, components.len());
        let mut out = vec![0.0; x.len()];
        // x, then ε̂: D vectors; pulls: D for each component; logits: one for each.
        let (mut points, mut pulls) = (Scratch::zeros(dim * lanes), Scratch::new(count * dim * lanes));
        let mut logits = Scratch::new(count * lanes);
        let pulls = S::as_mut_simd_f32s(&mut pulls).0;
        let logits = S::as_mut_simd_f32s(&mut logits).0;
        for (x, out) in x.chunks(lanes * dim).zip(out.chunks_mut(lanes * dim)) {
            for (row, x) in x.chunks_exact(dim).enumerate() {
                for (i, &x) in x.iter().enumerate() {
                    points[i * lanes + row] = x;
                }
            }
            let own = S::as_mut_simd_f32s(&mut points).0;
            let mut top = s.splat_f32s(f32::NEG_INFINITY);
            for ((c, pulls), logit) in components.iter().zip(pulls.chunks_exact_mut(dim)).zip(&mut *logits) {
                let mut energy = s.splat_f32s(0.0);
                for j in 0..dim {
                    let mut y = s.splat_f32s(-c.centre[j]);
                    match &c.axes {
                        None => y = s.add_f32s(own[j], y),
                        Some(q) => {
                            for i in 0..dim {
                                y = s.mul_add_e_f32s(own[i], s.splat_f32s(q[i * dim + j]), y);
                            }
                        }
                    }
                    pulls[j] = s.mul_f32s(y, s.splat_f32s(c.precision[j]));
                    energy = s.mul_add_e_f32s(y, pulls[j], energy);
                }
                *logit = s.mul_add_e_f32s(energy, s.splat_f32s(-0.5), s.splat_f32s(c.bias));
                top = s.max_f32s(*logit, top);
            }
            own.fill(s.splat_f32s(0.0));
            let mut total = s.splat_f32s(0.0);
            for ((c, pulls), &logit) in components.iter().zip(pulls.chunks_exact(dim)).zip(&*logits) {
                let weight = exp(s, s.sub_f32s(logit, top));
                total = s.add_f32s(total, weight);
                for i in 0..dim {
                    let mut pull = pulls[i];
                    if let Some(q) = &c.axes {
                        pull = s.splat_f32s(0.0);
                        for j in 0..dim {
                            pull = s.mul_add_e_f32s(pulls[j], s.splat_f32s(q[i * dim + j]), pull);
                        }
                    }
                    own[i] = s.mul_add_e_f32s(weight, pull, own[i]);
                }
            }
            let scale = s.div_f32s(s.splat_f32s(sigma), total);
            for own in &mut *own {
                *own = s.mul_f32s(*own, scale);
            }
            for (row, out) in out.chunks_exact_mut(dim).enumerate() {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = points[i * lanes + row];
                }
            }
        }
        out
    }
}
