//! The same numbers whatever the batch, the threads, or an interruption.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use tweedie::data::{Data, Standardise};
use tweedie::net::{Mlp, MlpConfig, Prediction, frozen};
use tweedie::points::Points;
use tweedie::recipe::{Recipe, Section, named};
use tweedie::registry::{DATA, METHODS, SDES};
use tweedie::run::{INTERRUPTED, densities, draw};
use tweedie::train::{Checkpoint, Trainer};
use tweedie_solvers::Key;
use tweedie_solvers::blocks::Blocks;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::grid::UniformLogSnr;
use tweedie_solvers::integrate::{Finish, integrate, sampling_grid};
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::method::{AnnealedLangevin, Langevin, Method, PredictorCorrector, Rk45, Rule};
use tweedie_solvers::model::ScoreModel;
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
            let target = tweedie::run::Target {
                problem,
                method: &*method,
                grid: &grid,
                finish: Finish::Denoise,
                driver,
            };
            draw(target, &Key::root(3), n, None, (&Device::Cpu, DType::F32)).unwrap().points
        };
        for driver in [Driver::Independent, Driver::Brownian] {
            assert_eq!(run(many, driver).slice(0, few), run(few, driver), "{} {driver:?}", entry.name);
            assert!(run(few, driver).values().iter().all(|v| v.is_finite()));
        }
    }
}

/// Counts the rows that it is asked about.
struct Rows<'a>(&'a dyn ScoreModel, AtomicUsize);

impl ScoreModel for Rows<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn target(&self) -> Target {
        self.0.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> tweedie_solvers::Result<Tensor> {
        self.1.fetch_add(x.dim(0)?, Ordering::Relaxed);
        self.0.raw(x, at)
    }

    fn raw_jvp(
        &self,
        x: &Tensor,
        tangents: &[Tensor],
        at: &[Kernel],
    ) -> tweedie_solvers::Result<(Tensor, Vec<Tensor>)> {
        self.1.fetch_add(x.dim(0)? * (1 + tangents.len()), Ordering::Relaxed);
        self.0.raw_jvp(x, tangents, at)
    }

    fn rows_apart(&self) -> bool {
        self.0.rows_apart()
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.0.rounding(dtype)
    }
}

/// A network packed for the CPU, Gaussians with axes and without, a curve of several levels, and boxes.
fn models() -> Vec<(&'static str, Box<dyn ScoreModel>)> {
    let config = MlpConfig { width: 32, ..MlpConfig::reference(2) };
    let exact = |name: &str| -> Box<dyn ScoreModel> {
        DATA.build(&Section::new("test", "data", named(name))).unwrap().exact().unwrap()
    };
    let covs = [vec![vec![0.3, 0.1], vec![0.1, 0.2]], vec![vec![0.05, 0.0], vec![0.0, 0.3]]];
    let turned = Mixture::new(vec![0.3, 0.7], vec![vec![-1.0, 0.3], vec![1.2, 0.0]], &covs).unwrap();
    vec![
        ("network", frozen(fresh(&config), &Device::Cpu).unwrap()),
        ("turned", Box::new(turned)),
        ("eight-gaussians", exact("eight-gaussians")),
        ("two-moons", exact("two-moons")),
        ("checkerboard", exact("checkerboard")),
    ]
}

