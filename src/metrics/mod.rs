//! How far a set of samples is from the data.
//!
//! Every metric compares the empirical law of samples x₁ … xₙ with that of a reference y₁ … yₘ, fresh draws
//! of the data, or with what is known about the data: their modes, their density. Smaller is better. When the
//! two laws are equal all of them tend to 0 as n, m → ∞, but for `c2st`, an accuracy, which tends to ½, and
//! `off-support`, a fraction, which tends to a thousandth or 0.
//!
//! **The floor.** No finite sample reaches 0: the metric between two *fresh draws of the data*, of the same
//! sizes n and m as the sets being compared, is what a perfect sampler would score. A caller computes it by
//! passing a second, independent draw of the data as `samples`, and reads a score only against it. The floor
//! of `energy` and `mmd` has mean 0, since they are unbiased and may be slightly negative, and that of `c2st`
//! has mean ½; the floors of `sliced-w2`, `w2`, `mode-weights` and `kl` are positive and shrink with n, as does that
//! of `mode-coverage`, which is 0 once every mode expects some 25 points. A floor scatters as the metric does: it is the mean of several pairs of draws, with an
//! interval of its own (95 %, on the scale of [`Range`]), as are the means over seeds that are read against it.
//!
//! Sums run in an order that depends on the points alone: a result is the same, bit for bit, for any number
//! of threads. Changing the order of the rows changes no more than the rounding (and, for `mmd` without
//! explicit bandwidths and more than 1000 reference points, the rows its median is taken over; and for
//! `c2st` the rows that are held out).

mod assignment;
mod c2st;
mod chi_square;
mod energy;
mod kl;
mod known;
mod mmd;
mod modes;
mod off_support;
mod pairs;
mod range;
mod sliced_wasserstein;
mod wasserstein;

pub use c2st::C2st;
pub use energy::Energy;
pub use kl::Kl;
pub use known::{Density, Known};
pub use mmd::Mmd;
pub use modes::{ModeCoverage, ModeWeights, Modes};
pub use off_support::OffSupport;
pub use range::Range;
pub use sliced_wasserstein::SlicedW2;
pub use wasserstein::W2;

use tweedie_solvers::{Error, Result};

use crate::points::Points;

/// A value, with what stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What [`Metric::measure`] gives.
    pub value: f64,
    /// Numbers that the value is made of, by name.
    pub parts: Vec<(&'static str, f64)>,
    /// A sentence to whoever reads the value, where it could mislead.
    pub remark: Option<String>,
}

impl From<f64> for Measured {
    fn from(value: f64) -> Self {
        Self { value, parts: vec![], remark: None }
    }
}

/// What is known of a comparison before there are samples.
#[allow(missing_debug_implementations, reason = "an iterator has nothing to show")]
pub struct Prospect<'a> {
    /// Points of each set.
    pub count: usize,
    /// Coordinates of each point.
    pub dim: usize,
    /// What is known about the data.
    pub known: &'a Known,
    /// The references that samples will be compared with, drawn when they are asked for.
    pub references: &'a mut dyn Iterator<Item = Points>,
}

/// How far samples are from the data; smaller is better.
pub trait Metric: Send + Sync + std::fmt::Debug {
    /// The distance of `samples` (n × d) from `reference` (m × d), both finite and of the same dimension d;
    /// `known` is what is known about the data.
    ///
    /// # Errors
    /// [`Error::Shape`] when the dimensions differ or a set has too few points for the metric, and
    /// [`Error::Unsupported`] when a value is not finite, when distances overflow, or when the metric needs
    /// what it was not given.
    fn measure(&self, samples: &Points, reference: &Points, known: &Known) -> Result<f64>;

    /// Where its values lie; [`Range::Real`], which is safe for all, unless it says more.
    fn range(&self) -> Range {
        Range::Real
    }

    /// The same value with what stands behind it: by default nothing.
    ///
    /// # Errors
    /// Those of [`Metric::measure`].
    fn detailed(&self, samples: &Points, reference: &Points, known: &Known) -> Result<Measured> {
        self.measure(samples, reference, known).map(Measured::from)
    }

    /// Whether finite samples can be measured, as far as their number and the data say, before anything is trained.
    ///
    /// # Errors
    /// [`Error::Unsupported`], where every measurement would be refused.
    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 1, "samples")
    }
}

/// An error unless there are `least` points or more.
fn count(points: usize, least: usize, what: &str) -> Result<()> {
    if points >= least {
        return Ok(());
    }
    Err(Error::Unsupported(format!("this metric needs at least {least} {what}, but there are {points}")))
}

/// An error unless both sets have the same dimension, at least `least` points each, and only finite values.
fn check(samples: &Points, reference: &Points, least: usize) -> Result<()> {
    if samples.dim() != reference.dim() {
        return Err(Error::shape("a sample", [reference.dim()], [samples.dim()]));
    }
    for (points, what) in [(samples, "samples"), (reference, "reference points")] {
        count(points.len(), least, what)?;
        let broken = points.rows().filter(|row| row.iter().any(|v| !v.is_finite())).count();
        if broken > 0 {
            return Err(Error::Unsupported(format!("{broken} of {} {what} are not finite", points.len())));
        }
    }
    Ok(())
}

/// `value` when it is finite; otherwise the points are too far apart for f64.
fn finite(value: f64) -> Result<f64> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Unsupported("the points are so far apart that their distances overflow".into()))
    }
}

