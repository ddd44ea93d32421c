//! Laws whose noised densities p_t are known at any kernel (α, σ), and so their scores: what a network is measured against, and what
//! can take its place. On tensors they are [`ScoreModel`]s of the noise ε̂ = −σ ∇log p_t, which stays finite as σ → 0, with
//! derivatives; on the host they give log p_t and the score of a point in f64.

mod boxes;
mod kernel_sum;
mod mass;
mod mixture;

pub use boxes::Boxes;
pub use kernel_sum::{KernelSum, Level};
pub use mixture::Mixture;

use candle_core::Tensor;

use crate::Result;
use crate::kernel::Kernel;
use crate::model::{self, ScoreModel};

/// A law whose noised densities are known.
pub trait Exact: ScoreModel + std::fmt::Debug {
    /// log p_t(x) in nats, for x of D numbers.
    fn log_density(&self, x: &[f64], at: Kernel) -> f64;

    /// ∇log p_t(x), D numbers.
    fn score(&self, x: &[f64], at: Kernel) -> Vec<f64>;

    /// P(low ≤ x₀ < high), all D coordinates, for the law before noise is added; to 1e-8. `None` where that has no formula, which is the
    /// default.
    fn mass(&self, _low: &[f64], _high: &[f64]) -> Option<f64> {
        None
    }
}

/// The log-densities of the rows of x, by the law's own on the host, for Metropolis tests alone.
fn log_densities(law: &dyn Exact, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
    let rows = model::check(x, law.dim(), at)?;
    let points = model::read(x)?;
    let kernel = |row: usize| at[if at.len() == 1 { 0 } else { row }];
    let each = points.chunks_exact(law.dim()).enumerate().map(|(row, x)| law.log_density(x, kernel(row)));
    model::tensor(each.collect(), (rows, 1), x)
}

/// ln Σ exp of values, some of which may be −∞.
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + values.map(|v| (v - top).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests;
