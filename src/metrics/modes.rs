//! Whether samples reach the modes of a Gaussian mixture, and with the right weights.
//!
//! For data p(x) = ∑ₖ wₖ N(x; mₖ, Cₖ) the posterior responsibility of mode k for x is
//! rₖ(x) = wₖ N(x; mₖ, Cₖ)/p(x) (Bishop 2006, eq. 9.13). It assigns samples softly: where modes are apart it is 1 for one mode
//! and 0 for the others, and where they overlap E rₖ(X) = wₖ still holds exactly for X ~ p, which an
//! assignment to the largest responsibility alone would break.
//!
//! *Mode-weight error*: the total variation ½ ∑ₖ |ŵₖ − wₖ| of the fractions ŵₖ = n⁻¹ ∑ᵢ rₖ(xᵢ).
//!
//! *Mode coverage error*: the fraction of the modes that are missed. A sample is near mode k when it lies in
//! the ellipsoid (x − mₖ)ᵀ Cₖ⁻¹ (x − mₖ) ≤ ρ² that holds 99.73 % of N(mₖ, Cₖ): ρ² is that quantile of χ² with
//! d degrees of freedom, ρ = 3 for d = 1. For X ~ p, E ∑ᵢ rₖ(xᵢ) 1{xᵢ near k} = 0.9973 n wₖ, and the mode is
//! missed when the sum is below 20 % of that. A mode apart from the others that should get n wₖ = 25 samples
//! or more is missed by chance with probability below 10⁻⁶; below that, read the score against its floor.

use tweedie_solvers::{Error, Result};

use super::chi_square::quantile;
use super::{Known, Metric, Prospect, Range, check, count, finite};
use crate::points::Points;

/// P(|z| ≤ 3) of a standard normal z.
const WITHIN: f64 = 0.997_300_203_936_739_8;
/// The part of its expected share that a mode needs to be covered.
const ENOUGH: f64 = 0.2;

/// The Gaussian modes of a data set: p(x) = ∑ₖ weightsₖ N(x; meansₖ, covsₖ).
///
/// The three lists have one entry per mode. Metrics refuse, with [`Error::Shape`] or [`Error::Parameter`],
/// lists of other shapes, weights that are not positive with sum 1 (up to 1e-9), means that are not finite
/// and matrices that are not symmetric and positive definite.
#[derive(Clone, Debug, PartialEq)]
pub struct Modes {
    /// wₖ: positive, with sum 1.
    pub weights: Vec<f64>,
    /// mₖ: d numbers each.
    pub means: Vec<Vec<f64>>,
    /// Cₖ: a symmetric positive definite d × d matrix each, row-major.
    pub covs: Vec<Vec<f64>>,
}

/// The fraction of the modes that the samples miss, `mode-coverage`: 0 when all are covered. Needs the modes;
/// of the reference only the dimension counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModeCoverage;

/// Total variation between the weights of the modes and the fractions of the samples, `mode-weights`: from 0
/// to 1. Needs the modes; of the reference only the dimension counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModeWeights;

impl Metric for ModeCoverage {
    fn measure(&self, samples: &Points, reference: &Points, known: &Known) -> Result<f64> {
        let radius = quantile(samples.dim(), WITHIN);
        let near = |square: f64| square <= radius;
        let (shares, weights) = shares(samples, reference, known, near)?;
        let missed = shares.iter().zip(weights).filter(|(share, w)| **share < ENOUGH * WITHIN * **w).count();
        Ok(missed as f64 / shares.len() as f64)
    }

    fn range(&self) -> Range {
        Range::Fraction
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 1, "samples")?;
        components(prospect.known.modes()?, prospect.dim).map(|_| ())
    }
}

impl Metric for ModeWeights {
    fn measure(&self, samples: &Points, reference: &Points, known: &Known) -> Result<f64> {
        let (shares, weights) = shares(samples, reference, known, |_| true)?;
        Ok(0.5 * shares.iter().zip(weights).map(|(share, w)| (share - w).abs()).sum::<f64>())
    }

