//! Samples in pieces: rows are addressed by number, so the pieces can be of any size, in any order, on any thread.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use tweedie_solvers::blocks::Blocks;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::count::Counted;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::integrate::{Finish, Sampler, Solution};
use tweedie_solvers::method::Method;
use tweedie_solvers::model::{ScoreModel, tensor};
use tweedie_solvers::noise::{self, Driver, Noise};
use tweedie_solvers::observe::{Moment, Observer};
use tweedie_solvers::sde::Use;
use tweedie_solvers::tape::Tape;
use tweedie_solvers::{Key, Result};

use crate::device::{self, MixtureTrajectory, Played, Program, Run};
use crate::net::Resident;
use crate::points::Points;

/// Rows per piece on the CPU: small enough for the caches. The last piece holds what is left, and no sample is computed that nobody asked for.
pub const PIECE: usize = 250;

/// Rows of a block of a model that rounds blocks of different heights differently. On the CPU the first 30 of 10 000 samples are to be the
/// 30 of 30 to the last bit, of adaptive methods too, which drop rows as they arrive.
const BLOCK: usize = 16;

/// A model whose rows do not depend on how many there are: itself, or in blocks of one height. On a card equality is up to rounding.
pub(super) fn apart<'a>(model: &'a dyn ScoreModel, device: &Device) -> Result<Option<Blocks<'a>>> {
    if !device.is_cpu() || model.rows_apart() {
        return Ok(None);
    }
    Ok(Some(Blocks::new(model, BLOCK)?))
}

/// Rows that are worked on together: a piece on the CPU, all that fit on a card.
pub(super) fn piece(couples: bool, count: usize, row: usize, device: &Device) -> Result<usize> {
    if couples {
        device::memory::check("the batch of a method that couples its samples", count, row, device)?;
    }
    // Other threads draw on the same card.
    let share = row * rayon::current_num_threads();
    let most = if device.is_cpu() { PIECE } else { count.min(device::memory::fitting(share, device)).max(1) };
    Ok(if couples { count } else { most })
}

/// Something for each piece: side by side on the CPU, one after the other on a card.
pub(super) fn each<T: Send>(
    starts: &[usize],
    device: &Device,
    job: impl Fn(&usize) -> Result<T> + Sync + Send,
) -> Result<Vec<T>> {
    if device.is_cpu() { starts.par_iter().map(job).collect() } else { starts.iter().map(job).collect() }
}

/// What is sampled with what.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The SDE and the model.
    pub problem: Problem<'a>,
    /// The method.
    pub method: &'a dyn Method,
    /// The nodes.
    pub grid: &'a Grid,
    /// What is done at the end.
    pub finish: Finish,
    /// What drives the noise.
    pub driver: Driver,
}

impl Target<'_> {
    pub(super) fn sampler(&self) -> Sampler<'_> {
        Sampler { problem: self.problem, method: self.method, grid: self.grid, finish: self.finish }
    }

    /// The end of the time that noise is made for.
    pub(super) fn end(&self) -> f64 {
        self.problem.sde.span(Use::Sampling).end.max(self.grid.first())
    }
}

/// Rows first … of the prior's samples, (rows, D).
pub(super) fn start(
    target: &Target<'_>,
    key: &Key,
    (first, rows): (u64, usize),
    on: (&Device, DType),
) -> Result<Tensor> {
    let sigma = target.problem.sde.kernel(target.grid.first()).sigma;
    let shape = (first, rows, target.problem.model.dim());
    match device::normals(&key.branch("prior"), 0, shape, on)? {
        Some(z) => Ok((z * sigma)?),
        None => noise::prior(key, sigma, shape, on),
    }
}

/// Samples, with what they cost and what became of them.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The samples.
    pub points: Points,
    /// Evaluations per sample, counted at the model: the mean over the samples.
    pub evals: f64,
    /// How many samples are not finite, and the first step after which one was not.
    pub diverged: Option<(usize, usize)>,
}

