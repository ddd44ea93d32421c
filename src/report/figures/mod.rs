//! Which pictures a run leaves, and what is in them.

mod errors;
mod points;

use super::plot::{self, Floor, PlotError, Quality, QualityPanel, QualitySeries};
use crate::error::{Error, Result};
use crate::points::Points;
use crate::recipe::Recipe;
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
        Self::Run(error.to_string())
    }
}

/// All pictures of a run, into `figures/`. Samples, densities and trajectories are drawn for data in the plane.
///
/// # Errors
/// If a picture cannot be made or written.
pub fn figures(
    recipe: &Recipe,
    models: &[Vec<Model>],
    shown: &[(Shown, &Points)],
    (summary, levels): (&[Summary], &[Level]),
    place: &Place<'_>,
) -> Result<()> {
    let dir = place.out.join("figures");
    make_dir(&dir)?;
    let planar = recipe.data.iter().filter(|(d, _)| d.it.dim() == 2).count();
    let count = recipe.data.len() * recipe.metrics.len() + planar * recipe.sdes.len() * 3 + recipe.data.len();
    let bar = place.progress.bar("figures", count as u64);
    for (d, (data, _)) in recipe.data.iter().enumerate() {
        for metric in &recipe.metrics {
            let stem = dir.join(file_name(&format!("quality-{}-{}", data.label, metric.label)));
            quality(recipe, summary, &data.label, &metric.label, &stem)?;
            bar.inc(1);
        }
        let curves: Vec<plot::Curve> = recipe
            .sdes
            .iter()
            .zip(&models[d])
            .filter(|(_, m)| !m.losses.is_empty())
            .map(|(s, m)| (s.label.clone(), m.losses.iter().map(|&(n, l)| (n as f64, l)).collect()))
            .collect();
        if !curves.is_empty() {
            plot::curve(
                &dir.join(file_name(&format!("loss-{}", data.label))),
                &format!("Training loss, {}", data.label),
                &curves,
            )?;
        }
        bar.inc(1);
        errors::excess(&data.label, levels, &dir)?;
        errors::parts(recipe, summary, &data.label, &dir)?;
        if data.it.dim() != 2 {
            continue;
        }
        for (s, sde) in recipe.sdes.iter().enumerate() {
            let name = |what: &str| dir.join(file_name(&format!("{what}-{}-{}", data.label, sde.label)));
            points::samples(recipe, d, s, shown, &name("samples"))?;
            bar.inc(1);
            points::density(recipe, d, s, &models[d][s], place, &name("density"))?;
            bar.inc(1);
            points::trajectories(recipe, d, s, &models[d][s], place, &name("trajectories"))?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn quality(
    recipe: &Recipe,
    summary: &[Summary],
    data: &str,
    metric: &str,
    stem: &std::path::Path,
) -> Result<()> {
    let rows: Vec<&Summary> =
        summary.iter().filter(|r| r.data == data && r.metric == metric && r.method != DATA).collect();
    let names: Vec<(String, &str, &str)> = recipe
        .methods
        .iter()
        .flat_map(|m| {
            let several = recipe.grids.len() > 1 && !m.it.adaptive();
            let grids = if m.it.adaptive() {
                vec!["adaptive"]
            } else {
                recipe.grids.iter().map(|g| g.label.as_str()).collect()
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
                let points = mine.map(|r| Quality {
                    evals: r.evals,
                    mean: r.mean,
                    low: r.low.unwrap_or(r.mean),
                    high: r.high.unwrap_or(r.mean),
                });
                let mut points: Vec<Quality> = points.collect();
                points.sort_by(|a, b| a.evals.total_cmp(&b.evals));
                QualitySeries { name, points }
            });
            QualityPanel { title: &sde.label, series: series.collect() }
        })
        .collect();
    let floor = rows.iter().find_map(|r| {
        let mean = r.floor?;
        Some(Floor { mean, low: r.floor_low.unwrap_or(mean), high: r.floor_high.unwrap_or(mean) })
    });
    Ok(plot::quality(stem, &format!("Quality against evaluations, {data}"), metric, &panels, floor)?)
}
