//! The same numbers on every device: what tensors give on the CPU, and on a CUDA card where there is one, beside the packed kernels of the
//! CPU or a closed form on the host.

use candle_core::{DType, Device, Tensor};
use tweedie::data::Data;
use tweedie::device::present;
use tweedie::net::{Mlp, MlpConfig, frozen};
use tweedie::points::Points;
use tweedie::recipe::{Section, named};
use tweedie::registry::{DATA, METHODS};
use tweedie::run::{Target, densities, draw};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{KernelSum, Level, Mixture};
use tweedie_solvers::grid::UniformLogSnr;
use tweedie_solvers::integrate::{Finish, sampling_grid};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::likelihood::{Divergence, Flow, Probe};
use tweedie_solvers::method::{Method, Rk45};
use tweedie_solvers::model::{ScoreModel, tensor};
use tweedie_solvers::noise::Driver;
use tweedie_solvers::sde::{LinearSde, Use, Vp};

/// A network as tensors of the device, in the form that is fast there, and packed for the CPU.
fn networks(device: &Device) -> (Mlp, [Box<dyn ScoreModel>; 2]) {
    let config = MlpConfig { width: 32, ..MlpConfig::reference(2) };
    let on = |device: &Device| {
        let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), device).unwrap();
        Mlp::new(config.clone(), &weights, &frequencies).unwrap()
    };
    (on(device), [device, &Device::Cpu].map(|device| frozen(on(device), device).unwrap()))
}

/// Wide enough that no method makes much of a rounding error.
fn mixture() -> Mixture {
    let means = vec![vec![-1.0, 0.3], vec![1.2, 0.0], vec![0.1, 2.0]];
    Mixture::isotropic(vec![0.5, 0.2, 0.3], means, 0.6).unwrap()
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest |a − b| over 1 + |b|.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1.0 + b.abs()));
    apart.fold(0.0, |most, d| if d.is_nan() { f64::INFINITY } else { f64::max(most, d) })
}

const KERNELS: [(f64, f64); 3] = [(1.0, 0.02), (0.7, 0.7), (0.01, 1.0)];

#[test]
fn networks_agree() {
    let x = Key::root(1).normals(0, 0, 100, 2);
    for device in present() {
        let (tensors, [fast, packed]) = networks(&device);
        for (alpha, sigma) in KERNELS {
            let at = [Kernel { alpha, sigma }];
            let ask = |model: &dyn ScoreModel, device: &Device| {
                let x = tensor(x.clone(), (100, 2), &Tensor::zeros(1, DType::F32, device).unwrap()).unwrap();
                let (value, slopes) = model.raw_jvp(&x, &[x.ones_like().unwrap()], &at).unwrap();
                let alone = model.raw(&x, &at).unwrap();
                [value, slopes[0].clone(), alone].map(|t| numbers(&t))
            };
            let there = ask(&*packed, &Device::Cpu);
            for here in [ask(&tensors, &device), ask(&*fast, &device)] {
                for (here, there) in here.iter().zip(&there) {
                    let apart = distance(here, there);
                    assert!(apart < 1e-5, "{device:?} σ = {sigma}: {apart}");
                }
            }
        }
    }
}

/// Of every registered data set but those that come from a file, at points of its noised law.
#[test]
fn exact_scores_agree() {
    let sets: Vec<(&str, Box<dyn Data>)> = DATA
        .entries()
        .filter_map(|e| Some((e.name, DATA.build(&Section::new("test", "data", named(e.name))).ok()?)))
        .collect();
    assert!(sets.len() > 10);
    for device in present() {
        for (name, data) in &sets {
            let (law, clean) = (data.exact().unwrap(), data.sample(&Key::root(1), 0, 100));
            let noise = Key::root(2).normals(0, 0, 100, 2);
            for (dtype, within) in [(DType::F32, 1e-5), (DType::F64, 1e-12)] {
                for (alpha, sigma) in KERNELS {
                    let at = Kernel { alpha, sigma };
                    let x = clean.values().iter().zip(&noise).map(|(x, z)| alpha * x + sigma * z).collect();
                    let x = tensor(x, (100, 2), &Tensor::zeros(1, dtype, &device).unwrap()).unwrap();
                    let host = numbers(&x).chunks(2).flat_map(|x| law.score(x, at)).collect::<Vec<_>>();
                    let host: Vec<f64> = host.into_iter().map(|score| -sigma * score).collect();
                    let apart = distance(&numbers(&law.raw(&x, &[at]).unwrap()), &host);
                    assert!(apart < within, "{device:?} {dtype:?} {name} σ = {sigma}: {apart}");
                }
            }
        }
    }
}

