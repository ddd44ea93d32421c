//! Data N(1, 0.5²) under VP from T to ε = 1e-3, started from the exact p_T: the distance of a sampler's law from p_ε is a number without
//! any sampling. The tables were computed outside this crate, twice.

use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Karras, Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::sde::{Edm, LinearSde, Use, Vp};

use super::affine::{Affine, distance, gaussian, law, propagate};
use super::{Job, Row, near, section};
use crate::error::Result;
use crate::registry::METHODS;

const STEPS: [usize; 7] = [8, 16, 32, 64, 128, 256, 512];

/// Method, grid, W₂ from p_ε at each number of steps, to four digits.
const ERRORS: [(&str, &dyn Spacing, [f64; 7]); 12] = [
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
    ("dpmpp-2m-sde", &UniformLogSnr, [1.195e-3, 2.017e-2, 6.940e-3, 1.835e-3, 4.639e-4, 1.163e-4, 2.909e-5]),
    ("ddim", &UniformLogSnr, [1.293e-1, 6.951e-2, 3.606e-2, 1.837e-2, 9.268e-3, 4.656e-3, 2.333e-3]),
    ("dpm-solver-2s", &UniformLogSnr, [5.377e-2, 1.235e-2, 2.944e-3, 7.180e-4, 1.773e-4, 4.405e-5, 1.098e-5]),
    ("dpm-solver-3s", &UniformLogSnr, [2.150e-3, 1.955e-4, 2.000e-5, 2.223e-6, 2.608e-7, 3.153e-8, 3.874e-9]),
    ("dpmpp-2m", &UniformLogSnr, [1.453e-2, 9.521e-3, 2.706e-3, 6.937e-4, 1.744e-4, 4.365e-5, 1.092e-5]),
];

/// Method, grid, steps, mean and deviation, to six decimals.
const MOMENTS: [(&str, &dyn Spacing, usize, f64, f64); 3] = [
    ("euler-maruyama", &UniformT, 64, 1.009163, 0.506244),
    ("ancestral", &UniformLogSnr, 64, 0.999945, 0.464893),
    ("dpmpp-2m-sde", &UniformLogSnr, 16, 0.999945, 0.520251),
];

/// EDM's Heun from σ = 80 to 0.002 at ρ = 7 and by Euler to 0, from the exact start: noise levels, deviation, W₂ from the data.
const HEUN: [(usize, f64, f64); 6] = [
    (6, 0.853042, 3.530e-1),
    (9, 0.639072, 1.391e-1),
    (18, 0.527635, 2.763e-2),
    (35, 0.506483, 6.483e-3),
    (69, 0.501567, 1.567e-3),
    (137, 0.500383, 3.827e-4),
];

/// DDIM under VP from N(0, σ_T²) on data N(0, 1), in equal steps of log-SNR: the factor Π cos Δ arctan(σ/α) of the deviation.
const DDIM: [(usize, f64); 4] =
    [(8, 0.741_514_424), (16, 0.860_959_743), (32, 0.927_879_492), (64, 0.963_265_047)];

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
    jobs.push(Box::new(heun));
    jobs.push(Box::new(ddim));
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

fn heun() -> Result<Vec<Row>> {
    let (edm, model) = (Edm::default(), gaussian()?);
    let (span, problem) = (edm.span(Use::Sampling), Problem { sde: &edm, model: &model });
    let method = METHODS.build(&section("edm-heun"))?;
    let mut rows = Vec::new();
    for (levels, deviation, error) in HEUN {
        let grid = Karras::new(7.0)?.grid(&edm, span, levels - 1)?;
        let (mean, spread) = Affine::of(problem, &*method, &grid)?.carry(law(&edm, span.end));
        // Euler's last step is the denoised point, affine with the gain 0.5²/(0.5² + σ²).
        let gain = 0.25 / (0.25 + span.start * span.start);
        let end = (1.0 + gain * (mean - 1.0), gain * spread);
        rows.push(near(format!("edm-heun, {levels} noise levels: mean"), 1.0, end.0, 1e-12));
        rows.push(near(format!("edm-heun, {levels} noise levels: deviation"), deviation, end.1, 5.01e-7));
        let tolerance = 0.5001 * 10f64.powf(error.log10().floor() - 3.0);
        let far = distance(end, (1.0, 0.5));
        rows.push(near(format!("edm-heun, {levels} noise levels: W₂"), error, far, tolerance));
    }
    Ok(rows)
}

fn ddim() -> Result<Vec<Row>> {
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0], 1.0)?);
    let (span, problem) = (vp.span(Use::Sampling), Problem { sde: &vp, model: &model });
    let method = METHODS.build(&section("ddim"))?;
    let one = |(steps, want): (usize, f64)| {
        let gain = Affine::of(problem, &*method, &UniformLogSnr.grid(&vp, span, steps)?)?.gain;
        Ok(near(format!("ddim on N(0, 1), {steps} steps: gain"), want, gain, 5.01e-10))
    };
    DDIM.into_iter().map(one).collect()
}

/// Mean and deviation at ε.
fn end(method: &str, grid: &dyn Spacing, steps: usize) -> Result<(f64, f64)> {
    let vp = Vp::default();
    let grid = grid.grid(&vp, vp.span(Use::Sampling), steps)?;
    Ok(propagate(&vp, &*METHODS.build(&section(method))?, &grid)?)
}
