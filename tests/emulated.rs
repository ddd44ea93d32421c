//! The kernels for cards, run on the CPU: their C is compiled with other words in the place of CUDA's (`emulated/cuda.h`), a thread for each of
//! a block's threads, and what they give is compared with tensors and with the keys. Those that train a network are beside the engine that they
//! serve, in src/train.

#[macro_use]
mod run;

use candle_core::{DType, Device, Tensor};
use tweedie::device::{MixtureTrajectory, Program, THREADS, Trajectory};
use tweedie::net::{Mlp, MlpConfig, Resident};
use tweedie::recipe::{Section, named};
use tweedie::registry::METHODS;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{KernelSum, Level, Mixture};
use tweedie_solvers::grid::UniformLogSnr;
use tweedie_solvers::integrate::{Finish, Sampler, sampling_grid};
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::noise::{self, Draw, Stream};
use tweedie_solvers::sde::Vp;
use tweedie_solvers::tape::{Op, Tape, sum};

use run::run;

fn list(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// The lists of tapes and points that all kernels have, for tiles of `tile` rows on two blocks.
fn tapes(program: &Program, tile: usize, x: &Tensor) -> [Vec<u8>; 6] {
    assert!(program.holds());
    let (runs, tiles) = program.run_list(tile);
    let n = [tiles, 2, x.dim(0).unwrap() as u32];
    [
        bytes!(program.ops),
        bytes!(program.term_slots),
        bytes!(program.term_by),
        bytes!(runs),
        bytes!(list(x)),
        bytes!(n),
    ]
}

fn emulated(of: &Trajectory<'_>, tall: usize, x: &Tensor) -> Vec<f32> {
    let weights = of.weights;
    let room = ("SHARED_BYTES", of.shared(tall));
    let defined =
        [("WIDTH", weights.width), ("TALL", tall), ("DIM", weights.dim), ("DEPTH", weights.depth), room];
    let own = [bytes!(list(&weights.list)), bytes!(of.scales), bytes!(list(&of.e))];
    run(
        "trajectory",
        &defined,
        &own.into_iter().chain(tapes(&of.program, of.rows(tall), x)).collect::<Vec<_>>(),
    )
}

fn emulated_mixture(of: &MixtureTrajectory, x: &Tensor) -> Vec<f32> {
    let own = [bytes!(of.axes), bytes!(of.components), bytes!(of.starts), bytes!(of.sigmas)];
    let defined = [&of.defined()[..], &[("SHARED_BYTES", of.shared())]].concat();
    run("mixture", &defined, &own.into_iter().chain(tapes(&of.program, THREADS, x)).collect::<Vec<_>>())
}

/// A method's steps around a model under VP, and a last normal so late that its address needs more than 32 bits.
fn recorded(model: &dyn ScoreModel, name: &str, steps: usize) -> Tape {
    let sde = Vp::default();
    let method = METHODS.build(&Section::new("test", "method", named(name))).unwrap();
    let grid = sampling_grid(&sde, &UniformLogSnr, &*method, steps).unwrap();
    let problem = Problem { sde: &sde, model };
    let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Denoise };
    let mut tape = sampler.record().unwrap().unwrap();
    if tape.draws() {
        let step = Step { index: 700, of: 701, from: 0.0, to: 0.0 };
        tape.ops.push(Op::Normal { step, draw: Draw::Increment, into: tape.slots });
        tape.ops.push(Op::Sum { terms: vec![(tape.end, 1.0), (tape.slots, 0.5)], into: tape.end });
        tape.slots += 1;
    }
    tape
}