/// `count` samples under a key, from the prior or from given points at the first node.
///
/// # Errors
/// Those of the method and the model.
pub fn draw(
    target: Target<'_>,
    key: &Key,
    count: usize,
    from: Option<&Points>,
    on: (&Device, DType),
) -> Result<Drawn> {
    let _turn = device::turn(on.0);
    let blocks = apart(target.problem.model, on.0)?;
    let target = match &blocks {
        Some(model) => Target { problem: Problem { model, ..target.problem }, ..target },
        None => target,
    };
    let Target { problem, method, grid, driver, .. } = target;
    let (sampler, dim) = (target.sampler(), problem.model.dim());
    // On a card a run is bound by launches: a tape has few.
    let tape = if on.0.is_cuda() { sampler.record()? } else { None };
    let row = on.1.size_in_bytes() * (problem.model.room() + 16 * dim);
    let piece = piece(method.couples_batch(), count, row, on.0)?;
    let starts: Vec<usize> = (0..count).step_by(piece.max(1)).collect();
    let run = |&first: &usize| -> Result<(Vec<f64>, f64, Option<usize>)> {
        let rows = piece.min(count - first);
        let start = || match from {
            Some(points) => {
                let like = Tensor::zeros((1, 1), on.1, on.0)?;
                tensor(points.cycle(first, rows).values().to_vec(), (rows, dim), &like)
            }
            None => start(&target, key, (first as u64, rows), on),
        };
        let noise = driver.noise(key, first as u64, target.end());
        let noise = device::Made(&*noise);
        let Solution { x, evals } = match &tape {
            Some(tape) => played(tape, problem.model, &start()?, &noise)?,
            None => sampler.run(start()?, &noise, &mut ())?,
        };
        let values: Vec<f64> = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let mut step = None;
        if values.iter().any(|v| !v.is_finite()) {
            // The same noise again, this time with someone watching.
            let mut watch = Watch { first: None };
            sampler.run(start()?, &noise, &mut watch)?;
            step = Some(watch.first.unwrap_or(grid.len() - 1));
        }
        Ok((values, evals.iter().sum::<f64>(), step))
    };
    let pieces = each(&starts, on.0, run)?;
    let evals = pieces.iter().map(|p| p.1).sum::<f64>() / count as f64;
    let step = pieces.iter().filter_map(|p| p.2).min();
    let points = Points::new(dim, pieces.into_iter().flat_map(|p| p.0).collect());
    let bad = points.rows().filter(|row| row.iter().any(|v| !v.is_finite())).count();
    Ok(Drawn { points, evals, diverged: step.map(|step| (bad, step)) })
}

/// The end of a tape: in one launch where the model and the device have a kernel for that, else operation by operation. Evaluations are
/// counted where they are made.
fn played(tape: &Tape, model: &dyn ScoreModel, x: &Tensor, noise: &dyn Noise) -> Result<Solution> {
    let rows = x.dim(0)?;
    if let Some(Played { end, asked }) = launched(&[(tape, noise.stream(), rows)], model, x)? {
        return Ok(Solution { x: end, evals: asked.into_iter().map(f64::from).collect() });
    }
    let counted = Counted::new(model);
    let x = tape.play(&counted, x, noise, device::sum)?;
    Ok(Solution { x, evals: counted.per_row(rows, None) })
}

/// The ends of runs whose starts come one after the other in x, in one launch; `None` where there is no kernel for that.
pub(super) fn launched(runs: &[Run<'_>], model: &dyn ScoreModel, x: &Tensor) -> Result<Option<Played>> {
    let Some(program) = Program::new(runs).filter(|_| x.dtype() == DType::F32) else { return Ok(None) };
    if let Some(net) = model.as_any().and_then(|model| model.downcast_ref::<Resident>()) {
        let Some(trajectory) = net.trajectory(program)? else { return Ok(None) };
        return device::play(&trajectory, x);
    }
    let Some(trajectory) = MixtureTrajectory::new(model, program) else { return Ok(None) };
    device::play_mixture(&trajectory, x)
}

/// Remembers the first step after which a row is not finite.
struct Watch {
    first: Option<usize>,
}

impl Observer for Watch {
    fn observe(&mut self, at: &Moment<'_>) -> Result<ControlFlow<()>> {
        let values: Vec<f64> = at.x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        if values.iter().all(|v| v.is_finite()) {
            return Ok(ControlFlow::Continue(()));
        }
        self.first = Some(at.step.index);
        Ok(ControlFlow::Break(()))
    }
}
