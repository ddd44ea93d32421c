//! Exact 2-Wasserstein distance of two sets of n points (Villani 2009, Definition 6.1, of empirical
//! measures).
//!
//! W₂(x, y)² = min_π n⁻¹ ∑ᵢ |xᵢ − y_π(i)|² over the permutations π of 1 … n: a linear assignment problem,
//! solved exactly by shortest augmenting paths (Jonker & Volgenant 1987; Volgenant 1996).
//!
//! Both sets are centred while π is sought, which shifts the cost of every permutation alike. The dual value
//! of the final prices bounds the optimum from below: no result is returned unless it meets that bound up to
//! 10⁻¹² of ∑ᵢ |xᵢ − x̄|² + ∑ᵢ |yᵢ − ȳ|².

use tweedie_solvers::{Error, Result};

use super::assignment::Assignment;
use super::{Known, Metric, Prospect, Range, check, count, finite, squared_distance};
use crate::points::Points;

const MOST_POINTS: usize = 10_000;

/// Exact 2-Wasserstein distance, `w2`, of two sets of the same size, 1 to 10 000; other sizes are an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct W2;

impl Metric for W2 {
    fn measure(&self, samples: &Points, reference: &Points, _known: &Known) -> Result<f64> {
        check(samples, reference, 1)?;
        let (n, m) = (samples.len(), reference.len());
        if n != m {
            let sizes = format!("w2 needs as many samples as reference points, but there are {n} and {m}");
            return Err(Error::Unsupported(sizes));
        }
        few_enough(n)?;
        let (x, y) = (centred(samples), centred(reference));
        let spread = x.values().iter().chain(y.values()).map(|v| v * v).sum::<f64>();
        finite(n as f64 * spread)?;
        let mut assignment = Assignment::solve(&x, &y);
        let gap = assignment.gap();
        if gap.is_nan() || gap > 1e-12 * spread {
            return Err(Error::Solve("w2 found no optimal assignment".into()));
        }
        let pairs = samples.rows().zip(&assignment.column_of);
        let total: f64 = pairs.map(|(row, &j)| squared_distance(row, reference.row(j))).sum();
        finite((total / n as f64).sqrt())
    }

    fn range(&self) -> Range {
        Range::Positive
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 1, "samples")?;
        few_enough(prospect.count)
    }
}

/// An error above 10 000 points.
fn few_enough(n: usize) -> Result<()> {
    if n <= MOST_POINTS {
        return Ok(());
    }
    let size = format!("w2 takes at most {MOST_POINTS} points, but there are {n}; sliced-w2 takes any");
    Err(Error::Unsupported(size))
}

/// The points minus their mean.
fn centred(points: &Points) -> Points {
    let (n, dim) = (points.len() as f64, points.dim());
    let mean: Vec<f64> = (0..dim).map(|k| points.rows().map(|row| row[k] / n).sum()).collect();
    Points::new(dim, points.values().iter().enumerate().map(|(i, v)| v - mean[i % dim]).collect())
}

#[cfg(test)]
mod tests {
    use super::super::SlicedW2;
    use super::super::tests::{close, map, normal, reversed};
    use super::*;
    use tweedie_solvers::Key;

    fn w2(x: &Points, y: &Points) -> f64 {
        W2.measure(x, y, &Known::default()).expect("a distance")
    }