/// The runs of a launch and its points, and the ends of the same tapes on tensors: two seeds of one tape, and a longer one that asks for no
/// normals. Each has more rows than two blocks take at once, and not as many as whole tiles hold.
fn runs(
    model: &dyn ScoreModel,
    name: &str,
    (tile, sigma): (usize, f64),
    check: impl Fn(Program, &Tensor) -> Vec<f32>,
) {
    // The ends, and after them how often the kernel asked about each row.
    let tapes = [recorded(model, name, 4), recorded(model, "heun", 5)];
    let streams = [Stream::new(&Key::root(3), 5), Stream::new(&Key::root(4), (1 << 32) - 7)];
    let runs = [
        (&tapes[0], Some(&streams[0]), 2 * tile + 3),
        (&tapes[0], Some(&streams[1]), tile),
        (&tapes[1], None, 3 * tile - 1),
    ];
    let rows: usize = runs.iter().map(|(.., rows)| rows).sum();
    let x = noise::prior(&Key::root(3), sigma, (5, rows, model.dim()), (&Device::Cpu, DType::F32)).unwrap();
    let got = check(Program::new(&runs).unwrap(), &x);
    let (mut want, mut questions, mut row) = (Vec::new(), Vec::new(), 0);
    for (tape, stream, rows) in runs {
        let own = x.narrow(0, row, rows).unwrap();
        want.extend(list(&tape.play(model, &own, stream.unwrap_or(&streams[0]), sum).unwrap()));
        questions.extend(std::iter::repeat_n(tape.evals as u32, rows));
        row += rows;
    }
    let (got, asked) = got.split_at(want.len());
    assert_eq!(asked.iter().map(|n| n.to_bits()).collect::<Vec<_>>(), questions, "{name}");
    let got = got.to_vec();
    for (i, (got, want)) in got.into_iter().zip(want).enumerate() {
        assert!((got - want).abs() < 1e-4 * (1.0 + want.abs()), "{name}, number {i}: {got} {want}");
    }
}

/// Whole trajectories against the same tapes on tensors, for networks that fill the kernel and ones that do not, and methods with noise,
/// with memory, with several questions in a step.
#[test]
fn trajectories_are_their_tapes() {
    let reference = MlpConfig { sigma_data: 0.5, ..MlpConfig::reference(2) };
    let nets = [
        (MlpConfig { width: 64, depth: 2, ..reference.clone() }, 1),
        (MlpConfig { dim: 3, width: 37, depth: 1, embedding: 6, ..reference.clone() }, 3),
        (MlpConfig { dim: 1, width: 70, depth: 0, ..reference.clone() }, 2),
        (MlpConfig { dim: 4, width: 128, depth: 1, ..reference }, 1),
    ];
    let methods = ["euler-maruyama", "dpmpp-2m-sde", "predictor-corrector", "heun"];
    for ((config, tall), name) in nets.into_iter().zip(methods) {
        let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &Device::Cpu).unwrap();
        let net = Mlp::new(config.clone(), &weights, &frequencies).unwrap();
        let resident = Resident::new(net.clone(), &Device::Cpu).unwrap();
        let of = |program| resident.trajectory(program).unwrap().unwrap();
        let tile = of(Program::new(&[(&recorded(&net, "heun", 1), None, 1)]).unwrap()).rows(tall);
        runs(&net, name, (tile, 1.0), |program, x| emulated(&of(program), tall, x));
    }
}

/// The same around exact scores: Gaussians with axes and without, in one to three dimensions, and points by levels.
#[test]
fn mixtures_are_their_tapes() {
    let isotropic = Mixture::isotropic(vec![0.5, 0.5], vec![vec![-1.0], vec![1.2]], 0.3).unwrap();
    let covs = [
        vec![vec![0.3, 0.1, 0.0], vec![0.1, 0.2, 0.05], vec![0.0, 0.05, 0.4]],
        vec![vec![0.1, 0.0, 0.0], vec![0.0, 0.3, 0.0], vec![0.0, 0.0, 0.2]],
    ];
    let means = vec![vec![-1.0, 0.3, 0.5], vec![1.2, 0.0, -0.4]];
    let turned = Mixture::new(vec![0.3, 0.7], means, &covs).unwrap();
    let level = |from: f64, points: &[f64]| Level {
        from,
        points: points.to_vec(),
        weights: (1..=points.len() / 2).map(|w| w as f64).collect(),
    };
    let levels = vec![level(0.0, &[-1.0, 0.3, 0.9, 0.2, 0.1, 1.4]), level(0.5, &[-0.9, 0.3, 0.6, 0.7])];
    let points = KernelSum::new(2, 0.2, levels).unwrap();
    // The first start so far away that no exponential is left but the largest.
    let models: [(&dyn ScoreModel, &str, f64); 3] =
        [(&isotropic, "euler-maruyama", 30.0), (&turned, "heun", 1.0), (&points, "dpmpp-2m-sde", 1.0)];
    for (model, name, sigma) in models {
        let of = |program| MixtureTrajectory::new(model, program).unwrap();
        runs(model, name, (THREADS, sigma), |program, x| emulated_mixture(&of(program), x));
    }
}

