//! ε̂ of a mixture at one kernel or at one for each row in f32, a row in each lane: distances, log-sum-exp and weighted sum while a row's
//! numbers are in registers.

use pulp::{Simd, WithSimd};

use super::Mixture;
use crate::kernel::Kernel;
use crate::lanes::{Scratch, exp};
use crate::model::Components;

/// The prediction for rows x, (B, D) row-major, at one kernel or at one for each row.
pub(super) struct Fused<'a> {
    mixture: &'a Mixture,
    x: &'a [f32],
    at: &'a [Kernel],
}

impl<'a> Fused<'a> {
    pub(super) fn new(mixture: &'a Mixture, x: &'a [f32], at: &'a [Kernel]) -> Self {
        Self { mixture, x, at }
    }

    /// The numbers of the law, and σ after them, each in as many lanes; a row's kernel in its lane, or one kernel in all.
    fn fill(&self, at: &[Kernel], table: &mut [f32], lanes: usize) {
        for (lane, &at) in at.iter().enumerate() {
            let Components { numbers, sigma, .. } = self.mixture.law(at);
            for (all, v) in table.chunks_exact_mut(lanes).zip(numbers.into_iter().chain([sigma])) {
                if self.at.len() == 1 { all.fill(v) } else { all[lane] = v }
            }
        }
    }
}

impl WithSimd for Fused<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Vec<f32> {
        let Self { mixture, x, at } = self;
        let (dim, count, lanes) = (mixture.dim, mixture.weights.len(), S::F32_LANES);
        let axes = mixture.law(at[0]).axes;
        let wide = 2 * dim + 1;
        let mut out = vec![0.0; x.len()];
        // Ones, so that what a lane without a row computes is finite.
        let mut table = Scratch::new((count * wide + 1) * lanes);
        table.fill(1.0);
        if at.len() == 1 {
            self.fill(at, &mut table, lanes);
        }
        // x, then ε̂: D vectors; pulls: D for each component; logits: one for each.
        let (mut points, mut pulls) = (Scratch::zeros(dim * lanes), Scratch::new(count * dim * lanes));
        let mut logits = Scratch::new(count * lanes);
        let pulls = S::as_mut_simd_f32s(&mut pulls).0;
        let logits = S::as_mut_simd_f32s(&mut logits).0;
        let chunks = x.chunks(lanes * dim).zip(out.chunks_mut(lanes * dim));
        for (i, (x, out)) in chunks.enumerate() {
            if at.len() > 1 {
                self.fill(&at[i * lanes..at.len().min((i + 1) * lanes)], &mut table, lanes);
            }
            let law = S::as_simd_f32s(&table).0;
            for (row, x) in x.chunks_exact(dim).enumerate() {
                for (i, &x) in x.iter().enumerate() {
                    points[i * lanes + row] = x;
                }
            }
            let own = S::as_mut_simd_f32s(&mut points).0;
            let mut top = s.splat_f32s(f32::NEG_INFINITY);
            for (k, (pulls, logit)) in pulls.chunks_exact_mut(dim).zip(&mut *logits).enumerate() {
                let numbers = &law[k * wide..][..wide];
                let mut energy = s.splat_f32s(0.0);
                for j in 0..dim {
                    let mut y = s.neg_f32s(numbers[j]);
                    match &axes {
                        None => y = s.add_f32s(own[j], y),
                        Some(q) => {
                            for i in 0..dim {
                                y = s.mul_add_e_f32s(own[i], s.splat_f32s(q[(k * dim + i) * dim + j]), y);
                            }
                        }
                    }
                    pulls[j] = s.mul_f32s(y, numbers[dim + j]);
                    energy = s.mul_add_e_f32s(y, pulls[j], energy);
                }
                *logit = s.mul_add_e_f32s(energy, s.splat_f32s(-0.5), numbers[2 * dim]);
                top = s.max_f32s(*logit, top);
            }
            own.fill(s.splat_f32s(0.0));
            let mut total = s.splat_f32s(0.0);
            for (k, (pulls, &logit)) in pulls.chunks_exact(dim).zip(&*logits).enumerate() {
                let weight = exp(s, s.sub_f32s(logit, top));
                total = s.add_f32s(total, weight);
                for i in 0..dim {
                    let mut pull = pulls[i];
                    if let Some(q) = &axes {
                        pull = s.splat_f32s(0.0);
                        for j in 0..dim {
                            pull = s.mul_add_e_f32s(pulls[j], s.splat_f32s(q[(k * dim + i) * dim + j]), pull);
                        }
                    }
                    own[i] = s.mul_add_e_f32s(weight, pull, own[i]);
                }
            }
            let scale = s.div_f32s(law[count * wide], total);
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
