//! `twenty-five-gaussians`: modes N(g (i − 2, j − 2), s² I₂), i, j = 0 … 4, of equal weight; spacing g = 2 and s = 0.05.
//!
//! The grid of the literature on mode collapse (Metz et al. 2017 and after). Entropy at the defaults, where modes do not touch:
//! ln 25 + 1 + ln 2πs² = 0.0652883 nats.

use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::{Key, Result, error};

use super::Data;
use crate::points::Points;

/// A 5 × 5 grid of narrow modes.
#[derive(Clone, Debug)]
pub struct TwentyFiveGaussians(Mixture);

impl TwentyFiveGaussians {
    /// Modes of a standard deviation `deviation` per coordinate, `spacing` apart, both above 0.
    ///
    /// # Errors
    /// If either is not a finite number above 0.
    pub fn new(spacing: f64, deviation: f64) -> Result<Self> {
        error::positive("spacing", spacing)?;
        let place = |i: u32| spacing * (f64::from(i) - 2.0);
        let means = (0..25).map(|k| vec![place(k % 5), place(k / 5)]).collect();
        Ok(Self(Mixture::isotropic(vec![1.0; 25], means, deviation)?))
    }
}

impl Data for TwentyFiveGaussians {
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
    fn modes_are_a_grid() {
        let data = TwentyFiveGaussians::new(2.0, 0.05).unwrap();
        let mut places: Vec<[i32; 2]> = data.0.means().iter().map(|m| [m[0] as i32, m[1] as i32]).collect();
        places.sort_unstable();
        let wanted: Vec<[i32; 2]> =
            [-4, -2, 0, 2, 4].into_iter().flat_map(|x| [-4, -2, 0, 2, 4].map(|y| [x, y])).collect();
        assert_eq!(places, wanted);
        let got = data.entropy().unwrap();
        assert!((got - 0.0652883).abs() < 1e-7, "{got}");
        assert!(
            TwentyFiveGaussians::new(0.0, 0.1).is_err() && TwentyFiveGaussians::new(1.0, f64::NAN).is_err()
        );
    }
}
