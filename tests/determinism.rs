//! The same numbers whatever the batch, the threads, or an interruption.

use std::sync::atomic::Ordering;

use candle_core::{DType, Device, Tensor};
use tweedie::data::{Data, Standardise};
use tweedie::net::{Mlp, MlpConfig, Prediction};
use tweedie::recipe::{Recipe, Section, named};
use tweedie::registry::{METHODS, SDES};
use tweedie::run::{INTERRUPTED, Target, draw};
use tweedie::train::{Checkpoint, Trainer};
use tweedie_solvers::Key;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Exact;
use tweedie_solvers::grid::UniformLogSnr;
use tweedie_solvers::integrate::{Finish, integrate, sampling_grid};
use tweedie_solvers::method::{AnnealedLangevin, Langevin, Method, PredictorCorrector, Rule};
use tweedie_solvers::noise::{Driver, Stream};
use tweedie_solvers::sde::{LinearSde, Vp};

fn fresh(config: &MlpConfig) -> Mlp {
    let (weights, frequencies) = Mlp::fresh(config, &Key::root(8), &Device::Cpu).unwrap();
    Mlp::new(config.clone(), &weights, &frequencies).unwrap()
}

fn method(name: &str) -> Box<dyn Method> {
    METHODS.build(&Section::new("test", "method", named(name))).unwrap()
}

/// Every registered method on a network: the first 30 of 260 samples are the 30 of 30, bit for bit; 260 is more than one piece.
#[test]
fn samples_do_not_depend_on_how_many_are_drawn() {
    let config = MlpConfig { width: 32, ..MlpConfig::reference(2) };
    let (net, vp) = (fresh(&config), Vp::default());
    for entry in METHODS.entries() {
        let method = method(entry.name);
        assert!(!method.couples_batch(), "{}: by default no sample depends on another", entry.name);
        // ode_solvers asks the network row by row: fewer samples, the same proof.
        let (few, many) = if entry.name.starts_with("dop") { (3, 7) } else { (30, 260) };
        let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 6).unwrap();
        let problem = Problem { sde: &vp, model: &net };
        let run = |n, driver| {
            let target = Target { problem, method: &*method, grid: &grid, finish: Finish::Denoise, driver };
            draw(target, &Key::root(3), n, None, (&Device::Cpu, DType::F32)).unwrap().points
        };
        for driver in [Driver::Independent, Driver::Brownian] {
            assert_eq!(run(many, driver).slice(0, few), run(few, driver), "{} {driver:?}", entry.name);
            assert!(run(few, driver).values().iter().all(|v| v.is_finite()));
        }
    }
}

/// Counted evaluations are the declared ones, on every registered method of fixed steps.
#[test]
fn evaluations_are_as_declared() {
    let (model, vp) = (tweedie::verify::affine::gaussian().unwrap(), Vp::default());
    for entry in METHODS.entries() {
        let method = method(entry.name);
        let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 9).unwrap();
        let target = Target {
            problem: Problem { sde: &vp, model: &model },
            method: &*method,
            grid: &grid,
            finish: Finish::Stop,
            driver: Driver::Independent,
        };
        let drawn = draw(target, &Key::root(3), 5, None, (&Device::Cpu, DType::F64)).unwrap();
        match method.evals(9) {
            Some(declared) => assert_eq!(drawn.evals, declared as f64, "{}", entry.name),
            None => assert!(drawn.evals > 6.0 && method.adaptive(), "{}", entry.name),
        }
    }
    // The grid of a sampler ends where sampling ends, not where likelihoods do.
    let grid = sampling_grid(&vp, &UniformLogSnr, &*method("heun"), 4).unwrap();
    assert_eq!((grid.first(), grid.last()), (1.0, 1e-3));
    let langevin = Langevin::new(Rule::Fixed(0.01), 3).unwrap();
    let pc = PredictorCorrector::new(method("ancestral"), langevin).unwrap();
    let annealed = AnnealedLangevin(langevin);
    for (method, declared) in [(&pc as &dyn Method, 16), (&annealed, 12)] {
        let problem = Problem { sde: &vp, model: &model };
        let drawn = draw(
            Target { problem, method, grid: &grid, finish: Finish::Stop, driver: Driver::Independent },
            &Key::root(3),
            5,
            None,
            (&Device::Cpu, DType::F64),
        );
        assert_eq!((method.evals(4), drawn.unwrap().evals), (Some(declared), declared as f64), "{method:?}");
    }
    let pc = method("predictor-corrector");
    assert_eq!(
        (pc.evals(10), method("heun").evals(10), method("rk4").evals(10)),
        (Some(20), Some(20), Some(40))
    );
}

