//! Curves with Gaussian thickness: x = c(u) + s z, u uniform in [0, 1), z ~ N(0, I₂).
//!
//! | name | c(u) | follows |
//! |---|---|---|
//! | `two-moons` | (cos πv, sin πv), or (1 − cos πv, ½ − sin πv) | scikit-learn `make_moons` |
//! | `circles` | radius 1, or `inner` | scikit-learn `make_circles` |
//! | `rings` | radii 3·(¼, ½, ¾, 1), chosen with equal chance | FFJORD's `rings`, which has radii in the same ratio |
//! | `ring` | radius 1 | |
//! | `swiss-roll` | (t cos t, t sin t)/5, t = 3π/2 (1 + 2u) | scikit-learn `make_swiss_roll` without its height |
//! | `two-spirals` | ±(r cos θ, r sin θ), θ = 3π √u, r = θ/3 | FFJORD's `2spirals`, with equal thickness everywhere |
//! | `s-curve` | (sin t, sign(t)(cos t − 1)), t = 3π (u − ½) | scikit-learn `make_s_curve` without its depth |

use std::f64::consts::{PI, TAU};

use rand::Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use tweedie_solvers::{Key, Result, error};

use super::{Data, each};
use crate::points::Points;

/// Which curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Two half circles that reach into each other.
    TwoMoons,
    /// Two circles about one centre, of radius 1 and `inner`.
    Circles {
        /// The inner radius.
        inner: f64,
    },
    /// Four circles about one centre.
    Rings,
    /// One circle of radius 1.
    Ring,
    /// A spiral of one and a half turns, denser inside.
    SwissRoll,
    /// Two spirals, one the other turned by π.
    TwoSpirals,
    /// Two arcs joined as an S.
    SCurve,
}

/// A curve with Gaussian thickness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    shape: Shape,
    noise: f64,
}

impl Curve {
    /// A curve of a shape with thickness `noise` > 0, the standard deviation per coordinate.
    ///
    /// # Errors
    /// If the thickness, or the inner radius, is not a finite number above 0.
    pub fn new(shape: Shape, noise: f64) -> Result<Self> {
        if let Shape::Circles { inner } = shape {
            error::positive("inner", inner)?;
        }
        Ok(Self { shape, noise: error::positive("noise", noise)? })
    }
}

impl Shape {
    /// c(u), for u in [0, 1).
    fn at(self, u: f64) -> [f64; 2] {
        let circle = |radius: f64, turn: f64| [radius * (TAU * turn).cos(), radius * (TAU * turn).sin()];
        // Several arcs share [0, 1): which one, and how far along it.
        let among = |arcs: f64| ((arcs * u).floor(), (arcs * u).fract());
        match self {
            Self::TwoMoons => {
                let (arc, v) = among(2.0);
                let (sin, cos) = (PI * v).sin_cos();
                if arc == 0.0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] }
            }
            Self::Circles { inner } => {
                let (arc, v) = among(2.0);
                circle(if arc == 0.0 { 1.0 } else { inner }, v)
            }
            Self::Rings => {
                let (arc, v) = among(4.0);
                circle(0.75 * (arc + 1.0), v)
            }
            Self::Ring => circle(1.0, u),
            Self::SwissRoll => {
                let t = 1.5 * PI * (1.0 + 2.0 * u);
                [t * t.cos() / 5.0, t * t.sin() / 5.0]
            }
            Self::TwoSpirals => {
                let (arc, v) = among(2.0);
                let theta = 3.0 * PI * v.sqrt();
                let r = if arc == 0.0 { theta / 3.0 } else { -theta / 3.0 };
                [r * theta.cos(), r * theta.sin()]
            }
            Self::SCurve => {
                let t = 3.0 * PI * (u - 0.5);
                [t.sin(), t.signum() * (t.cos() - 1.0)]
            }
        }
    }
}

impl Data for Curve {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        let along = Uniform::new(0.0, 1.0);
        each(key, first, count, |rng| {
            let u = along.as_ref().map_or(0.0, |law| law.sample(rng));
            let z: [f64; 2] = [rng.sample(StandardNormal), rng.sample(StandardNormal)];
            let c = self.shape.at(u);
            [c[0] + self.noise * z[0], c[1] + self.noise * z[1]]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known points of every curve.
    #[test]
    fn curves_pass_through_known_points() {
        let near = |shape: Shape, u: f64, want: [f64; 2]| {
            let c = shape.at(u);
            assert!((c[0] - want[0]).hypot(c[1] - want[1]) < 1e-12, "{shape:?} {u} {c:?}");
        };
        near(Shape::TwoMoons, 0.25, [0.0, 1.0]);
        near(Shape::TwoMoons, 0.5, [0.0, 0.5]);
        near(Shape::TwoMoons, 0.75, [1.0, -0.5]);
        near(Shape::Circles { inner: 0.5 }, 0.125, [0.0, 1.0]);
        near(Shape::Circles { inner: 0.5 }, 0.5, [0.5, 0.0]);
        near(Shape::Rings, 0.0, [0.75, 0.0]);
        near(Shape::Rings, 0.8125, [0.0, 3.0]);
        near(Shape::Ring, 0.5, [-1.0, 0.0]);
        near(Shape::SwissRoll, 0.0, [0.0, -0.3 * PI]);
        near(Shape::SwissRoll, 0.5, [-0.6 * PI, 0.0]);
        near(Shape::TwoSpirals, 0.125, [0.0, -0.5 * PI]);
        near(Shape::TwoSpirals, 0.625, [0.0, 0.5 * PI]);
        near(Shape::SCurve, 0.5, [0.0, 0.0]);
        near(Shape::SCurve, 0.5 + 1.0 / 3.0, [0.0, -2.0]);
        near(Shape::SCurve, 0.5 - 1.0 / 3.0, [0.0, 2.0]);
        assert!(
            Curve::new(Shape::Ring, 0.0).is_err() && Curve::new(Shape::Circles { inner: -1.0 }, 0.1).is_err()
        );
    }
}
