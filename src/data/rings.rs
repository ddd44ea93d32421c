//! `rings`: four circles about the origin, of radius 3·(¼, ½, ¾, 1), with equal chance and thickness 0.08.
//!
//! Follows `rings` of FFJORD's successors (toy_data.py), where the noise 0.08 is likewise added after the factor 3; there the
//! angles are an even grid, here they are drawn.

use std::f64::consts::TAU;

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Key, Result};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// Four circles about one centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Rings(Curve);

impl Rings {
    /// Rings of thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If the noise is not a finite number above 0.
    pub fn new(noise: f64) -> Result<Self> {
        Ok(Self(Curve::new(arcs(), noise)?))
    }
}

impl Default for Rings {
    fn default() -> Self {
        Self(Curve { arcs: arcs(), noise: 0.08 })
    }
}

fn arcs() -> Vec<Arc> {
    [0.75, 1.5, 2.25, 3.0].map(|radius| Arc::circle([0.0, 0.0], radius, 0.0, TAU)).to_vec()
}

impl Data for Rings {
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
    fn radii_are_quarters_of_three() {
        for (k, w) in (0..4).flat_map(|k| [0.0, 0.3, 1.0].map(|w| (k, w))) {
            let (r, t): (f64, f64) = (3.0 * (k + 1) as f64 / 4.0, TAU * w);
            assert_near(arcs()[k].at(w), [r * t.cos(), r * t.sin()]);
        }
        assert_eq!(arcs().len(), 4);
        assert_eq!(Rings::default(), Rings::new(0.08).unwrap());
    }
}
