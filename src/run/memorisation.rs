//! Whether samples are copies of training points, by which rows they lie near.
//!
//! Of N different rows T are training rows and m are held out. Where a model has learned the law and not the rows, it does not know which
//! are which: given its samples, every choice of T among the N is as likely, so that the row nearest to a sample is held out with
//! probability m/N, whatever law the samples follow. (Distances to training rows alone, as Meehan, Chaudhuri & Dasgupta 2020 compare
//! them, are smaller for samples of any law that is narrower than the data.) With h the fraction of samples whose nearest row is held out,
//!
//! M = 1 − h N/m
//!
//! is 0 on average where nothing is remembered, and 1 where every sample is nearest to a training row, as copies are. With wᵢ the number of
//! samples nearest to row i, n h is the sum of wᵢ over the held-out rows, whose variance over the choices is
//! T m/(N (N − 1)) ∑ᵢ (wᵢ − n/N)².

use rayon::prelude::*;

use crate::data::{Empirical, Standardise, digest, repeated};
use crate::points::Points;

/// The name of M in records.
pub const MEMORISATION: &str = "memorisation";
/// That of its distance from 0 in deviations.
pub(super) const DEVIATIONS: &str = "memorisation-deviations";

/// Samples whose nearest row is looked for.
const MOST: usize = 1000;

/// Rows, and which of them are held out.
pub(super) struct Memory {
    map: Standardise,
    rows: Points,
    held_out: Vec<bool>,
}

/// M, and how many of its deviations it lies above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Remembered {
    pub(super) share: f64,
    pub(super) deviations: f64,
}

impl Memory {
    /// For a user's points with held-out rows that are not all equal; distances are taken in standardised coordinates. None where most rows
    /// repeat others, so that equal ones are on both sides.
    pub(super) fn of(own: &Empirical) -> Option<Self> {
        let kept = own.kept()?;
        if repeated(own.file()) {
            return None;
        }
        let map = Standardise::fit(own.training()).ok()?;
        let mut met = std::collections::BTreeSet::new();
        let (mut rows, mut held_out) = (Vec::new(), Vec::new());
        for (points, kept) in [(own.training(), false), (kept, true)] {
            for row in points.rows().filter(|row| met.insert(digest(row))) {
                rows.extend_from_slice(row);
                held_out.push(kept);
            }
        }
        let rows = map.apply(&Points::new(own.training().dim(), rows));
        held_out.contains(&true).then_some(Self { map, rows, held_out })
    }

    /// M of samples; not a number where no sample is finite.
    pub(super) fn of_samples(&self, samples: &Points) -> Remembered {
        let some = self.map.apply(&samples.slice(0, samples.len().min(MOST)));
        let near: Vec<&[f64]> = some.rows().filter(|x| x.iter().all(|v| v.is_finite())).collect();
        let near: Vec<usize> = near.par_iter().map(|x| nearest(&self.rows, x)).collect();
        remembered(&self.held_out, &near)
    }
}

/// M of samples whose nearest rows are these.
fn remembered(held_out: &[bool], near: &[usize]) -> Remembered {
    let mut counts = vec![0.0; held_out.len()];
    near.iter().for_each(|&i| counts[i] += 1.0);
    let (n, all) = (near.len() as f64, held_out.len() as f64);
    let kept = held_out.iter().filter(|kept| **kept).count() as f64;
    let found: f64 = counts.iter().zip(held_out).filter(|(_, kept)| **kept).map(|(w, _)| w).sum();
    let spread: f64 = counts.iter().map(|w| (w - n / all).powi(2)).sum();
    let deviation = ((all - kept) * kept / (all * (all - 1.0)) * spread).sqrt();
    Remembered { share: 1.0 - found / n * all / kept, deviations: (n * kept / all - found) / deviation }
}

/// The row nearest to a point, the first of several.
fn nearest(rows: &Points, x: &[f64]) -> usize {
    let mut least = (f64::INFINITY, 0);
    for (i, y) in rows.rows().enumerate() {
        let mut sum = 0.0;
        for (x, y) in x.chunks(8).zip(y.chunks(8)) {
            sum += x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
            if sum >= least.0 {
                break;
            }
        }
        if sum < least.0 {
            least = (sum, i);
        }
    }
    least.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::Key;

    /// Five rows, the last two held out, of which three samples are near rows 0, 0 and 4: h = ⅓, M = 1 − 5/6. Over the ten choices of two
    /// rows the sum of w = (2, 0, 0, 0, 1) takes 3 once, 2 three times, 1 three times and 0 three times: mean 1.2, variance 0.96.
    #[test]
    fn shares_by_hand() {
        let found = remembered(&[false, false, false, true, true], &[0, 0, 4]);
        assert!(
            (found.share - 1.0 / 6.0).abs() < 1e-15
                && (found.deviations - 0.2 / 0.96f64.sqrt()).abs() < 1e-14
        );
        let wide = Points::new(12, Key::root(1).normals(0, 0, 30, 12));
        let plain = |x: &[f64]| {
            let to = |i: &usize| x.iter().zip(wide.row(*i)).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            (0..20).min_by(|a, b| to(a).total_cmp(&to(b))).unwrap()
        };
        for x in wide.slice(20, 30).rows() {
            assert_eq!(nearest(&wide.slice(0, 20), x), plain(x));
        }
    }

    /// Of fresh points, of narrower ones, of ones far off and of one point again and again nothing is remembered, whatever the units
    /// (deviations below 4.5, false-alarm rate 7e-6 each); training points are, half of them are, and held-out ones are the contrary.
    #[test]
    fn copies_are_seen_and_narrow_samples_are_none() {
        let units = [1.0, 1e4, 1.0, 3.0, 1.0];
        let draw = |label: &str, n: usize, scale: f64| {
            let z = Key::root(4).branch(label).normals(0, 0, n, 5);
            Points::new(5, z.iter().enumerate().map(|(i, z)| scale * z * units[i % 5]).collect())
        };
        let own = Empirical::new(draw("all", 1000, 1.0), "own.csv").unwrap().holdout(0.2).unwrap();
        let memory = Memory::of(&own).unwrap();
        let of = |samples: &Points| memory.of_samples(samples);
        for (label, scale) in [("fresh", 1.0), ("narrow", 0.3), ("narrower", 0.01), ("far", 50.0)] {
            let found = of(&draw(label, 600, scale));
            assert!(found.deviations.abs() < 4.5 || found.deviations.is_nan(), "{label} {found:?}");
        }
        let found = of(own.training());
        assert!(found.share == 1.0 && found.deviations > 10.0, "{found:?}");
        let half = [own.training().slice(0, 300).values(), draw("more", 300, 1.0).values()].concat();
        let found = of(&Points::new(5, half));
        assert!((found.share - 0.5).abs() < 0.2 && found.deviations > 4.5, "{found:?}");
        assert!(of(own.kept().unwrap()).share < -2.0);
        let all = Empirical::new(draw("all", 10, 1.0), "own.csv").unwrap();
        assert!(Memory::of(&all).is_none());
        let twice = draw("all", 100, 1.0);
        let often = Empirical::new(Points::new(5, [twice.values(); 5].concat()), "own.csv").unwrap();
        assert!(Memory::of(&often.holdout(0.2).unwrap()).is_none());
    }
}
