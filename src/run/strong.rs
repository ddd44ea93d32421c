//! Strong errors: how far samples are, one by one, from those of many more steps on the same Brownian paths.

use candle_core::{DType, Device};
use rayon::prelude::*;
use tweedie_solvers::Key;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::integrate::sampling_grid;

use super::record::{Label, Record, rate};
use super::{Drawn, Failures, Job, Model, Place, Target, draw};
use crate::error::Result;
use crate::points::Points;
use crate::recipe::{Recipe, units};

/// √E|x_N − x_ref|² over the samples, in the coordinates of [`units`].
pub const STRONG: &str = "strong-error";
/// Its slope in ln N over the three largest step counts.
pub const SLOPE: &str = "slope-strong";

/// The strong error of every job of fixed steps, and the slopes.
pub(super) fn strong(
    recipe: &Recipe,
    models: &[Vec<Model>],
    jobs: &[Job],
    (labels, drawn): (&[Label], &[Drawn]),
    (place, failures): (&Place<'_>, &Failures),
) -> Vec<Record> {
    let Some(spec) = &recipe.strong else { return vec![] };
    // Jobs that share a reference stand together, by growing step counts.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, job) in jobs.iter().enumerate().filter(|(_, job)| job.steps.is_some()) {
        let like = |other: &Job| Job { steps: None, ..*other };
        match groups.iter_mut().find(|group| like(&jobs[group[0]]) == like(job)) {
            Some(group) => group.push(i),
            None => groups.push(vec![i]),
        }
    }
    let bar = place.progress.bar("strong errors", groups.len() as u64);
    let on: (&Device, DType) = (place.device, DType::F64);
    let one = |group: &Vec<usize>| -> Result<Vec<Record>> {
        let job = &jobs[group[0]];
        let (sde, method, model) =
            (&recipe.sdes[job.sde].it, &recipe.methods[job.method].it, &models[job.data][job.sde]);
        let grid = sampling_grid(&**sde, model.spacing(recipe, job.grid)?, &**method, spec.reference_steps)?;
        let problem = Problem { sde: &**sde, model: &*model.score };
        let target =
            Target { problem, method: &**method, grid: &grid, finish: recipe.finish, driver: recipe.driver };
        let mut reference = draw(target, &Key::root(job.seed), recipe.samples, None, on)?.points;
        if let Some(s) = &model.standardise {
            reference = s.undo(&reference);
        }
        let (data, standardise) = &recipe.data[job.data];
        let units = units(&*data.it, *standardise)?;
        let within =
            |points: &Points| units.as_ref().map_or_else(|| points.clone(), |units| units.apply(points));
        let reference = within(&reference);
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        for &i in group {
            let drawn = within(&drawn[i].points);
            let pairs = drawn.values().iter().zip(reference.values());
            let error = (pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>() / recipe.samples as f64).sqrt();
            rows.push(labels[i].record(STRONG, error));
            errors.extend(jobs[i].steps.map(|n| (n as f64, error)));
        }
        let label = Label { steps: None, evals: 0.0, ..labels[group[0]].clone() };
        rows.extend(rate(&errors).map(|slope| label.record(SLOPE, slope)));
        bar.inc(1);
        Ok(rows)
    };
    let kept = |group: &Vec<usize>| {
        let label = &labels[group[0]];
        let what = || {
            format!(
                "strong error, {} {}, {} {}, seed {}",
                label.data, label.sde, label.method, label.grid, label.seed
            )
        };
        failures.keep(what, one(group))
    };
    let rows: Vec<Vec<Record>> = groups.par_iter().filter_map(kept).collect();
    bar.finish_and_clear();
    rows.into_iter().flatten().collect()
}