/// Around every kind of model, in both dtypes: the first samples are the same bits whether 1, 30 or 260 are drawn, and so are log-densities; and no
/// row is computed that nobody asked for. Adaptive methods are the hard ones: their batches end as one row.
#[test]
fn rows_are_alone_around_every_model() {
    let vp = Vp::default();
    for (kind, model) in models() {
        for name in ["rk45", "dpm-adaptive", "adaptive-sde", "dopri5", "euler-maruyama", "unipc"] {
            let method = method(name);
            let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 6).unwrap();
            for dtype in [DType::F32, DType::F64] {
                let draw = |count: usize| {
                    let counted = Rows(&*model, AtomicUsize::new(0));
                    let problem = Problem { sde: &vp, model: &counted };
                    let (finish, driver) = (Finish::Denoise, Driver::Independent);
                    let target =
                        tweedie::run::Target { problem, method: &*method, grid: &grid, finish, driver };
                    let drawn = draw(target, &Key::root(3), count, None, (&Device::Cpu, dtype)).unwrap();
                    let asked = counted.1.into_inner() as f64;
                    assert!(
                        (asked - drawn.evals * count as f64).abs() < 1e-6 * asked,
                        "{kind} {name} {count}"
                    );
                    drawn.points
                };
                let many = if name == "dopri5" { 7 } else { 260 };
                let all = draw(many);
                for few in [1, many.min(30)] {
                    assert_eq!(draw(few), all.slice(0, few), "{kind} {name} {dtype:?} {few}");
                }
            }
        }
        let points = Points::new(2, Key::root(1).normals(0, 0, 260, 2));
        let grid = tweedie_solvers::clock::Grid::new(vec![1.0, 1e-4]).unwrap();
        let method = Rk45::new(1e-4, 1e-4).unwrap();
        let flow = Flow { problem: Problem { sde: &vp, model: &*model }, method: &method, grid: &grid };
        let of = |count| {
            let points = points.slice(0, count);
            densities(flow, Divergence::Exact, &points, None, &Key::root(0), &Device::Cpu).unwrap().log_p
        };
        let all = of(260);
        assert_eq!((of(1), of(30)), (all[..1].to_vec(), all[..30].to_vec()), "{kind}");
    }
}

/// Blocks are the model, whatever their height: values and derivatives, with one kernel and one for each row; and a network of candle's products
/// has rows that are alone in them.
#[test]
fn blocks_are_their_model() {
    let config = MlpConfig { width: 32, ..MlpConfig::reference(2) };
    let (net, (_, turned)) = (fresh(&config), models().remove(1));
    let at: Vec<Kernel> = (1..=37).map(|i| Kernel { alpha: 0.9, sigma: 0.1 * f64::from(i) }).collect();
    let x = Tensor::from_vec(Key::root(1).normals(0, 0, 37, 2), (37, 2), &Device::Cpu).unwrap();
    let u = [x.sin().unwrap()];
    let numbers = |x: &Tensor| -> Vec<f64> { x.flatten_all().unwrap().to_vec1().unwrap() };
    for own in [&at[..1], &at[..]] {
        let (want, slopes) = turned.raw_jvp(&x, &u, own).unwrap();
        for height in [1, 16, 50] {
            let blocks = Blocks::new(&*turned, height).unwrap();
            let (got, moved) = blocks.raw_jvp(&x, &u, own).unwrap();
            assert_eq!((numbers(&got), numbers(&moved[0])), (numbers(&want), numbers(&slopes[0])));
            assert_eq!(numbers(&blocks.raw(&x, own).unwrap()), numbers(&want));
        }
        let blocks = Blocks::new(&net, 16).unwrap();
        let all = numbers(&blocks.raw(&x, own).unwrap());
        for (row, values) in all.chunks(2).enumerate() {
            let kernel = own[row.min(own.len() - 1)];
            let alone = blocks.raw(&x.narrow(0, row, 1).unwrap(), &[kernel]).unwrap();
            assert_eq!(numbers(&alone), values);
        }
    }
    assert!(Blocks::new(&net, 0).is_err());
}

/// A tolerance far below what f32 holds fails on no row, asked for or not: 249 others used to be computed beside one.
#[test]
fn one_sample_is_one_sample() {
    let (model, vp) = (tweedie::verify::affine::gaussian().unwrap(), Vp::default());
    let mut options = named("rk45");
    options.extend([("rtol".to_owned(), 3e-13.into()), ("atol".to_owned(), 3e-13.into())]);
    let method = METHODS.build(&Section::new("test", "method", options)).unwrap();
    let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 1).unwrap();
    let counted = Rows(&model, AtomicUsize::new(0));
    let problem = Problem { sde: &vp, model: &counted };
    let (finish, driver) = (Finish::Stop, Driver::Independent);
    let target = tweedie::run::Target { problem, method: &*method, grid: &grid, finish, driver };
    let drawn = draw(target, &Key::root(0), 1, None, (&Device::Cpu, DType::F32)).unwrap();
    assert!(drawn.diverged.is_none() && drawn.evals == counted.1.into_inner() as f64);
    assert!(drawn.evals < 1000.0, "{}", drawn.evals);
}

