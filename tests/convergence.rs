//! Orders and golden errors on Gaussian data, where nothing is sampled.

use tweedie_solvers::grid::{Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::method::{Ancestral, EulerMaruyama, Flow, Method, Order, ReverseDiffusion, RungeKutta};
use tweedie_solvers::sde::{LinearSde, Span, SubVp, Use, Ve, Vp, VpCosine};

use crate::support::{distance, law, propagate};

const STEPS: [usize; 7] = [8, 16, 32, 64, 128, 256, 512];

fn errors(sde: &dyn LinearSde, spacing: &dyn Spacing, method: &dyn Method, span: Span) -> Vec<f64> {
    let target = law(sde, span.start);
    let one = |&n: &usize| distance(propagate(sde, method, &spacing.grid(sde, span, n).unwrap()), target);
    STEPS.iter().map(one).collect()
}

/// VP, ε = 1e-3: the errors of published methods, computed twice outside this crate, to their four printed digits.
#[test]
fn golden_tables() {
    let vp = Vp::default();
    let span = vp.span(Use::Sampling);
    let (mean, deviation) = law(&vp, 1.0);
    assert!((mean - 0.006571586495).abs() < 1e-12 && (deviation - 0.9999838052).abs() < 5e-11);
    let (mean, deviation) = law(&vp, span.start);
    assert!((mean - 0.9999450265).abs() < 5e-11 && (deviation - 0.5000824512).abs() < 5e-11);
    let (em, ancestral) = (EulerMaruyama::default(), Ancestral);
    let (euler, heun, rk4) = (Flow(RungeKutta::EULER), Flow(RungeKutta::HEUN), Flow(RungeKutta::RK4));
    let table: [(&dyn Method, &dyn Spacing, [f64; 7]); 7] = [
        (&em, &UniformT, [1.391e-1, 4.951e-2, 2.282e-2, 1.109e-2, 5.480e-3, 2.726e-3, 1.359e-3]),
        (&em, &UniformLogSnr, [2.186e-1, 7.621e-2, 3.470e-2, 1.663e-2, 8.144e-3, 4.031e-3, 2.005e-3]),
        (&ancestral, &UniformT, [1.897e-1, 1.253e-1, 7.810e-2, 4.581e-2, 2.558e-2, 1.376e-2, 7.208e-3]),
        (&ancestral, &UniformLogSnr, [1.918e-1, 1.183e-1, 6.630e-2, 3.519e-2, 1.814e-2, 9.211e-3, 4.642e-3]),
        (&euler, &UniformT, [3.679e-2, 2.112e-2, 1.135e-2, 5.888e-3, 3.000e-3, 1.514e-3, 7.606e-4]),
        (&heun, &UniformT, [2.259e-2, 6.438e-3, 1.724e-3, 4.451e-4, 1.130e-4, 2.846e-5, 7.143e-6]),
        (&rk4, &UniformT, [5.732e-4, 2.432e-5, 1.295e-6, 7.557e-8, 4.574e-9, 2.816e-10, 1.747e-11]),
    ];
    for (method, spacing, golden) in table {
        for ((error, want), n) in errors(&vp, spacing, method, span).into_iter().zip(golden).zip(STEPS) {
            // Half a unit of the fourth digit, and the rounding of f64 for the smallest.
            let digit = 10f64.powf(want.log10().floor() - 3.0);
            assert!(
                (error - want).abs() <= 0.5001 * digit + 2e-14,
                "{method:?} {spacing:?} N = {n}: {error:e} {want:e}"
            );
        }
    }
}

/// Means and deviations themselves, not only their distance from the target.
#[test]
fn golden_moments() {
    let vp = Vp::default();
    let grid = |spacing: &dyn Spacing, n| spacing.grid(&vp, vp.span(Use::Sampling), n).unwrap();
    let (mean, deviation) = propagate(&vp, &EulerMaruyama::default(), &grid(&UniformT, 64));
    assert!((mean - 1.009163).abs() < 5e-7 && (deviation - 0.506244).abs() < 5e-7, "{mean} {deviation}");
    let (mean, deviation) = propagate(&vp, &Ancestral, &grid(&UniformLogSnr, 64));
    assert!((mean - 0.999945).abs() < 5e-7 && (deviation - 0.464893).abs() < 5e-7, "{mean} {deviation}");
}

/// DDIM with η = 1 and the posterior variance, written as DDIM writes it, is ancestral sampling: the identity of the two chains in
/// mean and deviation, on every SDE. x_s = α_s x̂₀ + √(σ_s² − κ²) ε̂ + κ z, κ = (σ_s/σ_t) √V.
#[test]
fn ancestral_is_ddim_with_full_noise() {
    let sdes: [Box<dyn LinearSde>; 4] = [
        Box::new(Vp::default()),
        Box::new(Ve::default()),
        Box::new(SubVp::default()),
        Box::new(VpCosine::default()),
    ];
    for sde in &sdes {
        let sde = &**sde;
        let grid = UniformLogSnr.grid(sde, sde.span(Use::Sampling), 24).unwrap();
        let (mut mean, mut deviation) = law(sde, grid.first());
        for step in grid.steps() {
            let (t, s) = (sde.kernel(step.from), sde.kernel(step.to));
            let total = t.deviation(0.5).powi(2);
            // x̂₀ = 1 + α_t 0.25 (x − α_t)/total,  ε̂ = σ_t (x − α_t)/total: both affine in x.
            let a = t.alpha / s.alpha;
            let kappa = s.sigma / t.sigma * (t.sigma.powi(2) - (a * s.sigma).powi(2)).sqrt();
            let noise = (s.sigma.powi(2) - kappa * kappa).sqrt();
            let gain = (s.alpha * t.alpha * 0.25 + noise * t.sigma) / total;
            mean = s.alpha + gain * (mean - t.alpha);
            deviation = (gain * deviation).hypot(kappa);
        }
        let (m, d) = propagate(sde, &Ancestral, &grid);
        assert!(
            (m - mean).abs() < 1e-10 && (d - deviation).abs() < 1e-10,
            "{sde:?}: {m} {mean}, {d} {deviation}"
        );
    }
}

/// Every method converges at the order that it declares, on two grids and three SDEs, with ε = 1e-2.
#[test]
fn orders_are_as_declared() {
    let (em, quiet) = (EulerMaruyama::default(), EulerMaruyama::new(0.5).unwrap());
    let (euler, heun, rk4) = (Flow(RungeKutta::EULER), Flow(RungeKutta::HEUN), Flow(RungeKutta::RK4));
    let methods: [&dyn Method; 7] = [&em, &quiet, &Ancestral, &ReverseDiffusion, &euler, &heun, &rk4];
    let sdes: [Box<dyn LinearSde>; 3] =
        [Box::new(Vp::default()), Box::new(Ve::new(0.01, 2.0, 1e-5).unwrap()), Box::new(SubVp::default())];
    for sde in &sdes {
        let span = Span { start: 1e-2, end: 1.0 };
        for spacing in [&UniformT as &dyn Spacing, &UniformLogSnr] {
            for method in methods {
                let (Order::Deterministic(order) | Order::Stochastic { weak: order, .. }) = method.order()
                else {
                    unreachable!()
                };
                let error = |n: usize| {
                    let grid = spacing.grid(&**sde, span, n).unwrap();
                    distance(propagate(&**sde, method, &grid), law(&**sde, span.start))
                };
                let n = if order == 4 { 256 } else { 1024 };
                let slope = (error(n) / error(2 * n)).log2();
                assert!(
                    (slope - f64::from(order)).abs() < 0.1,
                    "{method:?} on {sde:?}, {spacing:?}: {slope}"
                );
            }
        }
    }
}

/// f − ½ g² s = 0 for N(0, 1) under VP: the flow in t must not move it at all.
#[test]
fn the_flow_keeps_a_standard_normal() {
    use candle_core::{Device, Tensor};
    use tweedie_solvers::{dynamics::Problem, exact::Mixture, integrate::integrate, key::Key, noise::Stream};
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0], 1.0).unwrap());
    let x = Tensor::new(&[[0.3f64], [-2.0]], &Device::Cpu).unwrap();
    let grid = UniformT.grid(&vp, vp.span(Use::Sampling), 8).unwrap();
    for method in [RungeKutta::EULER, RungeKutta::HEUN, RungeKutta::RK4].map(Flow) {
        let mut stepper = method.stepper(Problem { sde: &vp, model: &model }).unwrap();
        let end =
            integrate(&mut *stepper, x.clone(), &grid, &Stream::new(&Key::root(0), 0), &mut ()).unwrap();
        let end: Vec<f64> = end.flatten_all().unwrap().to_vec1().unwrap();
        assert!((end[0] - 0.3).abs() < 1e-12 && (end[1] + 2.0).abs() < 1e-12);
    }
}
