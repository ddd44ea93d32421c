//! The probability flow on exact scores: log-densities against the law's own with the prior's mismatch taken apart, the way to the prior
//! and back, and the variance of Hutchinson's estimate against its closed form.

use candle_core::{Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::likelihood::{Divergence, Flow, Probe};
use tweedie_solvers::method::{Rk45, RungeKutta};
use tweedie_solvers::sde::{LinearSde, Sde, Use, Ve};

use super::scores::skew;
use super::{Job, Row, near, sde, zero};
use crate::error::Result;

const POINTS: usize = 1000;

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = vec![Box::new(hutchinson)];
    for name in ["vp", "sub-vp", "ve", "vp-cosine", "edm"] {
        jobs.push(Box::new(move || density(name)));
    }
    jobs
}

/// 1000 points of two skew modes at rtol 1e-8, exact trace.
fn density(name: &str) -> Result<Vec<Row>> {
    let (sde, model) = (sde(name)?, skew()?);
    let span = sde.span(Use::Likelihood);
    let ends = Grid::new(vec![span.end, span.start])?;
    let method = Rk45::new(1e-8, 1e-8)?;
    let flow = Flow { problem: Problem { sde: &*sde, model: &model }, method: &method, grid: &ends };
    let points = model.sample(&Key::root(1), 0, POINTS);
    let x = Tensor::from_vec(points.clone(), (POINTS, 2), &Device::Cpu)?;
    let found = flow.log_density(&x, Divergence::Exact, &Key::root(0), 0)?;
    let latent: Vec<f64> = found.latent.flatten_all()?.to_vec1()?;
    let (at, end) = (sde.kernel(span.start), sde.kernel(span.end));
    let mut gaps = Vec::new();
    let mut mismatch = 0.0;
    for ((x, z), log_p) in points.chunks(2).zip(latent.chunks(2)).zip(&found.log_p) {
        let apart = log_prior(z, end.sigma) - model.log_density(z, end);
        mismatch += apart / POINTS as f64;
        gaps.push(log_p - apart - model.log_density(x, at));
    }
    let back: Vec<f64> = flow.decode(&found.latent)?.flatten_all()?.to_vec1()?;
    let divergence = prior_divergence(&model, &*sde, span.end);
    // The mean of log π − log p_T over p_T is −KL(p_T‖π); its variance is 2 KL for a small KL: 5 standard errors.
    let five = 5.0 * (2.0 * divergence / POINTS as f64).sqrt() + 1e-9;
    Ok(vec![
        zero(format!("{name}: log p of the flow less the prior's mismatch, {POINTS} points"), gaps, 1e-5),
        near(format!("{name}: mean mismatch of the prior, −KL(p_T‖π) in nats"), -divergence, mismatch, five),
        zero(format!("{name}: to the prior and back"), back.iter().zip(&points).map(|(a, b)| a - b), 1e-5),
    ])
}

/// log N(z; 0, σ² I).
fn log_prior(z: &[f64], sigma: f64) -> f64 {
    z.iter().map(|v| -0.5 * (v / sigma).powi(2) - sigma.ln() - 0.5 * std::f64::consts::TAU.ln()).sum()
}

/// KL(p_T‖N(0, σ_T² I)) in the plane by the midpoint rule with steps σ/4 to 9σ from the origin.
fn prior_divergence(model: &Mixture, sde: &dyn LinearSde, t: f64) -> f64 {
    let k = sde.kernel(t);
    let h = 0.25 * k.sigma;
    let node = |i: i32| (f64::from(i) + 0.5) * h;
    let cells = (-36..36).flat_map(|i| (-36..36).map(move |j| [node(i), node(j)]));
    let term = |x: [f64; 2]| {
        let log_p = model.log_density(&x, k);
        log_p.exp() * (log_p - log_prior(&x, k.sigma)) * h * h
    };
    cells.map(term).sum()
}

/// One short Euler step on N(0, Q diag(4, ¼) Qᵀ) under VE: the flow's Jacobian J is symmetric and known. One probe has variance
/// 2 Σ_{i≠j} J_ij² = 4 J₁₂² (Rademacher) or 2 ‖J‖_F² (Gaussian). 40 000 probes, seed 5; five standard errors of the standard error.
fn hutchinson() -> Result<Vec<Row>> {
    let (c, s) = (0.8, 0.6);
    let cov =
        vec![vec![4.0 * c * c + 0.25 * s * s, 3.75 * c * s], vec![3.75 * c * s, 4.0 * s * s + 0.25 * c * c]];
    let model = Mixture::new(vec![1.0], vec![vec![0.0, 0.0]], &[cov])?;
    let ve = Ve::default();
    let (from, to, probes) = (0.9, 0.90001, 40_000);
    let (k, g) = (ve.kernel(from), ve.diffusion(from));
    let [p, q] = [4.0, 0.25].map(|v| 0.5 * g * g / (v + k.sigma * k.sigma));
    let j = [p * c * c + q * s * s, (p - q) * c * s, (p - q) * c * s, p * s * s + q * c * c];
    let grid = Grid::new(vec![from, to])?;
    let flow = Flow { problem: Problem { sde: &ve, model: &model }, method: &RungeKutta::EULER, grid: &grid };
    let x = Tensor::from_vec(vec![0.5, -0.2], (1, 2), &Device::Cpu)?;
    let exact = flow.log_density(&x, Divergence::Exact, &Key::root(0), 0)?.log_p[0];
    let (h, n) = (to - from, f64::from(probes));
    let mut rows = Vec::new();
    let laws = [
        ("Rademacher", Probe::Rademacher, 4.0 * j[1] * j[1], 1.0),
        ("Gaussian", Probe::Gaussian, 2.0 * j.iter().map(|v| v * v).sum::<f64>(), 12.0),
    ];
    for (name, law, variance, kurtosis) in laws {
        let found =
            flow.log_density(&x, Divergence::Hutchinson { probes: probes as usize, law }, &Key::root(5), 0)?;
        let wanted: f64 = (variance / n).sqrt();
        let error = found.standard_error.and_then(|e| e[0]).map_or(f64::NAN, |e| e / h);
        let tolerance = wanted * (2.5 * f64::sqrt(kurtosis / n) + 1e-3);
        rows.push(near(format!("Hutchinson, {name}: standard error"), wanted, error, tolerance));
        rows.push(near(
            format!("Hutchinson, {name}: mean error"),
            0.0,
            (found.log_p[0] - exact) / h,
            5.0 * wanted,
        ));
    }
    Ok(rows)
}
