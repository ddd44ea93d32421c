//! `s-curve`: (sin t, sign(t)(cos t − 1)), t uniform in [−3π/2, 3π/2], with thickness 0.1.
//!
//! Follows scikit-learn's `make_s_curve` without its depth. It is two arcs of circles of radius 1, about (0, −1) for t > 0 and about
//! (0, 1) for t < 0, which meet at the origin.

use std::f64::consts::{FRAC_PI_2, PI};

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Key, Result};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// Two arcs joined as an S.
#[derive(Clone, Debug, PartialEq)]
pub struct SCurve(Curve);

impl SCurve {
    /// A curve of thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If the noise is not a finite number above 0.
    pub fn new(noise: f64) -> Result<Self> {
        Ok(Self(Curve::new(arcs(), noise)?))
    }
}

impl Default for SCurve {
    fn default() -> Self {
        Self(Curve { arcs: arcs(), noise: 0.1 })
    }
}

/// From the origin outward: at w the parameter is t = ±3πw/2, the angle about the centre ±π/2 − 3πw/2.
fn arcs() -> Vec<Arc> {
    vec![Arc::circle([0.0, -1.0], 1.0, FRAC_PI_2, -PI), Arc::circle([0.0, 1.0], 1.0, -FRAC_PI_2, -2.0 * PI)]
}

impl Data for SCurve {
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
    use crate::data::tests::assert_near;

    #[test]
    fn curve_is_that_of_scikit_learn() {
        for (k, w) in [0, 1].into_iter().flat_map(|k| [0.0, 0.3, 0.5, 1.0].map(|w| (k, w))) {
            let sign = [1.0, -1.0][k];
            let t: f64 = sign * 1.5 * PI * w;
            assert_near(arcs()[k].at(w), [t.sin(), sign * (t.cos() - 1.0)]);
        }
        assert_eq!(SCurve::default(), SCurve::new(0.1).unwrap());
    }
}