/// Every method on every SDE carries N(1, 0.5²) home: mean and deviation of 4000 samples within 5 standard errors and the
/// method's own error at 200 steps, which is bounded by 0.03 (annealed Langevin alone needs more, so 0.2).
#[test]
fn every_method_works_on_every_sde() {
    let model = tweedie::verify::affine::gaussian().unwrap();
    for sde in SDES.entries() {
        let name = sde.name;
        let sde = SDES.build(&Section::new("test", "sde", named(name))).unwrap();
        for entry in METHODS.entries() {
            let mut options = named(entry.name);
            if ["dpm-adaptive", "adaptive-sde"].contains(&entry.name) {
                // The published tolerances are a share of |x|, which under VE is the noise's 50 and not the data's 1.
                options.insert("rtol".into(), toml::Value::Float(1e-3));
            }
            let method = METHODS.build(&Section::new("test", "method", options)).unwrap();
            let steps = if entry.name == "langevin" { 1000 } else { 200 };
            let slow = entry.name.starts_with("dop") || entry.name == "adaptive-sde";
            let n = if slow { 300 } else { 4000 };
            let grid = sampling_grid(&*sde, &UniformLogSnr, &*method, steps).unwrap();
            let problem = Problem { sde: &*sde, model: &model };
            let target = Target {
                problem,
                method: &*method,
                grid: &grid,
                finish: Finish::Stop,
                driver: Driver::Independent,
            };
            let drawn = draw(target, &Key::root(1), n, None, (&Device::Cpu, DType::F64)).unwrap();
            let x = drawn.points.values();
            let mean = x.iter().sum::<f64>() / n as f64;
            let spread = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
            let bound = 2.5 / (n as f64).sqrt() + if entry.name == "langevin" { 0.2 } else { 0.03 };
            let wanted = tweedie::verify::affine::law(&*sde, grid.last());
            assert!((mean - wanted.0).abs() < bound, "{} on {name}: mean {mean}", entry.name);
            assert!((spread - wanted.1).abs() < bound, "{} on {name}: deviation {spread}", entry.name);
        }
    }
}

fn recipe(extra: &str) -> Recipe {
    let text = format!(
        "data = \"eight-gaussians\"\nfigures = false\n{extra}\n[model]\nwidth = 16\ndepth = 1\nembedding = 8\n[train]\nsteps = 12\nbatch = 32\nwarmup = 3\n"
    );
    Recipe::build("t".into(), "t.toml", text.parse().unwrap()).unwrap()
}

fn trained(recipe: &Recipe, steps: u64, from: Option<&Checkpoint>) -> Checkpoint {
    let config = recipe.network(2, 2.0).unwrap().unwrap();
    let mut trainer = match from {
        Some(checkpoint) => Trainer::resume(checkpoint, &Device::Cpu).unwrap(),
        None => Trainer::new(recipe.train.clone(), config, &Device::Cpu).unwrap(),
    };
    while trainer.updates() < steps {
        trainer.step(&*recipe.data[0].0.it, None, &*recipe.sdes[0].it).unwrap();
    }
    trainer.checkpoint(None).unwrap()
}

fn bits(checkpoint: &Checkpoint) -> Vec<u32> {
    let all = [&checkpoint.weights, &checkpoint.average, &checkpoint.first, &checkpoint.second];
    let values = all.into_iter().flatten().flat_map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    values.map(f32::to_bits).collect()
}

/// Twelve steps at once, and five, a checkpoint on disk, and seven: the same bits in weights, averages and moments.
#[test]
fn resumed_training_is_uninterrupted_training() {
    let (recipe, dir) = (recipe(""), tempfile::tempdir().unwrap());
    let whole = trained(&recipe, 12, None);
    trained(&recipe, 5, None).save(dir.path()).unwrap();
    let half = Checkpoint::load(dir.path()).unwrap();
    assert_eq!(half.step, 5);
    let resumed = trained(&recipe, 12, Some(&half));
    assert_eq!(bits(&resumed), bits(&whole));
    assert_ne!(bits(&half), bits(&whole));
}

/// Every weight of every kind of network, under every weighting and law of times, gets a gradient that is not zero.
#[test]
fn every_weight_gets_a_gradient() {
    for (prediction, _) in Prediction::NAMES {
        for (weighting, times) in [("noise", "uniform"), ("likelihood", "importance"), ("edm", "log-normal")]
        {
            let text = format!(
                "[model]\nprediction = \"{prediction}\"\n[train]\nbatch = 64\nweighting = \"{weighting}\"\ntimes = \"{times}\""
            );
            let recipe = Recipe::build("t".into(), "t.toml", text.parse().unwrap()).unwrap();
            let config = recipe.network(2, 1.0).unwrap().unwrap();
            let trainer = Trainer::new(recipe.train.clone(), config.clone(), &Device::Cpu).unwrap();
            let (gradients, loss) =
                trainer.gradient(&*recipe.data[0].0.it, None, &*recipe.sdes[0].it).unwrap();
            assert!(loss.is_finite() && gradients.len() == config.layout().len());
            for (gradient, (name, _)) in gradients.iter().zip(config.layout()) {
                let zeros = gradient
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap()
                    .iter()
                    .filter(|g| **g == 0.0)
                    .count();
                assert_eq!(zeros, 0, "{prediction} {weighting}: {name}");
            }
        }
    }
}

