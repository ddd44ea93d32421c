//! ε̂ of a mixture and its derivatives in f64 on the host, a row in each lane. No sum runs over rows, so that a row's numbers do not depend on
//! its companions, on how many there are, or on whether they share its kernel; and sums and products are rounded one by one, so that every
//! processor gives the same bits.

use pulp::{Simd, WithSimd};

use super::Mixture;
use crate::kernel::Kernel;
use crate::lanes::exp_f64;

/// Rows that go side by side: two vectors of the widest processors.
const LANES: usize = 8;

type Lane = [f64; LANES];

/// The prediction for rows x (B × D, row-major) at one kernel or at one for each, and its derivatives along tangents.
pub(super) struct Rows<'a> {
    pub(super) mixture: &'a Mixture,
    pub(super) x: &'a [f64],
    pub(super) tangents: &'a [Vec<f64>],
    pub(super) at: &'a [Kernel],
}

/// The noised law: for each Gaussian 2 D + 1 numbers as [`Mixture::numbers`] gives them, of each row's kernel in its lane; and σ.
struct Law {
    numbers: Vec<Lane>,
    sigma: Lane,
}

impl Law {
    fn of(mixture: &Mixture, at: &[Kernel]) -> Self {
        let first = mixture.numbers(at[0]);
        let mut numbers: Vec<Lane> = first.iter().map(|&v| [v; LANES]).collect();
        let mut sigma = [at[0].sigma; LANES];
        for (lane, &at) in at.iter().enumerate().skip(1) {
            numbers.iter_mut().zip(mixture.numbers(at)).for_each(|(all, own)| all[lane] = own);
            sigma[lane] = at.sigma;
        }
        Self { numbers, sigma }
    }
}

// Loops over lanes are by index, which becomes vectors; closures and iterators over arrays become functions of their own, without them.

/// y + a b, rounded twice.
#[inline(always)]
fn add_product(mut y: Lane, a: Lane, b: Lane) -> Lane {
    for l in 0..LANES {
        y[l] += a[l] * b[l];
    }
    y
}

#[inline(always)]
fn product(mut a: Lane, b: Lane) -> Lane {
    for l in 0..LANES {
        a[l] *= b[l];
    }
    a
}

#[inline(always)]
fn add(mut a: Lane, b: Lane) -> Lane {
    for l in 0..LANES {
        a[l] += b[l];
    }
    a
}

#[inline(always)]
fn less(mut a: Lane, b: Lane) -> Lane {
    for l in 0..LANES {
        a[l] -= b[l];
    }
    a
}

/// Numbers `i`, `i + D` … of rows, in lanes; 0 where there is no row.
#[inline(always)]
fn load(rows: &[f64], dim: usize, to: &mut [Lane]) {
    for (i, to) in to.iter_mut().enumerate() {
        *to = [0.0; LANES];
        for (to, row) in to.iter_mut().zip(rows.chunks_exact(dim)) {
            *to = row[i];
        }
    }
}

#[inline(always)]
fn store(from: &[Lane], dim: usize, rows: &mut [f64]) {
    for (lane, row) in rows.chunks_exact_mut(dim).enumerate() {
        for (to, from) in row.iter_mut().zip(from) {
            *to = from[lane];
        }
    }
}

/// Qᵀ x, in the axes of a Gaussian.
#[inline(always)]
fn turn(x: &[Lane], axes: Option<&[f64]>, to: &mut [Lane]) {
    let Some(q) = axes else { return to.copy_from_slice(x) };
    to.fill([0.0; LANES]);
    // Sums side by side: none waits for another.
    let dim = x.len();
    for i in 0..dim {
        for j in 0..dim {
            to[j] = add_product(to[j], x[i], [q[i * dim + j]; LANES]);
        }
    }
}

/// sum += Q y.
#[inline(always)]
fn turn_back(y: &[Lane], axes: Option<&[f64]>, sum: &mut [Lane]) {
    let Some(q) = axes else {
        for (sum, y) in sum.iter_mut().zip(y) {
            *sum = add(*sum, *y);
        }
        return;
    };
    let dim = y.len();
    for j in 0..dim {
        for i in 0..dim {
            sum[i] = add_product(sum[i], y[j], [q[i * dim + j]; LANES]);
        }
    }
}

