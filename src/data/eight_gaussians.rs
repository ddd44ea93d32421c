//! `eight-gaussians`: modes N(R (cos 2πk/8, sin 2πk/8), s² I₂), k = 0 … 7, of equal weight; R = 4/√2 and s = 0.5/√2.
//!
//! Follows FFJORD's `8gaussians`, which divides R = 4 and s = 0.5 by 1.414; there the entropy is 2.8318804 nats, here, with √2, 2.8315784.

use std::f64::consts::TAU;

use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::{Key, Result, error};

use super::Data;
use crate::points::Points;

/// Eight modes on a circle.
#[derive(Clone, Debug)]
pub struct EightGaussians(Mixture);

impl EightGaussians {
    /// The radius of FFJORD's circle, 4/√2.
    pub const RADIUS: f64 = 2.0 * std::f64::consts::SQRT_2;
    /// The standard deviation of FFJORD's modes per coordinate, 0.5/√2.
    pub const DEVIATION: f64 = 0.25 * std::f64::consts::SQRT_2;

    /// Modes of a standard deviation `deviation` per coordinate on a circle of radius `radius`, both above 0.
    ///
    /// # Errors
    /// If either is not a finite number above 0.
    pub fn new(radius: f64, deviation: f64) -> Result<Self> {
        error::positive("radius", radius)?;
        let angle = |k: u32| TAU * f64::from(k) / 8.0;
        let means = (0..8).map(|k| vec![radius * angle(k).cos(), radius * angle(k).sin()]).collect();
        Ok(Self(Mixture::isotropic(vec![1.0; 8], means, deviation)?))
    }
}

impl Data for EightGaussians {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        Points::new(2, self.0.sample(key, first, count))
    }

    fn exact(&self) -> Result<Box<dyn Exact>> {
        Ok(Box::new(self.0.clone()))
    }

    fn mixture(&self) -> Option<&Mixture> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_ffjord() {
        let data = EightGaussians::new(EightGaussians::RADIUS, EightGaussians::DEVIATION).unwrap();
        let s = 4.0 / 2f64.sqrt();
        for (k, want) in [(0, [s, 0.0]), (1, [2.0, 2.0]), (2, [0.0, s]), (5, [-2.0, -2.0])] {
            let got = &data.0.means()[k];
            assert!((got[0] - want[0]).hypot(got[1] - want[1]) < 1e-12, "{got:?}");
        }
        let got = EightGaussians::new(4.0 / 1.414, 0.5 / 1.414).unwrap().entropy().unwrap();
        assert!((got - 2.8318804).abs() < 2e-7, "{got}");
        let scaled = got + 2.0 * (1.414 / 2f64.sqrt()).ln();
        assert!(
            (data.entropy().unwrap() - scaled).abs() < 1e-9 && (scaled - 2.8315784).abs() < 2e-7,
            "{scaled}"
        );
        assert!(EightGaussians::new(-1.0, 0.1).is_err() && EightGaussians::new(1.0, 0.0).is_err());
    }
}