/// Counted evaluations are the declared ones, on every registered method of fixed steps.
#[test]
fn evaluations_are_as_declared() {
    let (model, vp) = (tweedie::verify::affine::gaussian().unwrap(), Vp::default());
    for entry in METHODS.entries() {
        let method = method(entry.name);
        let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 9).unwrap();
        let target = tweedie::run::Target {
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
            tweedie::run::Target {
                problem,
                method,
                grid: &grid,
                finish: Finish::Stop,
                driver: Driver::Independent,
            },
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
            let target = tweedie::run::Target {
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

/// Asks whether what it is asked about carries a graph.
struct Watched {
    net: Mlp,
    tracked: AtomicBool,
}

impl ScoreModel for Watched {
    fn dim(&self) -> usize {
        self.net.dim()
    }

    fn target(&self) -> Target {
        self.net.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> tweedie_solvers::Result<Tensor> {
        self.tracked.fetch_or(x.track_op(), Ordering::Relaxed);
        self.net.raw(x, at)
    }

    fn raw_jvp(
        &self,
        x: &Tensor,
        tangents: &[Tensor],
        at: &[Kernel],
    ) -> tweedie_solvers::Result<(Tensor, Vec<Tensor>)> {
        self.tracked.fetch_or(x.track_op(), Ordering::Relaxed);
        self.net.raw_jvp(x, tangents, at)
    }
}

/// With trainable weights no method leaves a graph behind, nor chains one inside a step: not one question is about a point that has one.
#[test]
fn sampling_leaves_no_graph() {
    let config = MlpConfig { width: 16, depth: 1, ..MlpConfig::reference(2) };
    let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &Device::Cpu).unwrap();
    let weights: Vec<Tensor> =
        weights.iter().map(|w| candle_core::Var::from_tensor(w).unwrap().as_tensor().clone()).collect();
    let net = Mlp::new(config, &weights, &frequencies).unwrap();
    let x = Tensor::ones((4, 2), DType::F32, &Device::Cpu).unwrap();
    assert!(net.raw(&x, &[Kernel { alpha: 1.0, sigma: 1.0 }]).unwrap().track_op());
    let watched = Watched { net, tracked: AtomicBool::new(false) };
    let vp = Vp::default();
    let problem = Problem { sde: &vp, model: &watched };
    for entry in METHODS.entries() {
        let method = method(entry.name);
        let grid = sampling_grid(&vp, &UniformLogSnr, &*method, 20).unwrap();
        let mut stepper = method.stepper(problem).unwrap();
        let end =
            integrate(&mut *stepper, x.clone(), &grid, &Stream::new(&Key::root(0), 0), &mut ()).unwrap();
        assert!(!end.track_op() && !watched.tracked.load(Ordering::Relaxed), "{}", entry.name);
        if let Some(method) = method.ode() {
            let flow = Flow { problem, method, grid: &grid };
            let found = flow.log_density(&end, Divergence::Exact, &Key::root(0), 0).unwrap();
            assert!(!found.latent.track_op() && !watched.tracked.load(Ordering::Relaxed), "{}", entry.name);
        }
    }
}

/// Standardised data: samples and log-densities come back in the user's coordinates.
#[test]
fn coordinates_are_undone() {
    let data = tweedie::data::GaussianMixture(
        Mixture::new(vec![1.0], vec![vec![5.0, -3.0]], &[vec![vec![4.0, 0.0], vec![0.0, 0.25]]]).unwrap(),
    );
    let points = data.sample(&Key::root(0), 0, 50_000);
    let map = Standardise::fit(&points).unwrap();
    assert!(
        (map.deviation[0] - 2.0).abs() < 0.05
            && (map.deviation[1] - 0.5).abs() < 0.02
            && (map.mean[1] + 3.0).abs() < 0.02
    );
    // The standardised law is N(0, I); its density through the flow, carried back, is the data's.
    let (vp, normal) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 1.0).unwrap());
    let grid = tweedie_solvers::clock::Grid::new(vec![1.0, 1e-5]).unwrap();
    let rk45 = Rk45::new(1e-8, 1e-8).unwrap();
    let flow = Flow { problem: Problem { sde: &vp, model: &normal }, method: &rk45, grid: &grid };
    let found =
        densities(flow, Divergence::Exact, &points.slice(0, 5), Some(&map), &Key::root(0), &Device::Cpu)
            .unwrap();
    let at = vp.kernel(0.0);
    for (i, log_p) in found.log_p.iter().enumerate() {
        let want = data.mixture().unwrap().log_density(points.row(i), at);
        assert!((log_p - want).abs() < 0.1, "{log_p} {want}");
    }
    assert!(!INTERRUPTED.load(Ordering::Relaxed));
}
