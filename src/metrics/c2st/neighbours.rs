//! k nearest neighbours as the classifier, and whether their calls are lopsided.
//!
//! A point is called a sample when more than k/2 of its k nearest neighbours are. Those at the distance of the k-th share what votes the
//! nearer ones leave, and an even vote is half a call: neither the order of the rows of a half nor that of the sets decides.
//!
//! Where one law is wider than the other, nearly all neighbours of *every* point are of the narrower one: all points get its name, one
//! class is right always and the other never, and the accuracy is ½ however far apart the laws are. Then the fraction of calls betrays them:
//! for equal laws the labels of the points that vote could as well be exchanged, so that a fraction farther from ½ than those after 999
//! shuffles of their labels has a chance of 1 in 1000.

use rand::seq::SliceRandom;
use rayon::prelude::*;
use tweedie_solvers::{Key, Result};

use super::Classes;
use crate::metrics::{finite, squared_distance};
use crate::points::Points;

/// Shuffles of the labels.
const SHUFFLES: u64 = 999;

/// The neighbours of a point among those that vote, by number: the first `half` are samples.
struct Neighbours {
    nearer: Vec<u32>,
    tied: Vec<u32>,
}

impl Neighbours {
    /// The k nearest of `point`; what is as far as the k-th is tied.
    fn of(point: &[f64], voters: &Points, k: usize) -> Result<Self> {
        let squares: Vec<f64> = voters.rows().map(|row| squared_distance(point, row)).collect();
        let mut sorted = squares.clone();
        let (_, &mut last, _) = sorted.select_nth_unstable_by(k - 1, f64::total_cmp);
        finite(last)?;
        let those = |holds: &dyn Fn(f64) -> bool| {
            (0u32..).zip(&squares).filter(|(_, s)| holds(**s)).map(|(i, _)| i).collect()
        };
        Ok(Self { nearer: those(&|s| s < last), tied: those(&|s| s == last) })
    }

    /// Twice the call: 2 for a sample, 0 for data, 1 for an even vote.
    fn call(&self, k: usize, is_sample: &[bool]) -> u32 {
        let votes = |list: &[u32]| list.iter().filter(|i| is_sample[**i as usize]).count();
        let (share, left) = (self.tied.len(), k - self.nearer.len());
        // Votes times the number of the tied.
        let votes = votes(&self.nearer) * share + left * votes(&self.tied);
        match (2 * votes).cmp(&(k * share)) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => 1,
            std::cmp::Ordering::Greater => 2,
        }
    }
}

