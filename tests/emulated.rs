//! The kernels for cards, run on the CPU: their C is compiled with other words in the place of CUDA's (`emulated/cuda.h`), a thread for each of
//! a block's threads, and what they give is compared with tensors and with the keys. Those that train a network are beside the engine that they
//! serve, in src/train.

#[macro_use]
mod run;

use candle_core::{DType, Device, Tensor};
use tweedie::device::Trajectory;
use tweedie::net::{Mlp, MlpConfig, Resident};
use tweedie::recipe::{Section, named};
use tweedie::registry::METHODS;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::grid::UniformLogSnr;
use tweedie_solvers::integrate::{Finish, Sampler, sampling_grid};
use tweedie_solvers::noise::{self, Brownian, Draw, Stream};
use tweedie_solvers::sde::{LinearSde, Vp};
use tweedie_solvers::tape::{Op, sum};

use run::run;

fn emulated(of: &Trajectory<'_>, tall: usize, x: &Tensor) -> Vec<f32> {
    let weights = of.weights;
    let list = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let defined = [("WIDTH", weights.width), ("TALL", tall), ("DIM", weights.dim), ("DEPTH", weights.depth)];
    let n = [of.ops.len() as u32 / 4, x.dim(0).unwrap() as u32, of.end as u32, 2];
    let (packed, e, x) = (list(&weights.list), list(&of.e), list(x));
    let lists = [
        bytes!(packed),
        bytes!(of.scales),
        bytes!(e),
        bytes!(of.ops),
        bytes!(of.term_slots),
        bytes!(of.term_by),
        bytes!(of.key),
        bytes!([of.first]),
        bytes!(x),
        bytes!(n),
    ];
    run("trajectory", &defined, &lists)
}

/// Whole trajectories against the same tape on tensors, for networks that fill the kernel and ones that do not, more rows than two blocks
/// take at once, and methods with noise, with memory, with several questions in a step.
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
        let (sde, key) = (Vp::default(), Key::root(3));
        let method = METHODS.build(&Section::new("test", "method", named(name))).unwrap();
        let grid = sampling_grid(&sde, &UniformLogSnr, &*method, 4).unwrap();
        let problem = Problem { sde: &sde, model: &net };
        let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Denoise };
        let mut tape = sampler.record().unwrap().unwrap();
        // A step so late that its address needs more than 32 bits.
        let step = Step { index: 700, of: 701, from: 0.0, to: 0.0 };
        tape.ops.push(Op::Normal { step, draw: Draw::Increment, into: tape.slots });
        tape.ops.push(Op::Sum { terms: vec![(tape.end, 1.0), (tape.slots, 0.5)], into: tape.end });
        tape.slots += 1;
        let stream = Stream::new(&key, 5);
        let played = resident.trajectory(&tape, &stream).unwrap().unwrap();
        let rows = 2 * played.rows(tall) + 3;
        let on = (&Device::Cpu, DType::F32);
        let x = noise::prior(&key, sde.kernel(grid.first()).sigma, (5, rows, config.dim), on).unwrap();
        let want = tape.play(&net, &x, &stream, sum).unwrap().flatten_all().unwrap();
        let got = emulated(&played, tall, &x);
        let want = want.to_vec1::<f32>().unwrap();
        assert_eq!(got.len(), want.len());
        for (got, want) in got.into_iter().zip(want) {
            assert!((got - want).abs() < 2e-5 * (1.0 + want.abs()), "{name}: {got} {want}");
        }
    }
}

/// What does not fit is not launched: wide networks, many coordinates, noise that is no stream, blocks beyond the shared memory.
#[test]
fn only_what_fits_is_launched() {
    let fits = |config: MlpConfig, brownian: bool| {
        let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &Device::Cpu).unwrap();
        let net = Mlp::new(config, &weights, &frequencies).unwrap();
        let resident = Resident::new(net.clone(), &Device::Cpu).unwrap();
        let (sde, key) = (Vp::default(), Key::root(3));
        let method = METHODS.build(&Section::new("test", "method", named("euler-maruyama"))).unwrap();
        let grid = sampling_grid(&sde, &UniformLogSnr, &*method, 4).unwrap();
        let problem = Problem { sde: &sde, model: &net };
        let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Stop };
        let tape = sampler.record().unwrap().unwrap();
        let played = if brownian {
            resident.trajectory(&tape, &Brownian::new(&key, 0, 1.0))
        } else {
            resident.trajectory(&tape, &Stream::new(&key, 0))
        };
        // Multiprocessors and bytes of an H100.
        played.unwrap().and_then(|t| t.tall(10_000, 132, 232_448))
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
        let got = run("elementwise", &[], &lists);
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