    fn range(&self) -> Range {
        Range::Fraction
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 1, "samples")?;
        components(prospect.known.modes()?, prospect.dim).map(|_| ())
    }
}

/// n⁻¹ ∑ᵢ rₖ(xᵢ) 1{counts((xᵢ − mₖ)ᵀ Cₖ⁻¹ (xᵢ − mₖ))} for every mode k, and the weights.
fn shares<'a>(
    samples: &Points,
    reference: &Points,
    known: &'a Known,
    counts: impl Fn(f64) -> bool,
) -> Result<(Vec<f64>, &'a [f64])> {
    check(samples, reference, 1)?;
    let modes = known.modes()?;
    let components = components(modes, samples.dim())?;
    let mut sums = vec![0.0; components.len()];
    for x in samples.rows() {
        let squares: Vec<f64> = components.iter().map(|c| c.squared_mahalanobis(x)).collect();
        let logs: Vec<f64> = components.iter().zip(&squares).map(|(c, s)| c.log_scale - 0.5 * s).collect();
        let top = finite(logs.iter().copied().fold(f64::NEG_INFINITY, f64::max))?;
        let total: f64 = logs.iter().map(|log| (log - top).exp()).sum();
        for ((sum, log), &square) in sums.iter_mut().zip(&logs).zip(&squares) {
            *sum += if counts(square) { (log - top).exp() / total } else { 0.0 };
        }
    }
    Ok((sums.into_iter().map(|sum| sum / samples.len() as f64).collect(), &modes.weights))
}

/// One mode, ready to be evaluated.
struct Component<'a> {
    /// ln wₖ − ½ ln det Cₖ.
    log_scale: f64,
    mean: &'a [f64],
    /// Lower triangular L with L Lᵀ = Cₖ.
    root: Vec<f64>,
}

impl Component<'_> {
    /// |L⁻¹(x − m)|², by forward substitution.
    fn squared_mahalanobis(&self, x: &[f64]) -> f64 {
        let dim = x.len();
        let mut solved = Vec::with_capacity(dim);
        for i in 0..dim {
            let row = &self.root[i * dim..(i + 1) * dim];
            let known: f64 = row.iter().zip(&solved).map(|(l, z)| l * z).sum();
            solved.push((x[i] - self.mean[i] - known) / row[i]);
        }
        solved.iter().map(|z| z * z).sum()
    }
}

fn components(modes: &Modes, dim: usize) -> Result<Vec<Component<'_>>> {
    let count = modes.weights.len();
    if [modes.means.len(), modes.covs.len()] != [count; 2] || count == 0 {
        let got = [count, modes.means.len(), modes.covs.len()];
        return Err(Error::shape("the list of modes (weights, means, covariances)", [count.max(1); 3], got));
    }
    let total: f64 = modes.weights.iter().sum();
    if let Some(w) = modes.weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
        return Err(Error::parameter("the weight of a mode", w, "be a finite number above 0"));
    } else if (total - 1.0).abs() > 1e-9 {
        return Err(Error::parameter("the sum of the weights", total, "be 1"));
    }
    let parts = modes.weights.iter().zip(&modes.means).zip(&modes.covs);
    parts
        .map(|((weight, mean), cov)| {
            if mean.len() != dim || cov.len() != dim * dim {
                let got = [mean.len(), cov.len()];
                return Err(Error::shape("a mode (mean, covariance)", [dim, dim * dim], got));
            }
            let rule = "hold finite means and symmetric positive definite covariances";
            let root = cholesky(cov, dim).filter(|_| mean.iter().all(|v| v.is_finite()));
            let root =
                root.ok_or_else(|| Error::parameter("a mode", format!("({mean:?}, {cov:?})"), rule))?;
            let half_log_det: f64 = (0..dim).map(|i| root[i * dim + i].ln()).sum();
            Ok(Component { log_scale: weight.ln() - half_log_det, mean, root })
        })
        .collect()
}

