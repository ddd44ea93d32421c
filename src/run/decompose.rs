//! Where the error of samples comes from: a chain of matched sets, from what a recipe draws to exact draws of the data, in which
//! neighbours differ in one thing alone.
//!
//! | set | score | starts from | steps | ends at |
//! |---|---|---|---|---|
//! | 1 | the network's | the prior | N | ε |
//! | 2 | exact | the prior | N | ε |
//! | 3 | exact | the prior | the reference's | ε |
//! | 4 | exact | p_T | the reference's | ε |
//! | 5 | exact | p_T | the reference's | 0 |
//!
//! 1–2 is the network's part, 2–3 the solver's, 3–4 the prior's, 4–5 the truncation's, and 1–5 the whole, which is no more than
//! their sum. Sample i has one Brownian path in all of them. Its start from p_T is the prior point's partner: the exact flow, in
//! x/α against σ/α, carried in from 10⁴ times the noise, where p and prior are one to 10⁻⁴; and its end at 0 is the flow's,
//! carried on from ε to a thousandth of its noise. Flows are nearly optimal maps over such distances.

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::{ProbabilityFlow, Problem};
use tweedie_solvers::integrate::{Finish, Sampler, Solution, integrate};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::method::{OdeStepper, Rk45};
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::noise::{self, Driver, Stream};
use tweedie_solvers::sde::{Edm, Use};

use super::models::exact;
use super::record::{Label, Record, rate};
use super::{Failures, Model, Place};
use crate::error::Result;
use crate::metrics::{Known, Metric, W2};
use crate::points::Points;
use crate::recipe::{DecomposeSpec, Distance, Recipe, units};

/// The names of the parts in records, in the order of the chain, and that of the whole.
pub const PARTS: [&str; 4] = ["error-network", "error-solver", "error-prior", "error-truncation"];
/// Sets 1 and 5.
pub const WHOLE: &str = "error-total";
/// The slope of the solver's part in ln N over the three largest step counts.
pub const SLOPE: &str = "slope-solver";

/// How far the noise goes out where the partner of a prior point is found, and in where its end at 0 is.
const FAR: f64 = 1e4;
const NEAR: f64 = 1e-3;
const TOLERANCE: f64 = 1e-9;

/// One method on one grid under one SDE for one seed.
struct Job {
    data: usize,
    sde: usize,
    method: usize,
    grid: usize,
    seed: u64,
}

