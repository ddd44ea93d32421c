//! A recipe in, records and pictures out.

mod decompose;
mod density;
mod draw;
mod excess;
mod failures;
pub(crate) mod floor;
mod folder;
pub(crate) mod holm;
mod interval;
mod likelihoods;
pub mod lore;
mod measure;
mod memorisation;
mod models;
mod names;
mod outliers;
mod paired;
mod ranking;
pub mod record;
mod solver_error;
mod strong;
mod sweep;

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use candle_core::Device;

use crate::error::Result;
use crate::files;
use crate::points::Points;
use crate::recipe::{Figures, Recipe};
use crate::report::{self, Progress};

pub use decompose::{PARTS, SLOPE, WHOLE};
pub use density::{Densities, densities};
pub use draw::{Drawn, PIECE, Target, draw};
pub use excess::{Level, Worst, worst};
pub use floor::Standing;
pub use folder::{Claim, Folder, TABLES, planned};
pub use memorisation::MEMORISATION;
pub use models::{EXACT, INTERRUPTED, Model, TRAINING, train_all};
pub use names::{file_name, make_dir, model_dir};
pub use outliers::{FARTHEST, OUTLIERS, WITHOUT, far_off};
pub use paired::{Paired, paired};
pub use ranking::{Ranked, ranking};
pub use record::{Record, Summary, summarise};
pub use solver_error::{AGAIN, SOLVER_ERROR, SOLVER_ERROR_LARGEST, Solved, SolverError, solver_error};
pub use strong::{SLOPE as STRONG_SLOPE, STRONG};

use failures::Failures;
use measure::Yardstick;

/// Where a run works and writes.
#[derive(Debug)]
pub struct Place<'a> {
    /// The folder that receives everything.
    pub out: &'a Path,
    /// The device.
    pub device: &'a Device,
    /// Whether training goes on from checkpoints that are there.
    pub resume: bool,
    /// Progress bars.
    pub progress: &'a Progress,
}

/// What a run leaves in memory: what is printed at its end.
#[derive(Debug)]
pub struct Outcome {
    /// One row per measurement.
    pub records: Vec<Record>,
    /// Means and intervals.
    pub summary: Vec<Summary>,
    /// Methods against the recipe's baseline.
    pub paired: Vec<Paired>,
    /// Methods at every budget of evaluations.
    pub ranking: Vec<Ranked>,
    /// How far networks are from exact scores, level by level.
    pub levels: Vec<Level>,
    /// A remark for each sampling run that diverged.
    pub diverged: Vec<String>,
    /// A sentence for each part of the work after training that failed: its cells are empty.
    pub failures: Vec<String>,
    /// A remark for each sampling run with finite samples far from the data.
    pub outliers: Vec<String>,
    /// The number of sampling runs.
    pub runs: usize,
}

/// One combination of a recipe.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Job {
    data: usize,
    sde: usize,
    method: usize,
    grid: usize,
    /// `None` for adaptive methods.
    steps: Option<usize>,
    seed: u64,
}

impl Job {
    fn all(recipe: &Recipe) -> Vec<Self> {
        let mut jobs = Vec::new();
        for data in 0..recipe.data.len() {
            for sde in 0..recipe.sdes.len() {
                for (method, made) in recipe.methods.iter().enumerate() {
                    for &grid in recipe.grids_of(sde, method) {
                        let steps: Vec<Option<usize>> = if made.it.adaptive() {
                            vec![None]
                        } else {
                            let spacing = &*recipe.grids[grid].it;
                            recipe.steps_of(&*made.it, spacing).into_iter().map(Some).collect()
                        };
                        for steps in steps {
                            jobs.extend(recipe.seeds.iter().map(|&seed| Self {
                                data,
                                sde,
                                method,
                                grid,
                                steps,
                                seed,
                            }));
                        }
                    }
                }
            }
        }
        jobs
    }

