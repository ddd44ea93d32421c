//! The map x ↦ (x − m)/s per coordinate that a network may work behind, and what it does to densities.

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
    /// The means and (population) standard deviations of points.
    ///
    /// # Errors
    /// If a coordinate is constant.
    pub fn fit(points: &Points) -> Result<Self> {
        let (n, d) = (points.len() as f64, points.dim());
        let average = |f: &dyn Fn(&[f64]) -> f64| points.rows().map(f).sum::<f64>() / n;
        let mean: Vec<f64> = (0..d).map(|j| average(&|p| p[j])).collect();
        let deviation: Vec<f64> = (0..d).map(|j| average(&|p| (p[j] - mean[j]).powi(2)).sqrt()).collect();
        if let Some(j) = deviation.iter().position(|s| !s.is_finite() || *s <= 0.0) {
            return Err(Error::Unsupported(format!(
                "coordinate {j} of the data is constant, so it has no deviation; leave it out"
            )));
        }
        Ok(Self { mean, deviation })
    }

    /// (x − m)/s.
    pub fn apply(&self, points: &Points) -> Points {
        self.map(points, |v, m, s| (v - m) / s)
    }

    /// m + s x.
    pub fn undo(&self, points: &Points) -> Points {
        self.map(points, |v, m, s| m + s * v)
    }

    fn map(&self, points: &Points, f: impl Fn(f64, f64, f64) -> f64) -> Points {
        let d = points.dim();
        let values =
            points.values().iter().enumerate().map(|(i, &v)| f(v, self.mean[i % d], self.deviation[i % d]));
        Points::new(d, values.collect())
    }

    /// −Σ ln s: log p(x) = log p((x − m)/s) + this.
    pub fn log_jacobian(&self) -> f64 {
        -self.deviation.iter().map(|s| s.ln()).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let points = Points::new(2, vec![1.0, 10.0, 3.0, 30.0]);
        let s = Standardise::fit(&points).unwrap();
        assert_eq!((s.mean.clone(), s.deviation.clone()), (vec![2.0, 20.0], vec![1.0, 10.0]));
        assert_eq!(s.apply(&points).values(), [-1.0, -1.0, 1.0, 1.0]);
        assert_eq!(s.undo(&s.apply(&points)), points);
        assert!((s.log_jacobian() + 10f64.ln()).abs() < 1e-15);
        assert!(Standardise::fit(&Points::new(1, vec![2.0, 2.0])).is_err());
    }
}
