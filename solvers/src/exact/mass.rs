//! Probabilities of boxes under one Gaussian. On a line P(a ≤ x < b) = Φ((b − μ)/σ) − Φ((a − μ)/σ). In the plane, with x₂ | x₁ normal of
//! mean μ₂ + β(x₁ − μ₁) and deviation τ, β = Σ₁₂/Σ₁₁ and τ² = Σ₂₂ − β Σ₁₂,
//!
//! P = ∫ N(x₁; μ₁, Σ₁₁) P(a₂ ≤ x₂ < b₂ | x₁) dx₁  over [a₁, b₁), cut off at 9 deviations,
//!
//! by Gauss–Legendre of 3 points on panels no longer than ¼ of √Σ₁₁ and of τ/|β|: good to 1e-8, and where |β| √Σ₁₁/τ is so large that
//! it would take more than 4096 panels, to 1e-3.

use std::f64::consts::TAU;

use super::boxes::side;

/// The largest number of panels.
const PANELS: f64 = 4096.0;
/// Deviations beyond which nothing is left: 2e-19.
const REACH: f64 = 9.0;
/// Nodes and weights of Gauss–Legendre on [0, 1]: ½ ± ½√⅗ and ½, 5/18 and 4/9.
const GAUSS: [(f64, f64); 3] =
    [(0.112_701_665_379_258_31, 5.0 / 18.0), (0.5, 4.0 / 9.0), (0.887_298_334_620_741_7, 5.0 / 18.0)];

/// P(low ≤ x < high) for N(mean, cov), `cov` row-major and positive definite; none for more than two dimensions.
pub(super) fn gaussian(mean: &[f64], cov: &[f64], low: &[f64], high: &[f64]) -> Option<f64> {
    match mean.len() {
        1 => Some(interval(mean[0], cov[0].sqrt(), low[0], high[0])),
        2 => Some(rectangle(mean, cov, low, high)),
        _ => None,
    }
}

/// P(low ≤ x < high) for N(mean, deviation²), deviation ≥ 0.
pub(super) fn interval(mean: f64, deviation: f64, low: f64, high: f64) -> f64 {
    if low - mean > REACH * deviation || mean - high > REACH * deviation {
        return 0.0;
    }
    side(mean, low, high, deviation).log.exp()
}

fn rectangle(mean: &[f64], cov: &[f64], low: &[f64], high: &[f64]) -> f64 {
    let (deviation, slope) = (cov[0].sqrt(), cov[1] / cov[0]);
    let rest = (cov[3] - slope * cov[1]).max(0.0).sqrt();
    let (from, to) = (low[0].max(mean[0] - REACH * deviation), high[0].min(mean[0] + REACH * deviation));
    if from >= to {
        return 0.0;
    }
    let longest = 0.25 * deviation.min(rest / slope.abs());
    let panels = ((to - from) / longest).ceil().min(PANELS);
    let width = (to - from) / panels;
    let mut sum = 0.0;
    for panel in 0..panels as u32 {
        for (node, weight) in GAUSS {
            let away = from + width * (f64::from(panel) + node) - mean[0];
            let density = (-0.5 * (away / deviation).powi(2)).exp() / (TAU.sqrt() * deviation);
            sum += weight * density * interval(mean[1] + slope * away, rest, low[1], high[1]);
        }
    }
    width * sum
}

#[cfg(test)]
mod tests {
    use super::super::{Boxes, Exact, KernelSum, Level, Mixture};
    use crate::Result;

    /// Φ(1), Φ(2) and Φ(½), from tables.
    const PHI: [f64; 3] = [0.841_344_746_068_542_9, 0.977_249_868_051_820_8, 0.691_462_461_274_013_1];

    fn near(got: Option<f64>, want: f64) {
        assert!(got.is_some_and(|g| (g - want).abs() < 1e-8), "{got:?} {want}");
    }

    /// N(1, 4) on a line, ¼ of it and ¾ of N(9, 1): from 1 to 3 lie Φ(1) − ½ and nothing, from 3 to 10 Φ(4.5) − Φ(1) and Φ(1).
    #[test]
    fn a_line() -> Result<()> {
        let law =
            Mixture::new(vec![0.25, 0.75], vec![vec![1.0], vec![9.0]], &[vec![vec![4.0]], vec![vec![1.0]]])?;
        near(law.mass(&[1.0], &[3.0]), 0.25 * (PHI[0] - 0.5));
        near(law.mass(&[3.0], &[10.0]), 0.25 * (0.999_996_602_326_875 - PHI[0]) + 0.75 * PHI[0]);
        let cloud = Mixture::gaussian(vec![0.0; 3], 1.0)?;
        assert_eq!(cloud.mass(&[0.0; 3], &[1.0; 3]), None);
        Ok(())
    }

    /// Quadrants about the mean hold ¼ + arcsin ρ/2π and ¼ − arcsin ρ/2π (Sheppard 1899), on any scale; strips are lines; and
    /// the correlation 1 − 1e-9 needs more panels than there are.
    #[test]
    fn the_plane() -> Result<()> {
        for (rho, scale, tolerance) in [
            (0.0, 1.0, 1e-8),
            (0.6, 1e-3, 1e-8),
            (-0.95, 7.0, 1e-8),
            (0.999, 1.0, 1e-8),
            (1.0 - 1e-9, 1.0, 1e-3),
        ] {
            let (a, b): (f64, f64) = (scale, 2.0 * scale);
            let cov = vec![vec![a * a, rho * a * b], vec![rho * a * b, b * b]];
            let law = Mixture::new(vec![1.0], vec![vec![3.0, -1.0]], &[cov])?;
            let far = 100.0 * scale;
            let corner = f64::asin(rho) / std::f64::consts::TAU;
            let within = |low: [f64; 2], high: [f64; 2], want: f64| {
                let got = law.mass(&low, &high);
                assert!(got.is_some_and(|g| (g - want).abs() < tolerance), "{rho} {got:?} {want}");
            };
            within([3.0, -1.0], [3.0 + far, -1.0 + far], 0.25 + corner);
            within([3.0, -1.0 - far], [3.0 + far, -1.0], 0.25 - corner);
            within([3.0 - a, -1.0 - far], [3.0 + 2.0 * a, -1.0 + far], PHI[0] + PHI[1] - 1.0);
            within([3.0 - far, -1.0], [3.0 + far, -1.0 + 0.5 * b], PHI[2] - 0.5);
        }
        Ok(())
    }

    /// Two Gaussians of thickness 2 in three dimensions; and three boxes, one cut by a quarter, one whole, one missed.
    #[test]
    fn sums_and_boxes() -> Result<()> {
        let level =
            Level { from: 0.0, points: vec![0.0, 0.0, 0.0, 100.0, 1.0, 0.0], weights: vec![1.0, 3.0] };
        let sum = KernelSum::new(3, 2.0, vec![level])?;
        near(
            sum.mass(&[0.0, -2.0, -50.0], &[2.0, 4.0, 1.0]),
            0.25 * (PHI[0] - 0.5) * (PHI[0] + PHI[1] - 1.0) * PHI[2],
        );
        let corners = |list: [[f64; 2]; 3]| list.map(|c| c.to_vec()).to_vec();
        let boxes = Boxes::new(
            vec![2.0, 1.0, 1.0],
            corners([[0.0, 0.0], [2.0, 1.0], [9.0, 9.0]]),
            corners([[2.0, 4.0], [3.0, 1.5], [10.0, 10.0]]),
        )?;
        near(boxes.mass(&[1.0, 1.0], &[5.0, 3.0]), 0.5 * 0.25 + 0.25);
        Ok(())
    }
}
