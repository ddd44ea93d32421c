//! Identities between samplers on Gaussian data, where nothing is sampled.

use tweedie::verify::affine::{law, propagate};
use tweedie_solvers::grid::{Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::method::{Ancestral, Flow, Method, RungeKutta};
use tweedie_solvers::sde::{LinearSde, SubVp, Use, Ve, Vp, VpCosine};

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
        let (m, d) = propagate(sde, &Ancestral, &grid).unwrap();
        assert!(
            (m - mean).abs() < 1e-10 && (d - deviation).abs() < 1e-10,
            "{sde:?}: {m} {mean}, {d} {deviation}"
        );
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