/// Lower triangular L with L Lᵀ = `matrix`; none when that is not symmetric and positive definite.
fn cholesky(matrix: &[f64], dim: usize) -> Option<Vec<f64>> {
    let mut root = vec![0.0; dim * dim];
    for i in 0..dim {
        for j in 0..=i {
            let (here, there) = (matrix[i * dim + j], matrix[j * dim + i]);
            let rest = here - (0..j).map(|k| root[i * dim + k] * root[j * dim + k]).sum::<f64>();
            root[i * dim + j] = if i == j { rest.sqrt() } else { rest / root[j * dim + j] };
            if (here - there).abs() > 1e-12 * here.abs() || !root[i * dim + j].is_finite() {
                return None;
            }
        }
        if root[i * dim + i] <= 0.0 {
            return None;
        }
    }
    Some(root)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{close, normal};
    use super::*;

    fn line(weights: &[f64], means: &[f64], variances: &[f64]) -> Modes {
        let single = |list: &[f64]| list.iter().map(|&v| vec![v]).collect();
        Modes { weights: weights.to_vec(), means: single(means), covs: single(variances) }
    }

    fn on(metric: &dyn Metric, dim: usize, values: &[f64], modes: &Modes) -> Result<f64> {
        let samples = Points::new(dim, values.to_vec());
        let known = Known { modes: Some(modes.clone()), ..Known::default() };
        metric.measure(&samples, &samples.slice(0, 1), &known)
    }

    #[test]
    fn weights_by_hand() -> Result<()> {
        let apart = line(&[0.25, 0.5, 0.25], &[-50.0, 0.0, 50.0], &[1.0, 1.0, 1.0]);
        close(on(&ModeWeights, 1, &[-50.0, -51.0, -49.0, 1.0], &apart)?, 0.5, 1e-15);
        close(on(&ModeWeights, 1, &[-50.0, 0.5, -0.5, 50.0], &apart)?, 0.0, 1e-15);
        // 0.2·N(0; 0, 1) : 0.8·N(0; 0, 4) = 0.2 : 0.4, and with the two standard deviations from 2 it is
        // 0.2·e⁻² : 0.4·e^(−1/2).
        let nested = line(&[0.2, 0.8], &[0.0, 0.0], &[1.0, 4.0]);
        close(on(&ModeWeights, 1, &[0.0], &nested)?, 1.0 / 3.0 - 0.2, 1e-15);
        let first = 0.2 / (0.2 + 0.4 * 1.5f64.exp());
        close(on(&ModeWeights, 1, &[2.0], &nested)?, 0.2 - first, 1e-15);
        Ok(())
    }

    /// At (1, 2): xᵀC⁻¹x = 2 for C = [[2, 1], [1, 2]] with det C = 3, and 5 for C = I.
    #[test]
    fn correlated_modes() -> Result<()> {
        let modes = Modes {
            weights: vec![0.6, 0.4],
            means: vec![vec![5.0, -1.0]; 2],
            covs: vec![vec![2.0, 1.0, 1.0, 2.0], vec![1.0, 0.0, 0.0, 1.0]],
        };
        let (a, b) = (0.6 * (-1f64).exp() / 3f64.sqrt(), 0.4 * (-2.5f64).exp());
        close(on(&ModeWeights, 2, &[6.0, 1.0], &modes)?, a / (a + b) - 0.6, 1e-15);
        Ok(())
    }

    /// Modes that overlap, drawn from with their weights 0.3 and 0.7: the error is that of a mean of n
    /// numbers in [0, 1], below 5 · ½/√n with a false-alarm rate below 1e-6; an assignment to the largest
    /// responsibility alone would be at 0.13.
    #[test]
    fn overlapping_modes_are_unbiased() -> Result<()> {
        let n = 40_000;
        let modes = line(&[0.3, 0.7], &[0.0, 1.0], &[1.0, 1.0]);
        let z = normal("x", n, 1, 1.0);
        let x: Vec<f64> = z.values().iter().enumerate().map(|(i, z)| z + f64::from(i % 10 >= 3)).collect();
        close(on(&ModeWeights, 1, &x, &modes)?, 0.0, 0.0125);
        assert_eq!(on(&ModeCoverage, 1, &x, &modes)?, 0.0);
        Ok(())
    }

    /// Of 20 000 samples mode 1 (weight ¼) expects 0.9973 · 5000 near it, and needs 20 % of them, 997.3.
    #[test]
    fn coverage_by_hand() -> Result<()> {
        let modes = line(&[0.5, 0.25, 0.25], &[-500.0, 0.0, 500.0], &[1.0, 4.0, 1.0]);
        let missed = |near: usize, at: f64| {
            let mut values = vec![-500.0; 12_000];
            values.extend(vec![at; near]);
            values.resize(20_000, 490.0);
            on(&ModeCoverage, 1, &values, &modes)
        };
        let third = 1.0 / 3.0;
        close(missed(998, 0.0)?, third, 1e-15);
        close(missed(997, 0.0)?, 2.0 * third, 1e-15);
        // 3 standard deviations are 6 here; samples at 490 are assigned to mode 2 but far from it.
        close(missed(2000, 5.99)?, third, 1e-15);
        close(missed(2000, -5.99)?, third, 1e-15);
        close(missed(2000, 6.01)?, 2.0 * third, 1e-15);
        // Where modes overlap, the share is of responsibilities: half of a sample each.
        let twins = line(&[0.5, 0.5], &[0.0, 0.0], &[1.0, 1.0]);
        assert_eq!(on(&ModeCoverage, 1, &[0.0, 9.0, 9.0, 9.0], &twins)?, 0.0);
        assert_eq!(on(&ModeCoverage, 1, &[0.0, 9.0, 9.0, 9.0, 9.0, 9.0], &twins)?, 1.0);
        Ok(())
    }

    /// In the plane the ellipsoid has ρ = 3.4394 standard deviations.
    #[test]
    fn coverage_in_the_plane() -> Result<()> {
        let modes =
            Modes { weights: vec![1.0], means: vec![vec![0.0; 2]], covs: vec![vec![4.0, 0.0, 0.0, 1.0]] };
        assert_eq!(on(&ModeCoverage, 2, &[6.878, 0.0], &modes)?, 0.0);
        assert_eq!(on(&ModeCoverage, 2, &[6.880, 0.0], &modes)?, 1.0);
        Ok(())
    }

    #[test]
    fn modes_are_checked() {
        let good = line(&[0.5, 0.5], &[0.0, 1.0], &[1.0, 1.0]);
        let refusal =
            |modes: &Modes, dim| on(&ModeWeights, dim, &[0.0; 6], modes).map_err(|e| e.to_string()).err();
        assert_eq!(refusal(&good, 1), None);
        let starts = |modes: &Modes, start: &str| refusal(modes, 1).is_some_and(|e| e.starts_with(start));
        assert!(refusal(&good, 2).is_some_and(|e| e.ends_with("has shape [1, 1], expected [2, 4]")));
        assert!(starts(&Modes { means: vec![], ..good.clone() }, "the list of modes (weights, means, cov"));
        assert!(starts(&line(&[], &[], &[]), "the list of modes"));
        assert!(starts(&line(&[1.5, -0.5], &[0.0, 1.0], &[1.0, 1.0]), "the weight of a mode = -0.5"));
        assert!(starts(&line(&[0.5, 0.4], &[0.0, 1.0], &[1.0, 1.0]), "the sum of the weights = 0.9"));
        for (mean, variance) in
            [(f64::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::NAN), (0.0, f64::INFINITY)]
        {
            assert!(starts(&line(&[1.0], &[mean], &[variance]), "a mode = "));
        }
        let skew =
            Modes { weights: vec![1.0], means: vec![vec![0.0; 2]], covs: vec![vec![1.0, 0.5, 0.4, 1.0]] };
        assert!(refusal(&skew, 2).is_some_and(|e| e.contains("symmetric positive definite")));
        let samples = Points::new(1, vec![0.0]);
        let error = ModeCoverage.measure(&samples, &samples, &Known::default()).map_err(|e| e.to_string());
        assert_eq!(
            error.err().as_deref(),
            Some("this metric needs the modes of the data, which this data set lacks")
        );
    }
}
