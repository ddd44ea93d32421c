//! `ring`: one circle about the origin, of radius R = 1 with thickness s = 0.1.
//!
//! The density depends on r = |x| alone, exp(−(r² + R²)/2s²) I₀(Rr/s²)/(2πs²). Entropy at s = 0.1: 0.9516983 nats, at 0.05: 0.2604564.

use std::f64::consts::TAU;

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Key, Result, error};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// One circle.
#[derive(Clone, Debug, PartialEq)]
pub struct Ring(Curve);

impl Ring {
    /// A circle of a radius above 0 with thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If either is not a finite number above 0.
    pub fn new(radius: f64, noise: f64) -> Result<Self> {
        Ok(Self(Curve::new(arcs(error::positive("radius", radius)?), noise)?))
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self(Curve { arcs: arcs(1.0), noise: 0.1 })
    }
}

fn arcs(radius: f64) -> Vec<Arc> {
    vec![Arc::circle([0.0, 0.0], radius, 0.0, TAU)]
}

impl Data for Ring {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        self.0.sample(key, first, count)
    }

    fn exact(&self) -> Result<Box<dyn Exact>> {
        Ok(Box::new(self.0.exact()?))
    }

    fn entropy(&self) -> Option<f64> {
        self.0.entropy()
    }

    fn curve(&self) -> Option<&Curve> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E|x|² = R² + 2s² and E|x|⁴ = R⁴ + 8R²s² + 8s⁴ (noncentral χ²), n = 100 000, 5 standard errors: false-alarm rate below 1e-5.
    #[test]
    fn radii_have_their_moments() {
        let (n, r2, s2) = (100_000, 4.0, 0.09);
        let points = Ring::new(2.0, 0.3).unwrap().sample(&Key::root(1), 0, n);
        let mean = |f: &dyn Fn(f64) -> f64| {
            points.rows().map(|p| f(p[0] * p[0] + p[1] * p[1])).sum::<f64>() / n as f64
        };
        let variance: f64 = 4.0 * r2 * s2 + 4.0 * s2 * s2;
        let error = 5.0 * (variance / n as f64).sqrt();
        assert!((mean(&|v| v) - r2 - 2.0 * s2).abs() < error);
        // The standard error of |x|⁴ is, to first order, that of |x|² times 2E|x|², here with 20 % to spare.
        assert!(
            (mean(&|v| v * v) - r2 * r2 - 8.0 * r2 * s2 - 8.0 * s2 * s2).abs()
                < error * 2.4 * (r2 + 2.0 * s2)
        );
        assert_eq!(Ring::default(), Ring::new(1.0, 0.1).unwrap());
        assert!(Ring::new(0.0, 0.1).is_err() && Ring::new(f64::INFINITY, 0.1).is_err());
    }
}
