//! Which of many methods are told apart by values over the same seeds, as one family of statements.

use std::collections::BTreeMap;

use super::interval::{p_value, quantile};

/// The rate of families with a wrong statement.
pub(crate) const LEVEL: f64 = 0.05;

/// The values of a method.
pub(super) type BySeed = BTreeMap<u64, f64>;

/// For every pair, whether it is told apart: Student's test of the differences seed by seed, over all k (k − 1)/2 pairs by Holm (1979,
/// Scand. J. Statist. 6, 65–70): the i-th smallest p-value of m is held to 0.05/(m − i + 1), up to the first that is too large. The
/// probability of telling any two methods apart whose means are equal is then at most 5 %, however the others and the spreads are, for
/// differences that are normal.
pub(super) fn told_apart(values: &[&BySeed]) -> Vec<Vec<bool>> {
    let k = values.len();
    let pairs = (0..k).flat_map(|i| (0..i).map(move |j| (i, j)));
    let paired = |i: usize, j: usize| -> (Vec<f64>, Vec<f64>) {
        values[i].iter().filter_map(|(seed, v)| Some((*v, *values[j].get(seed)?))).unzip()
    };
    let test = |(i, j)| {
        let (a, b) = paired(i, j);
        (p_value(&a, &b), i, j)
    };
    let mut tests: Vec<(f64, usize, usize)> = pairs.map(test).collect();
    tests.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut apart = vec![vec![false; k]; k];
    let count = tests.len();
    let small = tests.iter().enumerate().take_while(|(place, (p, ..))| *p <= LEVEL / (count - place) as f64);
    for (_, &(_, i, j)) in small {
        (apart[i][j], apart[j][i]) = (true, true);
    }
    apart
}

/// By how many of its own standard deviations the mean difference of two of so many methods over n seeds must stand away from 0 to be told
/// apart first: t/√n, where Student's law gives t the probability 0.05/m, m comparisons, on both sides.
pub(crate) fn first_step(comparisons: usize, seeds: usize) -> f64 {
    let p = LEVEL / comparisons.max(1) as f64;
    quantile(seeds as f64 - 1.0, 1.0 - 0.5 * p) / (seeds as f64).sqrt()
}

/// The comparisons of k methods.
pub(super) fn comparisons(k: usize) -> usize {
    k * k.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three methods, three pairs, five seeds, differences d ± √(5/2) s: p of t by tables, 8.610 for 0.001, 4.604 for 0.01, 2.776 for 0.05.
    #[test]
    fn holms_steps() {
        const Z: [f64; 5] = [-2.0, -1.0, 0.0, 1.0, 2.0];
        // Differences of the first two have t = a √5/√2.5 = a √2.
        let seeds = |values: [f64; 5]| -> BySeed { (0..).zip(values).collect() };
        let row = |shift: f64| seeds(Z.map(|z| shift + z));
        let zero = seeds([0.0; 5]);
        let two = |t: f64| told_apart(&[&row(t / 2f64.sqrt()), &zero])[0][1];
        // One pair: 0.05 itself.
        assert!(two(2.78) && !two(2.77));
        // a against 0 and b against 0, while a and b differ by a constant whose sign test has p = 1/16: never told apart.
        let three = |s: f64, t: f64| {
            let (a, b) = (row(s / 2f64.sqrt()), row(t / 2f64.sqrt()));
            let found = told_apart(&[&a, &b, &zero]);
            assert!(!found[0][1] && found[0][2] == found[2][0] && found[1][2] == found[2][1]);
            (found[0][2], found[1][2])
        };
        // t of p = 0.05/3 is 3.961, of 0.05/2 3.495 (tables): the smallest is held to the first, the next to the second, and to nothing
        // if the first fails.
        assert_eq!(three(3.97, 3.50), (true, true));
        assert_eq!(three(3.97, 3.49), (true, false));
        assert_eq!(three(3.95, 3.50), (false, false));
        assert_eq!([0, 1, 2, 40].map(comparisons), [0, 0, 1, 780]);
        assert!(told_apart(&[]).is_empty() && told_apart(&[&zero]) == [[false]]);
        // One comparison at 5 seeds, and 780: 2.776/√5 and 17.3957/√5, of the closed form with 4 degrees of freedom.
        assert!((first_step(1, 5) - 2.776_445_1 / 5f64.sqrt()).abs() < 1e-6);
        assert!((first_step(780, 5) - 17.395_705_6 / 5f64.sqrt()).abs() < 1e-6);
    }

    /// Values pair by their seed, and a seed that one of two lacks says nothing.
    #[test]
    fn pairs_are_of_one_seed() {
        let values = |from: u64, by: f64| -> BySeed {
            (from..10)
                .map(|s| {
                    (
                        s,
                        by + [0.0, 3.0, 9.0, 4.0, 7.0, 1.0, 8.0, 2.0, 6.0, 5.0][s as usize]
                            + 1e-3 * (s * s) as f64 * by,
                    )
                })
                .collect()
        };
        assert!(told_apart(&[&values(0, 0.0), &values(1, 0.1)])[0][1]);
        assert!(!told_apart(&[&values(0, 0.0), &values(9, 0.1)])[0][1]);
    }
}