    /// min_π ∑ᵢ |xᵢ − y_π(i)|² by trying every π: `taken` marks the columns of the rows before `i`.
    fn least_cost(x: &Points, y: &Points, i: usize, taken: &mut Vec<bool>) -> f64 {
        let mut least = if i == x.len() { 0.0 } else { f64::INFINITY };
        for j in 0..x.len() {
            if i < x.len() && !std::mem::replace(&mut taken[j], true) {
                let cost: f64 = x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b).powi(2)).sum();
                least = least.min(cost + least_cost(x, y, i + 1, taken));
                taken[j] = false;
            }
        }
        least
    }

    /// 600 pairs of sets, a third of them on a coarse grid full of duplicates and ties.
    #[test]
    fn agrees_with_every_permutation() {
        let key = Key::root(2).branch("permutations");
        for case in 0..600 {
            let (n, dim) = (1 + case % 7, 1 + case / 7 % 3);
            let draw = |stream| {
                let values = key.child(case as u64).normals(stream, 0, n, dim);
                Points::new(dim, values.iter().map(|v| if case % 3 == 0 { v.round() } else { *v }).collect())
            };
            let (x, y) = (draw(0), map(&draw(1), |_, v| 1.5 * v + 0.5));
            let expected = (least_cost(&x, &y, 0, &mut vec![false; n]) / n as f64).sqrt();
            close(w2(&x, &y), expected, 1e-14 * expected.max(1.0));
        }
    }

    /// x ↦ cx + s with c ≥ 0 is the gradient of a convex function, so it is the optimal map:
    /// W₂² = (c − 1)² mean |x − x̄|² + |(c − 1) x̄ + s|².
    #[test]
    fn scaled_and_shifted_copies() {
        for (n, dim) in [(500, 2), (200, 1), (150, 3)] {
            let x = normal("x", n, dim, 1.3);
            let mean: Vec<f64> =
                (0..dim).map(|k| x.rows().map(|row| row[k]).sum::<f64>() / n as f64).collect();
            let shift = [3.0, -4.0, 12.0];
            let variance =
                x.rows().flat_map(|row| row.iter().zip(&mean)).map(|(v, m)| (v - m).powi(2)).sum::<f64>();
            for c in [0.0, 0.3, 1.0, 2.5] {
                let y = map(&x, |k, v| c * v + shift[k]);
                let moved: f64 = (0..dim).map(|k| ((c - 1.0) * mean[k] + shift[k]).powi(2)).sum();
                let expected = ((c - 1.0).powi(2) * variance / n as f64 + moved).sqrt();
                close(w2(&x, &reversed(&y)), expected, 1e-12);
            }
            assert_eq!(w2(&x, &reversed(&x)), 0.0);
            close(w2(&x, &reversed(&map(&x, |_, v| v + 1e9))) / 1e9, (dim as f64).sqrt(), 1e-13);
        }
    }

    /// From N(0, I) to N(m, A²) in the plane, A = R diag(2, ½) Rᵀ, the optimal map is x ↦ Ax + m, and W₂² is |m|² + tr I + tr A² −
    /// 2 √(tr A² + 2 det A) = |m|² + 1.25 for every rotation R (Dowson & Landau 1982). Of n matched draws W₂² is the mean |Ax + m − x|², to
    /// rounding, and that tends to the closed form with a standard error of √((2(1 + 1/16) + 4 v)/n), v = |(A − I)m|²: within 5 of
    /// them, false-alarm rate below 1e-6 each.
    #[test]
    fn gaussians_of_the_plane() {
        let n = 1000;
        let x = normal("x", n, 2, 1.0);
        for (angle, m) in [(0.0, [0.0, 0.0]), (0.4, [0.0, 0.0]), (2.0, [1.0, -2.0])] {
            let (sin, cos) = f64::sin_cos(angle);
            let a = [2.0 * cos * cos + 0.5 * sin * sin, 1.5 * sin * cos, 2.0 * sin * sin + 0.5 * cos * cos];
            let map = |x: &[f64]| [a[0] * x[0] + a[1] * x[1] + m[0], a[1] * x[0] + a[2] * x[1] + m[1]];
            let y = Points::new(2, x.rows().flat_map(map).collect());
            let square = w2(&x, &reversed(&y)).powi(2);
            let moved: f64 = x.rows().map(|x| squared_distance(&map(x), x)).sum();
            close(square, moved / n as f64, 1e-12);
            let (trace, det) = (a[0] * a[0] + 2.0 * a[1] * a[1] + a[2] * a[2], a[0] * a[2] - a[1] * a[1]);
            let shift = m[0] * m[0] + m[1] * m[1];
            let wanted = shift + 2.0 + trace - 2.0 * (trace + 2.0 * det).sqrt();
            close(wanted, shift + 1.25, 1e-13);
            let v = ((a[0] - 1.0) * m[0] + a[1] * m[1]).powi(2) + (a[1] * m[0] + (a[2] - 1.0) * m[1]).powi(2);
            close(square, wanted, 5.0 * ((2.0 * (1.0 + 1.0 / 16.0) + 4.0 * v) / n as f64).sqrt());
        }
    }

    /// On a line W₂ is what sorting finds; far from the origin as near it, and at any scale.
    #[test]
    fn agrees_with_sorting_on_a_line() -> Result<()> {
        for (scale, offset) in [(1.0, 0.0), (1.0, 1e6), (1e-90, 0.0), (1e90, 0.0)] {
            let x = map(&normal("x", 300, 1, 1.0), |_, v| scale * v + offset);
            let y = map(&normal("y", 300, 1, 2.0), |_, v| scale * (v + 1.0) + offset);
            let sorted = SlicedW2::default().measure(&x, &y, &Known::default())?;
            close(w2(&x, &y) / sorted, 1.0, if offset == 0.0 { 1e-13 } else { 1e-9 });
        }
        Ok(())
    }

    /// Two clusters far apart, 400 and 200 points of x and 200 and 400 of y: no column near most rows is free.
    #[test]
    fn clusters_of_other_sizes() -> Result<()> {
        let cluster = |label: &str, big: f64| {
            let z = normal(label, 600, 1, 1.0);
            let far = |i: usize| if i.is_multiple_of(3) { 100.0 - big } else { big };
            Points::new(1, z.values().iter().enumerate().map(|(i, v)| v + far(i)).collect())
        };
        let (x, y) = (cluster("x", 0.0), cluster("y", 100.0));
        let sorted = SlicedW2::default().measure(&x, &y, &Known::default())?;
        close(w2(&x, &y) / sorted, 1.0, 1e-13);
        Ok(())
    }

    /// Duplicates in bulk: 300 points on 4 places against 300 on 2.
    #[test]
    fn many_equal_points() {
        let x = Points::new(1, (0..300).map(|i| f64::from(i % 4)).collect());
        let y = Points::new(1, (0..300).map(|i| f64::from(i % 2) * 3.0).collect());
        // Sorted, places 0, 1 go to 0 and places 2, 3 to 3: the mean of 0, 1, 1, 0.
        close(w2(&x, &y), 0.5f64.sqrt(), 1e-15);
    }

    #[test]
    fn sizes_are_equal_and_bounded() {
        let refusal = |n, m| {
            W2.measure(&normal("x", n, 1, 1.0), &normal("y", m, 1, 1.0), &Known::default())
                .map_err(|e| e.to_string())
        };
        let unequal = "w2 needs as many samples as reference points, but there are 5 and 6";
        assert_eq!(refusal(5, 6), Err(unequal.into()));
        let large = "w2 takes at most 10000 points, but there are 10001; sliced-w2 takes any";
        assert_eq!(refusal(10_001, 10_001), Err(large.into()));
    }
}
