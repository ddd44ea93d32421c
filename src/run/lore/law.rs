//! What warnings need to know of a data set, in the coordinates that samplers work in: mean m, covariance C, the narrowest deviation s
//! and the distance between points.

use tweedie_solvers::exact::Mixture;
use tweedie_solvers::{Key, Result};

use super::growth::Normal;
use crate::data::{Data, Empirical, Standardise};
use crate::points::Points;

/// Draws for the moments of laws that are no mixtures, and for the largest distance.
const DRAWS: usize = 20_000;
pub(super) const PAIRED: usize = 500;

/// A data set in a few numbers.
#[derive(Clone, Debug)]
pub struct Law {
    dim: usize,
    /// m.
    mean: Vec<f64>,
    /// C, row-major d × d.
    cov: Vec<f64>,
    /// s, where it is known.
    pub(super) narrowest: Option<f64>,
    /// The least deviation of a coordinate that varies, of points.
    pub(super) least: Option<f64>,
    /// The largest distance between two of 500 draws.
    pub(super) extent: f64,
    /// Whether the numbers are of standardised coordinates.
    pub(super) standardised: bool,
    /// The same law in standardised coordinates, where these could be asked for.
    other: Option<Box<Law>>,
}

impl Law {
    /// The numbers of a data set behind the map of a network, if it has one: exact for mixtures, otherwise of 20 000 draws.
    ///
    /// # Errors
    /// If the map makes a covariance of a mixture singular to rounding.
    pub fn of(data: &dyn Data, map: Option<&Standardise>) -> Result<Self> {
        let mixture = data.mixture().map(|m| map.map_or_else(|| Ok(m.clone()), |map| map.mixture(m)));
        let mixture = mixture.transpose()?;
        let draw = |count| {
            let sample = || data.sample(&Key::root(0).branch("lore"), 0, count);
            // Of a user's points the rows themselves, where they are no more than draws would be.
            let rows = data.own().map(Empirical::training).filter(|rows| rows.len() <= count);
            let points = rows.map_or_else(sample, Points::clone);
            map.map_or_else(|| points.clone(), |map| map.apply(&points))
        };
        let (mean, cov) = mixture.as_ref().map_or_else(|| of_points(&draw(DRAWS)), of_mixture);
        // Thickness is isotropic: behind the map it is least along the coordinate of the largest deviation.
        let widest = map.map_or(1.0, |map| map.deviation.iter().copied().fold(0.0, f64::max));
        let narrowest =
            mixture.as_ref().map_or_else(|| data.narrowest().map(|s| s / widest), |m| Some(m.narrowest()));
        let extent = extent(&draw(PAIRED));
        let varies = |fitted: Standardise| {
            let varies = (0..data.dim()).filter(|j| !fitted.constant.contains(j));
            varies.map(|j| fitted.deviation[j]).fold(f64::INFINITY, f64::min)
        };
        let least = data.own().and_then(|_| Standardise::fit(&draw(DRAWS)).ok()).map(varies);
        Ok(Self {
            dim: data.dim(),
            mean,
            cov,
            narrowest,
            least,
            extent,
            standardised: map.is_some(),
            other: None,
        })
    }

    /// The same where `standardise = true` would give another law, whose sentences may be fewer.
    #[must_use]
    pub fn or_standardised(self, other: Self) -> Self {
        Self { other: Some(Box::new(other)), ..self }
    }

    /// Whether what is wrong with this law is right with the standardised one.
    pub(super) fn cured(&self, good: impl Fn(&Self) -> bool) -> bool {
        self.other.as_deref().is_some_and(good)
    }

