//! `two-moons`: half circles (cos t, sin t) and (1 − cos t, ½ − sin t), t uniform in [0, π], with thickness 0.1.
//!
//! Follows scikit-learn's `make_moons`; there t is an even grid and each moon gets exactly half of the points, here both are drawn.
//! Entropy at noise 0.1: 1.0075848 nats, at 0.2: 1.6774762.

use std::f64::consts::{PI, TAU};

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Key, Result};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// Two half circles that reach into each other.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoMoons(Curve);

impl TwoMoons {
    /// Moons of thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If the noise is not a finite number above 0.
    pub fn new(noise: f64) -> Result<Self> {
        Ok(Self(Curve::new(arcs(), noise)?))
    }
}

impl Default for TwoMoons {
    fn default() -> Self {
        Self(Curve { arcs: arcs(), noise: 0.1 })
    }
}

/// (1 − cos t, ½ − sin t) is the circle about (1, ½) at the angle t + π.
fn arcs() -> Vec<Arc> {
    vec![Arc::circle([0.0, 0.0], 1.0, 0.0, PI), Arc::circle([1.0, 0.5], 1.0, PI, TAU)]
}

impl Data for TwoMoons {
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
    fn moons_are_those_of_scikit_learn() {
        for w in [0.0, 0.2, 0.5, 1.0] {
            let t: f64 = PI * w;
            assert_near(arcs()[0].at(w), [t.cos(), t.sin()]);
            assert_near(arcs()[1].at(w), [1.0 - t.cos(), 0.5 - t.sin()]);
        }
        assert_eq!(TwoMoons::default(), TwoMoons::new(0.1).unwrap());
    }
}
