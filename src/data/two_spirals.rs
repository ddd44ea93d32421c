//! `two-spirals`: ±(−n cos n, n sin n)/3, n = 3π √u, u uniform in [0, 1), with equal chance and thickness 0.1.
//!
//! Follows FFJORD's `2spirals`, but without its second noise, uniform in [0, ½)² before the division by 3 and the sign, so that the
//! thickness is Gaussian and the law is symmetric about the origin.

use std::f64::consts::PI;

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Key, Result};

use super::Data;
use super::curve::{Arc, Curve};
use crate::points::Points;

/// Two spirals, each the other turned by π.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoSpirals(Curve);

impl TwoSpirals {
    /// Spirals of thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If the noise is not a finite number above 0.
    pub fn new(noise: f64) -> Result<Self> {
        Ok(Self(Curve::new(arcs(), noise)?))
    }
}

impl Default for TwoSpirals {
    fn default() -> Self {
        Self(Curve { arcs: arcs(), noise: 0.1 })
    }
}

/// With θ = −n, (−n cos n, n sin n) = θ (cos θ, sin θ).
fn arcs() -> Vec<Arc> {
    let spiral = |growth| Arc::Spiral {
        centre: [0.0, 0.0],
        radius: 0.0,
        growth,
        from: 0.0,
        to: -3.0 * PI,
        rooted: true,
    };
    vec![spiral(1.0 / 3.0), spiral(-1.0 / 3.0)]
}

impl Data for TwoSpirals {
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
    fn spirals_are_those_of_ffjord() {
        for u in [0.0, 0.1, 0.5, 1.0] {
            let n = f64::sqrt(u) * 540.0 * (2.0 * PI) / 360.0;
            let want = [-n.cos() * n / 3.0, n.sin() * n / 3.0];
            assert_near(arcs()[0].at(u.sqrt()), want);
            assert_near(arcs()[1].at(u.sqrt()), want.map(|v| -v));
        }
        assert!(arcs().iter().all(|arc| matches!(arc, Arc::Spiral { rooted: true, .. })));
        assert_eq!(TwoSpirals::default(), TwoSpirals::new(0.1).unwrap());
    }
}
