//! Exact p_t against the equations that it must solve, pointwise with numerical derivatives: the Fokker–Planck equation of the forward SDE,
//! the continuity equation of the flow, the Fokker–Planck equation of every reverse SDE. Then moments: reversed time returns the data's,
//! and SDE and flow share their law.

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::dynamics::{At, Ode, ProbabilityFlow, Problem, Reverse};
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::grid::{Spacing, UniformLogSnr};
use tweedie_solvers::integrate::{Finish, Sampler};
use tweedie_solvers::method::{EulerMaruyama, Flow, Method, RungeKutta};
use tweedie_solvers::sde::{LinearSde, Sde, Use};

use super::affine::{law, propagate};
use super::scores::skew;
use super::{Job, Row, near, sde, slope, zero};
use crate::error::Result;
use crate::registry::SDES;

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for name in SDES.names() {
        jobs.push(Box::new(move || equations(name)));
        jobs.push(Box::new(move || laws(name)));
    }
    for name in ["vp", "sub-vp", "ve"] {
        jobs.push(Box::new(move || reversed(name)));
    }
    jobs
}

/// What is known of p_t at a point: ∂ₜ log p, ∇log p, Δ log p.
struct Local {
    time: f64,
    score: Vec<f64>,
    laplacian: f64,
}

fn local(model: &Mixture, sde: &dyn LinearSde, x: &[f64], t: f64) -> Local {
    let at = sde.kernel(t);
    let width = at.deviation(0.5);
    let second = (0..2).map(|i| {
        let along = |value: f64| {
            let mut x = x.to_vec();
            x[i] = value;
            model.score(&x, at)[i]
        };
        slope(along, x[i], 1e-3 * width)
    });
    Local {
        time: slope(|t| model.log_density(x, sde.kernel(t)), t, 1e-3 * t),
        score: model.score(x, at),
        laplacian: second.sum(),
    }
}

