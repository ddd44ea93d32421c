//! Classifier two-sample test (Lopez-Paz & Oquab 2017, eq. 2).
//!
//! A classifier learns on some of the pooled points which of them are samples, and the value is its accuracy on the others, the mean of that
//! on samples and that on data: ½ for equal laws, 1 for laws that it tells apart without fail, and at most that of Bayes,
//! ½ + ½ TV(μ, ν), but for chance.
//!
//! *A small network* is the default, as in the benchmark of simulation-based inference (Lueckmann et al. 2021, appendix A.3.1: two hidden
//! layers of 10 d units with ReLU, Adam, five-fold cross-validation, standardised points). Layers have min(10 d, 100) units here, and
//! training ends where the loss of a tenth of its points does, not where its own does: it is as good and takes a fifth of the time.
//! Every point is held out once. *Neighbours* are an option: [`neighbours`] says what they cannot see, and what is done about it.
//!
//! Held-out points are balanced and the prediction does not know the label, so that for equal laws the expectation is ½ exactly. Their
//! deviation is √(n/2)/n, a little more for folds that share points, of n rows of each set.
//!
//! Each coordinate of the pooled points is brought to mean 0 and deviation 1, both of the values between its 5 % and 95 % quantiles with
//! those beyond put at these: one sample far away must not make all others one point.

mod neighbours;
mod network;
mod product;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use tweedie_solvers::{Error, Key, Result};

use super::{Known, Measured, Metric, Prospect, Range, check, count, finite};
use crate::points::Points;
use network::Labelled;

const MOST_NEIGHBOURS: usize = 9999;
/// Folds of the cross-validation.
const FOLDS: usize = 5;
/// So that each fold leaves some points aside.
const LEAST_POINTS: usize = 10;
/// What lies farther out, in deviations, is shown to the network here.
const FARTHEST: f64 = 10.0;
/// The part of a coordinate's values at either end that does not count for its deviation.
const TAIL: f64 = 0.05;

/// Accuracy of a classifier that is to tell samples from data, `c2st`: ½ for equal laws. The sets may differ in size. Needs 10
/// points or more in each, or as many as it has neighbours, and at least 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum C2st {
    /// A small network, cross-validated.
    #[default]
    Network,
    /// So many nearest neighbours, an odd number.
    Neighbours(usize),
}

impl C2st {
    /// A classifier of k = `neighbours`, an odd number from 1 to 9999.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `neighbours` is out of its domain.
    pub fn neighbours(neighbours: usize) -> Result<Self> {
        if neighbours % 2 == 1 && neighbours <= MOST_NEIGHBOURS {
            Ok(Self::Neighbours(neighbours))
        } else {
            let rule = format!("be odd and from 1 to {MOST_NEIGHBOURS}");
            Err(Error::parameter("neighbours", neighbours, rule))
        }
    }

    /// The fewest points of each set.
    fn least(self) -> usize {
        match self {
            Self::Network => LEAST_POINTS,
            Self::Neighbours(k) => k.max(2),
        }
    }
}

/// How many of each class are recognised.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Classes {
    /// The fraction of held-out samples that are called samples.
    samples: f64,
    /// The fraction of held-out data that are called data.
    data: f64,
}

impl Classes {
    fn mean(self) -> f64 {
        0.5 * (self.samples + self.data)
    }
}

impl Metric for C2st {
    fn measure(&self, samples: &Points, reference: &Points, known: &Known) -> Result<f64> {
        Ok(self.detailed(samples, reference, known)?.value)
    }

    fn range(&self) -> Range {
        Range::Fraction
    }

    fn detailed(&self, samples: &Points, reference: &Points, _known: &Known) -> Result<Measured> {
        check(samples, reference, self.least())?;
        let sets = standardised([samples, reference])?;
        let (classes, lopsided) = match *self {
            Self::Network => (cross_validated(&sets), false),
            Self::Neighbours(k) => neighbours::classes([&sets[0], &sets[1]], k)?,
        };
        let Classes { samples, data } = classes;
        let mean = classes.mean();
        let parts = vec![("samples", samples), ("data", data)];
        // The fraction of the points that get the name that is given more often.
        let share = 0.5 + 0.5 * (data - samples).abs();
        if !lopsided || share <= mean {
            return Ok(Measured { value: mean, parts, remark: None });
        }
        let name = if data > samples { "data" } else { "samples" };
        let remark = format!(
            "neighbours recognise {:.1} % of the samples and {:.1} % of the data, which equal laws do once in 1000 times: they call nearly \
             all points {name}, so that the laws differ where an accuracy of {mean:.3} hides it; the value is the fraction of all points \
             that they call {name}, and classifier = \"network\" gives an accuracy",
            100.0 * samples,
            100.0 * data
        );
        Ok(Measured { value: share, parts, remark: Some(remark) })
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, self.least(), "samples")
    }
}