/// Every registered method, around networks as tensors and in the form that is fast on the device, and around exact scores, on the same points
/// of the prior and the same keyed noise. A rounding error can turn an accepted step of an adaptive one into a rejected one, which draws
/// other noise: those are compared in f64, where that is 1e9 times rarer. `adaptive-sde` with fresh noise: along a path its times depend on x and its
/// noise on the times, and a path is so rough that an error ε of a time becomes √ε of the noise, step after step.
#[test]
fn end_points_agree() {
    let (vp, mixture) = (Vp::default(), mixture());
    let centres = Level { from: 0.0, points: Key::root(2).normals(0, 0, 50, 2), weights: vec![1.0; 50] };
    let points = KernelSum::new(2, 0.6, vec![centres]).unwrap();
    for device in present() {
        let (tensors, [fast, packed]) = networks(&device);
        for entry in METHODS.entries() {
            let mut options = named(entry.name);
            if entry.name == "adaptive-sde" {
                options.insert("rejected".into(), "fresh".into());
            }
            let method: Box<dyn Method> = METHODS.build(&Section::new("test", "method", options)).unwrap();
            let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 12).unwrap();
            let ends = |model: &dyn ScoreModel, device: &Device, dtype| {
                let (finish, driver) = (Finish::Denoise, Driver::Independent);
                let problem = Problem { sde: &vp, model };
                let target = Target { problem, method: &*method, grid: &grid, finish, driver };
                draw(target, &Key::root(3), 300, None, (device, dtype)).unwrap().points.values().to_vec()
            };
            let check = |model: &str, here: &[f64], there: &[f64]| {
                let apart = distance(here, there);
                assert!(apart < 1e-4, "{device:?} {} {model}: {apart}", entry.name);
            };
            if method.adaptive() {
                let [here, there] = [&device, &Device::Cpu].map(|on| ends(&mixture, on, DType::F64));
                check("mixture", &here, &there);
                continue;
            }
            let there = ends(&*packed, &Device::Cpu, DType::F32);
            check("tensors", &ends(&tensors, &device, DType::F32), &there);
            check("network", &ends(&*fast, &device, DType::F32), &there);
            for (name, model) in [("mixture", &mixture as &dyn ScoreModel), ("points", &points)] {
                check(name, &ends(model, &device, DType::F32), &ends(model, &Device::Cpu, DType::F64));
            }
        }
    }
}

/// With the exact trace and with probes; densities in nats.
#[test]
fn likelihoods_agree() {
    let vp = Vp::default();
    let span = vp.span(Use::Likelihood);
    let grid = Grid::new(vec![span.end, span.start]).unwrap();
    let method = Rk45::new(1e-6, 1e-6).unwrap();
    let points = Points::new(2, Key::root(1).normals(0, 0, 20, 2));
    for device in present() {
        let (tensors, [_, packed]) = networks(&device);
        for divergence in [Divergence::Exact, Divergence::Hutchinson { probes: 2, law: Probe::Rademacher }] {
            let of = |model: &dyn ScoreModel, device: &Device| {
                let flow = Flow { problem: Problem { sde: &vp, model }, method: &method, grid: &grid };
                densities(flow, divergence, &points, None, &Key::root(1), device).unwrap().log_p
            };
            let pairs = of(&tensors, &device).into_iter().zip(of(&*packed, &Device::Cpu));
            for (here, there) in pairs {
                assert!((here - there).abs() < 1e-4, "{device:?} {divergence:?}: {here} {there}");
            }
        }
    }
}
