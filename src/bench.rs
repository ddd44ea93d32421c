//! How fast the program is on this machine: the heavy jobs of a comparison, each on the reference network or on a closed form, best of several
//! rounds, beside the machine's own matrix product.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Spacing, UniformT};
use tweedie_solvers::integrate::Finish;
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::method::{EulerMaruyama, Rk45};
use tweedie_solvers::model::{ScoreModel, tensor};
use tweedie_solvers::noise::Driver;
use tweedie_solvers::sde::{LinearSde, Use, Vp};

use crate::data::EightGaussians;
use crate::error::{Error, Result};
use crate::metrics::{Known, Metric, W2};
use crate::net::{self, Mlp, MlpConfig};
use crate::points::Points;
use crate::recipe::Recipe;
use crate::report::Progress;
use crate::run::{Target, draw};
use crate::train::Trainer;

/// One measurement.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Timing {
    /// Whose it is: `tweedie`.
    pub peer: &'static str,
    /// The task.
    pub task: &'static str,
    /// Its size: rows, points, or the side of a matrix.
    pub size: usize,
    /// The measurement.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The share of the time that the three hidden products would take at the rate of `gemm`, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_floor: Option<f64>,
}

/// A task by name, and what it does.
pub const TASKS: [(&str, &str); 6] = [
    ("gemm", "a product of two 2048 × 2048 matrices in f32"),
    ("train", "one update of denoising score matching: VP, uniform t, Adam, batches of 128, 512, 4096"),
    (
        "sample",
        "one Euler–Maruyama step of the reverse VP SDE with the network, noise included, 1000 and 10 000 samples, on a card 1 000 000 too",
    ),
    ("exact", "the same with the exact score of eight Gaussians, 1000 to 100 000 samples"),
    ("likelihood", "log-density of 1000 points through the flow, Dormand–Prince at 3e-7, exact trace"),
    ("w2", "exact W₂ of two sets of 1000, 2000 and 5000 points"),
];

/// Operations of the hidden products, 2 · 3 · 128², for a row and evaluation.
const HIDDEN: f64 = 98_304.0;