/// Both sets, each coordinate shifted and scaled alike: by the mean and the deviation of the pool without its tails, by those of all where
/// that deviation is 0, and by the mean alone where all values are one.
fn standardised(sets: [&Points; 2]) -> Result<[Points; 2]> {
    let rows = sets[0].len().min(sets[1].len());
    let of = |axis: usize| -> Result<(f64, f64)> {
        let mut pool: Vec<f64> = sets.iter().flat_map(|s| s.rows().take(rows).map(|x| x[axis])).collect();
        // Sorted, so that neither the order of the rows nor that of the sets changes a bit.
        pool.sort_unstable_by(f64::total_cmp);
        let cut = (TAIL * pool.len() as f64) as usize;
        let (low, high) = (pool[cut], pool[pool.len() - 1 - cut]);
        let moments = |low: f64, high: f64| {
            let values = || pool.iter().map(|v| v.clamp(low, high));
            let mean = values().sum::<f64>() / pool.len() as f64;
            let square = values().map(|v| (v - mean).powi(2)).sum::<f64>() / pool.len() as f64;
            (mean, square.sqrt())
        };
        let [inner, all] = [(low, high), (f64::NEG_INFINITY, f64::INFINITY)].map(|(l, h)| moments(l, h));
        let found = if inner.1 > 0.0 { inner } else { all };
        finite(found.1)?;
        Ok(if found.1 > 0.0 { found } else { (found.0, 1.0) })
    };
    let scales = (0..sets[0].dim()).map(of).collect::<Result<Vec<_>>>()?;
    let map = |set: &Points| {
        let rows = set.rows().take(rows);
        let values = rows.flat_map(|x| x.iter().zip(&scales).map(|(v, (mean, s))| (v - mean) / s));
        Points::new(set.dim(), values.collect())
    };
    Ok(sets.map(map))
}

/// Both classes of a network, each point by the one that has not seen it. Rows are shuffled first, so that no order of theirs decides
/// which are held out together.
fn cross_validated(sets: &[Points; 2]) -> Classes {
    let (rows, dim) = (sets[0].len(), sets[0].dim());
    let key = Key::root(0).branch("c2st");
    let orders = [0, 1].map(|set| {
        let mut order: Vec<usize> = (0..rows).collect();
        order.shuffle(&mut key.branch("folds").rng(set));
        order
    });
    let shown = |set: usize, i: usize| -> Vec<f32> {
        let row = sets[set].row(orders[set][i]);
        row.iter().map(|v| v.clamp(-FARTHEST, FARTHEST) as f32).collect()
    };
    let fold = |fold: usize| -> [u32; 2] {
        let (mut from, mut held) = (Labelled::default(), Vec::new());
        for (i, set) in (0..rows).flat_map(|i| [(i, 0), (i, 1)]) {
            if i % FOLDS == fold {
                held.extend(shown(set, i));
            } else {
                from.push(&shown(set, i), set == 0);
            }
        }
        let logits = network::logits(&from, &held, dim, &key.branch("network").child(fold as u64));
        // Twice the hits of either class; a logit of 0 is half a hit.
        let mut hits = [0, 0];
        for pair in logits.chunks(2) {
            for (hits, z) in hits.iter_mut().zip([pair[0], -pair[1]]) {
                *hits += if z > 0.0 { 2 } else { u32::from(z == 0.0) };
            }
        }
        hits
    };
    let folds: Vec<[u32; 2]> = (0..FOLDS).into_par_iter().map(fold).collect();
    let of = |class: usize| f64::from(folds.iter().map(|f| f[class]).sum::<u32>()) / (2 * rows) as f64;
    Classes { samples: of(0), data: of(1) }
}

#[cfg(test)]
mod tests;
