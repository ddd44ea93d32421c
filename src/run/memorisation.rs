//! Whether samples are copies of training points: the test of Meehan, Chaudhuri & Dasgupta (2020),
//! "A non-parametric test to detect data-copying in generative models", over the whole space.
//!
//! L(x) is the distance of x from its nearest training point. Of a model that learned the law,
//! samples and held-out points have the same law of L; samples of one that remembers are nearer.
//! Their figure is Δ = P(L(held-out) > L(sample)) + ½ P(equal), Mann and Whitney's U over the
//! number of pairs: ½ where nothing is remembered, 1 where every sample is a copy, below ½ where
//! samples miss the data. With n samples, m held-out points and no ties it has the deviation √((n +
//! m + 1)/(12 n m)) about ½ where the laws are equal.

use rayon::prelude::*;

use crate::data::{Empirical, Standardise};
use crate::points::Points;

/// The name of Δ in records.
pub const MEMORISATION: &str = "memorisation";

/// Samples, and held-out points, whose nearest training point is looked for.
const MOST: usize = 1000;

/// Training points, and how far held-out points are from them.
pub(super) struct Memory {
    map: Standardise,
    training: Points,
    held_out: Vec<f64>,
}

impl Memory {
    /// For a user's points with held-out rows that are not all equal; distances are taken in
    /// standardised coordinates.
    pub(super) fn of(own: &Empirical) -> Option<Self> {
        let kept = own.kept()?;
        let map = Standardise::fit(own.training()).ok()?;
        let training = map.apply(own.training());
        let held_out = nearest(&training, &map.apply(&kept.slice(0, kept.len().min(MOST))));
        Some(Self { map, training, held_out })
    }

    /// Δ of samples.
    pub(super) fn of_samples(&self, samples: &Points) -> f64 {
        let some = samples.slice(0, samples.len().min(MOST));
        above(&self.held_out, &nearest(&self.training, &self.map.apply(&some)))
    }
}

/// How many deviations Δ lies above ½, of so many samples and held-out points.
pub(super) fn score(share: f64, samples: usize, held_out: usize) -> f64 {
    let (n, m) = (samples.min(MOST) as f64, held_out.min(MOST) as f64);
    (share - 0.5) / ((n + m + 1.0) / (12.0 * n * m)).sqrt()
}

/// The distance of each point from the nearest of `training`; points that are not finite are
/// infinitely far.
fn nearest(training: &Points, points: &Points) -> Vec<f64> {
    let least = |x: &[f64]| {
        let far = |y: &[f64], best: f64| {
            let mut sum = 0.0;
            for (x, y) in x.chunks(8).zip(y.chunks(8)) {
                sum += x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>();
                if sum >= best {
                    return best;
                }
            }
            if sum.is_nan() { best } else { sum }
        };
        training.rows().fold(f64::INFINITY, |best, y| far(y, best)).sqrt()
    };
    let rows: Vec<&[f64]> = points.rows().collect();
    rows.par_iter().map(|x| least(x)).collect()
}

/// P(a > b) + ½ P(a = b) over all pairs.
fn above(a: &[f64], b: &[f64]) -> f64 {
    let mut b = b.to_vec();
    b.sort_by(f64::total_cmp);
    let below = |v: f64| (b.partition_point(|w| *w < v) + b.partition_point(|w| *w <= v)) as f64 / 2.0;
    a.iter().map(|&v| below(v)).sum::<f64>() / (a.len() * b.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::Key;

    /// By hand: distances and pairs with ties; the deviation of U/(n m) from the moments of ranks.
    #[test]
    fn shares_and_distances_by_hand() {
        let training = Points::new(1, vec![0.0, 10.0]);
        let far = nearest(&training, &Points::new(1, vec![1.0, 7.0, 10.0, f64::NAN]));
        assert_eq!(far, [1.0, 3.0, 0.0, f64::INFINITY]);
        // Pairs (1, 1), (1, 2), (3, 1), (3, 2): ½ + 0 + 1 + 1.
        assert_eq!(above(&[1.0, 3.0], &[2.0, 1.0]), 2.5 / 4.0);
        // n = 2, m = 1: U takes 0, 1, 2 with equal chance, variance 2/3 of U and 1/6 of U/(n m).
        assert!((score(1.0, 2, 1) - 0.5 / (1.0 / 6.0f64).sqrt()).abs() < 1e-14);
        let wide = Points::new(12, Key::root(1).normals(0, 0, 30, 12));
        let plain = |x: &[f64]| {
            let to = |y: &[f64]| x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            wide.rows().take(20).map(to).fold(f64::INFINITY, f64::min)
        };
        for (x, got) in wide.slice(20, 30).rows().zip(nearest(&wide.slice(0, 20), &wide.slice(20, 30))) {
            assert!((plain(x) - got).abs() < 1e-14);
        }
    }

    /// Fresh points are not copies (|z| < 4.5, false-alarm rate 7e-6), whatever the units; training
    /// points are, and half of them is seen; points far off are below ½.
    #[test]
    fn copies_are_seen() {
        let units = [1.0, 1e4];
        let draw = |label: &str, n: usize| {
            let z = Key::root(4).branch(label).normals(0, 0, n, 2);
            Points::new(2, z.iter().enumerate().map(|(i, z)| z * units[i % 2]).collect())
        };
        let own = Empirical::new(draw("all", 1000), "own.csv").unwrap().holdout(0.2).unwrap();
        let memory = Memory::of(&own).unwrap();
        let of = |samples: &Points| {
            let share = memory.of_samples(samples);
            (share, score(share, samples.len(), own.kept().unwrap().len()))
        };
        let (share, score) = of(&draw("fresh", 600));
        assert!(score.abs() < 4.5, "{share} {score}");
        let (share, score) = of(own.training());
        assert!(share == 1.0 && score > 20.0, "{share} {score}");
        let half = [own.training().slice(0, 300).values(), draw("more", 300).values()].concat();
        let (share, score) = of(&Points::new(2, half));
        assert!((share - 0.75).abs() < 0.1 && score > 6.0, "{share} {score}");
        let far = draw("far", 300);
        let far = Points::new(2, far.values().iter().map(|v| v * 50.0).collect());
        assert!(of(&far).0 < 0.2);
        let all = Empirical::new(draw("all", 10), "own.csv").unwrap();
        assert!(Memory::of(&all).is_none());
    }
}
