//! Data sets, one file each: laws on the plane (or on ℝᵈ) from which points are drawn by number.
//!
//! Point i depends on the key and on i alone, so the first 100 of 10 000 are the 100 of 100. Sets differ from those they follow so
//! that exact noised densities exist: curves, and the arms of the pinwheel, carry isotropic Gaussian thickness (sums of equal
//! Gaussians, by quadrature), boards are unions of boxes, the others are Gaussian mixtures or the user's points.

mod checkerboard;
mod circles;
mod curve;
mod eight_gaussians;
mod empirical;
mod holdout;
mod mixture;
mod pinwheel;
mod quadrature;
mod ring;
mod rings;
mod s_curve;
mod standardise;
mod swiss_roll;
mod twenty_five_gaussians;
mod two_moons;
mod two_spirals;

use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::{Error, Key, Result};

use crate::points::Points;

pub use checkerboard::Checkerboard;
pub use circles::Circles;
pub use curve::Curve;
pub use eight_gaussians::EightGaussians;
pub use empirical::Empirical;
pub use holdout::{digest, digests, distinct, repeated};
pub use mixture::GaussianMixture;
pub use pinwheel::Pinwheel;
pub use ring::Ring;
pub use rings::Rings;
pub use s_curve::SCurve;
pub use standardise::Standardise;
pub use swiss_roll::SwissRoll;
pub use twenty_five_gaussians::TwentyFiveGaussians;
pub use two_moons::TwoMoons;
pub use two_spirals::TwoSpirals;

/// A data set: a law on ℝᵈ that points can be drawn from.
pub trait Data: Send + Sync + std::fmt::Debug {
    /// The dimension d of the points.
    fn dim(&self) -> usize {
        2
    }

    /// Points `first .. first + count`: point i depends on the key and on i alone.
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points;

    /// The law with its noised densities and scores: in closed form, or by a quadrature good to 1e-8.
    ///
    /// # Errors
    /// If a curve is so thin that the quadrature would need too many nodes.
    fn exact(&self) -> Result<Box<dyn Exact>>;

    /// The law of (x − m)/s, as [`Data::exact`].
    ///
    /// # Errors
    /// If the law is neither a mixture nor points: a curve or a board is of another kind behind the map.
    fn exact_within(&self, map: &Standardise) -> Result<Box<dyn Exact>> {
        let mixture = self.mixture().ok_or_else(|| {
            let what = "the exact score of these data is known in their own coordinates alone";
            Error::Unsupported(format!("{what}; write standardise = false"))
        })?;
        Ok(Box::new(map.mixture(mixture)?))
    }

    /// `count` points to measure samples and models against: fresh draws of a law; of a user's points the rows that are held out, each
    /// once, in an order by the key, and no more than there are. Where none are held out, draws of the training rows.
    fn held_out(&self, key: &Key, count: usize) -> Points {
        self.sample(key, 0, count)
    }

    /// What a perfect sampler would give in the place of `count` samples, independent of [`Data::held_out`]: fresh draws of a law; of a
    /// user's points with held-out rows the training rows, each once, and no more than there are.
    fn ideal(&self, key: &Key, count: usize) -> Points {
        self.sample(key, 0, count)
    }

    /// The user's points, where the data are those.
    fn own(&self) -> Option<&Empirical> {
        None
    }

    /// The law as a Gaussian mixture, where it is one: then its modes are known.
    fn mixture(&self) -> Option<&Mixture> {
        None
    }

    /// Whether the law has a density before noise is added.
    fn continuous(&self) -> bool {
        true
    }

    /// The differential entropy −∫ p ln p in nats, to 1e-6, where a closed form or a quadrature of moderate size gives it.
    fn entropy(&self) -> Option<f64> {
        mixture::entropy(self.mixture()?)
    }

    /// The narrowest deviation s of the law: of a mixture the square root of the least eigenvalue of any covariance, of a curve its
    /// thickness, of a board a square's per coordinate. `None` for points, which have no width.
    fn narrowest(&self) -> Option<f64> {
        let curve = self.curve().map(|c| c.noise);
        curve.or_else(|| self.mixture().map(Mixture::narrowest))
    }

    /// The curve behind the points, for those that have one.
    fn curve(&self) -> Option<&Curve> {
        None
    }
}

/// Points of the plane, each drawn from a generator of its own.
fn each(
    key: &Key,
    first: u64,
    count: usize,
    draw: impl Fn(&mut rand_chacha::ChaCha8Rng) -> [f64; 2],
) -> Points {
    Points::new(2, (first..first + count as u64).flat_map(|i| draw(&mut key.rng(i))).collect())
}

#[cfg(test)]
mod tests;
