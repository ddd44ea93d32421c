//! Means of a function of |x − y|² over pairs of rows: a block of rows y at a time, on vectors. A row's sum does not depend on the threads or
//! on the width of the vectors.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::points::Points;

/// Rows y whose numbers stay in the fastest cache.
pub(super) const BLOCK: usize = 256;
const LANES: usize = 8;

/// A function of |x − y|².
pub(super) trait OfSquares: Sync {
    /// Puts f(s) in the place of every s, at most [`BLOCK`] of them. To be inlined always, into where wide instructions may be used.
    fn apply(&self, squares: &mut [f64]);
}

/// (nm)⁻¹ ∑ᵢⱼ f(|xᵢ − yⱼ|²): the mean of `f` over all pairs of a row of `x` and a row of `y`.
pub(super) fn mean_between(x: &Points, y: &Points, f: &impl OfSquares) -> f64 {
    let (columns, m) = (columns(y), y.len());
    ordered_sum(x.len(), |i| row_sum(x.row(i), &columns, 0..m, f) / m as f64) / x.len() as f64
}

/// (n(n − 1))⁻¹ ∑_{i≠j} f(|xᵢ − xⱼ|²): the mean of `f` over all pairs of different rows, at least 2.
pub(super) fn mean_within(x: &Points, f: &impl OfSquares) -> f64 {
    let (columns, n) = (columns(x), x.len());
    2.0 * ordered_sum(n, |i| row_sum(x.row(i), &columns, 0..i, f)) / (n as f64 * (n - 1) as f64)
}

fn columns(points: &Points) -> Vec<Vec<f64>> {
    (0..points.dim()).map(|k| points.rows().map(|row| row[k]).collect()).collect()
}

/// f(0) + … + f(n − 1), evaluated by all threads and summed in this order.
fn ordered_sum(n: usize, f: impl Fn(usize) -> f64 + Sync) -> f64 {
    (0..n).into_par_iter().map(&f).collect::<Vec<_>>().iter().sum()
}

fn row_sum(x: &[f64], columns: &[Vec<f64>], rows: Range<usize>, f: &impl OfSquares) -> f64 {
    Arch::new().dispatch(RowSum { x, columns, rows, f })
}

/// ∑ⱼ f(|x − yⱼ|²) over some rows of y.
struct RowSum<'a, F> {
    x: &'a [f64],
    columns: &'a [Vec<f64>],
    rows: Range<usize>,
    f: &'a F,
}

impl<F: OfSquares> WithSimd for RowSum<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let mut lanes = [0.0; LANES];
        let mut room = [0.0; BLOCK];
        let mut from = self.rows.start;
        while from < self.rows.end {
            let to = self.rows.end.min(from + BLOCK);
            let squares = &mut room[..to - from];
            squares.fill(0.0);
            for (x, column) in self.x.iter().zip(self.columns) {
                for (square, y) in squares.iter_mut().zip(&column[from..to]) {
                    *square += (x - y) * (x - y);
                }
            }
            self.f.apply(squares);
            for values in squares.chunks(LANES) {
                for (lane, value) in lanes.iter_mut().zip(values) {
                    *lane += value;
                }
            }
            from = to;
        }
        lanes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Root;

    impl OfSquares for Root {
        #[inline(always)]
        fn apply(&self, squares: &mut [f64]) {
            squares.iter_mut().for_each(|s| *s = s.sqrt());
        }
    }

    /// 0 … n − 1 on a line, for sizes about the blocks and lanes: Σ_{i<j} (j − i) = n(n² − 1)/6, exact in f64. The same bits from one lane.
    #[test]
    fn sums_of_a_line() {
        for n in [2, 7, 8, 9, 255, 256, 257, 515] {
            let line = Points::new(1, (0..n).map(f64::from).collect());
            let (size, all) = (f64::from(n), f64::from(n) * (f64::from(n).powi(2) - 1.0) / 6.0);
            assert_eq!(mean_within(&line, &Root), 2.0 * all / (size * (size - 1.0)));
            let between = mean_between(&line, &line, &Root);
            assert!((between - 2.0 * all / (size * size)).abs() < 1e-14 * between);
            let columns = columns(&Points::new(2, (0..2 * n).map(|i| (f64::from(i) * 0.7).sin()).collect()));
            let sum = || RowSum { x: &[0.3, -0.2], columns: &columns, rows: 0..n as usize, f: &Root };
            assert_eq!(Arch::new().dispatch(sum()), Arch::Scalar.dispatch(sum()));
        }
    }
}