impl WithSimd for Rows<'_> {
    type Output = Vec<Vec<f64>>;

    /// The value, then the derivatives. With ℓ̇_k = −pullᵀu and ṙ_k = r_k (ℓ̇_k − Σ r ℓ̇):
    /// d/du Σ r_k Q_k pull_k = Σ ṙ_k Q_k pull_k + Σ r_k Q_k C_k⁻¹ Q_kᵀ u.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let Self { mixture, x, tangents, at } = self;
        let (dim, count) = (mixture.dim, mixture.weights.len());
        let axes = |k: usize| (!mixture.plain).then(|| &mixture.axes[k][..]);
        let mut out = vec![vec![0.0; x.len()]; 1 + tangents.len()];
        let none = [0.0; LANES];
        let (mut point, mut sum) = (vec![none; dim], vec![none; dim]);
        let (mut pulls, mut turned) = (vec![none; count * dim], vec![none; count * dim]);
        let (mut weights, mut slopes) = (vec![none; count], vec![none; count]);
        let mut moved = vec![none; dim];
        let mut law = Law::of(mixture, &at[..1]);
        for first in (0..x.len() / dim).step_by(LANES) {
            let rows = first..(first + LANES).min(x.len() / dim);
            if at.len() > 1 {
                law = Law::of(mixture, &at[rows.clone()]);
            }
            let own = rows.start * dim..rows.end * dim;
            let numbers = |k: usize| &law.numbers[k * (2 * dim + 1)..][..2 * dim + 1];
            load(&x[own.clone()], dim, &mut point);
            let mut top = [f64::NEG_INFINITY; LANES];
            for (k, logit) in weights.iter_mut().enumerate() {
                let (numbers, pulls) = (numbers(k), &mut pulls[k * dim..][..dim]);
                turn(&point, axes(k), pulls);
                let mut energy = none;
                for j in 0..dim {
                    let y = less(pulls[j], numbers[j]);
                    pulls[j] = product(y, numbers[dim + j]);
                    energy = add_product(energy, y, pulls[j]);
                }
                *logit = add_product(numbers[2 * dim], energy, [-0.5; LANES]);
                for l in 0..LANES {
                    top[l] = top[l].max(logit[l]);
                }
            }
            let mut total = none;
            for weight in &mut weights {
                for l in 0..LANES {
                    weight[l] = exp_f64(weight[l] - top[l]);
                }
                total = add(total, *weight);
            }
            for weight in &mut weights {
                for l in 0..LANES {
                    weight[l] /= total[l];
                }
            }
            sum.fill(none);
            for (k, &weight) in weights.iter().enumerate() {
                for (moved, &pull) in moved.iter_mut().zip(&pulls[k * dim..]) {
                    *moved = product(weight, pull);
                }
                turn_back(&moved, axes(k), &mut sum);
            }
            for sum in &mut sum {
                *sum = product(*sum, law.sigma);
            }
            store(&sum, dim, &mut out[0][own.clone()]);
            for (u, out) in tangents.iter().zip(&mut out[1..]) {
                load(&u[own.clone()], dim, &mut point);
                let mut mean = none;
                for (k, (slope, &weight)) in slopes.iter_mut().zip(&weights).enumerate() {
                    let u = &mut turned[k * dim..][..dim];
                    turn(&point, axes(k), u);
                    *slope = none;
                    for (&u, &pull) in u.iter().zip(&pulls[k * dim..]) {
                        *slope = less(*slope, product(u, pull));
                    }
                    mean = add_product(mean, weight, *slope);
                }
                sum.fill(none);
                for (k, (&slope, &weight)) in slopes.iter().zip(&weights).enumerate() {
                    let change = product(weight, less(slope, mean));
                    let (precision, u) = (&numbers(k)[dim..], &turned[k * dim..]);
                    for (j, moved) in moved.iter_mut().enumerate() {
                        let bent = product(change, pulls[k * dim + j]);
                        *moved = add_product(bent, product(weight, precision[j]), u[j]);
                    }
                    turn_back(&moved, axes(k), &mut sum);
                }
                for sum in &mut sum {
                    *sum = product(*sum, law.sigma);
                }
                store(&sum, dim, &mut out[own.clone()]);
            }
        }
        out
    }
}
