//! Classifier two-sample test (Lopez-Paz & Oquab 2017, eq. 2), with k nearest neighbours as the classifier.
//!
//! A classifier learns on one half of the pooled points which of them are samples, and the value is its accuracy on the other half: ½
//! for equal laws, 1 for laws that it tells apart without fail, and as n, k → ∞ with k/n → 0 that of Bayes, ½ + ½ TV(μ, ν). Rows 0, 2, 4 …
//! of both sets train and rows 1, 3, 5 … are held out; the surplus of a set that is larger than the other is left out.
//!
//! The held-out half is balanced and the prediction does not know the label, so that for equal laws the expectation is ½ exactly; the
//! standard deviation is about ½/√n for n rows of each set.
//!
//! A point is called a sample when more than k/2 of its k nearest neighbours are. Those at the distance of the k-th share what votes the
//! nearer ones leave, and an even vote is half a hit: neither the order of the rows of a half nor that of the sets decides.

use rayon::prelude::*;
use tweedie_solvers::{Error, Result};

use super::{Known, Metric, Range, check, finite, squared_distance};
use crate::points::Points;

const MOST_NEIGHBOURS: usize = 9999;

/// Accuracy of a classifier that is to tell samples from data, `c2st`: ½ for equal laws. Needs as many points in each set as it has
/// neighbours, and at least 2; the sets may differ in size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct C2st {
    neighbours: usize,
}

impl Default for C2st {
    /// 5 neighbours.
    fn default() -> Self {
        Self { neighbours: 5 }
    }
}

impl C2st {
    /// A classifier of k = `neighbours`, an odd number from 1 to 9999.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `neighbours` is out of its domain.
    pub fn new(neighbours: usize) -> Result<Self> {
        if neighbours % 2 == 1 && neighbours <= MOST_NEIGHBOURS {
            Ok(Self { neighbours })
        } else {
            let rule = format!("be odd and from 1 to {MOST_NEIGHBOURS}");
            Err(Error::parameter("neighbours", neighbours, rule))
        }
    }

    /// Twice the hit, 0, 1 or 2, of calling `point` a sample, by the even rows below `rows`.
    fn twice_sample(&self, point: &[f64], sets: [&Points; 2], rows: usize) -> Result<u32> {
        let squares = sets.map(|set| {
            (0..rows).step_by(2).map(|i| squared_distance(point, set.row(i))).collect::<Vec<f64>>()
        });
        let mut all = squares.concat();
        let (_, &mut last, _) = all.select_nth_unstable_by(self.neighbours - 1, f64::total_cmp);
        finite(last)?;
        let [nearer, tied] = [|d: f64, last: f64| d < last, |d: f64, last: f64| d == last]
            .map(|holds| squares.each_ref().map(|s| s.iter().filter(|d| holds(**d, last)).count()));
        // Votes times the number of the tied.
        let (share, left) = (tied[0] + tied[1], self.neighbours - nearer[0] - nearer[1]);
        let votes = nearer[0] * share + left * tied[0];
        Ok(match (2 * votes).cmp(&(self.neighbours * share)) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Greater => 2,
        })
    }
}

impl Metric for C2st {
    fn measure(&self, samples: &Points, reference: &Points, _known: &Known) -> Result<f64> {
        check(samples, reference, self.neighbours.max(2))?;
        let rows = samples.len().min(reference.len());
        let hits = |i: usize| -> Result<u32> {
            let call = |set: &Points| self.twice_sample(set.row(2 * i + 1), [samples, reference], rows);
            Ok(call(samples)? + 2 - call(reference)?)
        };
        let hits: Vec<u32> = (0..rows / 2).into_par_iter().map(hits).collect::<Result<_>>()?;
        Ok(f64::from(hits.iter().sum::<u32>()) / (4 * (rows / 2)) as f64)
    }