/// v and ∇·v at points of the plane, from one call on the points and their shifts.
fn field(
    points: &[[f64; 2]],
    width: f64,
    v: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Vec<([f64; 2], f64)>> {
    let h = 1e-3 * width;
    // x, then x ± h and x ± h/2 along each axis.
    let moved = |p: &[f64; 2], axis: usize, by: f64| {
        let mut p = *p;
        p[axis] += by;
        p
    };
    let shifts = [h, -h, 0.5 * h, -0.5 * h];
    let all = points.iter().flat_map(|p| {
        let around = (0..2).flat_map(move |axis| shifts.map(|by| moved(p, axis, by)));
        std::iter::once(*p).chain(around)
    });
    let all: Vec<f64> = all.flatten().collect();
    let values = v(&Tensor::from_vec(all, (9 * points.len(), 2), &Device::Cpu)?)?;
    let values: Vec<f64> = values.flatten_all()?.to_vec1()?;
    let one = |v: &[f64]| {
        let along = |axis: usize| {
            let at = |k: usize| v[2 * (1 + 4 * axis + k) + axis];
            (4.0 * (at(2) - at(3)) / h - (at(0) - at(1)) / (2.0 * h)) / 3.0
        };
        ([v[0], v[1]], along(0) + along(1))
    };
    Ok(values.chunks(18).map(one).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Residuals at 30 points of p_t at each of six times, in units of g²/v + 1/t.
fn equations(name: &str) -> Result<Vec<Row>> {
    let (sde, model) = (sde(name)?, skew()?);
    let span = sde.span(Use::Sampling);
    let times = (0..6).map(|i| span.start * (0.95 * span.end / span.start).powf(0.1 + 0.18 * f64::from(i)));
    let mut residuals: [Vec<f64>; 5] = Default::default();
    for t in times {
        let (k, a, g2) = (sde.kernel(t), sde.rate(t), sde.diffusion(t).powi(2));
        let width = k.deviation(0.5);
        let noise = Key::root(6).normals(0, 0, 30, 2);
        let clean = model.sample(&Key::root(5), 0, 30);
        let x: Vec<f64> = clean.iter().zip(noise).map(|(x, z)| k.alpha * x + k.sigma * z).collect();
        let points: Vec<[f64; 2]> = x.chunks(2).map(|p| [p[0], p[1]]).collect();
        let here: Vec<Local> = points.iter().map(|p| local(&model, &*sde, p, t)).collect();
        let size = g2 / (width * width) + 1.0 / t;
        let problem = Problem { sde: &*sde, model: &model };
        // ∂p/∂t = −∇·(a x p) + ½ g² Δp, over p.
        residuals[0].extend(points.iter().zip(&here).map(|(x, l)| {
            let spread = l.laplacian + dot(&l.score, &l.score);
            (l.time + 2.0 * a + a * dot(x, &l.score) - 0.5 * g2 * spread) / size
        }));
        // ∂p/∂t = −∇·(v p).
        let flow = |x: &Tensor| Ok(ProbabilityFlow(problem).velocity(x, At::all(&[t]))?);
        for (l, (v, divergence)) in here.iter().zip(field(&points, width, flow)?) {
            residuals[1].push((l.time + divergence + dot(&v, &l.score)) / size);
        }
        // In reversed time −∂p/∂t = ∇·(b p) + ½ λ² g² Δp.
        for (i, lambda) in [0.0, 0.5, 1.0].into_iter().enumerate() {
            let reverse = Reverse { problem, lambda };
            let half = 0.5 * reverse.diffusion(t).powi(2);
            for (l, (b, divergence)) in here.iter().zip(field(&points, width, |x| Ok(reverse.drift(x, t)?))?)
            {
                let spread = l.laplacian + dot(&l.score, &l.score);
                residuals[2 + i].push((l.time + divergence + dot(&b, &l.score) + half * spread) / size);
            }
        }
    }
    let names = [
        "Fokker–Planck residual",
        "continuity of the flow",
        "Fokker–Planck residual reversed, λ = 0",
        "Fokker–Planck residual reversed, λ = 0.5",
        "Fokker–Planck residual reversed, λ = 1",
    ];
    Ok(names.into_iter().zip(residuals).map(|(what, r)| zero(format!("{name}: {what}"), r, 1e-7)).collect())
}

/// Reverse SDE and flow end with the same law on N(1, 0.5²), each extrapolated from 256 and 512 steps: mean and deviation.
fn laws(name: &str) -> Result<Vec<Row>> {
    let sde = sde(name)?;
    let span = sde.span(Use::Sampling);
    let ends = |method: &dyn Method, order: i32| -> Result<(f64, f64)> {
        let at = |n| propagate(&*sde, method, &UniformLogSnr.grid(&*sde, span, n)?);
        let ((m, s), (mean, deviation)) = (at(256)?, at(512)?);
        let more = 1.0 / (2f64.powi(order) - 1.0);
        Ok((mean + more * (mean - m), deviation + more * (deviation - s)))
    };
    let (target, flow) = (law(&*sde, span.start), ends(&Flow(RungeKutta::HEUN), 2)?);
    let mut rows = Vec::new();
    for lambda in [1.0, 0.5] {
        let got = ends(&EulerMaruyama::new(lambda)?, 1)?;
        rows.push(near(
            format!("{name}: mean of the reverse SDE, λ = {lambda}, and of the flow"),
            flow.0,
            got.0,
            2e-3,
        ));
        rows.push(near(
            format!("{name}: deviation of the reverse SDE, λ = {lambda}, and of the flow"),
            flow.1,
            got.1,
            2e-3,
        ));
    }
    rows.push(near(format!("{name}: deviation of the flow and of p"), target.1, flow.1, 1e-4));
    Ok(rows)
}

/// Anderson's reverse SDE from exact draws of p_T: 400 steps, 4000 samples of two skew modes, seed 0; means and second moments within five
/// standard errors and 0.01 for the steps: false-alarm rate below 1e-6 each.
fn reversed(name: &str) -> Result<Vec<Row>> {
    let (sde, model, n) = (sde(name)?, skew()?, 4000);
    let span = sde.span(Use::Sampling);
    let grid = UniformLogSnr.grid(&*sde, span, 400)?;
    let (key, top) = (Key::root(0), sde.kernel(span.end));
    let clean = model.sample(&key.branch("clean"), 0, n);
    let start: Vec<f64> = clean
        .iter()
        .zip(key.branch("start").normals(0, 0, n, 2))
        .map(|(x, z)| top.alpha * x + top.sigma * z)
        .collect();
    let method = EulerMaruyama::default();
    let problem = Problem { sde: &*sde, model: &model };
    let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
    let x = Tensor::from_vec(start, (n, 2), &Device::Cpu)?.to_dtype(DType::F64)?;
    let end = sampler.run(x, &tweedie_solvers::noise::Stream::new(&key, 0), &mut ())?.x;
    let end: Vec<f64> = end.flatten_all()?.to_vec1()?;
    let k = sde.kernel(span.start);
    // Moments of p₀: ¾ N((1, 0), Σ₁) + ¼ N((−1, 2), Σ₂).
    let wanted: [(&str, &[usize], f64); 5] = [
        ("E x₁", &[0], 0.5),
        ("E x₂", &[1], 0.5),
        ("E x₁²", &[0, 0], 0.75 * 1.5 + 0.25 * 1.2),
        ("E x₂²", &[1, 1], 0.75 * 0.3 + 0.25 * 4.4),
        ("E x₁x₂", &[0, 1], 0.75 * 0.2 - 0.25 * 2.0),
    ];
    let row = |(what, axes, clean): (&str, &[usize], f64)| {
        let values: Vec<f64> = end.chunks(2).map(|x| axes.iter().map(|&i| x[i]).product()).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v: &f64| (v - mean).powi(2)).sum::<f64>() / n as f64;
        let noise = if matches!(axes, [i, j] if i == j) { k.sigma * k.sigma } else { 0.0 };
        let want = k.alpha.powi(axes.len() as i32) * clean + noise;
        near(format!("{name} reversed: {what}"), want, mean, 5.0 * (variance / n as f64).sqrt() + 0.01)
    };
    Ok(wanted.into_iter().map(row).collect())
}
