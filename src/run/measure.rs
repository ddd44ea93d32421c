//! Numbers from samples: metrics, their floors, and likelihoods.

use candle_core::{DType, Tensor};
use rayon::prelude::*;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Exact;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::likelihood::{Flow, bits_per_dimension};
use tweedie_solvers::model::{Prediction, ScoreModel, tensor};
use tweedie_solvers::sde::{LinearSde, Use};

use super::models::EXACT;
use super::record::{DATA, Label, Record};
use super::{Drawn, Model, Place, densities};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::metrics::Known;
use crate::recipe::Recipe;
use crate::registry::NLL;
use crate::report::Progress;
use crate::train::{TimeLaw, draw_times};

/// At least this many pairs of draws make a floor.
const FLOORS: u64 = 5;

/// Every metric of one set of samples against a fresh draw of the data of the same size. Where samples are not finite the metric is
/// not a number, and a row says how many there are.
pub(super) fn samples(
    recipe: &Recipe,
    (data, known): (&dyn Data, &Known),
    drawn: &Drawn,
    label: &Label,
) -> Result<Vec<Record>> {
    let reference = data.sample(&Key::root(label.seed).branch("reference"), 0, drawn.points.len());
    let mut records = Vec::new();
    for metric in &recipe.metrics {
        let value = if drawn.diverged.is_some() {
            f64::NAN
        } else {
            metric.it.measure(&drawn.points, &reference, known).map_err(Error::from)?
        };
        records.push(label.record(&metric.label, value));
    }
    if let Some((count, step)) = drawn.diverged {
        records.push(label.record("diverged", count as f64));
        records.push(label.record("diverged-at-step", (step + 1) as f64));
    }
    Ok(records)
}

/// The floor of every metric: between two fresh draws of the data of the same size as the samples.
pub(super) fn floors(recipe: &Recipe, known: &[Known], progress: &Progress) -> Result<Vec<Record>> {
    let bar = progress.bar("floors", (recipe.data.len() as u64) * FLOORS);
    let pairs: Vec<(usize, u64)> =
        (0..recipe.data.len()).flat_map(|d| (0..FLOORS).map(move |s| (d, s))).collect();
    let one = |&(d, seed): &(usize, u64)| -> Result<Vec<Record>> {
        let (data, known) = (&recipe.data[d].0, &known[d]);
        let key = Key::root(seed).branch("floor");
        let a = data.it.sample(&key.child(0), 0, recipe.samples);
        let b = data.it.sample(&key.child(1), 0, recipe.samples);
        let label = Label { data: data.label.clone(), ..Label::data(seed) };
        let rows = recipe.metrics.iter().map(|m| Ok(label.record(&m.label, m.it.measure(&a, &b, known)?)));
        let rows = rows.collect::<Result<_>>()?;
        bar.inc(1);
        Ok(rows)
    };
    let rows: Vec<Vec<Record>> = pairs.par_iter().map(one).collect::<Result<_>>()?;
    bar.finish_and_clear();
    Ok(rows.into_iter().flatten().collect())
}

/// The excess denoising loss of each network against the exact score of laws that have a density: E‖ε_θ − ε*‖² / E‖ε*‖² over x_t ~ p_t and t
/// uniform on the training span. The denominator is the excess of a network that says 0, so 0 is perfect and 1 is nothing learned.
pub(super) fn excess(recipe: &Recipe, models: &[Vec<Model>], place: &Place<'_>) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for ((data, _), models) in recipe.data.iter().zip(models) {
        if !data.it.continuous() {
            continue;
        }
        let Ok(exact) = data.it.exact() else { continue };
        for (sde, model) in
            recipe.sdes.iter().zip(models).filter(|(_, m)| m.label != EXACT && m.standardise.is_none())
        {
            for &seed in &recipe.seeds {
                let value = excess_loss(
                    &*model.score,
                    &*exact,
                    &*data.it,
                    &*sde.it,
                    &Key::root(seed).branch("excess"),
                    place.device,
                )?;
                let label = Label {
                    data: data.label.clone(),
                    sde: sde.label.clone(),
                    model: model.label.clone(),
                    method: "network".into(),
                    ..Label::data(seed)
                };
                records.push(label.record("excess-loss", value));
            }
        }
    }
    Ok(records)
}

