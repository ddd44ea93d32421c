//! Where a mean over seeds stands against its floor, the same metric between pairs of fresh draws of the data.
//!
//! | standing | when |
//! |---|---|
//! | above | the 95 % interval of mean − floor (Welch) lies above 0 |
//! | below | that interval lies below 0 |
//! | at | neither, and the mean's interval ends within the floor's reach |
//! | unclear | neither, but the interval reaches further |
//! | too few seeds | fewer than three |
//!
//! The reach is the upper end of the 95 % interval for the value of one more pair of draws. So "at the floor" says two things: nothing
//! tells the samples from draws of the data, and if they are worse, their mean is still what a single pair of such draws may give. Below the
//! floor samples are nearer to the data than draws of the data are to each other, which no law's own draws are: they are narrower than the
//! data, or copies.

use serde::Serialize;

use super::interval::{ROUNDING, interval, mean, welch};
use crate::metrics::Range;

/// From so many seeds on something is said about a mean: the interval of two is 13 deviations wide.
pub(crate) const LEAST_SEEDS: usize = 3;

/// Where a mean stands against its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Not told apart from the floor, and near it.
    At,
    /// Told apart from the floor: worse than draws of the data.
    Above,
    /// Told apart from the floor: nearer to the data than draws of the data.
    Below,
    /// Not told apart from the floor, nor near it for certain.
    Unclear,
    /// Fewer than three seeds.
    TooFewSeeds,
}

/// The standing of values over seeds against those of the floor and its reach; none where a value is not finite.
pub(super) fn standing(values: &[f64], floor: &[f64], reach: f64, range: Range) -> Option<Standing> {
    if !values.iter().chain(floor).all(|v| v.is_finite()) {
        return None;
    }
    if values.len() < LEAST_SEEDS {
        return Some(Standing::TooFewSeeds);
    }
    let (_, high) = interval(values, range).1?;
    let (gap, rounding) = (mean(values) - mean(floor), ROUNDING * mean(floor).abs());
    let width = welch(values, floor)? + rounding;
    Some(if gap > width {
        Standing::Above
    } else if gap < -width {
        Standing::Below
    } else if high <= reach + rounding {
        Standing::At
    } else {
        Standing::Unclear
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::interval::reach;
    use tweedie_solvers::Key;

    const FLOOR: [f64; 5] = [0.04, 0.05, 0.045, 0.055, 0.06];

    fn of(values: &[f64]) -> Option<Standing> {
        standing(values, &FLOOR, reach(&FLOOR, Range::Positive).unwrap(), Range::Positive)
    }

    /// The floor is 0.05 ± 0.0098, its reach 0.05 exp(2.776 · 0.0079057 √1.2/0.05) = 0.0809. Means below it with intervals beyond it
    /// are no floor, however low they lie; the gap of 0.06 is 15 standard errors of 0.0037, those of 0.007 and −0.008 are 1.6.
    #[test]
    fn a_mark_needs_the_interval() {
        use Standing::{Above, At, Below, TooFewSeeds, Unclear};
        assert!((reach(&FLOOR, Range::Positive).unwrap() - 0.080_86).abs() < 1e-4);
        assert_eq!(of(&[0.05, 0.055, 0.06]), Some(At));
        assert_eq!(of(&[0.06, 0.055, 0.057]), Some(At));
        assert_eq!(of(&[0.035, 0.05, 0.041]), Some(At));
        assert_eq!(of(&[0.01, 0.012, 0.011]), Some(Below));
        assert_eq!(of(&[0.11, 0.112, 0.108]), Some(Above));
        assert_eq!(of(&[0.02, 0.05, 0.08]), Some(Unclear));
        assert_eq!(of(&[0.001, 0.001, 0.1]), Some(Unclear));
        assert_eq!(of(&[0.05, 0.05]), Some(TooFewSeeds));
        assert_eq!(of(&[0.543 - 0.324, 0.543 + 0.324]), Some(TooFewSeeds));
        assert_eq!(of(&[0.05]), Some(TooFewSeeds));
        assert_eq!(of(&[0.05, f64::NAN, 0.05]), None);
    }

    /// Metrics of counts often have no spread: all modes found at every seed is the floor, one missed at every seed is above it, one
    /// missed at one seed is unclear. A floor that misses one at each draw is not reached from below by chance.
    #[test]
    fn without_spread() {
        let of = |values: &[f64]| standing(values, &[0.0; 5], 0.0, Range::Fraction).unwrap();
        assert_eq!(of(&[0.0; 3]), Standing::At);
        assert_eq!(of(&[0.125; 3]), Standing::Above);
        assert_eq!(of(&[0.0, 0.0, 0.125]), Standing::Unclear);
        assert_eq!(standing(&[0.0; 3], &[0.125; 5], 0.125, Range::Fraction), Some(Standing::Below));
        let third = [0.1 + 0.2; 3];
        assert_eq!(standing(&third, &[0.3; 5], 0.3, Range::Fraction), Some(Standing::At));
    }

    /// Draws of the data themselves, values N(1, 0.2²): said to be above their floor in 2.5 % of the cases, below it in as many, at
    /// the floor in most, the more so the more seeds; samples of half as much again are at the floor in few, of twice as much in none, and
    /// those of half as much are below it in most. 4000 cases each;
    /// 4.5 binomial deviations, false-alarm rate 7e-6 each.
    #[test]
    fn how_often_the_mark_is_right() {
        let share = |n: usize, size: f64, what: Standing| {
            let key = Key::root(n as u64).branch("standing");
            let (values, floors) = (key.child(0).normals(0, 0, 4000, n), key.child(1).normals(0, 0, 4000, 5));
            let scaled = |z: &[f64], by: f64| z.iter().map(|z| by * (1.0 + 0.2 * z)).collect::<Vec<_>>();
            let found = values.chunks(n).zip(floors.chunks(5)).filter(|(v, f)| {
                let floor = scaled(f, 1.0);
                let reach = reach(&floor, Range::Positive).unwrap();
                standing(&scaled(v, size), &floor, reach, Range::Positive) == Some(what)
            });
            found.count() as f64 / 4000.0
        };
        for (n, at, half_more) in [(3, 0.6, 0.2), (5, 0.85, 0.2), (10, 0.92, 0.2)] {
            let (above, good) = (share(n, 1.0, Standing::Above), share(n, 1.0, Standing::At));
            let below = share(n, 1.0, Standing::Below);
            assert!((above - 0.025).abs() < 0.0111 && (below - 0.025).abs() < 0.0111, "{n}: {above} {below}");
            assert!(share(n, 0.5, Standing::Below) > 0.9, "{n}");
            assert!(good > at, "{n}: {good}");
            let (wrong, far) = (share(n, 1.5, Standing::At), share(n, 2.0, Standing::At));
            assert!(wrong < half_more && far < 0.01, "{n}: {wrong} {far}");
        }
    }
}