/// The accuracies of both classes, and whether the calls are more lopsided than after any shuffle. Rows 0, 2, 4 … of both sets vote and
/// rows 1, 3, 5 … are held out; the surplus of a set that is larger than the other is left out.
pub(super) fn classes(sets: [&Points; 2], k: usize) -> Result<(Classes, bool)> {
    let rows = sets[0].len().min(sets[1].len());
    let (half, held) = (rows.div_ceil(2), rows / 2);
    let voters = sets.map(|set| (0..rows).step_by(2).flat_map(|i| set.row(i).to_vec()).collect::<Vec<_>>());
    let voters = Points::new(sets[0].dim(), voters.concat());
    let all: Vec<Neighbours> = (0..2 * held)
        .into_par_iter()
        .map(|i| Neighbours::of(sets[i / held].row(2 * (i % held) + 1), &voters, k))
        .collect::<Result<_>>()?;
    let mut is_sample: Vec<bool> = (0..2 * half).map(|i| i < half).collect();
    let twice = |list: &[Neighbours], is_sample: &[bool]| -> u32 {
        list.par_iter().map(|n| n.call(k, is_sample)).sum()
    };
    let calls = [&all[..held], &all[held..]].map(|list| twice(list, &is_sample));
    let most = (2 * held) as f64;
    let classes = Classes { samples: f64::from(calls[0]) / most, data: 1.0 - f64::from(calls[1]) / most };
    let away = |calls: u32| calls.abs_diff(2 * held as u32);
    let key = Key::root(0).branch("c2st").branch("shuffles");
    // The first shuffle that is as lopsided ends it, so that this costs little where laws are equal.
    let lopsided = (0..SHUFFLES).all(|n| {
        is_sample.shuffle(&mut key.rng(n));
        away(twice(&all, &is_sample)) < away(calls[0] + calls[1])
    });
    Ok((classes, lopsided))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::{close, map, normal};

    fn accuracy(k: usize, x: &Points, y: &Points) -> f64 {
        classes([x, y], k).expect("a value").0.mean()
    }

    fn line(values: &[f64]) -> Points {
        Points::new(1, values.to_vec())
    }

    /// Samples 0, 4 and 8 and references 1, 5 and 20 vote; samples 0.4 and 4.6 and references 7 and 19 are held out. The
    /// nearest neighbours are 0, 5, 8 and 20: 4.6 and 7 are called wrong. The three nearest are {0, 1, 4}, {5, 4, 8}, {8, 5, 4} and
    /// {20, 8, 5}: only 7 is. The sixth row of the references is left out.
    #[test]
    fn by_hand() {
        let x = line(&[0.0, 0.4, 4.0, 4.6, 8.0]);
        let y = line(&[1.0, 7.0, 5.0, 19.0, 20.0, 3.0]);
        assert_eq!(accuracy(1, &x, &y), 0.5);
        assert_eq!(accuracy(3, &x, &y), 0.75);
        let both = classes([&x, &y], 3).expect("a value").0;
        assert_eq!((both.samples, both.data), (1.0, 0.5));
        let apart = map(&x, |_, v| v + 1e6);
        assert_eq!(accuracy(3, &x, &apart), 1.0);
    }

    /// A sample held out at 0 has voters at distance 1.
    #[test]
    fn ties_share_the_votes() {
        // One of three is a sample: a third of a vote. The reference 51 is nearest to the sample 50.
        assert_eq!(accuracy(1, &line(&[-1.0, 0.0, 50.0]), &line(&[1.0, 51.0, 1.0])), 0.0);
        // Two of three are samples; the reference −7 is nearest to the sample −1.
        assert_eq!(accuracy(1, &line(&[-1.0, 0.0, 1.0]), &line(&[1.0, -7.0, 50.0])), 0.5);
        // One of each: half a hit. The reference 49 is nearest to the reference 50.
        assert_eq!(accuracy(1, &line(&[-1.0, 0.0, 9.0]), &line(&[1.0, 49.0, 50.0])), 0.75);
        // With three neighbours: the nearer sample and two votes for three tied, of which one is a sample, 5/3 of 3; the
        // reference at 3 hears 1 and 1, which are both nearer than 0.5, and 0.5.
        assert_eq!(accuracy(3, &line(&[0.5, 0.0, 1.0]), &line(&[1.0, 3.0, -1.0])), 0.5);
    }

    /// For equal laws the held-out halves could as well be exchanged, which turns each hit into a miss and an accuracy a into 1 − a:
    /// the expectation is ½. Also on a coarse grid full of ties, for sets of unequal size, and with the sets exchanged the value stays.
    #[test]
    fn held_out_halves_are_exchangeable() {
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
            for k in [1, 5, 21] {
                let value = accuracy(k, &x, &y);
                let other = accuracy(k, &exchange(&x, &y), &exchange(&y, &x));
                close(value + other, 1.0, 1e-15);
                assert!(value > 0.5);
                assert_eq!(value, accuracy(k, &y, &x));
            }
        }
    }

    /// N(0, 1) against N(δ, 1): the best accuracy is Φ(δ/2), 0.841345 for δ = 2 and ½ for δ = 0. Of 8000 held-out points the standard
    /// error is √(0.1335/8000) = 0.0041 and ½/√8000 = 0.0056; 5 of them give a false-alarm rate below 1e-6 each. 301 neighbours of 8000 have
    /// at δ = 2 a bias well below 0.005.
    #[test]
    fn large_sets_reach_the_bayes_accuracy() {
        let (x, y) = (normal("x", 8000, 1, 1.0), normal("y", 8000, 1, 1.0));
        close(accuracy(301, &x, &map(&y, |_, v| v + 2.0)), 0.841_345, 0.0205);
        close(accuracy(301, &x, &y), 0.5, 0.028);
    }

    /// Wider samples are lopsided in 20 dimensions, whatever the accuracy; of 40 pairs of equal laws the chance that three or more are is
    /// below 1e-5.
    #[test]
    fn lopsided_calls_betray_wider_samples() {
        let (x, y) = (normal("x", 500, 20, 1.5), normal("y", 500, 20, 1.0));
        let (both, lopsided) = classes([&x, &y], 5).expect("a value");
        assert!(lopsided && both.mean() < 0.6 && both.samples < 0.2 && both.data > 0.9, "{both:?}");
        let (x, y) = (normal("x", 4000, 10, 1.0), normal("y", 4000, 10, 1.0));
        let part = |p: &Points, i: usize| p.slice(100 * i, 100 * i + 100);
        let lopsided = (0..40).filter(|&i| classes([&part(&x, i), &part(&y, i)], 5).expect("a value").1);
        assert!(lopsided.count() < 3);
    }
}