/// |a − b|².
fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(p, q)| (p - q) * (p - q)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::GaussianMixture;
    use tweedie_solvers::Key;
    use tweedie_solvers::exact::Mixture;

    /// `n` normal points of `dim` coordinates with standard deviation `scale`.
    pub(super) fn normal(label: &str, n: usize, dim: usize, scale: f64) -> Points {
        let values = Key::root(5).branch(label).normals(0, 0, n, dim);
        Points::new(dim, values.into_iter().map(|v| scale * v).collect())
    }

    /// Each coordinate of each point through `f(number of the coordinate, value)`.
    pub(super) fn map(points: &Points, f: impl Fn(usize, f64) -> f64) -> Points {
        let dim = points.dim();
        Points::new(dim, points.values().iter().enumerate().map(|(i, &v)| f(i % dim, v)).collect())
    }

    /// The rows from last to first.
    pub(super) fn reversed(points: &Points) -> Points {
        Points::new(points.dim(), points.rows().rev().flatten().copied().collect())
    }

    pub(super) fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} and {b} differ by {:e}", (a - b).abs());
    }

    /// Two unit Gaussians at 0 and (2, 2).
    fn known() -> Known {
        let means = vec![vec![0.0; 2], vec![2.0; 2]];
        Known::of(&GaussianMixture(Mixture::isotropic(vec![0.5; 2], means, 1.0).expect("a mixture")))
    }

    /// Every metric, and the points it needs.
    fn all() -> Vec<(Box<dyn Metric>, usize)> {
        let (sliced, mmd) = (SlicedW2::default(), Mmd::default());
        let transport: Vec<(Box<dyn Metric>, usize)> = vec![(Box::new(sliced), 1), (Box::new(W2), 1)];
        let kernels: Vec<(Box<dyn Metric>, usize)> = vec![(Box::new(Energy), 2), (Box::new(mmd), 2)];
        let modes: Vec<(Box<dyn Metric>, usize)> =
            vec![(Box::new(ModeCoverage), 1), (Box::new(ModeWeights), 1)];
        let densities: Vec<(Box<dyn Metric>, usize)> =
            vec![(Box::new(OffSupport), 1), (Box::new(Kl::default()), 1)];
        let classifiers: Vec<(Box<dyn Metric>, usize)> =
            vec![(Box::new(C2st::Network), 10), (Box::new(C2st::Neighbours(5)), 5)];
        [transport, kernels, modes, densities, classifiers].into_iter().flatten().collect()
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let (good, known) = (normal("good", 12, 2, 1.0), known());
        let mut holed = good.values().to_vec();
        (holed[3], holed[2], holed[16]) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
        let holed = Points::new(2, holed);
        for (m, least) in all() {
            let refusal = |a: &Points, b: &Points| {
                m.measure(a, b, &known).map_err(|e| e.to_string()).expect_err("this was measured")
            };
            assert_eq!(refusal(&normal("good", 12, 3, 1.0), &good), "a sample has shape [3], expected [2]");
            assert_eq!(refusal(&holed, &good), "2 of 12 samples are not finite");
            assert_eq!(refusal(&good, &holed), "2 of 12 reference points are not finite");
            let wanted =
                |what| format!("this metric needs at least {least} {what}, but there are {}", least - 1);
            assert_eq!(refusal(&good.slice(0, least - 1), &good), wanted("samples"));
            assert_eq!(refusal(&good, &good.slice(0, least - 1)), wanted("reference points"));
        }
    }

    /// At 1e200 squares overflow: an error, except for the kernels of `mmd`, which are 0 there, and for densities and cells.
    #[test]
    fn overflow_is_an_error() -> Result<()> {
        let (good, known) = (normal("good", 12, 2, 1.0), known());
        let far = map(&good, |_, v| 1e200 * v);
        for (m, _) in all() {
            match m.measure(&far, &good, &known) {
                Ok(value) => {
                    let name = format!("{m:?}");
                    assert!(
                        ["Mmd", "Kl", "OffSupport"].iter().any(|n| name.starts_with(n)),
                        "{m:?}: {value}"
                    );
                    assert!(value > 0.5 && value.is_finite(), "{m:?}: {value}");
                }
                Err(error) => assert!(error.to_string().ends_with("distances overflow"), "{m:?}: {error}"),
            }
        }
        Ok(())
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (x, y, known) = (normal("x", 400, 2, 1.0), normal("y", 400, 2, 1.3), known());
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("a pool of threads");
        for (m, _) in all() {
            let on = |n| pool(n).install(|| m.detailed(&x, &y, &known)).expect("a value");
            assert_eq!(on(1), on(4), "{m:?}");
        }
    }

    /// The order of the rows says nothing but to `c2st`, and but for the modes and the bandwidths neither does
    /// that of the sets.
    #[test]
    fn symmetries() -> Result<()> {
        let (x, y, known) = (normal("x", 150, 2, 1.0), normal("y", 150, 2, 1.3), known());
        for (m, _) in
            all().into_iter().filter(|(m, _)| !["Network", "Neighbours(5)"].contains(&&*format!("{m:?}")))
        {
            let straight = m.measure(&x, &y, &known)?;
            close(m.measure(&reversed(&x), &reversed(&y), &known)?, straight, 1e-13);
        }
        let metrics: [&dyn Metric; 4] =
            [&SlicedW2::default(), &W2, &Energy, &Mmd::new(Some(vec![0.5, 2.0]))?];
        for m in metrics {
            close(m.measure(&x, &y, &known)?, m.measure(&y, &x, &known)?, 1e-14);
        }
        assert_eq!(metrics[0].measure(&x, &reversed(&x), &known)?, 0.0);
        assert_eq!(metrics[1].measure(&x, &reversed(&x), &known)?, 0.0);
        Ok(())
    }
}
