//! Samplers as tapes, and what a run reads from its device.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use tweedie::recipe::{Section, named};
use tweedie::registry::METHODS;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::{At, Ode, Problem};
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Spacing, UniformLogSnr};
use tweedie_solvers::integrate::{Finish, Sampler, sampling_grid};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::method::{Flow, Method, OdeMethod, Order};
use tweedie_solvers::model::{ScoreModel, reads};
use tweedie_solvers::noise::{self, Brownian, Draw, Driver, Noise, Stream};
use tweedie_solvers::sde::{LinearSde, SubVp, Use, Ve, Vp};
use tweedie_solvers::tape::{Op, sum};

fn mixture() -> Mixture {
    Mixture::isotropic(vec![0.5, 0.5], vec![vec![-1.0, 0.3, 0.1], vec![1.2, 0.0, -0.4]], 0.3).unwrap()
}

/// Every registered method, and options of some of them.
fn methods() -> Vec<(String, Box<dyn Method>)> {
    let plain = METHODS.entries().map(|entry| entry.name.to_owned());
    let with = [
        "name = 'predictor-corrector'\nnorm = 'batch'",
        "name = 'predictor-corrector'\nnorm = 'sample'",
        "name = 'predictor-corrector'\ncorrections = 3",
        "name = 'langevin'\nnorm = 'sample'",
        "name = 'restart'\nrestarts = 2\nrestart-steps = 30",
    ];
    let plain = plain.map(|name| {
        let built = METHODS.build(&Section::new("test", "method", named(&name))).unwrap();
        (name, built)
    });
    let with = with.iter().map(|text| {
        let section = Section::new("test", "method", text.parse().unwrap());
        ((*text).to_owned(), METHODS.build(&section).unwrap())
    });
    plain.chain(with).collect()
}

/// A tape gives what the sampler gives, after as many evaluations, for independent and Brownian noise under every SDE; only what is not
/// linear has none.
#[test]
fn tapes_are_their_samplers() {
    let (key, mixture) = (Key::root(5), mixture());
    let sdes: [&dyn LinearSde; 3] = [&Vp::default(), &Ve::default(), &SubVp::default()];
    for (name, method) in methods() {
        for sde in sdes {
            let problem = Problem { sde, model: &mixture };
            let grid = sampling_grid(sde, &UniformLogSnr, &*method, 9).unwrap();
            let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Denoise };
            let Some(tape) = sampler.record().unwrap() else {
                let odd = name.contains("norm") || name.contains("restart-steps");
                assert!(odd || method.adaptive(), "{name} has no tape");
                continue;
            };
            assert!(tape.slots <= 32, "{name}: {} slots", tape.slots);
            let on = (&Device::Cpu, DType::F64);
            let sigma = sde.kernel(grid.first()).sigma;
            let start = noise::prior(&key, sigma, (3, 5, 3), on).unwrap();
            for driver in [Driver::Independent, Driver::Brownian] {
                let noise = driver.noise(&key, 3, sde.span(Use::Sampling).end);
                let want = sampler.run(start.clone(), &*noise, &mut ()).unwrap();
                let got = tape.play(&mixture, &start, &*noise, sum).unwrap();
                assert!(want.evals.iter().all(|n| *n == tape.evals), "{name}: {}", tape.evals);
                let gap = (got - &want.x).unwrap().abs().unwrap().max_all().unwrap();
                let gap: f64 = gap.to_scalar().unwrap();
                assert!(gap < 1e-9, "{name} {sde:?} {driver:?}: {gap}");
            }
        }
    }
}

/// A tape of many steps looks back no further than one of few, and takes no more room.
#[test]
fn long_runs_have_tapes() {
    let (sde, mixture) = (Vp::default(), mixture());
    let mut found = 0;
    for (name, method) in methods().into_iter().filter(|(_, method)| method.linear()) {
        let grid = sampling_grid(&sde, &UniformLogSnr, &*method, 100).unwrap();
        let problem = Problem { sde: &sde, model: &mixture };
        let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Stop };
        let tape = sampler.record().unwrap();
        if !name.contains("restart-steps") {
            let slots = tape.unwrap_or_else(|| panic!("{name} has no tape")).slots;
            assert!(slots <= 14, "{name}: {slots} slots");
            found += 1;
        }
    }
    assert!(found > 30);
}

/// A step of Euler–Maruyama is a question, a normal and one sum of three terms, in three slots.
#[test]
fn a_tape_is_short() {
    let (sde, mixture) = (Vp::default(), mixture());
    let method = METHODS.build(&Section::new("test", "method", named("euler-maruyama"))).unwrap();
    let grid = sampling_grid(&sde, &UniformLogSnr, &*method, 100).unwrap();
    let problem = Problem { sde: &sde, model: &mixture };
    let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Stop };
    let tape = sampler.record().unwrap().unwrap();
    assert_eq!((tape.ops.len(), tape.slots), (300, 3));
    let three = |op: &Op| matches!(op, Op::Sum { terms, .. } if terms.len() == 3);
    assert_eq!(tape.ops.iter().filter(|op| three(op)).count(), 100);
}

/// On tensors.
struct Plain(Mixture);

