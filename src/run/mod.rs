//! A recipe in, records and pictures out.

mod decompose;
mod density;
mod draw;
mod excess;
pub(crate) mod floor;
pub(crate) mod holm;
mod interval;
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
pub use memorisation::MEMORISATION;
pub use models::{EXACT, INTERRUPTED, Model, TRAINING, train_all};
pub use names::{file_name, make_dir, model_dir};
pub use outliers::{FARTHEST, OUTLIERS, WITHOUT, far_off};
pub use paired::{Paired, paired};
pub use ranking::{Ranked, ranking};
pub use record::{Record, Summary, summarise};
pub use solver_error::{AGAIN, SOLVER_ERROR, SOLVER_ERROR_LARGEST, Solved, SolverError, solver_error};
pub use strong::{SLOPE as STRONG_SLOPE, STRONG};

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
    let far = outliers::sentence(count, recipe.samples, largest);
    Some(format!("{run}: {far}{}", metric.unwrap_or_default()))
}

/// Everything that a recipe says. `warn` is told of numbers that cannot come out well, before the work and after it; see [`lore`].
///
/// # Errors
/// If training, sampling or writing fails; what was written so far stays.
pub fn run(recipe: &Recipe, place: &Place<'_>, warn: &dyn Fn(&str)) -> Result<Outcome> {
    let start = Instant::now();
    let foreseen = lore::warnings(recipe)?;
    foreseen.iter().for_each(|text| warn(text));
    let manifest = report::Manifest::begin(recipe, place.device, foreseen);
    manifest.write(place.out)?;
    let models = train_all(recipe, place)?;
    let trained = start.elapsed();
    let jobs = Job::all(recipe);
    let samples_dir = place.out.join("samples");
    if recipe.save_samples {
        make_dir(&samples_dir)?;
    }
    let yardsticks: Vec<Yardstick> = recipe
        .data
        .iter()
        .map(|(data, standardise)| Yardstick::of(&*data.it, *standardise))
        .collect::<Result<_>>()?;
    let bar = place.progress.bar("sampling", jobs.len() as u64);
    let timings = Mutex::new(Vec::new());
    let one = |job: &Job, mut drawn: Drawn, seconds: f64| -> Result<(record::Label, Vec<Record>, Drawn)> {
        let (data, sde) = (&recipe.data[job.data].0, &recipe.sdes[job.sde]);
        let model = &models[job.data][job.sde];
        if let Some(s) = &model.standardise {
            drawn.points = s.undo(&drawn.points);
        }
        timings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((job.stem(recipe), seconds));
        if recipe.save_samples {
            files::write_points(&samples_dir.join(job.stem(recipe) + ".npy"), &drawn.points, None)?;
        }
        let label = record::Label {
            data: data.label.clone(),
            sde: sde.label.clone(),
            model: model.label.clone(),
            method: recipe.methods[job.method].label.clone(),
            grid: if job.steps.is_some() {
                recipe.grids[job.grid].label.clone()
            } else {
                "adaptive".to_owned()
            },
            steps: job.steps,
            evals: drawn.evals,
            seed: job.seed,
        };
        let records = measure::samples(recipe, (&*data.it, &yardsticks[job.data]), &drawn, &label)?;
        bar.inc(1);
        Ok((label, records, drawn))
    };
    let done = sweep::sample(recipe, &models, &jobs, place, one)?;
    bar.finish_and_clear();
    let sampled = start.elapsed();
    let diverged = jobs.iter().zip(&done).filter_map(|(job, (.., drawn))| {
        drawn.diverged.map(|(count, step)| {
            let at = job.steps.map_or_else(String::new, |_| format!(", the first at step {}", step + 1));
            format!("{}: {count} of {} samples are not finite{at}", job.stem(recipe), recipe.samples)
        })
    });
    let diverged: Vec<String> = diverged.collect();
    let outliers: Vec<String> = jobs
        .iter()
        .zip(&done)
        .filter_map(|(job, (_, rows, _))| remark(recipe, &job.stem(recipe), rows))
        .collect();
    let mut records: Vec<Record> = measure::floors(recipe, &yardsticks, place.progress)?;
    let (mut labels, mut drawn) = (Vec::new(), Vec::new());
    for (label, rows, points) in done {
        records.extend(rows);
        labels.push(label);
        drawn.push(points);
    }
    let paired = paired(recipe, &records);
    records.extend(strong::strong(recipe, &models, &jobs, (&labels, &drawn), place)?);
    records.extend(decompose::decompose(recipe, &models, place)?);
    let (excess, levels) = excess::excess(recipe, &models, place)?;
    records.extend(excess);
    records.extend(measure::likelihoods(recipe, &models, place)?);
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
        report::figures(recipe, &models, &shown, (&summary, &levels), place)?;
    }
    report::write_timings(place.out, timings)?;
    let mut seen = lore::indistinct(recipe, &summary);
    seen.extend(lore::remembered(recipe, &records));
    seen.extend(excess::worse_than_none(&levels));
    seen.extend(yardsticks.iter().flat_map(Yardstick::said));
    seen.iter().for_each(|text| warn(text));
    let notes = diverged.iter().chain(&outliers).cloned().collect();
    manifest.finish(place.out, (seen, notes), [trained, sampled, start.elapsed()])?;
    Ok(Outcome { records, summary, paired, ranking, levels, diverged, outliers, runs: jobs.len() })
}
