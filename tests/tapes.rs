//! Samplers as tapes, and what a run reads from its device.

use candle_core::{DType, Device, Tensor};
use tweedie::recipe::{Section, named};
use tweedie::registry::METHODS;
use tweedie_solvers::Key;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::UniformLogSnr;
use tweedie_solvers::integrate::{Finish, Sampler, sampling_grid};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::method::Method;
use tweedie_solvers::model::{ScoreModel, reads};
use tweedie_solvers::noise::{self, Driver};
use tweedie_solvers::sde::{LinearSde, SubVp, Use, Ve, Vp};
use tweedie_solvers::tape::{Op, sum};

fn mixture() -> Mixture {
    Mixture::isotropic(vec![0.5, 0.5], vec![vec![-1.0, 0.3], vec![1.2, 0.0]], 0.3).unwrap()
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
            let start = noise::prior(&key, sigma, (3, 5, 2), on).unwrap();
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
        2
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
