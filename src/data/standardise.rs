//! The map x ↦ (x − m)/s per coordinate that a model may work behind, and what it does to
//! densities: ln p(x) = ln p_std((x − m)/s) − Σ ln s.
//!
//! A coordinate that does not vary has s = 1, so that the model carries it along at 0; what comes
//! back is its m, to the last bit.

use serde::{Deserialize, Serialize};
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::{Error, Result};

use crate::points::Points;

/// Deviations at or below this part of a coordinate's largest size are rounding.
const ROUNDING: f64 = 1e-12;

/// Means and standard deviations per coordinate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardise {
    /// m, one for each coordinate.
    pub mean: Vec<f64>,
    /// s > 0, one for each coordinate.
    pub deviation: Vec<f64>,
    /// The coordinates that do not vary, in order: s = 1, and m is their value.
    #[serde(default)]
    pub constant: Vec<usize>,
}

impl Standardise {
    /// The means and the standard deviations (division by n, as numpy's `std`) of points. A
    /// coordinate whose values are equal, or differ by rounding (deviation at or below 1e-12 of its
    /// largest size), is constant: m is its first value, and s = 1.
    ///
    /// # Errors
    /// If there is no point, all coordinates are constant, or a moment is not finite.
    pub fn fit(points: &Points) -> Result<Self> {
        let (n, d) = (points.len() as f64, points.dim());
        let average = |f: &dyn Fn(&[f64]) -> f64| points.rows().map(f).sum::<f64>() / n;
        let mut mean: Vec<f64> = (0..d).map(|j| average(&|p| p[j])).collect();
        let mut deviation: Vec<f64> = (0..d).map(|j| average(&|p| (p[j] - mean[j]).powi(2)).sqrt()).collect();
        let mut constant = Vec::new();
        for j in 0..d {
            if !deviation[j].is_finite() {
                let name = format!("the standard deviation of coordinate {j}");
                return Err(Error::parameter(name, deviation[j], "be a finite number"));
            }
            let size = points.rows().map(|p| p[j].abs()).fold(0.0, f64::max);
            if deviation[j] <= ROUNDING * size {
                (mean[j], deviation[j]) = (points.row(0)[j], 1.0);
                constant.push(j);
            }
        }
        if constant.len() == d {
            let rule = "hold two or more that differ: all are equal, and there is nothing to learn";
            return Err(Error::parameter("points", points.len(), rule));
        }
        Ok(Self { mean, deviation, constant })
    }

    /// (x − m)/s.
    ///
    /// # Panics
    /// If the points have another dimension: a mistake of the program.
    pub fn apply(&self, points: &Points) -> Points {
        self.map(points, |j, v| (v - self.mean[j]) / self.deviation[j])
    }

    /// m + s x; in constant coordinates m itself, unless x is not a number.
    ///
    /// # Panics
    /// If the points have another dimension: a mistake of the program.
    pub fn undo(&self, points: &Points) -> Points {
        let mut varies = vec![true; self.mean.len()];
        self.constant.iter().for_each(|&j| varies[j] = false);
        self.map(points, |j, v| {
            if varies[j] || !v.is_finite() { self.mean[j] + self.deviation[j] * v } else { self.mean[j] }
        })
    }

    fn map(&self, points: &Points, f: impl Fn(usize, f64) -> f64) -> Points {
        let d = points.dim();
        assert!(
            self.mean.len() == d && self.deviation.len() == d,
            "points of {d} coordinates, fitted to {}",
            self.mean.len()
        );
        let values = points.values().iter().enumerate().map(|(i, &v)| f(i % d, v));
        Points::new(d, values.collect())
    }

    /// The law of (x − m)/s where x is of a mixture.
    ///
    /// # Errors
    /// If a covariance becomes singular to rounding.
    pub fn mixture(&self, mixture: &Mixture) -> Result<Mixture> {
        let (d, m, s) = (mixture.dim(), &self.mean, &self.deviation);
        let means = mixture.means().iter().map(|mean| (0..d).map(|i| (mean[i] - m[i]) / s[i]).collect());
        let covs = mixture.covs().iter().map(|cov| {
            let row = |i: usize| (0..d).map(|j| cov[i * d + j] / (s[i] * s[j])).collect();
            (0..d).map(row).collect::<Vec<Vec<f64>>>()
        });
        Mixture::new(mixture.weights().to_vec(), means.collect(), &covs.collect::<Vec<_>>())
    }

