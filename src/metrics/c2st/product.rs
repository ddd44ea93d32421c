//! Products of matrices in f32, on vectors. Columns come in whole panels, so that every width of vectors divides them; each entry is
//! summed in the order of the inner index, a product and a sum rounded one by one, so that its bits do not depend on that width.

use pulp::Simd;

/// Columns are padded with zeros to a multiple of this.
pub(super) const PANEL: usize = 16;
/// Rows whose sums stay in registers together.
const ROWS: usize = 8;

/// The left matrix: entry (i, k) stands at `row` i + `inner` k, so that a matrix and its transpose are read alike.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) values: &'a [f32],
    pub(super) row: usize,
    pub(super) inner: usize,
}

/// out = start + A B for `rows` rows and `inner` summands; B and out are row-major, as wide as `start`.
#[inline(always)]
pub(super) fn product<S: Simd>(
    s: S,
    a: Left<'_>,
    (rows, inner): (usize, usize),
    b: &[f32],
    start: &[f32],
    out: &mut [f32],
) {
    let (b, start) = (S::as_simd_f32s(b).0, S::as_simd_f32s(start).0);
    let (out, width) = (S::as_mut_simd_f32s(out).0, start.len());
    for (v, &start) in start.iter().enumerate() {
        let mut row = 0;
        while row + ROWS <= rows {
            block::<S, ROWS>(s, a, (row, inner), (b, width, v), start, out);
            row += ROWS;
        }
        while row < rows {
            block::<S, 1>(s, a, (row, inner), (b, width, v), start, out);
            row += 1;
        }
    }
}

/// M rows of vector number `v`. Loops are written out: a closure would be a function of its own, without the wide instructions.
#[inline(always)]
fn block<S: Simd, const M: usize>(
    s: S,
    a: Left<'_>,
    (row, inner): (usize, usize),
    (b, width, v): (&[S::f32s], usize, usize),
    start: S::f32s,
    out: &mut [S::f32s],
) {
    let mut sums = [start; M];
    for k in 0..inner {
        let (at, y) = (row * a.row + k * a.inner, b[k * width + v]);
        for (i, sum) in sums.iter_mut().enumerate() {
            let x = s.splat_f32s(a.values[at + i * a.row]);
            *sum = s.add_f32s(*sum, s.mul_f32s(x, y));
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        out[(row + i) * width + v] = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    struct Whole<'a>(Left<'a>, usize, usize, &'a [f32], &'a [f32]);

    impl WithSimd for Whole<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, s: S) -> Vec<f32> {
            let mut out = vec![0.0; self.1 * self.4.len()];
            product(s, self.0, (self.1, self.2), self.3, self.4, &mut out);
            out
        }
    }

    /// Small whole numbers, whose sums are exact, against the definition; a matrix and a transpose, and one lane gives the same bits.
    #[test]
    fn agrees_with_the_definition() {
        for (rows, inner, columns) in [(1, 1, 16), (8, 3, 32), (19, 7, 16), (40, 2, 48)] {
            let number = |i: usize| ((i * 37 + 11) % 19) as f32 - 9.0;
            let a: Vec<f32> = (0..rows * inner).map(number).collect();
            let b: Vec<f32> = (0..inner * columns).map(|i| number(i + 5)).collect();
            let start: Vec<f32> = (0..columns).map(|i| number(i + 2)).collect();
            let turned = (0..inner * rows).map(|i| a[i % rows * inner + i / rows]).collect::<Vec<_>>();
            for left in
                [Left { values: &a, row: inner, inner: 1 }, Left { values: &turned, row: 1, inner: rows }]
            {
                let got = Arch::new().dispatch(Whole(left, rows, inner, &b, &start));
                for (i, got) in got.iter().enumerate() {
                    let (r, c) = (i / columns, i % columns);
                    let sum: f32 = (0..inner).map(|k| a[r * inner + k] * b[k * columns + c]).sum();
                    assert_eq!(*got, start[c] + sum);
                }
            }
            let b: Vec<f32> = b.iter().map(|v| v * 0.3).collect();
            let left = Left { values: &a, row: inner, inner: 1 };
            let on = |arch: Arch| arch.dispatch(Whole(left, rows, inner, &b, &start));
            assert_eq!(on(Arch::new()), on(Arch::Scalar));
        }
    }
}
