//! `pinwheel`: features (r, a) = (1 + 0.3 z₁, 0.1 z₂), z ~ N(0, I₂), turned clockwise by φ = 2πk/5 + ¼ eʳ, times `scale` (2); k is
//! uniform in 0 … 4: x = scale (r cos φ + a sin φ, −r sin φ + a cos φ).
//!
//! Follows FFJORD's `pinwheel` (after Johnson et al. 2016); there each arm gets exactly a fifth of the points, here it is drawn. The
//! angle depends on the feature r and not on |x|, so the Jacobian of the turn is 1 + ¼ eʳ a and not 1, and r is a root of an equation
//! in x: no density in closed form, and no entropy here. The noised density is a line integral per arm: given r and k, x is Gaussian.

use std::f64::consts::TAU;

use rand::Rng;
use rand_distr::StandardNormal;
use tweedie_solvers::{Key, Result, error};

use super::{Data, each};
use crate::points::Points;

/// Five bent arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pinwheel {
    scale: f64,
}

impl Pinwheel {
    /// Arms whose middle lies at radius `scale` > 0.
    ///
    /// # Errors
    /// If the scale is not a finite number above 0.
    pub fn new(scale: f64) -> Result<Self> {
        Ok(Self { scale: error::positive("scale", scale)? })
    }

    fn place(&self, arm: u32, [r, a]: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = (TAU * f64::from(arm) / 5.0 + 0.25 * r.exp()).sin_cos();
        [self.scale * (r * cos + a * sin), self.scale * (a * cos - r * sin)]
    }
}

impl Default for Pinwheel {
    fn default() -> Self {
        Self { scale: 2.0 }
    }
}

fn features(rng: &mut impl Rng) -> [f64; 2] {
    let [z, w] = [rng.sample::<f64, _>(StandardNormal), rng.sample(StandardNormal)];
    [1.0 + 0.3 * z, 0.1 * w]
}

impl Data for Pinwheel {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        each(key, first, count, |rng| self.place(rng.random_range(0..5), features(rng)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of the features and shares of the arms; n = 100 000, 5 standard errors: false-alarm rate below 1e-5.
    #[test]
    fn features_and_arms_have_their_laws() {
        let (n, key) = (100_000, Key::root(6));
        let all: Vec<[f64; 2]> = (0..n).map(|i| features(&mut key.rng(i))).collect();
        let mean = |f: &dyn Fn(&[f64; 2]) -> f64| all.iter().map(f).sum::<f64>() / n as f64;
        let se = 5.0 / (n as f64).sqrt();
        assert!((mean(&|f| f[0]) - 1.0).abs() < se * 0.3 && mean(&|f| f[1]).abs() < se * 0.1);
        assert!((mean(&|f| (f[0] - 1.0).powi(2)) - 0.09).abs() < se * 0.09 * 2f64.sqrt());
        assert!((mean(&|f| f[1] * f[1]) - 0.01).abs() < se * 0.01 * 2f64.sqrt());
        assert!(mean(&|f| (f[0] - 1.0) * f[1]).abs() < se * 0.03);
        // Five equal arms: the first four circular moments vanish and |x|² keeps the features' 1.1 scale², variance (4·0.09 + 2·0.09² + 2·0.01²) scale⁴.
        let points = Pinwheel::new(3.0).unwrap().sample(&key, 0, n as usize);
        let circular = |m: f64| points.rows().map(|p| (m * p[1].atan2(p[0])).cos()).sum::<f64>() / n as f64;
        (1..5).for_each(|m| assert!(circular(f64::from(m)).abs() < se / 2f64.sqrt(), "{m}"));
        let square = points.rows().map(|p| p[0] * p[0] + p[1] * p[1]).sum::<f64>() / n as f64;
        assert!((square / 9.0 - 1.1).abs() < se * 0.3764f64.sqrt());
    }

    /// x = f R with R = ((cos φ, −sin φ), (sin φ, cos φ)), computed with numpy from FFJORD's lines.
    #[test]
    fn places_are_those_of_ffjord() {
        for (arm, f, want) in PLACES {
            let got = Pinwheel::default().place(arm, f);
            assert!((got[0] - want[0]).hypot(got[1] - want[1]) < 1e-9, "{got:?} {want:?}");
        }
        assert!(Pinwheel::new(0.0).is_err() && Pinwheel::new(f64::NAN).is_err());
        assert_eq!(Pinwheel::default(), Pinwheel::new(2.0).unwrap());
    }

    const PLACES: [(u32, [f64; 2], [f64; 2]); 3] = [
        (0, [1.0, 0.0], [1.555685481157, -1.256917930383]),
        (2, [1.2, 0.15], [-2.411444364486, 0.186911949835]),
        (4, [0.6, -0.08], [0.949994637047, 0.750406682794]),
    ];
}