    fn range(&self) -> Range {
        Range::Fraction
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{close, map, normal};
    use super::*;

    fn accuracy(neighbours: usize, x: &Points, y: &Points) -> Result<f64> {
        C2st::new(neighbours)?.measure(x, y, &Known::default())
    }

    fn line(values: &[f64]) -> Points {
        Points::new(1, values.to_vec())
    }

    /// Samples 0, 4 and 8 and references 1, 5 and 20 train; samples 0.4 and 4.6 and references 7 and 19 are held out. The
    /// nearest neighbours are 0, 5, 8 and 20: 4.6 and 7 are called wrong. The three nearest are {0, 1, 4}, {5, 4, 8}, {8, 5, 4} and
    /// {20, 8, 5}: only 7 is. The sixth row of the references is left out.
    #[test]
    fn by_hand() -> Result<()> {
        let x = line(&[0.0, 0.4, 4.0, 4.6, 8.0]);
        let y = line(&[1.0, 7.0, 5.0, 19.0, 20.0, 3.0]);
        assert_eq!(accuracy(1, &x, &y)?, 0.5);
        assert_eq!(accuracy(3, &x, &y)?, 0.75);
        let apart = map(&x, |_, v| v + 1e6);
        assert_eq!(accuracy(3, &x, &apart)?, 1.0);
        Ok(())
    }

    /// A sample held out at 0 has training points at distance 1.
    #[test]
    fn ties_share_the_votes() -> Result<()> {
        // One of three is a sample: a third of a vote. The reference 51 is nearest to the sample 50.
        assert_eq!(accuracy(1, &line(&[-1.0, 0.0, 50.0]), &line(&[1.0, 51.0, 1.0]))?, 0.0);
        // Two of three are samples; the reference −7 is nearest to the sample −1.
        assert_eq!(accuracy(1, &line(&[-1.0, 0.0, 1.0]), &line(&[1.0, -7.0, 50.0]))?, 0.5);
        // One of each: half a hit. The reference 49 is nearest to the reference 50.
        assert_eq!(accuracy(1, &line(&[-1.0, 0.0, 9.0]), &line(&[1.0, 49.0, 50.0]))?, 0.75);
        // With three neighbours: the nearer sample and two votes for three tied, of which one is a sample, 5/3 of 3; the
        // reference at 3 hears 1 and 1, which are both nearer than 0.5, and 0.5.
        assert_eq!(accuracy(3, &line(&[0.5, 0.0, 1.0]), &line(&[1.0, 3.0, -1.0]))?, 0.5);
        Ok(())
    }

    /// For equal laws the held-out halves could as well be exchanged, which turns each hit into a miss and an accuracy a into 1 − a:
    /// the expectation is ½. Also on a coarse grid full of ties, for sets of unequal size, and with the sets exchanged the value stays.
    #[test]
    fn held_out_halves_are_exchangeable() -> Result<()> {
        for (n, m, dim, coarse) in [(101, 101, 2, false), (80, 90, 1, true), (61, 50, 3, true)] {
            let draw = |label: &str, n: usize| {
                map(&normal(label, n, dim, 2.0), |_, v| if coarse { v.round() } else { v })
            };
            let (x, y) = (draw("x", n), map(&draw("y", m), |_, v| v + 3.0));
            let exchange = |even: &Points, odd: &Points| {
                let rows =
                    (0..n.min(m)).flat_map(|i| if i % 2 == 0 { even.row(i) } else { odd.row(i) }.to_vec());
                Points::new(dim, rows.collect())
            };
            for neighbours in [1, 5, 21] {
                let value = accuracy(neighbours, &x, &y)?;
                let other = accuracy(neighbours, &exchange(&x, &y), &exchange(&y, &x))?;
                close(value + other, 1.0, 1e-15);
                assert!(value > 0.5);
                assert_eq!(value, accuracy(neighbours, &y, &x)?);
            }
        }
        Ok(())
    }

    /// N(0, 1) against N(δ, 1): the best accuracy is Φ(δ/2), 0.841345 for δ = 2 and ½ for δ = 0. Of 8000 held-out points the standard
    /// error is √(0.1335/8000) = 0.0041 and ½/√8000 = 0.0056; 5 of them give a false-alarm rate below 1e-6 each. 301 neighbours of 8000 have
    /// at δ = 2 a bias well below 0.005.
    #[test]
    fn large_sets_reach_the_bayes_accuracy() -> Result<()> {
        let (x, y) = (normal("x", 8000, 1, 1.0), normal("y", 8000, 1, 1.0));
        close(accuracy(301, &x, &map(&y, |_, v| v + 2.0))?, 0.841_345, 0.0205);
        close(accuracy(301, &x, &y)?, 0.5, 0.028);
        Ok(())
    }

    #[test]
    fn neighbours_have_a_domain() {
        for bad in [0, 2, 10_001] {
            let error = C2st::new(bad).expect_err("out of the domain").to_string();
            assert_eq!(error, format!("neighbours = {bad}, but it must be odd and from 1 to 9999"));
        }
        assert_eq!(C2st::new(5).ok(), Some(C2st::default()));
    }
}
