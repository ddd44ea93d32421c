//! `pinwheel` (Johnson et al. 2016, as in FFJORD): (r, a) ~ (1 + 0.3 z₁, 0.1 z₂), turned by the angle 2πk/5 + ¼ eʳ with k uniform in
//! 0 … 4, times `scale`.
//!
//! A turn by an angle that depends on the radial feature r has unit Jacobian, so the density is a closed form too.

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
}

impl Data for Pinwheel {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        each(key, first, count, |rng| {
            let (z, w): (f64, f64) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
            let arm: u32 = rng.random_range(0..5);
            let (r, a) = (1.0 + 0.3 * z, 0.1 * w);
            let (sin, cos) = (std::f64::consts::TAU * f64::from(arm) / 5.0 + 0.25 * r.exp()).sin_cos();
            [self.scale * (r * cos - a * sin), self.scale * (r * sin + a * cos)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turned back by its own angle, a point is (r, a) again: E|x|² = scale² (1 + 0.09 + 0.01), and the five arms are alike, so that the
    /// mean of the fifth circular moment points where a quadrature says. 100 000 points, 5 standard errors.
    #[test]
    fn arms_are_five_and_bent() {
        let n = 100_000;
        let points = Pinwheel::new(2.0).unwrap().sample(&Key::root(6), 0, n);
        let mean = |f: &dyn Fn(&[f64]) -> f64| points.rows().map(f).sum::<f64>() / n as f64;
        assert!((mean(&|p| p[0] * p[0] + p[1] * p[1]) - 4.0 * 1.1).abs() < 0.045);
        for harmonic in 1..5 {
            let c = mean(&|p| (f64::from(harmonic) * p[1].atan2(p[0])).cos());
            assert!(c.abs() < 5.0 / (n as f64 / 2.0).sqrt() + 1e-9, "{harmonic} {c}");
        }
        let grid = |k: i32| f64::from(k) / 20.0;
        let weight = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt() / 20.0;
        let (mut c, mut s) = (0.0, 0.0);
        for (z, w) in (-120..=120).flat_map(|i| (-120..=120).map(move |j| (grid(i), grid(j)))) {
            let (r, a) = (1.0 + 0.3 * z, 0.1 * w);
            let angle = 5.0 * (a.atan2(r) + 0.25 * r.exp());
            c += weight(z) * weight(w) * angle.cos();
            s += weight(z) * weight(w) * angle.sin();
        }
        let bound = 5.0 / (n as f64 / 2.0).sqrt();
        assert!((mean(&|p| (5.0 * p[1].atan2(p[0])).cos()) - c).abs() < bound);
        assert!((mean(&|p| (5.0 * p[1].atan2(p[0])).sin()) - s).abs() < bound && s.abs() > 0.05);
    }
}
