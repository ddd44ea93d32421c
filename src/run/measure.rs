//! Numbers from samples: metrics, their floors, and likelihoods.

use rayon::prelude::*;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::likelihood::{Flow, bits_per_dimension};
use tweedie_solvers::sde::Use;

use super::record::{DATA, Label, Record};
use super::{Drawn, Model, Place, densities};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::metrics::Known;
use crate::points::Points;
use crate::recipe::Recipe;
use crate::registry::NLL;
use crate::report::Progress;

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
                let fitted = spec.grid.it.fit(&*sde.it, &*model.score, span, place.device)?;
                let spacing = fitted.as_deref().unwrap_or(&*spec.grid.it);
                spacing.grid(&*sde.it, span, spacing.fixed_steps().unwrap_or(spec.steps))?
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
                if let Some(law) = exact.as_ref().filter(|_| spec.flow_kl && standardise.is_none()) {
                    // Draws of p_ε, where the flow's density is meant.
                    let at = sde.it.kernel(span.start);
                    let noise = key.branch("flow-kl").normals(0, 0, points.len(), points.dim());
                    let noised = points.values().iter().zip(noise).map(|(x, z)| at.alpha * x + at.sigma * z);
                    let noised = Points::new(points.dim(), noised.collect());
                    let found = densities(flow, spec.divergence, &noised, None, &key, place.device)?;
                    let gaps = noised.rows().zip(&found.log_p).map(|(x, q)| law.log_density(x, at) - q);
                    records.push(label.record("flow-kl", mean(&gaps.collect::<Vec<_>>())));
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(records)
}