/// The parts for every data set, SDE, method of fixed steps, grid, step count and seed.
pub(super) fn decompose(
    recipe: &Recipe,
    models: &[Vec<Model>],
    (place, failures): (&Place<'_>, &Failures),
) -> Vec<Record> {
    let Some(spec) = &recipe.decompose else { return vec![] };
    let mut jobs = Vec::new();
    for data in 0..recipe.data.len() {
        for sde in 0..recipe.sdes.len() {
            for method in (0..recipe.methods.len()).filter(|&m| !recipe.methods[m].it.adaptive()) {
                for &grid in recipe.grids_of(sde, method) {
                    jobs.extend(recipe.seeds.iter().map(|&seed| Job { data, sde, method, grid, seed }));
                }
            }
        }
    }
    let bar = place.progress.bar("taking errors apart", jobs.len() as u64);
    let one = |job: &Job| {
        let rows = parts(recipe, spec, models, job, place.device);
        bar.inc(1);
        let (data, sde) = (&recipe.data[job.data].0.label, &recipe.sdes[job.sde].label);
        let (method, grid) = (&recipe.methods[job.method].label, &recipe.grids[job.grid].label);
        failures
            .keep(|| format!("parts of the error, {data} {sde}, {method} {grid}, seed {}", job.seed), rows)
    };
    let rows: Vec<Vec<Record>> = jobs.par_iter().filter_map(one).collect();
    bar.finish_and_clear();
    rows.into_iter().flatten().collect()
}

fn parts(
    recipe: &Recipe,
    spec: &DecomposeSpec,
    models: &[Vec<Model>],
    job: &Job,
    device: &Device,
) -> Result<Vec<Record>> {
    let (data, sde) = (&recipe.data[job.data].0, &recipe.sdes[job.sde]);
    let (method, spacing) = (&recipe.methods[job.method], &recipe.grids[job.grid]);
    let model = &models[job.data][job.sde];
    let map = model.standardise.as_ref();
    let exact = exact(&*data.it, map)?;
    let (span, key) = (sde.it.span(Use::Sampling), Key::root(job.seed));
    let driver = Driver::Brownian.noise(&key, 0, span.end);
    let run = |score: &dyn ScoreModel, start: &Tensor, steps: usize, finish: Finish| -> Result<Solution> {
        let grid = model.spacing(recipe, job.grid)?.grid(&*sde.it, span, steps)?;
        let problem = Problem { sde: &*sde.it, model: score };
        let sampler = Sampler { problem, method: &*method.it, grid: &grid, finish };
        let _turn = crate::device::turn(device);
        let solution = sampler.run(start.clone(), &*driver, &mut ())?;
        // A card is done when the turn ends.
        device.synchronize()?;
        Ok(solution)
    };
    let top = sde.it.kernel(span.end);
    // The model's coordinates, to the user's, to those that distances are taken in.
    let units = units(&*data.it, recipe.data[job.data].1)?;
    let points = |x: &Tensor| -> Result<Points> {
        let mut drawn = points(x)?;
        drawn = map.map_or_else(|| drawn.clone(), |map| map.undo(&drawn));
        Ok(units.as_ref().map_or_else(|| drawn.clone(), |units| units.apply(&drawn)))
    };
    let prior = noise::prior(&key, top.sigma, (0, spec.samples, data.it.dim()), (device, DType::F64))?;
    let from_law = partner(&*exact, &prior, top)?;
    let reference = spec.reference_steps;
    let fine = points(&run(&*exact, &prior, reference, recipe.finish)?.x)?;
    let last = run(&*exact, &from_law, reference, Finish::Stop)?.x;
    let clean = points(&clean(&*exact, &last, sde.it.kernel(span.start))?)?;
    let last = match recipe.finish {
        Finish::Stop => points(&last)?,
        Finish::Denoise => points(&run(&*exact, &from_law, reference, Finish::Denoise)?.x)?,
    };
    let label = Label {
        data: data.label.clone(),
        sde: sde.label.clone(),
        model: model.label.clone(),
        method: method.label.clone(),
        grid: spacing.label.clone(),
        ..Label::data(job.seed)
    };
    let apart = |a: &Points, b: &Points| distance(spec.distance, a, b);
    let (mut rows, mut solver) = (Vec::new(), Vec::new());
    for &steps in &recipe.steps {
        let drawn = run(&*model.score, &prior, steps, recipe.finish)?;
        let (mine, ideal) = (points(&drawn.x)?, points(&run(&*exact, &prior, steps, recipe.finish)?.x)?);
        let evals = drawn.evals.iter().sum::<f64>() / spec.samples as f64;
        let label = Label { steps: Some(steps), evals, ..label.clone() };
        let chain = [(&mine, &ideal), (&ideal, &fine), (&fine, &last), (&last, &clean)];
        for (name, (a, b)) in PARTS.into_iter().zip(chain) {
            rows.push(label.record(name, apart(a, b)?));
        }
        rows.push(label.record(WHOLE, apart(&mine, &clean)?));
        solver.push((steps as f64, rows[rows.len() - 4].value));
    }
    rows.extend(rate(&solver).map(|slope| label.record(SLOPE, slope)));
    Ok(rows)
}

/// What the exact flow makes of prior points: draws of p_T at the kernel `top`.
fn partner(exact: &dyn ScoreModel, prior: &Tensor, top: Kernel) -> Result<Tensor> {
    let ratio = top.sigma / top.alpha;
    let start = (prior * (FAR / top.alpha))?;
    Ok((flow(exact, start, FAR * ratio, ratio)? * top.alpha)?)
}

/// What the exact flow makes of draws at the kernel `at` with next to no noise.
fn clean(exact: &dyn ScoreModel, x: &Tensor, at: Kernel) -> Result<Tensor> {
    let ratio = at.sigma / at.alpha;
    flow(exact, (x / at.alpha)?, ratio, NEAR * ratio)
}

/// The flow of x/α from one σ/α to another.
fn flow(exact: &dyn ScoreModel, x: Tensor, from: f64, to: f64) -> Result<Tensor> {
    let edm = Edm::new(to, from)?;
    let method = Rk45::new(TOLERANCE, TOLERANCE)?;
    let mut stepper = OdeStepper::new(&method, ProbabilityFlow(Problem { sde: &edm, model: exact }));
    let grid = Grid::new(vec![from, to])?;
    let _turn = crate::device::turn(x.device());
    let end = integrate(&mut stepper, x, &grid, &Stream::new(&Key::root(0), 0), &mut ())?;
    end.device().synchronize()?;
    Ok(end)
}

fn points(x: &Tensor) -> Result<Points> {
    Ok(Points::new(x.dim(1)?, x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?))
}

/// How far apart two sets are; not a number where one holds a value that is none.
fn distance(by: Distance, a: &Points, b: &Points) -> Result<f64> {
    if a.values().iter().chain(b.values()).any(|v| !v.is_finite()) {
        return Ok(f64::NAN);
    }
    Ok(match by {
        Distance::W2 => W2.measure(a, b, &Known::default())?,
        Distance::Pairs => {
            let squares = a.values().iter().zip(b.values()).map(|(a, b)| (a - b).powi(2));
            (squares.sum::<f64>() / a.len() as f64).sqrt()
        }
    })
}