    /// What its numbers are recorded under.
    fn label(&self, recipe: &Recipe, models: &[Vec<Model>], evals: f64) -> record::Label {
        let grid = if self.steps.is_some() { &recipe.grids[self.grid].label } else { "adaptive" };
        record::Label {
            data: recipe.data[self.data].0.label.clone(),
            sde: recipe.sdes[self.sde].label.clone(),
            model: models[self.data][self.sde].label.clone(),
            method: recipe.methods[self.method].label.clone(),
            grid: grid.to_owned(),
            steps: self.steps,
            evals,
            seed: self.seed,
        }
    }

    /// A file stem without characters that shells or systems dislike.
    fn stem(&self, recipe: &Recipe) -> String {
        let grid =
            if self.steps.is_some() { format!("-{}", recipe.grids[self.grid].label) } else { String::new() };
        let steps = self.steps.map_or_else(String::new, |n| format!("-{n}"));
        let (data, sde) = (&recipe.data[self.data].0.label, &recipe.sdes[self.sde].label);
        file_name(&format!(
            "{data}-{sde}-{}{grid}{steps}-seed{}",
            recipe.methods[self.method].label, self.seed
        ))
    }
}

/// What is said of a sampling run with finite samples far from the data: how many, how far, and what that does to the first metric.
fn remark(recipe: &Recipe, run: &str, rows: &[Record]) -> Option<String> {
    let value = |name: &str| rows.iter().find(|r| r.metric == name).map(|r| r.value);
    let (count, largest) = (value(OUTLIERS)?, value(FARTHEST)?);
    let metric = recipe.metrics.first().and_then(|m| {
        let (with, without) = (value(&m.label)?, value(&format!("{}{WITHOUT}", m.label))?);
        Some(format!("; {} is {with:.3} with them and {without:.3} without", m.label))
    });
    let far = outliers::sentence(count, (recipe.samples, "samples"), largest);
    Some(format!("{run}: {far}{}", metric.unwrap_or_default()))
}

