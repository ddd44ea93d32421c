//! Products of a tile of rows with a matrix that lies in panels, and what is done to a tile between two of them.
//!
//! A matrix B (inner × outer) is cut into panels of two vectors' width; each holds its rows one after another, so that a product reads
//! memory in order. M rows of A meet a panel at a time: 2 M sums stay in registers while `inner` runs.

use pulp::{Arch, Simd, WithSimd};
use tweedie_solvers::lanes::{Aligned, silu, silu_and_slope};

/// Rows that go through all layers together, while they lie in the caches; a multiple of every block's height.
pub(super) const TILE: usize = 48;

/// Lanes of a vector on a machine.
pub(super) fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

/// A matrix in panels; outer is padded with zeros to whole panels.
#[derive(Debug)]
pub(super) struct Panels {
    values: Aligned,
    inner: usize,
    wide: usize,
}

impl Panels {
    /// From its elements at (row, column).
    pub(super) fn new(inner: usize, outer: usize, lanes: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let wide = 2 * lanes;
        let mut values = Aligned::zeros(inner * outer.next_multiple_of(wide));
        for (p, panel) in values.chunks_exact_mut(inner * wide).enumerate() {
            for (k, row) in panel.chunks_exact_mut(wide).enumerate() {
                for (j, v) in row.iter_mut().enumerate().filter(|(j, _)| p * wide + j < outer) {
                    *v = at(k, p * wide + j);
                }
            }
        }
        Self { values, inner, wide }
    }
}

/// How many rows must be given where `rows` are meant: whole blocks.
#[inline(always)]
pub(super) fn whole<S: Simd>(rows: usize) -> usize {
    rows.next_multiple_of(if S::REGISTER_COUNT >= 32 { 12 } else { 6 })
}

/// out = start (+ e) + A B for `rows` rows, a whole number of blocks: A has `inner` columns, `start` is one row for all, e has a row for each,
/// and all rows of start, e and out are as long as B's in panels.
#[inline(always)]
pub(super) fn product<S: Simd>(
    s: S,
    a: &[f32],
    b: &Panels,
    (start, e): (&[f32], Option<&[f32]>),
    out: &mut [f32],
    rows: usize,
) {
    let columns = start.len();
    let panels = S::as_simd_f32s(&b.values).0.as_chunks::<2>().0;
    for (p, panel) in panels.chunks_exact(b.inner).enumerate() {
        let at = p * b.wide;
        let start = pair::<S>(&start[at..]);
        let mut row = 0;
        while row < rows {
            let (a, e) = (&a[row * b.inner..], e.map(|e| &e[row * columns + at..]));
            let out = &mut out[row * columns + at..];
            if S::REGISTER_COUNT >= 32 {
                block::<S, 12>(s, a, panel, (start, e), out, columns);
                row += 12;
            } else {
                block::<S, 6>(s, a, panel, (start, e), out, columns);
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
fn block<S: Simd, const M: usize>(
    s: S,
    a: &[f32],
    panel: &[[S::f32s; 2]],
    (start, e): ([S::f32s; 2], Option<&[f32]>),
    out: &mut [f32],
    columns: usize,
) {
    let inner = panel.len();
    let rows: [&[f32]; M] = std::array::from_fn(|i| &a[i * inner..][..inner]);
    let mut sums = [start; M];
    if let Some(e) = e {
        for (i, sum) in sums.iter_mut().enumerate() {
            let [e0, e1] = pair::<S>(&e[i * columns..]);
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
        to.copy_from_slice(&sum);
    }
}

/// z ← SiLU(z), and every tangent u ← SiLU'(z) u.
#[inline(always)]
pub(super) fn activate<S: Simd>(s: S, z: &mut [f32], tangents: &mut [Aligned]) {
    let (z, _) = S::as_mut_simd_f32s(z);
    if tangents.is_empty() {
        z.iter_mut().for_each(|z| *z = silu(s, *z));
        return;
    }
    for (i, z) in z.iter_mut().enumerate() {
        let (h, slope) = silu_and_slope(s, *z);
        *z = h;
        for u in &mut *tangents {
            let u = &mut S::as_mut_simd_f32s(u).0[i];
            *u = s.mul_f32s(*u, slope);
        }
    }
}

/// The sums over columns of a · b, for two rows of whole vectors.
#[inline(always)]
pub(super) fn dot<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (S::as_simd_f32s(a).0, S::as_simd_f32s(b).0);
    let sum = a.iter().zip(b).fold(s.splat_f32s(0.0), |sum, (&a, &b)| s.mul_add_e_f32s(a, b, sum));
    s.reduce_sum_f32s(sum)
}
