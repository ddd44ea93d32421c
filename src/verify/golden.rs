//! Data N(1, 0.5²) under VP from T to ε = 1e-3, started from the exact p_T: the distance of a sampler's law from p_ε is a number without
//! any sampling. The tables were computed outside this crate, twice.

use tweedie_solvers::grid::{Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::sde::{LinearSde, Use, Vp};

use super::affine::{distance, law, propagate};
use super::{Job, near, section};
use crate::error::Result;
use crate::registry::METHODS;

const STEPS: [usize; 7] = [8, 16, 32, 64, 128, 256, 512];

/// Method, grid, W₂ from p_ε at each number of steps, to four digits.
const ERRORS: [(&str, &dyn Spacing, [f64; 7]); 7] = [
    ("euler-maruyama", &UniformT, [1.391e-1, 4.951e-2, 2.282e-2, 1.109e-2, 5.480e-3, 2.726e-3, 1.359e-3]),
    (
        "euler-maruyama",
        &UniformLogSnr,
        [2.186e-1, 7.621e-2, 3.470e-2, 1.663e-2, 8.144e-3, 4.031e-3, 2.005e-3],
    ),
    ("ancestral", &UniformT, [1.897e-1, 1.253e-1, 7.810e-2, 4.581e-2, 2.558e-2, 1.376e-2, 7.208e-3]),
    ("ancestral", &UniformLogSnr, [1.918e-1, 1.183e-1, 6.630e-2, 3.519e-2, 1.814e-2, 9.211e-3, 4.642e-3]),
    ("euler", &UniformT, [3.679e-2, 2.112e-2, 1.135e-2, 5.888e-3, 3.000e-3, 1.514e-3, 7.606e-4]),
    ("heun", &UniformT, [2.259e-2, 6.438e-3, 1.724e-3, 4.451e-4, 1.130e-4, 2.846e-5, 7.143e-6]),
    ("rk4", &UniformT, [5.732e-4, 2.432e-5, 1.295e-6, 7.557e-8, 4.574e-9, 2.816e-10, 1.747e-11]),
];

/// Method, grid, steps, mean and deviation, to six decimals.
const MOMENTS: [(&str, &dyn Spacing, usize, f64, f64); 2] = [
    ("euler-maruyama", &UniformT, 64, 1.009163, 0.506244),
    ("ancestral", &UniformLogSnr, 64, 0.999945, 0.464893),
];

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = vec![Box::new(|| {
        let (vp, mut rows) = (Vp::default(), vec![]);
        for (t, mean, deviation) in [(1.0, 0.006571586495, 0.9999838052), (1e-3, 0.9999450265, 0.5000824512)]
        {
            let got = law(&vp, t);
            rows.push(near(format!("mean of p at t = {t}"), mean, got.0, 5.1e-11));
            rows.push(near(format!("deviation of p at t = {t}"), deviation, got.1, 5.1e-11));
        }
        for (method, grid, n, mean, deviation) in MOMENTS {
            let got = end(method, grid, n)?;
            rows.push(near(format!("{method}, {grid:?}, {n} steps: mean"), mean, got.0, 5.01e-7));
            rows.push(near(format!("{method}, {grid:?}, {n} steps: deviation"), deviation, got.1, 5.01e-7));
        }
        Ok(rows)
    })];
    for (method, grid, errors) in ERRORS {
        jobs.push(Box::new(move || {
            let vp = Vp::default();
            let target = law(&vp, vp.span(Use::Sampling).start);
            let one = |(n, want): (usize, f64)| {
                // Half a unit of the fourth digit, and the rounding of f64 for the smallest.
                let tolerance = 0.5001 * 10f64.powf(want.log10().floor() - 3.0) + 2e-14;
                let error = distance(end(method, grid, n)?, target);
                Ok(near(format!("{method}, {grid:?}, {n} steps: W₂"), want, error, tolerance))
            };
            STEPS.into_iter().zip(errors).map(one).collect()
        }));
    }
    jobs
}

/// Mean and deviation at ε.
fn end(method: &str, grid: &dyn Spacing, steps: usize) -> Result<(f64, f64)> {
    let vp = Vp::default();
    let grid = grid.grid(&vp, vp.span(Use::Sampling), steps)?;
    Ok(propagate(&vp, &*METHODS.build(&section(method))?, &grid)?)
}
