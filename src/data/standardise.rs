//! The map x ↦ (x − m)/s per coordinate that a network may work behind, and what it does to densities:
//! ln p(x) = ln p_std((x − m)/s) − Σ ln s.

use serde::{Deserialize, Serialize};
use tweedie_solvers::{Error, Result};

use crate::points::Points;

/// Means and standard deviations per coordinate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardise {
    /// m, one for each coordinate.
    pub mean: Vec<f64>,
    /// s > 0, one for each coordinate.
    pub deviation: Vec<f64>,
}

impl Standardise {
    /// The means and the standard deviations (division by n, as numpy's `std`) of points.
    ///
    /// # Errors
    /// If there is no point, a coordinate is constant up to rounding (deviation at or below 1e-12 of its largest size), or a moment
    /// is not finite.
    pub fn fit(points: &Points) -> Result<Self> {
        let (n, d) = (points.len() as f64, points.dim());
        let average = |f: &dyn Fn(&[f64]) -> f64| points.rows().map(f).sum::<f64>() / n;
        let mean: Vec<f64> = (0..d).map(|j| average(&|p| p[j])).collect();
        let deviation: Vec<f64> = (0..d).map(|j| average(&|p| (p[j] - mean[j]).powi(2)).sqrt()).collect();
        for (j, s) in deviation.iter().enumerate() {
            let size = points.rows().map(|p| p[j].abs()).fold(0.0, f64::max);
            if !s.is_finite() || *s <= 1e-12 * size {
                let name = format!("the standard deviation of coordinate {j}");
                return Err(Error::parameter(
                    name,
                    s,
                    "be a finite number above 0; leave out a coordinate that is constant",
                ));
            }
        }
        Ok(Self { mean, deviation })
    }

    /// (x − m)/s.
    ///
    /// # Panics
    /// If the points have another dimension: a mistake of the program.
    pub fn apply(&self, points: &Points) -> Points {
        self.map(points, |v, m, s| (v - m) / s)
    }

    /// m + s x.
    ///
    /// # Panics
    /// If the points have another dimension: a mistake of the program.
    pub fn undo(&self, points: &Points) -> Points {
        self.map(points, |v, m, s| m + s * v)
    }

    fn map(&self, points: &Points, f: impl Fn(f64, f64, f64) -> f64) -> Points {
        let d = points.dim();
        assert!(
            self.mean.len() == d && self.deviation.len() == d,
            "points of {d} coordinates, fitted to {}",
            self.mean.len()
        );
        let values =
            points.values().iter().enumerate().map(|(i, &v)| f(v, self.mean[i % d], self.deviation[i % d]));
        Points::new(d, values.collect())
    }

    /// −Σ ln s, to be added to ln p_std((x − m)/s) for ln p(x); in nats.
    pub fn log_jacobian(&self) -> f64 {
        -self.deviation.iter().map(|s| s.ln()).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::{
        exact::{Exact, Mixture},
        kernel::Kernel,
    };

    #[test]
    fn there_and_back() {
        let points = Points::new(2, vec![1.0, 10.0, 3.0, 30.0]);
        let s = Standardise::fit(&points).unwrap();
        assert_eq!((s.mean.clone(), s.deviation.clone()), (vec![2.0, 20.0], vec![1.0, 10.0]));
        assert_eq!(s.apply(&points).values(), [-1.0, -1.0, 1.0, 1.0]);
        assert_eq!(s.undo(&s.apply(&points)), points);
    }

    /// N(m, s²) at x is N(0, 1) at (x − m)/s, corrected.
    #[test]
    fn densities_change_by_the_jacobian() {
        let s = Standardise { mean: vec![1.0, -2.0], deviation: vec![0.5, 4.0] };
        let at = Kernel { alpha: 1.0, sigma: 0.0 };
        let raw =
            Mixture::new(vec![1.0], vec![s.mean.clone()], &[vec![vec![0.25, 0.0], vec![0.0, 16.0]]]).unwrap();
        let standard = Mixture::gaussian(vec![0.0; 2], 1.0).unwrap();
        let x = Points::new(2, vec![0.3, 1.7]);
        let got = standard.log_density(s.apply(&x).row(0), at) + s.log_jacobian();
        assert!((got - raw.log_density(x.row(0), at)).abs() < 1e-12);
    }

    #[test]
    fn constant_coordinates_are_refused() {
        for column in [vec![2.0, 2.0], vec![0.1; 3], vec![0.0; 4], vec![1e200, -1e200], vec![]] {
            let error = Standardise::fit(&Points::new(1, column)).unwrap_err().to_string();
            assert!(error.starts_with("the standard deviation of coordinate 0 = "), "{error}");
        }
    }
}