impl ScoreModel for Plain {
    fn dim(&self) -> usize {
        3
    }

    fn target(&self) -> tweedie_solvers::kernel::Target {
        self.0.target()
    }

    fn raw(&self, x: &Tensor, _: &[Kernel]) -> tweedie_solvers::Result<Tensor> {
        Ok((x * 0.1)?)
    }

    fn log_densities(&self, x: &Tensor, _: &[Kernel]) -> tweedie_solvers::Result<Tensor> {
        Ok((x.sqr()?.sum_keepdim(1)? * -0.5)?)
    }
}

/// Law 11: between start and end a run reads nothing from its device, but for the controllers of adaptive methods.
#[test]
fn steps_read_nothing() {
    let (sde, key, model) = (Vp::default(), Key::root(5), Plain(mixture()));
    let mut adaptive = 0;
    for (name, method) in methods() {
        let problem = Problem { sde: &sde, model: &model };
        let grid = sampling_grid(&sde, &UniformLogSnr, &*method, 9).unwrap();
        let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Denoise };
        let before = reads();
        sampler.draw(&key, 0, 5, &Device::Cpu, DType::F64).unwrap();
        let own = reads() - before;
        assert_eq!(own > 0, method.adaptive(), "{name}: {own} reads");
        adaptive += usize::from(own > 0);
    }
    assert!(adaptive >= 3);
}

/// Euler's method in t, but for what its maker did to it.
#[derive(Debug)]
enum Odd {
    /// Nothing.
    None,
    /// It keeps states within two deviations of the prior.
    Clamps,
    /// Its step is longer in spaces of more coordinates.
    Counts,
    /// It says nothing of its steps.
    Silent,
}

impl OdeMethod for Odd {
    fn order(&self) -> Order {
        Order::Deterministic(1)
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        !matches!(self, Self::Silent)
    }

    fn advance(&self, ode: &dyn Ode, x: &Tensor, step: Step) -> tweedie_solvers::Result<Tensor> {
        let end = (x + (ode.velocity(x, At::all(&[step.from]))? * step.dt())?)?;
        Ok(match self {
            Self::Clamps => end.clamp(-2.0, 2.0)?,
            Self::Counts => (end * (1.0 + 1e-3 * x.dim(1)? as f64))?,
            Self::None | Self::Silent => end,
        })
    }
}

/// Steps that look inside x have no tape, whatever they say; and no method has one that does not ask for it.
#[test]
fn what_is_not_linear_is_not_recorded() {
    let (sde, mixture) = (Vp::default(), mixture());
    let grid = UniformLogSnr.grid(&sde, sde.span(Use::Sampling), 9).unwrap();
    for (odd, recorded) in
        [(Odd::None, true), (Odd::Clamps, false), (Odd::Counts, false), (Odd::Silent, false)]
    {
        let method = Flow(odd);
        let problem = Problem { sde: &sde, model: &mixture };
        let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
        assert_eq!(sampler.record().unwrap().is_some(), recorded, "{method:?}");
    }
}

/// Counts what is asked of a stream.
struct Asked(Stream, AtomicUsize);

impl Noise for Asked {
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> tweedie_solvers::Result<Tensor> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.normal(step, draw, like)
    }

    fn path(&self, end: f64) -> Brownian {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.path(end)
    }
}

/// Whether a method has noise is what it says: every method of the shelf, with and without it.
#[test]
fn noise_is_as_declared() {
    let (sde, mixture) = (Vp::default(), mixture());
    let quiet = [
        "name = 'euler-maruyama'\nlambda = 0",
        "name = 'sra1'\nlambda = 0",
        "name = 'adaptive-sde'\nlambda = 0",
        "name = 'ddim'\neta = 1",
        "name = 'dpmpp-sde'\neta = 0",
        "name = 'dpmpp-2m-sde'\neta = 0",
        "name = 'edm-sde'\ns-churn = 0",
        "name = 'edm-sde'\ns-noise = 1.1",
        "name = 'er-sde'\nnoise-scale = 'ode'",
        "name = 'sa-solver'\ntau = 0",
        "name = 'restart'\nrestarts = 0",
        "name = 'predictor-corrector'\npredictor = 'heun'",
    ];
    let quiet = quiet.map(|text| {
        let section = Section::new("test", "method", text.parse().unwrap());
        (text.to_owned(), METHODS.build(&section).unwrap())
    });
    let (mut with, mut without) = (0, 0);
    for (name, method) in methods().into_iter().chain(quiet) {
        let problem = Problem { sde: &sde, model: &mixture };
        let grid = sampling_grid(&sde, &UniformLogSnr, &*method, 9).unwrap();
        let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Stop };
        let noise = Asked(Stream::new(&Key::root(1), 0), AtomicUsize::new(0));
        let start = noise::prior(&Key::root(1), 1.0, (0, 5, 3), (&Device::Cpu, DType::F64)).unwrap();
        sampler.run(start, &noise, &mut ()).unwrap();
        let asked = noise.1.into_inner() > 0;
        assert_eq!(asked, method.has_noise(), "{name}");
        (with, without) = (with + usize::from(asked), without + usize::from(!asked));
    }
    assert!(with > 20 && without > 20, "{with} {without}");
}
