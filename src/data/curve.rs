//! Curves with Gaussian thickness: x = c(θ) + s z, z ~ N(0, I₂). All curve data sets are made of arcs of Archimedean spirals,
//!
//! c(θ) = centre + (radius + growth θ)(cos θ, sin θ),
//!
//! of which one is picked with equal chance; growth = 0 is an arc of a circle. Along an arc θ = from + (to − from) w with w = u or,
//! where the arc is `rooted`, w = √u (density 2w), u uniform in [0, 1).

use rand::Rng;
use rand_distr::StandardNormal;
use tweedie_solvers::{Key, Result, error};

use super::{LineDensity, each};
use crate::points::Points;

/// A piece of a curve; angles in radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arc {
    pub(super) centre: [f64; 2],
    pub(super) radius: f64,
    pub(super) growth: f64,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) rooted: bool,
}

impl Arc {
    /// An arc of a circle.
    pub(super) fn circle(centre: [f64; 2], radius: f64, from: f64, to: f64) -> Self {
        Self { centre, radius, growth: 0.0, from, to, rooted: false }
    }

    /// c at the fraction w of the way from `from` to `to`.
    pub(super) fn at(&self, w: f64) -> [f64; 2] {
        let theta = self.from + (self.to - self.from) * w;
        let r = self.radius + self.growth * theta;
        [self.centre[0] + r * theta.cos(), self.centre[1] + r * theta.sin()]
    }

    /// A bound of the length: the turn times the largest speed |c′| = √(growth² + r²).
    pub(super) fn length(&self) -> f64 {
        let r = |theta: f64| (self.radius + self.growth * theta).abs();
        (self.to - self.from).abs() * self.growth.hypot(r(self.from).max(r(self.to)))
    }
}

/// A curve with Gaussian thickness, made by the data sets of this module.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub(super) arcs: Vec<Arc>,
    pub(super) noise: f64,
}

impl Curve {
    /// Arcs with thickness `noise`, the standard deviation s > 0 per coordinate.
    pub(super) fn new(arcs: Vec<Arc>, noise: f64) -> Result<Self> {
        Ok(Self { arcs, noise: error::positive("noise", noise)? })
    }

    /// Points `first .. first + count` under a key.
    pub(super) fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        each(key, first, count, |rng| {
            let arc = self.arcs[rng.random_range(0..self.arcs.len() as u64) as usize];
            let u: f64 = rng.random();
            let c = arc.at(if arc.rooted { u.sqrt() } else { u });
            [0, 1].map(|i| c[i] + self.noise * rng.sample::<f64, _>(StandardNormal))
        })
    }

    /// The density, at any kernel; `None` where the thickness is below a 20 000th of the length.
    pub fn density(&self) -> Option<LineDensity> {
        LineDensity::new(&self.arcs, self.noise)
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{Circles, Data, Ring, Rings, SCurve, SwissRoll, TwoMoons, TwoSpirals};
    use tweedie_solvers::{Key, kernel::Kernel};

    fn all(noise: f64) -> [Box<dyn Data>; 7] {
        [
            Box::new(TwoMoons::new(noise).unwrap()),
            Box::new(Circles::new(0.5, noise).unwrap()),
            Box::new(Rings::new(noise).unwrap()),
            Box::new(Ring::new(1.0, noise).unwrap()),
            Box::new(SwissRoll::new(noise).unwrap()),
            Box::new(TwoSpirals::new(noise).unwrap()),
            Box::new(SCurve::new(noise).unwrap()),
        ]
    }

    /// Near a thin curve the distance is s|z₁|: mean square s². 20 000 points, 5 standard errors (√2/√n each) are 0.05 (false-alarm
    /// rate below 1e-6 each), and 0.01 for the ends, the bends and the spacing of the points of the curve.
    #[test]
    fn distances_from_the_curve_are_half_normal() {
        let (n, s) = (20_000, 0.01);
        for data in all(s) {
            let arcs = &data.curve().unwrap().arcs;
            let steps = |length: f64| (length / (0.1 * s)) as usize;
            let curve = arcs
                .iter()
                .flat_map(|a| (0..=steps(a.length())).map(|k| a.at(k as f64 / steps(a.length()) as f64)));
            let mut buckets = std::collections::HashMap::<_, Vec<[f64; 2]>>::new();
            let cell = |p: &[f64]| ((p[0] / 0.1).floor() as i32, (p[1] / 0.1).floor() as i32);
            curve.for_each(|c| buckets.entry(cell(&c)).or_default().push(c));
            let square = |p: &[f64]| {
                let (i, j) = cell(p);
                let near = (i - 1..=i + 1)
                    .flat_map(|i| (j - 1..=j + 1).map(move |j| (i, j)))
                    .filter_map(|k| buckets.get(&k));
                near.flatten()
                    .map(|c| (p[0] - c[0]).powi(2) + (p[1] - c[1]).powi(2))
                    .fold(f64::INFINITY, f64::min)
            };
            let mean = data.sample(&Key::root(2), 0, n).rows().map(square).sum::<f64>() / n as f64 / (s * s);
            assert!((mean - 1.0).abs() < 0.06, "{data:?} {mean}");
        }
    }

    /// The mean of −ln p over points is the entropy only where points and density are of one law (elsewhere it is larger by the
    /// divergence). 20 000 points, 5 standard errors as measured: false-alarm rate below 1e-6 each.
    #[test]
    fn points_and_densities_agree() {
        let n = 20_000;
        for data in all(0.15) {
            let density = data.curve().unwrap().density().unwrap();
            let points = data.sample(&Key::root(3), 0, n);
            let clean = Kernel { alpha: 1.0, sigma: 0.0 };
            let surprise: Vec<f64> = points.rows().map(|p| -density.log_density(p, clean)).collect();
            let mean = surprise.iter().sum::<f64>() / n as f64;
            let variance = surprise.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
            let gap = mean - data.entropy().unwrap();
            assert!(gap.abs() < 5.0 * (variance / n as f64).sqrt(), "{data:?} {gap}");
        }
    }

    #[test]
    fn noise_must_be_above_zero() {
        for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            let error = TwoMoons::new(bad).unwrap_err().to_string();
            assert_eq!(error, format!("noise = {bad}, but it must be a finite number above 0"));
            assert!(
                Circles::new(0.5, bad).is_err() && Rings::new(bad).is_err() && Ring::new(1.0, bad).is_err()
            );
            assert!(
                SwissRoll::new(bad).is_err() && TwoSpirals::new(bad).is_err() && SCurve::new(bad).is_err()
            );
        }
    }
}