/// A run's tiles go to the blocks in turns, the longest runs first; the time of a launch is that of the first block.
#[test]
fn tiles_are_spread() {
    let mixture = Mixture::isotropic(vec![1.0], vec![vec![0.0]], 0.3).unwrap();
    let tapes = [recorded(&mixture, "heun", 2), recorded(&mixture, "heun", 9)];
    let lengths = tapes.each_ref().map(|tape| tape.ops.len());
    let program = Program::new(&[(&tapes[0], None, 25), (&tapes[1], None, 31)]).unwrap();
    // Four tiles of the second run, then three of the first, for three blocks: the first block's are numbers 0, 3 and 6.
    let (list, tiles) = program.run_list(10);
    let firsts: Vec<[u32; 5]> = list.chunks(16).map(|run| run[..5].try_into().unwrap()).collect();
    let [short, long] = lengths.map(|n| n as u32);
    assert_eq!((firsts, tiles), (vec![[0, 25, 31, short, long], [4, 0, 25, 0, short], [7; 5]], 7));
    assert_eq!(program.busiest(10, 3), 2 * lengths[1] + lengths[0]);
    assert_eq!(program.busiest(10, 7), lengths[1]);
    assert_eq!(program.busiest(100, 1), lengths[1] + lengths[0]);
}

/// What does not fit is not launched: wide networks, many coordinates, noise that is no stream, blocks beyond the shared memory.
#[test]
fn only_what_fits_is_launched() {
    let fits = |config: MlpConfig, brownian: bool| {
        let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &Device::Cpu).unwrap();
        let net = Mlp::new(config, &weights, &frequencies).unwrap();
        let resident = Resident::new(net.clone(), &Device::Cpu).unwrap();
        let (tape, stream) = (recorded(&net, "euler-maruyama", 4), Stream::new(&Key::root(3), 0));
        let program = Program::new(&[(&tape, Some(&stream).filter(|_| !brownian), 10_000)])?;
        // Multiprocessors and bytes of an H100.
        resident.trajectory(program).unwrap()?.tall(132, 232_448)
    };
    let reference = MlpConfig::reference(2);
    assert!(fits(reference.clone(), false).is_some());
    assert_eq!(fits(reference.clone(), true), None);
    assert_eq!(fits(MlpConfig { width: 129, ..reference.clone() }, false), None);
    assert_eq!(fits(MlpConfig { dim: 5, ..reference.clone() }, false), None);
    assert_eq!(fits(MlpConfig { depth: 4, ..reference }, false), None);
}

/// The same normals as the key's, for even and odd dimensions and rows beyond 2³², and sums with what is there already.
#[test]
fn normals_and_sums_are_the_hosts() {
    let (key, rows) = (Key::root(21), 300);
    for (dim, address, first) in [(2, 7u64 << 24 | 0x80_0000, 3u64), (3, 1 << 40, 50_000_000_001), (1, 0, 0)]
    {
        let list = |label: &str, count: usize| -> Vec<f32> {
            key.branch(label).normals(0, 0, count, 1).into_iter().map(|z| z as f32).collect()
        };
        let (x, there, by) = (list("x", 3 * rows), list("out", rows), [0.3f64, -2.0, 1.7]);
        let lists = [
            bytes!(x),
            bytes!(there),
            bytes!(by),
            bytes!(key.words()),
            bytes!([address, first]),
            bytes!([rows as u32, dim as u32]),
        ];
        let got = run("elementwise", &[("SHARED_BYTES", 0)], &lists);
        let (sums, normals) = got.split_at(rows);
        for (i, got) in sums.iter().enumerate() {
            let terms = (0..3).map(|t| by[t] * f64::from(x[t * rows + i]));
            let want = f64::from(there[i]) + terms.sum::<f64>();
            assert!((f64::from(*got) - want).abs() < 1e-6 * (1.0 + want.abs()), "{got} {want}");
        }
        let want = key.normals(address, first, rows, dim);
        assert_eq!(normals.len(), want.len());
        for (got, want) in normals.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-6 * (1.0 + want.abs()), "{got} {want}");
        }
    }
}
