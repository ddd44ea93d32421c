//! Sliced 2-Wasserstein distance (Bonneel, Rabin, Peyré & Pfister 2015).
//!
//! SW₂(μ, ν)² = ∫ W₂(θ·μ, θ·ν)² dσ(θ), with θ·μ the law of the projection θᵀx and σ the uniform law on the
//! unit sphere of ℝᵈ; in one dimension W₂² is the squared distance of the quantile functions,
//! W₂(μ, ν)² = ∫₀¹ (F⁻¹(t) − G⁻¹(t))² dt, which sorting makes exact for any two sizes n and m.
//!
//! The integral over σ is the mean over `projections` directions θ₁ … θ_L:
//! d = 1: the one direction there is; d = 2: θₗ = (cos φₗ, sin φₗ) with φₗ = π(l + ½)/L, l = 0 … L − 1, the
//! midpoint rule over the half circle; d ≥ 3: directions drawn uniformly from a fixed seed, the same ones for
//! every measurement. A shift by s is at SW₂ = |s|/√d (for d ≥ 3 up to the error of the L directions), since
//! ∫ θθᵀ dσ = I/d: the value is not multiplied by √d.

use rayon::prelude::*;
use tweedie_solvers::{Error, Key, Result};

use super::{Known, Metric, Range, check, finite};
use crate::points::Points;

const MOST_PROJECTIONS: usize = 100_000;

/// Sliced 2-Wasserstein distance, `sliced-w2`; the sets may differ in size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicedW2 {
    projections: usize,
    seed: u64,
}

impl Default for SlicedW2 {
    /// 128 projections, seed 0.
    fn default() -> Self {
        Self { projections: 128, seed: 0 }
    }
}

impl SlicedW2 {
    /// The mean over `projections` directions (1 to 100 000); `seed` fixes them for d ≥ 3.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `projections` is out of its domain.
    pub fn new(projections: usize, seed: u64) -> Result<Self> {
        if (1..=MOST_PROJECTIONS).contains(&projections) {
            Ok(Self { projections, seed })
        } else {
            let rule = format!("be from 1 to {MOST_PROJECTIONS}");
            Err(Error::parameter("projections", projections, rule))
        }
    }

    /// Unit vectors of `dim` coordinates.
    fn directions(&self, dim: usize) -> Vec<Vec<f64>> {
        let count = self.projections;
        match dim {
            1 => vec![vec![1.0]],
            2 => (0..count)
                .map(|l| std::f64::consts::PI * (l as f64 + 0.5) / count as f64)
                .map(|angle| vec![angle.cos(), angle.sin()])
                .collect(),
            _ => Key::root(self.seed)
                .branch("sliced-w2")
                .normals(0, 0, count, dim)
                .chunks(dim)
                .map(|z| {
                    let norm = dot(z, z).sqrt();
                    z.iter().map(|v| v / norm).collect()
                })
                .collect(),
        }
    }
}

impl Metric for SlicedW2 {
    fn measure(&self, samples: &Points, reference: &Points, _known: &Known) -> Result<f64> {
        check(samples, reference, 1)?;
        let squares: Vec<f64> = self
            .directions(samples.dim())
            .par_iter()
            .map(|direction| squared_w2(&projected(samples, direction), &projected(reference, direction)))
            .collect();
        finite((squares.iter().sum::<f64>() / squares.len() as f64).sqrt())
    }

    fn range(&self) -> Range {
        Range::Positive
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(p, q)| p * q).sum()
}