/// Everything that a recipe says. `warn` is told of numbers that cannot come out well, before the work and after it; see [`lore`].
///
/// # Errors
/// If training or writing fails; what was written so far stays. What fails later costs itself alone: see [`Outcome::failures`].
pub fn run(recipe: &Recipe, place: &Place<'_>, warn: &dyn Fn(&str)) -> Result<Outcome> {
    let start = Instant::now();
    let foreseen = lore::warnings(recipe)?;
    foreseen.iter().for_each(|text| warn(text));
    let manifest = report::Manifest::begin(recipe, place.device, foreseen);
    manifest.write(place.out)?;
    let models = train_all(recipe, place)?;
    let trained = start.elapsed();
    let planned = Job::all(recipe);
    let samples_dir = place.out.join("samples");
    if recipe.save_samples {
        make_dir(&samples_dir)?;
    }
    let yardsticks: Vec<Yardstick> = recipe
        .data
        .iter()
        .map(|(data, standardise)| Yardstick::of(&*data.it, *standardise))
        .collect::<Result<_>>()?;
    let failures = Failures::default();
    let bar = place.progress.bar("sampling", planned.len() as u64);
    let timings = Mutex::new(Vec::new());
    let one = |job: &Job, mut drawn: Drawn, seconds: f64| -> Result<(record::Label, Vec<Record>, Drawn)> {
        if let Some(s) = &models[job.data][job.sde].standardise {
            drawn.points = s.undo(&drawn.points);
        }
        timings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((job.stem(recipe), seconds));
        if recipe.save_samples {
            files::write_points(&samples_dir.join(job.stem(recipe) + ".npy"), &drawn.points, None)?;
        }
        let label = job.label(recipe, &models, drawn.evals);
        let data = &*recipe.data[job.data].0.it;
        let records = measure::samples(recipe, (data, &yardsticks[job.data]), &drawn, &label);
        bar.inc(1);
        Ok((label, records, drawn))
    };
    let (mut jobs, mut labels, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rows, mut outliers) = (Vec::new(), Vec::new());
    for (job, result) in planned.iter().zip(sweep::sample(recipe, &models, &planned, place, one)) {
        match failures.keep(|| format!("samples, {}", job.stem(recipe)), result) {
            Some((label, found, points)) => {
                outliers.extend(remark(recipe, &job.stem(recipe), &found));
                rows.extend(found);
                jobs.push(*job);
                labels.push(label);
                drawn.push(points);
            }
            None => {
                let label = job.label(recipe, &models, f64::NAN);
                rows.extend(recipe.metrics.iter().map(|m| label.record(&m.label, f64::NAN)));
            }
        }
    }
    bar.finish_and_clear();
    let sampled = start.elapsed();
    let diverged = jobs.iter().zip(&drawn).filter_map(|(job, drawn)| {
        drawn.diverged.map(|(count, step)| {
            let at = job.steps.map_or_else(String::new, |_| format!(", the first at step {}", step + 1));
            format!("{}: {count} of {} samples are not finite{at}", job.stem(recipe), recipe.samples)
        })
    });
    let diverged: Vec<String> = diverged.collect();
    let mut records: Vec<Record> = measure::floors(recipe, &yardsticks, place.progress);
    records.extend(rows);
    let paired = paired(recipe, &records);
    let at = (place, &failures);
    records.extend(strong::strong(recipe, &models, &jobs, (&labels, &drawn), at));
    records.extend(decompose::decompose(recipe, &models, at));
    let (excess, levels) = excess::excess(recipe, &models, at);
    records.extend(excess);
    records.extend(likelihoods::likelihoods(recipe, &models, at));
    let summary = summarise(&records, &|metric| record::range(recipe, metric));
    let timings = timings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ranking = ranking(recipe, &records, &summary, &|r| {
        let same = |job: &&Job| {
            (&recipe.data[job.data].0.label, &recipe.sdes[job.sde].label) == (&r.data, &r.sde)
                && recipe.methods[job.method].label == r.method
                && job.steps == r.steps
                && (job.steps.is_none() || recipe.grids[job.grid].label == r.grid)
        };
        let stems: Vec<String> = jobs.iter().filter(same).map(|job| job.stem(recipe)).collect();
        let mine = timings.iter().filter(|(stem, _)| stems.contains(stem));
        mine.map(|(_, s)| s).sum::<f64>() / stems.len().max(1) as f64
    });
    if !ranking.is_empty() {
        report::write_ranking(place.out, &ranking)?;
    }
    report::write_records(place.out, &records, &summary)?;
    if !levels.is_empty() {
        report::write_levels(place.out, &levels)?;
    }
    if recipe.baseline.is_some() {
        report::write_paired(place.out, &paired)?;
    }
    if recipe.figures != Figures::None {
        let shown: Vec<(report::Shown, &Points)> = jobs
            .iter()
            .zip(&drawn)
            .filter(|(job, _)| job.seed == recipe.seeds[0])
            .map(|(job, drawn)| {
                let shown = report::Shown {
                    data: job.data,
                    sde: job.sde,
                    method: job.method,
                    grid: job.grid,
                    steps: job.steps,
                    diverged: drawn.diverged.map_or(0, |(count, _)| count),
                };
                (shown, &drawn.points)
            })
            .collect();
        let figures = report::figures(recipe, &models, &shown, (&summary, &levels), place);
        figures.into_iter().for_each(|(what, error)| {
            failures.keep::<()>(|| format!("picture {what}"), Err(error));
        });
    }
    report::write_timings(place.out, timings)?;
    let mut seen = lore::indistinct(recipe, &summary);
    seen.extend(lore::remembered(recipe, &records));
    seen.extend(excess::worse_than_none(recipe, &levels));
    seen.extend(yardsticks.iter().flat_map(Yardstick::said));
    seen.iter().for_each(|text| warn(text));
    let notes = diverged.iter().chain(&outliers).cloned().collect();
    let failures = failures.all();
    manifest.finish(place.out, (seen, notes, failures.clone()), [trained, sampled, start.elapsed()])?;
    let runs = planned.len();
    Ok(Outcome { records, summary, paired, ranking, levels, diverged, failures, outliers, runs })
}
