//! Products of a tile of rows with a matrix in panels, and of its transpose with another tile.
//!
//! A matrix B (inner × outer) is cut into panels of two vectors' width; each holds its rows one after another, so that a product reads
//! memory in order. M rows of A meet a panel at a time: 2 M sums stay in registers while `inner` runs.
//!
//! Loops are written out: a closure handed to an iterator becomes a function of its own, without the wide instructions.

use pulp::Simd;
use tweedie_solvers::lanes::silu;

/// What a product's sums start from.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    /// One row for all.
    pub(super) row: &'a [f32],
    /// A row for each, added.
    pub(super) each: Option<&'a [f32]>,
}

/// How many rows must be given where `rows` are meant: whole blocks.
#[inline(always)]
pub(super) fn whole<S: Simd>(rows: usize) -> usize {
    rows.next_multiple_of(if S::REGISTER_COUNT >= 32 { 8 } else { 6 })
}

/// out = start + A B, or SiLU of it, for `rows` rows, a whole number of blocks: A has `inner` columns, and rows of `start` and out are as long
/// as B's in panels.
#[inline(always)]
pub(super) fn product<S: Simd, const ACTIVE: bool>(
    s: S,
    a: &[f32],
    (b, inner): (&[f32], usize),
    start: Start<'_>,
    out: &mut [f32],
    rows: usize,
) {
    let columns = start.row.len();
    let panels = S::as_simd_f32s(b).0.as_chunks::<2>().0;
    for (p, panel) in panels.chunks_exact(inner).enumerate() {
        let at = p * 2 * S::F32_LANES;
        let row0 = pair::<S>(&start.row[at..]);
        let mut row = 0;
        while row < rows {
            let a = &a[row * inner..];
            let each = start.each.map(|e| &e[row * columns + at..]);
            let out = &mut out[row * columns + at..];
            if S::REGISTER_COUNT >= 32 {
                block::<S, 8, ACTIVE>(s, a, panel, (row0, each), out, columns);
                row += 8;
            } else {
                block::<S, 6, ACTIVE>(s, a, panel, (row0, each), out, columns);
                row += 6;
            }
        }
    }
}

#[inline(always)]
fn pair<S: Simd>(values: &[f32]) -> [S::f32s; 2] {
    let values = S::as_simd_f32s(&values[..2 * S::F32_LANES]).0;
    [values[0], values[1]]
}

#[inline(always)]
fn block<S: Simd, const M: usize, const ACTIVE: bool>(
    s: S,
    a: &[f32],
    panel: &[[S::f32s; 2]],
    (start, each): ([S::f32s; 2], Option<&[f32]>),
    out: &mut [f32],
    columns: usize,
) {
    let inner = panel.len();
    let mut rows = [&a[..inner]; M];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &a[i * inner..][..inner];
    }
    let mut sums = [start; M];
    if let Some(each) = each {
        for (i, sum) in sums.iter_mut().enumerate() {
            let [e0, e1] = pair::<S>(&each[i * columns..]);
            *sum = [s.add_f32s(sum[0], e0), s.add_f32s(sum[1], e1)];
        }
    }
    for (k, &[b0, b1]) in panel.iter().enumerate() {
        for i in 0..M {
            let x = s.splat_f32s(rows[i][k]);
            sums[i] = [s.mul_add_e_f32s(x, b0, sums[i][0]), s.mul_add_e_f32s(x, b1, sums[i][1])];
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        let (to, _) = S::as_mut_simd_f32s(&mut out[i * columns..][..2 * S::F32_LANES]);
        to[0] = if ACTIVE { silu(s, sum[0]) } else { sum[0] };
        to[1] = if ACTIVE { silu(s, sum[1]) } else { sum[1] };
    }
}

/// out += Aᵀ Z over the rows of two tiles, in panels: A has `inner` columns, Z `columns`.
#[inline(always)]
pub(super) fn add_transposed<S: Simd>(
    s: S,
    (a, inner): (&[f32], usize),
    (z, columns): (&[f32], usize),
    out: &mut [f32],
) {
    let rows = a.len() / inner;
    let out = S::as_mut_simd_f32s(out).0.as_chunks_mut::<2>().0;
    for (p, out) in out.chunks_exact_mut(inner).enumerate() {
        let z = &z[p * 2 * S::F32_LANES..];
        let mut k = 0;
        while k + 8 <= inner && S::REGISTER_COUNT >= 32 {
            columns_of::<S, 8>(s, &a[k..], inner, (z, columns), rows, &mut out[k..]);
            k += 8;
        }
        while k + 4 <= inner {
            columns_of::<S, 4>(s, &a[k..], inner, (z, columns), rows, &mut out[k..]);
            k += 4;
        }
        while k < inner {
            columns_of::<S, 1>(s, &a[k..], inner, (z, columns), rows, &mut out[k..]);
            k += 1;
        }
    }
}

#[inline(always)]
fn columns_of<S: Simd, const M: usize>(
    s: S,
    a: &[f32],
    inner: usize,
    (z, columns): (&[f32], usize),
    rows: usize,
    out: &mut [[S::f32s; 2]],
) {
    let mut sums = [[s.splat_f32s(0.0); 2]; M];
    for row in 0..rows {
        let a = &a[row * inner..][..M];
        let [z0, z1] = pair::<S>(&z[row * columns..]);
        for i in 0..M {
            let x = s.splat_f32s(a[i]);
            sums[i] = [s.mul_add_e_f32s(x, z0, sums[i][0]), s.mul_add_e_f32s(x, z1, sums[i][1])];
        }
    }
    for (out, sum) in out[..M].iter_mut().zip(sums) {
        *out = [s.add_f32s(out[0], sum[0]), s.add_f32s(out[1], sum[1])];
    }
}

/// The sum over columns of a · b, for two rows of whole vectors.
#[inline(always)]
pub(super) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (S::as_simd_f32s(a).0, S::as_simd_f32s(b).0);
    let mut sum = s.splat_f32s(0.0);
    for (&a, &b) in a.iter().zip(b) {
        sum = s.mul_add_e_f32s(a, b, sum);
    }
    s.reduce_sum_f32s(sum)
}
