//! Curves with Gaussian thickness: x = c(w) + s z, z ~ N(0, I₂), along one of some arcs, picked with equal chance. Most arcs are
//! pieces of Archimedean spirals,
//!
//! c = centre + (radius + growth θ)(cos θ, sin θ),  θ = from + (to − from) w,
//!
//! with growth = 0 an arc of a circle, and w = u or, where the arc is `rooted`, w = √u (density 2w), u uniform in [0, 1). The arms of
//! the pinwheel are c = scale r (cos φ, −sin φ) with φ = turn + ¼ eʳ and r normal.

use rand::Rng;
use rand_distr::StandardNormal;
use tweedie_solvers::exact::KernelSum;
use tweedie_solvers::{Key, Result, error};

use super::{each, quadrature};
use crate::points::Points;

/// A piece of a curve; angles in radians.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Arc {
    /// A piece of a spiral.
    Spiral { centre: [f64; 2], radius: f64, growth: f64, from: f64, to: f64, rooted: bool },
    /// An arm of the pinwheel, r = 1 + `ARM` z with z = `REACH` (2w − 1).
    Arm { scale: f64, turn: f64 },
}

/// The deviation of r along an arm, √0.08.
const ARM: f64 = 0.282_842_712_474_619;
/// How many deviations of r an arm has to either side: beyond lie 3e-12 of its points.
const REACH: f64 = 7.0;

impl Arc {
    /// An arc of a circle.
    pub(super) fn circle(centre: [f64; 2], radius: f64, from: f64, to: f64) -> Self {
        Self::Spiral { centre, radius, growth: 0.0, from, to, rooted: false }
    }

    /// c at the fraction w of the way.
    pub(super) fn at(&self, w: f64) -> [f64; 2] {
        match *self {
            Self::Spiral { centre, radius, growth, from, to, .. } => {
                let theta = from + (to - from) * w;
                let r = radius + growth * theta;
                [centre[0] + r * theta.cos(), centre[1] + r * theta.sin()]
            }
            Self::Arm { scale, turn } => {
                let r = 1.0 + ARM * REACH * (2.0 * w - 1.0);
                let (sin, cos) = (turn + 0.25 * r.exp()).sin_cos();
                [scale * r * cos, -scale * r * sin]
            }
        }
    }

    /// The density of w on [0, 1].
    pub(super) fn density(&self, w: f64) -> f64 {
        match *self {
            Self::Spiral { rooted: false, .. } => 1.0,
            Self::Spiral { rooted: true, .. } => 2.0 * w,
            Self::Arm { .. } => {
                let z = REACH * (2.0 * w - 1.0);
                2.0 * REACH * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
            }
        }
    }

    /// A w of this law; of an arm it may lie outside [0, 1], with chance 3e-12.
    fn draw(&self, rng: &mut impl Rng) -> f64 {
        match *self {
            Self::Spiral { rooted: false, .. } => rng.random(),
            Self::Spiral { rooted: true, .. } => rng.random::<f64>().sqrt(),
            Self::Arm { .. } => 0.5 + 0.5 * rng.sample::<f64, _>(StandardNormal) / REACH,
        }
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
            let c = arc.at(arc.draw(rng));
            [0, 1].map(|i| c[i] + self.noise * rng.sample::<f64, _>(StandardNormal))
        })
    }

    /// The law in closed form up to a quadrature that is good to 1e-8.
    ///
    /// # Errors
    /// If the thickness is below a 20 000th of the length.
    pub fn exact(&self) -> Result<KernelSum> {
        quadrature::law(&self.arcs, self.noise)
    }

    /// The entropy of the clean law in nats, to 1e-6; `None` where it would take too large a grid.
    pub fn entropy(&self) -> Option<f64> {
        quadrature::entropy(&self.exact().ok()?)
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
            let curve = arcs.iter().flat_map(|a| (0..=100_000).map(|k| a.at(f64::from(k) / 1e5)));
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
            let density = data.exact().unwrap();
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
