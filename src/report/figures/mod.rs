//! Which pictures a run leaves, and what is in them.

mod errors;
mod points;

use std::path::Path;

use rayon::prelude::*;
use tweedie_solvers::sde::LinearSde;

use super::plot::{self, Floor, PlotError, Quality, QualityPanel, QualitySeries};
use crate::error::{Error, Result};
use crate::points::Points;
use crate::recipe::{Figures, ModelSpec, Named, Recipe};
use crate::registry::METHODS;
use crate::report::footer;
use crate::run::record::DATA;
use crate::run::{Level, Model, Place, Summary, file_name, make_dir};

/// Samples that are drawn, by their place in the recipe.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Index of the data set.
    pub data: usize,
    /// Index of the SDE.
    pub sde: usize,
    /// Index of the method.
    pub method: usize,
    /// Index of the grid.
    pub grid: usize,
    /// Steps; none for adaptive methods.
    pub steps: Option<usize>,
    /// Samples that are not finite.
    pub diverged: usize,
}

impl From<PlotError> for Error {
    fn from(error: PlotError) -> Self {
        match error {
            PlotError::Write(error) => error.into(),
            error => Self::Run(error.to_string()),
        }
    }
}

/// All pictures of a run, into `figures/`; what could not be made or written, and why. Samples, densities and trajectories are drawn for
/// data in the plane.
pub fn figures(
    recipe: &Recipe,
    models: &[Vec<Model>],
    shown: &[(Shown, &Points)],
    (summary, levels): (&[Summary], &[Level]),
    place: &Place<'_>,
) -> Vec<(String, Error)> {
    let dir = place.out.join("figures");
    if let Err(error) = make_dir(&dir) {
        return vec![("all".to_owned(), error)];
    }
    let planar = recipe.data.iter().filter(|(d, _)| d.it.dim() == 2).count();
    let count = recipe.data.len() * recipe.metrics.len() + planar * recipe.sdes.len() * 3 + recipe.data.len();
    let bar = place.progress.bar("figures", count as u64);
    let mut failed = Vec::new();
    for (d, (data, _)) in recipe.data.iter().enumerate() {
        let mut keep = |what: String, made: Result<()>| failed.extend(made.err().map(|error| (what, error)));
        for metric in &recipe.metrics {
            let name = file_name(&format!("quality-{}-{}", data.label, metric.label));
            let draw = if recipe.evals.is_empty() { quality } else { families };
            let made = draw(recipe, summary, &data.label, &metric.label, &dir.join(&name));
            keep(name, made);
            bar.inc(1);
        }
        keep(format!("loss-{}", data.label), losses(recipe, &models[d], &data.label, &dir));
        keep(format!("excess-{}", data.label), errors::excess(&data.label, levels, &dir));
        keep(format!("errors-{}", data.label), errors::parts(recipe, summary, &data.label, &dir));
        bar.inc(1);
        if data.it.dim() != 2 || recipe.figures == Figures::Quality {
            continue;
        }
        let draw = |(s, sde): (usize, &Named<dyn LinearSde>)| {
            let model = &models[d][s];
            let one = |what: &str, draw: &dyn Fn(&Path) -> Result<()>| {
                let name = file_name(&format!("{what}-{}-{}", data.label, sde.label));
                let made = draw(&dir.join(&name));
                bar.inc(1);
                (name, made)
            };
            [
                one("samples", &|stem| points::samples(recipe, d, s, shown, stem)),
                one("density", &|stem| points::density(recipe, d, s, model, place, stem)),
                one("trajectories", &|stem| points::trajectories(recipe, d, s, model, place, stem)),
            ]
        };
        let drawn: Vec<_> = recipe.sdes.par_iter().enumerate().flat_map_iter(draw).collect();
        drawn.into_iter().for_each(|(name, made)| keep(name, made));
    }
    bar.finish_and_clear();
    failed
}

/// The loss of each network that was trained.
fn losses(recipe: &Recipe, models: &[Model], data: &str, dir: &Path) -> Result<()> {
    let trained = recipe.sdes.iter().zip(models).filter(|(_, m)| !m.losses.is_empty());
    let curve = |(s, m): (&Named<dyn LinearSde>, &Model)| {
        (s.label.clone(), m.losses.iter().map(|&(n, l)| (n as f64, l)).collect())
    };
    let curves: Vec<plot::Curve> = trained.map(curve).collect();
    if curves.is_empty() {
        return Ok(());
    }
    let stem = dir.join(file_name(&format!("loss-{data}")));
    Ok(plot::curve(&stem, &format!("Training loss, {data}"), &curves)?)
}