/// The loss of a zero network is what the identities say: 1 per dimension for the noise; and the gradient falls in the right
/// direction: 150 steps take a quarter off the loss of a noise network.
#[test]
fn training_lowers_the_loss() {
    let text = "data = \"two-moons\"\n[model]\nprediction = \"noise\"\nwidth = 64\n[train]\nsteps = 150\nbatch = 256\nwarmup = 10";
    let recipe = Recipe::build("t".into(), "t.toml", text.parse().unwrap()).unwrap();
    let config = recipe.network(2, 0.7).unwrap().unwrap();
    let mut trainer = Trainer::new(recipe.train.clone(), config, &Device::Cpu).unwrap();
    let losses: Vec<f64> =
        (0..150).map(|_| trainer.step(&*recipe.data[0].0.it, None, &*recipe.sdes[0].it).unwrap()).collect();
    let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
    assert!(
        mean(&losses[130..]) < 0.75 * mean(&losses[..3]),
        "{} {}",
        mean(&losses[..3]),
        mean(&losses[130..])
    );
}

/// With trainable weights nothing of the run stays behind: the result carries no graph, after two steps or two hundred.
#[test]
fn sampling_leaves_no_graph() {
    let config = MlpConfig { width: 16, depth: 1, ..MlpConfig::reference(2) };
    let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &Device::Cpu).unwrap();
    let weights: Vec<Tensor> =
        weights.iter().map(|w| candle_core::Var::from_tensor(w).unwrap().as_tensor().clone()).collect();
    let net = Mlp::new(config, &weights, &frequencies).unwrap();
    let vp = Vp::default();
    let x = Tensor::ones((4, 2), DType::F32, &Device::Cpu).unwrap();
    for name in ["euler-maruyama", "predictor-corrector", "heun", "rk45"] {
        let method = method(name);
        let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 20).unwrap();
        let problem = Problem { sde: &vp, model: &net };
        let mut largest = false;
        let mut watch = Tracked(&mut largest);
        let mut stepper = method.stepper(problem).unwrap();
        let end =
            integrate(&mut *stepper, x.clone(), &grid, &Stream::new(&Key::root(0), 0), &mut watch).unwrap();
        assert!(!end.track_op() && !largest, "{name}");
    }
}

struct Tracked<'a>(&'a mut bool);

impl tweedie_solvers::observe::Observer for Tracked<'_> {
    fn observe(
        &mut self,
        at: &tweedie_solvers::observe::Moment<'_>,
    ) -> tweedie_solvers::Result<std::ops::ControlFlow<()>> {
        *self.0 |= at.x.track_op();
        Ok(std::ops::ControlFlow::Continue(()))
    }
}

/// Standardised data: samples and log-densities come back in the user's coordinates.
#[test]
fn coordinates_are_undone() {
    let data = tweedie::data::GaussianMixture(
        tweedie_solvers::exact::Mixture::new(
            vec![1.0],
            vec![vec![5.0, -3.0]],
            &[vec![vec![4.0, 0.0], vec![0.0, 0.25]]],
        )
        .unwrap(),
    );
    let points = data.sample(&Key::root(0), 0, 50_000);
    let map = Standardise::fit(&points).unwrap();
    assert!(
        (map.deviation[0] - 2.0).abs() < 0.05
            && (map.deviation[1] - 0.5).abs() < 0.02
            && (map.mean[1] + 3.0).abs() < 0.02
    );
    // The standardised law is N(0, I); its density through the flow, carried back, is the data's.
    let (vp, normal) =
        (Vp::default(), tweedie_solvers::exact::Mixture::gaussian(vec![0.0, 0.0], 1.0).unwrap());
    let grid = tweedie_solvers::clock::Grid::new(vec![1.0, 1e-5]).unwrap();
    let rk45 = tweedie_solvers::method::Rk45::new(1e-8, 1e-8).unwrap();
    let flow = tweedie_solvers::likelihood::Flow {
        problem: Problem { sde: &vp, model: &normal },
        method: &rk45,
        grid: &grid,
    };
    let found = tweedie::run::densities(
        flow,
        tweedie_solvers::likelihood::Divergence::Exact,
        &points.slice(0, 5),
        Some(&map),
        &Key::root(0),
        &Device::Cpu,
    )
    .unwrap();
    let at = vp.kernel(0.0);
    for (i, log_p) in found.log_p.iter().enumerate() {
        let want = data.mixture().unwrap().log_density(points.row(i), at);
        assert!((log_p - want).abs() < 0.1, "{log_p} {want}");
    }
    assert!(!INTERRUPTED.load(Ordering::Relaxed));
}
