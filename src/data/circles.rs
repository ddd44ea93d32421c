//! `circles`: two circles about the origin, of radius 1 and `factor` (0.5), with equal chance and thickness 0.08.
//!
//! Follows scikit-learn's `make_circles` with FFJORD's factor and noise (FFJORD then multiplies all by 3); there the angles are an even
//! grid, here they are drawn.

use std::f64::consts::TAU;

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Error, Key, Result};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// Two circles about one centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Circles(Curve);

impl Circles {
    /// Circles of radius 1 and 0 < `factor` < 1 with thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If the factor is not between 0 and 1, or the noise is not a finite number above 0.
    pub fn new(factor: f64, noise: f64) -> Result<Self> {
        if !(factor > 0.0 && factor < 1.0) {
            return Err(Error::parameter("factor", factor, "lie between 0 and 1, both excluded"));
        }
        Ok(Self(Curve::new(arcs(factor), noise)?))
    }
}

impl Default for Circles {
    fn default() -> Self {
        Self(Curve { arcs: arcs(0.5), noise: 0.08 })
    }
}

fn arcs(factor: f64) -> Vec<Arc> {
    [1.0, factor].map(|radius| Arc::circle([0.0, 0.0], radius, 0.0, TAU)).to_vec()
}

impl Data for Circles {
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
    fn circles_are_those_of_scikit_learn() {
        for w in [0.0, 0.3, 1.0] {
            let t: f64 = TAU * w;
            assert_near(arcs(0.4)[0].at(w), [t.cos(), t.sin()]);
            assert_near(arcs(0.4)[1].at(w), [0.4 * t.cos(), 0.4 * t.sin()]);
        }
        assert_eq!(Circles::default(), Circles::new(0.5, 0.08).unwrap());
        for bad in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(Circles::new(bad, 0.1).unwrap_err().to_string().contains("must lie between 0 and 1"));
        }
    }
}
