//! `swiss-roll`: the spiral (t cos t, t sin t)/5, t uniform in [3π/2, 9π/2], with thickness 0.2: denser inside.
//!
//! Follows scikit-learn's `make_swiss_roll` without its height, as FFJORD scales it: all is divided by 5, the noise 1 too.

use std::f64::consts::PI;

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Key, Result};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// A spiral of one and a half turns.
#[derive(Clone, Debug, PartialEq)]
pub struct SwissRoll(Curve);

impl SwissRoll {
    /// A roll of thickness `noise` > 0, the standard deviation per coordinate (after the division by 5).
    ///
    /// # Errors
    /// If the noise is not a finite number above 0.
    pub fn new(noise: f64) -> Result<Self> {
        Ok(Self(Curve::new(arcs(), noise)?))
    }
}

impl Default for SwissRoll {
    fn default() -> Self {
        Self(Curve { arcs: arcs(), noise: 0.2 })
    }
}

fn arcs() -> Vec<Arc> {
    let (from, to) = (1.5 * PI, 4.5 * PI);
    vec![Arc::Spiral { centre: [0.0, 0.0], radius: 0.0, growth: 0.2, from, to, rooted: false }]
}

impl Data for SwissRoll {
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
    fn roll_is_that_of_scikit_learn() {
        for u in [0.0, 0.3, 0.5, 1.0] {
            let t = 1.5 * PI * (1.0 + 2.0 * u);
            assert_near(arcs()[0].at(u), [t * t.cos() / 5.0, t * t.sin() / 5.0]);
        }
        assert_eq!(SwissRoll::default(), SwissRoll::new(0.2).unwrap());
    }
}