    /// −Σ ln s, to be added to ln p_std((x − m)/s) for ln p(x); in nats.
    pub fn log_jacobian(&self) -> f64 {
        -self.deviation.iter().map(|s| s.ln()).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::{Key, exact::Exact, kernel::Kernel};

    #[test]
    fn there_and_back() {
        let points = Points::new(2, vec![1.0, 10.0, 3.0, 30.0]);
        let s = Standardise::fit(&points).unwrap();
        assert_eq!((s.mean.clone(), s.deviation.clone()), (vec![2.0, 20.0], vec![1.0, 10.0]));
        assert_eq!(s.apply(&points).values(), [-1.0, -1.0, 1.0, 1.0]);
        assert_eq!(s.undo(&s.apply(&points)), points);
        // In general there and back differs by rounding: each of (v − m)/s, times s and plus m
        // rounds once.
        let points = Points::new(1, Key::root(1).normals(0, 0, 500, 1).iter().map(|z| 1e3 + z).collect());
        let s = Standardise::fit(&points).unwrap();
        let back = s.undo(&s.apply(&points));
        for (a, b) in points.values().iter().zip(back.values()) {
            assert!((a - b).abs() <= 3.0 * f64::EPSILON * 1e3, "{a} {b}");
        }
    }

    /// N(m, s²) at x is N(0, 1) at (x − m)/s, corrected.
    #[test]
    fn densities_change_by_the_jacobian() {
        let s = Standardise { mean: vec![1.0, -2.0], deviation: vec![0.5, 4.0], constant: vec![] };
        let at = Kernel { alpha: 1.0, sigma: 0.0 };
        let raw =
            Mixture::new(vec![1.0], vec![s.mean.clone()], &[vec![vec![0.25, 0.0], vec![0.0, 16.0]]]).unwrap();
        let standard = Mixture::gaussian(vec![0.0; 2], 1.0).unwrap();
        let x = Points::new(2, vec![0.3, 1.7]);
        let got = standard.log_density(s.apply(&x).row(0), at) + s.log_jacobian();
        assert!((got - raw.log_density(x.row(0), at)).abs() < 1e-12);
    }

    /// Constant columns come back bit for bit from whatever a model makes of them, and what is not
    /// a number stays so.
    #[test]
    fn constant_coordinates_are_carried_along() {
        for value in [2.0, 0.1, 0.0, -0.0, 1e-300, 1.7e9 + 0.3] {
            let points = Points::new(3, vec![1.0, value, 5.0, 2.0, value, 7.0, 3.0, value, 6.0]);
            let s = Standardise::fit(&points).unwrap();
            assert_eq!((s.constant.clone(), s.deviation[1]), (vec![1], 1.0));
            assert!(s.apply(&points).rows().all(|row| row[1] == 0.0));
            let noisy = Points::new(3, vec![0.3, -0.02, 1.0, f64::NAN, f64::NAN, 0.0]);
            let back = s.undo(&noisy);
            assert_eq!(back.row(0)[1].to_bits(), value.to_bits());
            assert!(back.row(1)[0].is_nan() && back.row(1)[1].is_nan());
        }
        // 0.1 three times has the mean 0.1 + 1e-17, and a deviation of rounding.
        let s = Standardise::fit(&Points::new(2, vec![0.1, 1.0, 0.1, 2.0, 0.1 + 1e-16, 4.0])).unwrap();
        assert_eq!((s.constant, s.mean[0]), (vec![0], 0.1));
    }

    #[test]
    fn what_has_no_scale_is_refused() {
        for (column, said) in [
            (vec![2.0, 2.0], "points = 2, but it must hold two or more that differ"),
            (vec![0.1; 3], "points = 3"),
            (vec![0.0; 4], "points = 4"),
            (vec![1e200, -1e200], "the standard deviation of coordinate 0 = inf"),
            (vec![], "the standard deviation of coordinate 0 = NaN"),
        ] {
            let error = Standardise::fit(&Points::new(1, column)).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