/// Measures some of the tasks; all of them if none is named.
///
/// # Errors
/// If there is no such task, or a job fails.
pub fn bench(names: &[String], device: &Device, progress: &Progress) -> Result<Vec<Timing>> {
    for name in names {
        if !TASKS.iter().any(|(task, _)| task == name) {
            let known = crate::error::suggest(name, TASKS.iter().map(|(task, _)| *task));
            return Err(Error::Input(format!("{name}: there is no such task; {known}")));
        }
    }
    let asked = |task: &str| names.is_empty() || names.iter().any(|n| n == task);
    let bar = progress.bar("bench", TASKS.iter().filter(|(task, _)| asked(task)).count() as u64);
    // The floor of the others: the first and the last thing that is measured, and the better of the two.
    let mut rate = gemm(device)?;
    let mut out = Vec::new();
    type Job = fn(&Device) -> Result<Vec<Timing>>;
    let jobs: [(&str, Job); 5] =
        [("train", train), ("sample", sample), ("exact", exact), ("likelihood", likelihood), ("w2", w2)];
    for (_, job) in jobs.into_iter().filter(|(task, _)| asked(task)) {
        out.extend(job(device)?);
        bar.inc(1);
    }
    rate = rate.max(gemm(device)?);
    for timing in &mut out {
        // Floating-point operations of the hidden products in one unit of the value; an update takes three products for every one.
        let seconds = match timing.task {
            "train" => Some((1.0 / timing.value, 3.0 * HIDDEN * timing.size as f64)),
            "sample" => Some((timing.value * 1e-3, HIDDEN * timing.size as f64)),
            _ => None,
        };
        timing.of_floor = seconds.map(|(taken, operations)| operations / (rate * 1e9) / taken);
    }
    if asked("gemm") {
        out.insert(0, timing("gemm", SIDE, rate, "GFLOP/s"));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(out)
}

fn timing(task: &'static str, size: usize, value: f64, unit: &'static str) -> Timing {
    Timing { peer: "tweedie", task, size, value, unit, of_floor: None }
}

/// The least time of several rounds, after one that warms up.
fn best(rounds: usize, device: &Device, mut job: impl FnMut() -> Result<()>) -> Result<f64> {
    job()?;
    let mut least = f64::INFINITY;
    for _ in 0..rounds {
        device.synchronize()?;
        let start = Instant::now();
        job()?;
        device.synchronize()?;
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok(least)
}

const SIDE: usize = 2048;

/// GFLOP/s of a matrix product; on the CPU its rows are spread over the threads.
fn gemm(device: &Device) -> Result<f64> {
    let parts = if device.is_cpu() { rayon::current_num_threads() } else { 1 };
    let rows: Vec<usize> = (0..parts).map(|i| (i + 1) * SIDE / parts - i * SIDE / parts).collect();
    let of = |rows: usize| Tensor::full(0.5f32, (rows, SIDE), device);
    let left = rows.into_iter().map(of).collect::<candle_core::Result<Vec<_>>>()?;
    let right = of(SIDE)?;
    let seconds = best(10, device, || {
        left.par_iter().try_for_each(|part| part.matmul(&right).map(drop))?;
        Ok(())
    })?;
    Ok(2.0 * (SIDE as f64).powi(3) / seconds / 1e9)
}

/// The reference network with fresh weights.
fn network(device: &Device) -> Result<Box<dyn ScoreModel>> {
    let config = MlpConfig::reference(2);
    let (weights, frequencies) = Mlp::fresh(&config, &Key::root(0), device)?;
    Ok(net::frozen(Mlp::new(config, &weights, &frequencies)?, device)?)
}

fn train(device: &Device) -> Result<Vec<Timing>> {
    let data = EightGaussians::new(2.0, 0.2)?;
    let run = |(batch, steps): (usize, usize)| {
        let text = format!(
            "data = 'eight-gaussians'\nsde = 'vp'\nmethod = 'heun'\nsteps = 1\n[train]\nbatch = {batch}"
        );
        let table = text.parse().map_err(|e: toml::de::Error| Error::Run(e.to_string()))?;
        let recipe = Recipe::build("bench".into(), "bench", table)?;
        let mut trainer = Trainer::new(recipe.train.clone(), MlpConfig::reference(2), device)?;
        let seconds = best(3, device, || {
            for _ in 0..steps {
                trainer.step(&data, None, &Vp::default())?;
            }
            Ok(())
        })?;
        Ok(timing("train", batch, steps as f64 / seconds, "steps/s"))
    };
    [(128, 400), (512, 200), (4096, 40)].into_iter().map(run).collect()
}

/// Milliseconds per Euler–Maruyama step of `count` samples.
fn euler_maruyama(model: &dyn ScoreModel, count: usize, device: &Device) -> Result<f64> {
    const STEPS: usize = 100;
    let sde = Vp::default();
    let grid = UniformT.grid(&sde, sde.span(Use::Sampling), STEPS)?;
    let method = EulerMaruyama::new(1.0)?;
    let problem = Problem { sde: &sde, model };
    let (finish, driver) = (Finish::Stop, Driver::Independent);
    let target = Target { problem, method: &method, grid: &grid, finish, driver };
    let job =
        || draw(target, &Key::root(0), count, None, (device, DType::F32)).map(drop).map_err(Error::from);
    Ok(best(3, device, job)? / STEPS as f64 * 1e3)
}

fn sample(device: &Device) -> Result<Vec<Timing>> {
    let net = network(device)?;
    let run = |n| Ok(timing("sample", n, euler_maruyama(&*net, n, device)?, "ms/eval"));
    // On a card as many as keep it busy.
    let most = (!device.is_cpu()).then_some(1_000_000);
    [1000, 10_000].into_iter().chain(most).map(run).collect()
}

fn exact(device: &Device) -> Result<Vec<Timing>> {
    let angle = |k: u32| f64::from(k) * std::f64::consts::TAU / 8.0;
    let means = (0..8).map(|k| vec![2.0 * angle(k).cos(), 2.0 * angle(k).sin()]).collect();
    let mixture = Mixture::isotropic(vec![1.0; 8], means, 0.2)?;
    let run = |n| Ok(timing("exact", n, euler_maruyama(&mixture, n, device)?, "ms/eval"));
    [1000, 10_000, 100_000].into_iter().map(run).collect()
}

/// Of every point for itself: a tolerance for all together, as in other libraries, is met with larger steps and smaller errors where
/// most points are easy. With this one the largest error is below diffrax's at 1e-5.
const TOLERANCE: f64 = 3e-7;

/// The time, and the largest error against a solve at 1e-9 of the same network.
fn likelihood(device: &Device) -> Result<Vec<Timing>> {
    const POINTS: usize = 1000;
    let (net, sde) = (network(device)?, Vp::default());
    let span = sde.span(Use::Likelihood);
    let grid = Grid::new(vec![span.end, span.start])?;
    let key = Key::root(1);
    let x = key.normals(0, 0, POINTS, 2);
    let like = Tensor::zeros((1, 1), DType::F32, device)?;
    let solve = |tolerance: f64, like: &Tensor| -> Result<Vec<f64>> {
        let method = Rk45::new(tolerance, tolerance)?;
        let problem = Problem { sde: &sde, model: &*net };
        let piece = |first: usize| -> Result<Vec<f64>> {
            let _turn = crate::device::turn(device);
            let rows = crate::run::PIECE.min(POINTS - first);
            let part = tensor(x[2 * first..2 * (first + rows)].to_vec(), (rows, 2), like)?;
            let flow = Flow { problem, method: &method, grid: &grid };
            Ok(flow.log_density(&part, Divergence::Exact, &key, first as u64)?.log_p)
        };
        let starts: Vec<usize> = (0..POINTS).step_by(crate::run::PIECE).collect();
        Ok(starts.into_par_iter().map(piece).collect::<Result<Vec<_>>>()?.concat())
    };
    let mut found = Vec::new();
    let seconds = best(3, device, || {
        found = solve(TOLERANCE, &like)?;
        Ok(())
    })?;
    let fine = solve(1e-9, &like.to_dtype(DType::F64)?)?;
    let error = found.iter().zip(fine).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    Ok(vec![timing("likelihood", POINTS, seconds, "s"), timing("likelihood-error", POINTS, error, "nats")])
}

fn w2(device: &Device) -> Result<Vec<Timing>> {
    let run = |n| {
        let set = |label: &str, shift: f64| {
            let z = Key::root(0).branch(label).normals(0, 0, n, 2);
            Points::new(2, z.into_iter().map(|z| z + shift).collect())
        };
        let (a, b) = (set("a", 0.0), set("b", 0.1));
        let job = || W2.measure(&a, &b, &Known::default()).map(drop).map_err(Error::from);
        Ok(timing("w2", n, best(if n > 2000 { 1 } else { 3 }, device, job)?, "s"))
    };
    [1000, 2000, 5000].into_iter().map(run).collect()
}
