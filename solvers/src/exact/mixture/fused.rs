//! ε̂ of a mixture at one kernel for many rows in f32, a row in each lane: distances, log-sum-exp and weighted sum while a row's numbers are
//! in registers.

use pulp::{Simd, WithSimd};

use super::Mixture;
use crate::kernel::Kernel;
use crate::lanes::{Scratch, exp};
use crate::model::Components;

/// A component in its axes.
struct Component<'a> {
    axes: Option<&'a [f32]>,
    centre: &'a [f32],
    precision: &'a [f32],
    bias: f32,
}

/// The prediction for rows x, (B, D) row-major.
pub(super) struct Fused<'a> {
    x: &'a [f32],
    dim: usize,
    law: Components,
}

impl<'a> Fused<'a> {
    pub(super) fn new(mixture: &Mixture, x: &'a [f32], at: Kernel) -> Self {
        Self { x, dim: mixture.dim, law: mixture.law(at) }
    }
}

impl WithSimd for Fused<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Vec<f32> {
        let Self { x, dim, law } = self;
        let lists = law.numbers.chunks_exact(2 * dim + 1).enumerate();
        let components = lists.map(|(k, numbers)| Component {
            axes: law.axes.as_ref().map(|axes| &axes[k * dim * dim..][..dim * dim]),
            centre: &numbers[..dim],
            precision: &numbers[dim..2 * dim],
            bias: numbers[2 * dim],
        });
        let components: Vec<_> = components.collect();
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
                    match c.axes {
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
                    if let Some(q) = c.axes {
                        pull = s.splat_f32s(0.0);
                        for j in 0..dim {
                            pull = s.mul_add_e_f32s(pulls[j], s.splat_f32s(q[i * dim + j]), pull);
                        }
                    }
                    own[i] = s.mul_add_e_f32s(weight, pull, own[i]);
                }
            }
            let scale = s.div_f32s(s.splat_f32s(law.sigma), total);
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