    /// Normal laws on the line whose fate a sampler's recursion shows, each called what it is: those of the coordinates of the largest and of
    /// the least deviation above 0, and one as narrow as the narrowest mode.
    pub(super) fn scales(&self) -> Vec<(Normal, &'static str)> {
        let of = |i: usize| {
            let (mean, deviation) = (self.mean[i], self.cov[i * self.dim + i].sqrt());
            // A mean of rounding is none.
            Normal { mean: if mean.abs() < 1e-9 * deviation { 0.0 } else { mean }, deviation }
        };
        let mut all: Vec<Normal> = (0..self.dim).map(of).filter(|law| law.deviation > 0.0).collect();
        all.sort_by(|a, b| b.deviation.total_cmp(&a.deviation));
        let widest = all.first().copied();
        let least =
            widest.zip(all.last().copied()).filter(|(most, least)| least.deviation < 0.9 * most.deviation);
        let mode = self.narrowest.map(|deviation| Normal { mean: 0.0, deviation });
        let named = [
            (widest, "of the data's own mean and deviation"),
            (least.map(|(_, least)| least), "of the data's narrowest coordinate"),
            (mode, "of the narrowest mode"),
        ];
        named.into_iter().filter_map(|(law, what)| Some((law?, what))).collect()
    }

    /// d.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// The root of the mean variance of the coordinates.
    pub(super) fn deviation(&self) -> f64 {
        let d = self.dim;
        ((0..d).map(|i| self.cov[i * d + i]).sum::<f64>() / d as f64).sqrt()
    }

    /// KL(N(α m, α² C + σ² I) ‖ N(0, σ² I)) = ½ [r (tr C + |m|²) − ln det(I + r C)] in nats, with r = (α/σ)². The prior's logarithm is
    /// quadratic, so KL(p_t ‖ prior) is this plus the divergence of p_t from the normal of its own moments: it is a lower bound, and
    /// tight where p_t is nearly normal.
    pub(super) fn divergence(&self, r: f64) -> f64 {
        let d = self.dim;
        let mut a: Vec<f64> = self.cov.iter().map(|c| r * c).collect();
        (0..d).for_each(|i| a[i * d + i] += 1.0);
        // Pivots of Gauss's elimination; I + r C is positive definite, so none vanishes.
        let mut log_det = 0.0;
        for k in 0..d {
            let pivot = a[k * d + k];
            log_det += pivot.ln();
            for i in k + 1..d {
                let factor = a[i * d + k] / pivot;
                (k + 1..d).for_each(|j| a[i * d + j] -= factor * a[k * d + j]);
            }
        }
        let trace: f64 = (0..d).map(|i| self.cov[i * d + i]).sum();
        let square: f64 = self.mean.iter().map(|m| m * m).sum();
        0.5 * (r * (trace + square) - log_det)
    }
}

/// Σ w μ, and Σ w (μ − m)(μ − m)ᵀ.
fn moments(dim: usize, parts: &[(f64, &[f64])]) -> (Vec<f64>, Vec<f64>) {
    let mut mean = vec![0.0; dim];
    parts.iter().for_each(|(w, x)| (0..dim).for_each(|i| mean[i] += w * x[i]));
    let mut cov = vec![0.0; dim * dim];
    for (w, x) in parts {
        for i in 0..dim {
            let left = w * (x[i] - mean[i]);
            (0..dim).for_each(|j| cov[i * dim + j] += left * (x[j] - mean[j]));
        }
    }
    (mean, cov)
}

fn of_points(points: &Points) -> (Vec<f64>, Vec<f64>) {
    let w = 1.0 / points.len() as f64;
    moments(points.dim(), &points.rows().map(|x| (w, x)).collect::<Vec<_>>())
}

fn of_mixture(mixture: &Mixture) -> (Vec<f64>, Vec<f64>) {
    let parts = mixture.weights().iter().copied().zip(mixture.means().iter().map(Vec::as_slice));
    let (mean, mut cov) = moments(mixture.dim(), &parts.collect::<Vec<_>>());
    for (w, inner) in mixture.weights().iter().zip(mixture.covs()) {
        cov.iter_mut().zip(inner).for_each(|(c, v)| *c += w * v);
    }
    (mean, cov)
}

/// The largest distance between two points.
fn extent(points: &Points) -> f64 {
    let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
    let pairs = points.rows().enumerate().flat_map(|(i, a)| points.rows().take(i).map(move |b| square(a, b)));
    pairs.fold(0.0, f64::max).sqrt()
}
