//! Identities between samplers on Gaussian data, where nothing is sampled.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use tweedie::verify::affine::{law, propagate};
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::integrate::{Finish, Sampler};
use tweedie_solvers::method::{Ancestral, Flow, Form, Method, RungeKutta, UniPc, Variant};
use tweedie_solvers::noise::{Brownian, Draw, Noise, Stream};
use tweedie_solvers::sde::{LinearSde, SubVp, Use, Ve, Vp, VpCosine};
use tweedie_solvers::{Key, Result};

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

/// End points of the authors' code (UniPC's uni_pc.py, 8 steps; SA-Solver's sa_solver.py at τ = 0, 10 steps, its last point neither corrected
/// nor denoised) with orders lowered towards the end, VP, equal steps of log-SNR from 1 to 1e-3, exact score of a mixture.
#[test]
fn lower_orders_at_the_end_are_the_authors() {
    let covs = [vec![vec![0.1, 0.03], vec![0.03, 0.2]], vec![vec![0.3, -0.05], vec![-0.05, 0.15]]];
    let model = Mixture::new(vec![0.6, 0.4], vec![vec![-1.0, 0.3], vec![1.2, -0.5]], &covs).unwrap();
    let unipc = |form, order, variant| UniPc::new(form, order, variant, true).unwrap();
    let sa = |few| UniPc::sa(3, 4, few, 0.0, (0.0, f64::INFINITY)).unwrap();
    let cases = [
        (
            unipc(Form::Data, 3, Variant::Bh2),
            8,
            [1.5118219957132866, -0.9611129377924637, -1.0624499858914394, 0.40754230209105785],
        ),
        (
            unipc(Form::Noise, 4, Variant::Bh1),
            8,
            [1.2782249508294397, -0.8490612018412916, -0.9224879395822918, 0.34648760439635795],
        ),
        (
            unipc(Form::Data, 3, Variant::VaryCoeff),
            8,
            [1.381868324044944, -0.898296349604134, -1.0105934183002414, 0.382456645927448],
        ),
        (sa(true), 10, [1.2558704019391214, -0.8659285292377408, -0.9278081493893335, 0.35351844763797885]),
        (sa(false), 10, [1.2662238263075727, -0.8652407240950707, -0.934588406152352, 0.3553046964781248]),
    ];
    let vp = Vp::default();
    for (method, steps, want) in cases {
        let method = method.lower_final(true);
        let grid = UniformLogSnr.grid(&vp, vp.span(Use::Sampling), steps).unwrap();
        let problem = Problem { sde: &vp, model: &model };
        let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
        let start = Tensor::new(&[[0.7, -1.1], [-0.4, 0.3]], &Device::Cpu).unwrap();
        let end = sampler.run(start, &Stream::new(&Key::root(0), 0), &mut ()).unwrap();
        let got: Vec<f64> = end.x.flatten_all().unwrap().to_vec1().unwrap();
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-11, "{method:?}: {got} {want}");
        }
    }
}

/// The last step of SA-Solver's rule for few steps has no noise, all others have.
#[test]
fn few_steps_end_without_noise() {
    let vp = Vp::default();
    let grid = UniformLogSnr.grid(&vp, vp.span(Use::Sampling), 5).unwrap();
    let model = Mixture::gaussian(vec![1.0], 0.5).unwrap();
    let problem = Problem { sde: &vp, model: &model };
    for (few, noisy) in [(true, 4), (false, 5)] {
        struct Asked(AtomicUsize);
        impl Noise for Asked {
            fn normal(&self, _: Step, _: Draw, like: &Tensor) -> Result<Tensor> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(like.ones_like()?)
            }
            fn path(&self, end: f64) -> Brownian {
                Brownian::new(&Key::root(0), 0, end)
            }
        }
        let method = UniPc::sa(2, 2, few, 1.0, (0.0, f64::INFINITY)).unwrap();
        let (asked, start) = (Asked(AtomicUsize::new(0)), Tensor::zeros((1, 1), DType::F64, &Device::Cpu));
        let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
        sampler.run(start.unwrap(), &asked, &mut ()).unwrap();
        assert_eq!(asked.0.into_inner(), noisy);
    }
}