/// The names of all pictures that a run of the recipe may draw, without `.png` and `.svg`.
pub fn figure_names(recipe: &Recipe) -> Vec<String> {
    let mut names = Vec::new();
    if recipe.figures == Figures::None {
        return names;
    }
    for (data, _) in &recipe.data {
        let sdes = || recipe.sdes.iter().map(|s| &s.label);
        for metric in &recipe.metrics {
            let stem = file_name(&format!("quality-{}-{}", data.label, metric.label));
            names.extend(sdes().map(|sde| format!("{stem}-{}", file_name(sde))));
            names.push(stem);
        }
        names.extend(["loss", "excess"].map(|what| file_name(&format!("{what}-{}", data.label))));
        for sde in sdes() {
            let of = |what| file_name(&format!("{what}-{}-{sde}", data.label));
            names.extend(["errors", "samples", "density", "trajectories"].map(of));
        }
    }
    names
}

fn quality(recipe: &Recipe, summary: &[Summary], data: &str, metric: &str, stem: &Path) -> Result<()> {
    let rows: Vec<&Summary> =
        summary.iter().filter(|r| r.data == data && r.metric == metric && r.method != DATA).collect();
    let names: Vec<(String, &str, &str)> = recipe
        .methods
        .iter()
        .enumerate()
        .flat_map(|(i, m)| {
            let several = recipe.grids.len() > 1 && !m.it.adaptive();
            let grids = if m.it.adaptive() {
                vec!["adaptive"]
            } else {
                let mine = recipe.fixed_pairs().into_iter().filter(|(method, _)| *method == i);
                mine.map(|(_, g)| recipe.grids[g].label.as_str()).collect()
            };
            grids.into_iter().map(move |g| {
                (if several { format!("{}, {g}", m.label) } else { m.label.clone() }, m.label.as_str(), g)
            })
        })
        .collect();
    let panels: Vec<QualityPanel<'_>> = recipe
        .sdes
        .iter()
        .map(|sde| {
            let series = names.iter().map(|(name, method, grid)| {
                let mine =
                    rows.iter().filter(|r| r.sde == sde.label && r.method == *method && r.grid == *grid);
                let mut points: Vec<Quality> = mine.map(|r| point(r)).collect();
                points.sort_by(|a, b| a.evals.total_cmp(&b.evals));
                QualitySeries { name, points }
            });
            QualityPanel { title: &sde.label, series: series.collect() }
        })
        .collect();
    let title = format!("Quality against evaluations, {data}");
    Ok(plot::quality(stem, [&title, metric, &note(recipe)], &panels, floor(&rows))?)
}

/// A method's name and points.
type Line = (String, Vec<Quality>);

/// One picture for each SDE, one panel for each family of methods.
fn families(recipe: &Recipe, summary: &[Summary], data: &str, metric: &str, stem: &Path) -> Result<()> {
    for sde in &recipe.sdes {
        let rows: Vec<&Summary> = summary
            .iter()
            .filter(|r| r.data == data && r.sde == sde.label && r.metric == metric && r.method != DATA)
            .collect();
        let several = recipe.grids.len() > 1;
        let mut panels: Vec<(&str, Vec<Line>)> = Vec::new();
        for method in &recipe.methods {
            let family = METHODS.family(method.name());
            for grid in recipe.grids.iter().map(|g| g.label.as_str()).chain(["adaptive"]) {
                let mine = rows.iter().filter(|r| r.method == method.label && r.grid == grid);
                let mut points: Vec<Quality> = mine.map(|r| point(r)).collect();
                if points.is_empty() {
                    continue;
                }
                points.sort_by(|a, b| a.evals.total_cmp(&b.evals));
                let name = if several { format!("{}, {grid}", method.label) } else { method.label.clone() };
                match panels.iter_mut().find(|(f, _)| *f == family) {
                    Some((_, series)) => series.push((name, points)),
                    None => panels.push((family, vec![(name, points)])),
                }
            }
        }
        let panels: Vec<QualityPanel<'_>> = panels
            .iter()
            .map(|(title, series)| QualityPanel {
                title,
                series: series
                    .iter()
                    .map(|(name, points)| QualitySeries { name, points: points.clone() })
                    .collect(),
            })
            .collect();
        let stem = stem.with_file_name(format!(
            "{}-{}",
            stem.file_name().unwrap_or_default().to_string_lossy(),
            file_name(&sde.label)
        ));
        let title = format!("Quality against evaluations, {data} under {}", sde.label);
        plot::quality(&stem, [&title, metric, &note(recipe)], &panels, floor(&rows))?;
    }
    Ok(())
}

/// What the bands and bars are.
fn note(recipe: &Recipe) -> String {
    if recipe.seeds.len() < 2 {
        return footer::span(recipe);
    }
    let rest =
        if matches!(recipe.model, ModelSpec::Exact) { "" } else { ", without the spread between trainings" };
    format!("means with 95 % intervals {}{rest}", footer::span(recipe))
}

fn point(r: &Summary) -> Quality {
    Quality { evals: r.evals, mean: r.mean, low: r.low.unwrap_or(r.mean), high: r.high.unwrap_or(r.mean) }
}

fn floor(rows: &[&Summary]) -> Option<Floor> {
    rows.iter().find_map(|r| {
        let mean = r.floor?;
        Some(Floor { mean, low: r.floor_low.unwrap_or(mean), high: r.floor_high.unwrap_or(mean) })
    })
}