/// The excess loss on 8192 points, each at a time of its own.
fn excess_loss(
    model: &dyn ScoreModel,
    exact: &dyn Exact,
    data: &dyn Data,
    sde: &dyn LinearSde,
    key: &Key,
    device: &candle_core::Device,
) -> Result<f64> {
    const POINTS: usize = 8192;
    let dim = data.dim();
    let times = draw_times(TimeLaw::Uniform, sde, sde.span(Use::Training), &key.branch("times"), 0, POINTS);
    let at: Vec<Kernel> = times.iter().map(|(t, _)| sde.kernel(*t)).collect();
    let (points, noise) =
        (data.sample(&key.branch("points"), 0, POINTS), key.branch("noise").normals(0, 0, POINTS, dim));
    let x = points
        .values()
        .iter()
        .zip(&noise)
        .enumerate()
        .map(|(i, (x, e))| at[i / dim].alpha * x + at[i / dim].sigma * e);
    let like = Tensor::zeros((1, 1), DType::F64, device)?;
    let x = tensor(x.collect(), (POINTS, dim), &like)?;
    let (mut wrong, mut whole) = (0.0, 0.0);
    // In pieces, so that wide networks do not fill the memory.
    for first in (0..POINTS).step_by(512) {
        let (x, at) = (x.narrow(0, first, 512)?, &at[first..first + 512]);
        let (learned, exact) =
            (Prediction::of(model, &x, at)?.noise()?, Prediction::of(exact, &x, at)?.noise()?);
        wrong += (learned - &exact)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
        whole += exact.sqr()?.sum_all()?.to_scalar::<f64>()?;
    }
    Ok(wrong / whole)
}

/// The negative log-likelihood of held-out points for every data set and SDE, in nats and bits per dimension, and the truth where it
/// is known: the mean of −log p of the same points under the data's own density, and the gap between the two.
pub(super) fn likelihoods(recipe: &Recipe, models: &[Vec<Model>], place: &Place<'_>) -> Result<Vec<Record>> {
    let Some(spec) = &recipe.likelihood else { return Ok(vec![]) };
    let method =
        spec.method.it.ode().ok_or_else(|| Error::Run("the likelihood needs an ODE method".into()))?;
    let bar =
        place.progress.bar("likelihood", (recipe.data.len() * recipe.sdes.len() * recipe.seeds.len()) as u64);
    let mut records = Vec::new();
    for ((data, _), models) in recipe.data.iter().zip(models) {
        let clean = Kernel { alpha: 1.0, sigma: 0.0 };
        let exact = data.it.continuous().then(|| data.it.exact().ok()).flatten();
        for (sde, model) in recipe.sdes.iter().zip(models) {
            let span = sde.it.span(Use::Likelihood);
            let grid = if method.adaptive() {
                Grid::new(vec![span.end, span.start])?
            } else {
                spec.grid.it.grid(&*sde.it, span, spec.grid.it.fixed_steps().unwrap_or(spec.steps))?
            };
            let problem = Problem { sde: &*sde.it, model: &*model.score };
            for &seed in &recipe.seeds {
                let key = Key::root(seed);
                let points = data.it.sample(&key.branch("held-out"), 0, spec.points);
                let flow = Flow { problem, method, grid: &grid };
                let standardise = model.standardise.as_ref();
                let found = densities(flow, spec.divergence, &points, standardise, &key, place.device)?;
                let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
                let label = Label {
                    data: data.label.clone(),
                    sde: sde.label.clone(),
                    model: model.label.clone(),
                    method: spec.method.label.clone(),
                    grid: if method.adaptive() { "adaptive".into() } else { spec.grid.label.clone() },
                    steps: (!method.adaptive()).then_some(spec.steps),
                    evals: mean(&found.evals),
                    seed,
                };
                let nll = -mean(&found.log_p);
                records.push(label.record(NLL, nll));
                records.push(label.record("bits-per-dimension", bits_per_dimension(-nll, points.dim())));
                if let Some(errors) = &found.standard_error {
                    let pooled =
                        mean(&errors.iter().map(|e| e * e).collect::<Vec<_>>()) / errors.len() as f64;
                    records.push(label.record("nll-probe-error", pooled.sqrt()));
                }
                let truth = exact
                    .as_ref()
                    .map(|law| points.rows().map(|p| -law.log_density(p, clean)).collect::<Vec<_>>());
                if let Some(truth) = truth {
                    let floor = Label { model: DATA.into(), method: DATA.into(), ..label.clone() };
                    records.push(floor.record("nll-of-the-truth", mean(&truth)));
                    records.push(label.record("nll-gap", nll - mean(&truth)));
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(records)
}