/// θᵀx for every row x, in increasing order.
fn projected(points: &Points, direction: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = points.rows().map(|row| dot(row, direction)).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// ∫₀¹ (F⁻¹(t) − G⁻¹(t))² dt of two sorted lists. With nm units of mass, each of the n values of `x` holds m
/// of them and each of the m values of `y` holds n; both quantile functions are constant between the ends.
fn squared_w2(x: &[f64], y: &[f64]) -> f64 {
    let (n, m) = (x.len() as u64, y.len() as u64);
    let (mut i, mut j, mut at, mut sum) = (0, 0, 0, 0.0);
    while at < n * m {
        let (x_end, y_end) = ((i + 1) * m, (j + 1) * n);
        let end = x_end.min(y_end);
        let gap = x[i as usize] - y[j as usize];
        sum += (end - at) as f64 * (gap * gap);
        (at, i, j) = (end, i + u64::from(x_end == end), j + u64::from(y_end == end));
    }
    sum / (n as f64 * m as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{close, map, normal, reversed};
    use super::*;

    fn sliced(x: &Points, y: &Points) -> f64 {
        SlicedW2::default().measure(x, y, &Known::default()).expect("a distance")
    }

    #[test]
    fn one_dimension_by_hand() {
        let line = |values: &[f64]| Points::new(1, values.to_vec());
        let x = line(&[3.0, -1.0, 0.5, 8.0]);
        close(sliced(&x, &map(&x, |_, v| v - 2.5)), 2.5, 1e-15);
        // In sixths of the mass, 2 lie at gap 0 − 1, 1 at 4 − 1, 1 at 4 − 5 and 2 at 5 − 5.
        close(sliced(&line(&[4.0, 0.0, 5.0]), &line(&[5.0, 1.0])), 2f64.sqrt(), 1e-15);
    }

    /// Unequal sizes: the same as 12 copies of 10 points against 10 copies of 12 points.
    #[test]
    fn sizes_may_differ() {
        for (n, m) in [(10, 12), (12, 10), (7, 1), (6, 3), (5, 9)] {
            for dim in [1, 2, 3] {
                let (x, y) = (normal("x", n, dim, 1.0), normal("y", m, dim, 2.0));
                let copies = |p: &Points, k: usize| Points::new(dim, p.values().repeat(k));
                close(sliced(&x, &y), sliced(&copies(&x, m), &copies(&y, n)), 1e-13);
            }
        }
    }

    /// In the plane ∫ θθᵀ = I/2 holds exactly for L ≥ 2 directions: Y = cX is at |c − 1| √(mean |x|²/2), and
    /// a shift by s at |s|/√2.
    #[test]
    fn plane_in_closed_form() -> Result<()> {
        let x = normal("x", 300, 2, 1.7);
        let mean_square = x.values().iter().map(|v| v * v).sum::<f64>() / 300.0;
        for projections in [2, 3, 128] {
            let metric = SlicedW2::new(projections, 0)?;
            for c in [0.0, 0.4, 1.0, 3.0] {
                let expected = f64::abs(c - 1.0) * (mean_square / 2.0).sqrt();
                close(metric.measure(&map(&x, |_, v| c * v), &x, &Known::default())?, expected, 1e-13);
            }
            let shifted = map(&x, |k, v| v + [3.0, -4.0][k]);
            close(metric.measure(&x, &reversed(&shifted), &Known::default())?, 5.0 / 2f64.sqrt(), 1e-13);
        }
        Ok(())
    }

    /// The midpoint rule, direction by direction: L = 2 looks along (1, 1)/√2 and (−1, 1)/√2.
    #[test]
    fn plane_directions() -> Result<()> {
        let half = 0.5f64.sqrt();
        let directions = SlicedW2::new(2, 9)?.directions(2);
        for (got, expected) in directions.iter().flatten().zip([half, half, -half, half]) {
            close(*got, expected, 1e-15);
        }
        close(SlicedW2::new(3, 0)?.directions(2)[0][1], 0.5, 1e-15);
        Ok(())
    }

    /// In d ≥ 3, Y = cX + s is at (c − 1)² mean (θᵀx)² + 2(c − 1) mean (θᵀx)(θᵀs) + mean (θᵀs)² over the
    /// directions, c ≥ 0; the directions are unit vectors, and mean θₐθᵦ = δₐᵦ/d. For 20 000 of them the
    /// standard error of each entry is below 0.3/√20 000 = 0.0021: 5 of it give a false-alarm rate below
    /// 1e-5.
    #[test]
    fn space_in_closed_form() -> Result<()> {
        let metric = SlicedW2::new(20_000, 3)?;
        for dim in [3, 4] {
            let directions = metric.directions(dim);
            for (a, b) in (0..dim).flat_map(|a| (0..=a).map(move |b| (a, b))) {
                let mean = directions.iter().map(|t| t[a] * t[b]).sum::<f64>() / 20_000.0;
                close(mean, if a == b { 1.0 / dim as f64 } else { 0.0 }, 0.0105);
            }
            assert!(directions.iter().all(|t| (dot(t, t) - 1.0).abs() < 1e-15 * 4.0));
        }
        let (x, shift, c) = (normal("x", 60, 3, 1.0), [1.0, -2.0, 0.5], 2.5);
        let y = map(&x, |k, v| c * v + shift[k]);
        let metric = SlicedW2::default();
        let mut expected = 0.0;
        for t in metric.directions(3) {
            expected += x.rows().map(|row| ((c - 1.0) * dot(row, &t) + dot(&shift, &t)).powi(2)).sum::<f64>();
        }
        close(metric.measure(&x, &y, &Known::default())?, (expected / (60.0 * 128.0)).sqrt(), 1e-13);
        assert_ne!(SlicedW2::new(128, 1)?.directions(3), SlicedW2::new(128, 2)?.directions(3));
        Ok(())
    }

    #[test]
    fn projections_have_a_domain() {
        for bad in [0, 100_001] {
            let error = SlicedW2::new(bad, 0).expect_err("out of the domain").to_string();
            assert_eq!(error, format!("projections = {bad}, but it must be from 1 to 100000"));
        }
    }
}
