//! Which pictures a run leaves, and what is in them.

use candle_core::{DType, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::integrate::Sampler;
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::method::{Flow as OdeFlow, Method, RungeKutta};
use tweedie_solvers::model::tensor;
use tweedie_solvers::noise::{self, Stream};
use tweedie_solvers::observe::Trajectory;
use tweedie_solvers::sde::Use;

use super::plot::{
    self, Field, Floor, PlotError, Quality, QualityPanel, QualitySeries, SamplePanel, SampleRow,
    TrajectoryPanel,
};
use crate::error::{Error, Result};
use crate::points::Points;
use crate::recipe::Recipe;
use crate::run::record::DATA;
use crate::run::{Model, Place, Summary, densities, file_name, make_dir};

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

/// Cells along each side of a log-density map.
const CELLS: usize = 80;
/// Paths in a picture of trajectories.
const PATHS: usize = 40;

/// All pictures of a run, into `figures/`. Samples, densities and trajectories are drawn for data in the plane.
///
/// # Errors
/// If a picture cannot be made or written.
pub fn figures(
    recipe: &Recipe,
    models: &[Vec<Model>],
    shown: &[(Shown, &Points)],
    summary: &[Summary],
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
        if data.it.dim() != 2 {
            continue;
        }
        for (s, sde) in recipe.sdes.iter().enumerate() {
            let name = |what: &str| dir.join(file_name(&format!("{what}-{}-{}", data.label, sde.label)));
            samples(recipe, d, s, shown, &name("samples"))?;
            bar.inc(1);
            density(recipe, d, s, &models[d][s], place, &name("density"))?;
            bar.inc(1);
            trajectories(recipe, d, s, &models[d][s], place, &name("trajectories"))?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn pairs(points: &Points) -> Vec<[f64; 2]> {
    points.rows().map(|r| [r[0], r[1]]).collect()
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

fn samples(
    recipe: &Recipe,
    d: usize,
    s: usize,
    shown: &[(Shown, &Points)],
    stem: &std::path::Path,
) -> Result<()> {
    let data = &recipe.data[d].0;
    let reference = data.it.sample(&Key::root(recipe.seeds[0]).branch("reference"), 0, recipe.samples);
    let mine: Vec<&(Shown, &Points)> = shown.iter().filter(|(k, _)| k.data == d && k.sde == s).collect();
    let mut columns: Vec<Option<usize>> = mine.iter().map(|(k, _)| k.steps).collect();
    columns.sort_by_key(|c| c.map_or(usize::MAX, |n| n));
    columns.dedup();
    let heads: Vec<String> =
        columns.iter().map(|c| c.map_or_else(|| "adaptive".into(), |n| format!("{n} steps"))).collect();
    let mut rows: Vec<(String, usize, usize)> = Vec::new();
    for (k, _) in &mine {
        if !rows.iter().any(|(_, m, g)| (*m, *g) == (k.method, k.grid)) {
            let several = recipe.grids.len() > 1 && k.steps.is_some();
            let method = recipe.methods[k.method].label.clone();
            let label = if several { format!("{method}, {}", recipe.grids[k.grid].label) } else { method };
            rows.push((label, k.method, k.grid));
        }
    }
    // One panel's points and remark; blank where a method has no such column.
    type Panel = Option<(Vec<[f64; 2]>, Option<String>)>;
    let drawn: Vec<Vec<Panel>> = rows
        .iter()
        .map(|(_, m, g)| {
            let at = |c: &Option<usize>| {
                let found = mine.iter().find(|(k, _)| (k.method, k.grid, k.steps) == (*m, *g, *c));
                found.map(|(k, points)| {
                    let note =
                        (k.diverged > 0).then(|| format!("diverged: {} of {}", k.diverged, points.len()));
                    (pairs(points), note)
                })
            };
            columns.iter().map(at).collect()
        })
        .collect();
    let rows: Vec<SampleRow<'_>> = rows
        .iter()
        .zip(&drawn)
        .map(|((label, _, _), panels)| SampleRow {
            label,
            panels: panels
                .iter()
                .map(|p| p.as_ref().map(|(points, note)| SamplePanel { points, note: note.clone() }))
                .collect(),
        })
        .collect();
    let title = format!("{}, sampled under {}", data.label, recipe.sdes[s].label);
    Ok(plot::samples(stem, &title, &pairs(&reference), &heads, &rows)?)
}

/// The range of a coordinate of points, with a margin.
fn range(points: &Points, axis: usize) -> (f64, f64) {
    let values = points.rows().map(|r| r[axis]);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let margin = 0.12 * (high - low);
    (low - margin, high + margin)
}

/// The model's log-density at ε of the likelihood, by RK4 in 40 steps of log-SNR, and its score where samplers stop.
fn density(
    recipe: &Recipe,
    d: usize,
    s: usize,
    model: &Model,
    place: &Place<'_>,
    stem: &std::path::Path,
) -> Result<()> {
    let (data, sde) = (&recipe.data[d].0, &recipe.sdes[s]);
    let points = data.it.sample(&Key::root(0).branch("range"), 0, 2000);
    let (x, y) = (range(&points, 0), range(&points, 1));
    let centre =
        |(low, high): (f64, f64), i: usize, n: usize| low + (high - low) * (i as f64 + 0.5) / n as f64;
    let cells = (0..CELLS * CELLS).flat_map(|i| [centre(x, i % CELLS, CELLS), centre(y, i / CELLS, CELLS)]);
    let cells = Points::new(2, cells.collect());
    let spacing: &dyn tweedie_solvers::grid::Spacing = &tweedie_solvers::grid::UniformLogSnr;
    let grid = spacing.grid(&*sde.it, sde.it.span(Use::Likelihood), 40)?;
    let problem = Problem { sde: &*sde.it, model: &*model.score };
    let flow = Flow { problem, method: &RungeKutta::RK4, grid: &grid };
    let standardise = model.standardise.as_ref();
    let found = densities(flow, Divergence::Exact, &cells, standardise, &Key::root(0), place.device)?;
    let side = 20;
    let arrows = (0..side * side).flat_map(|i| [centre(x, i % side, side), centre(y, i / side, side)]);
    let tails = Points::new(2, arrows.collect());
    let inner = standardise.map_or_else(|| tails.clone(), |m| m.apply(&tails));
    let like = Tensor::zeros((1, 1), DType::F64, place.device)?;
    let at = sde.it.span(Use::Sampling).start;
    let inner = tensor(inner.values().to_vec(), (side * side, 2), &like)?;
    let score: Vec<Vec<f64>> = problem.predict(&inner, &[at])?.score()?.to_vec2()?;
    // The score of the user's coordinates: each component is divided by the deviation of its axis.
    let by = standardise.map_or_else(|| vec![1.0, 1.0], |m| m.deviation.clone());
    let arrows: Vec<(f64, f64, f64, f64)> =
        tails.rows().zip(&score).map(|(p, v)| (p[0], p[1], v[0] / by[0], v[1] / by[1])).collect();
    let field =
        Field { log_density: &found.log_p, nx: CELLS, ny: CELLS, x_range: x, y_range: y, arrows: &arrows };
    let title = format!("Log-density and score, {} under {}", data.label, sde.label);
    Ok(plot::density(stem, &title, &field)?)
}

/// Paths of every method at its largest step count, and the flow's for adaptive ones, which keep no steps. Where the noise is much wider
/// than the data (VE), each state is divided by its own deviation, √(α² σ_d² + σ²)/σ_d, or nothing would be seen.
fn trajectories(
    recipe: &Recipe,
    d: usize,
    s: usize,
    model: &Model,
    place: &Place<'_>,
    stem: &std::path::Path,
) -> Result<()> {
    let sde = &recipe.sdes[s];
    let spacing = &recipe.grids[0].it;
    let steps = recipe.steps_on(&**spacing).into_iter().max().unwrap_or(100);
    let nodes = spacing.grid(&*sde.it, sde.it.span(Use::Sampling), steps)?;
    let problem = Problem { sde: &*sde.it, model: &*model.score };
    let key = Key::root(recipe.seeds[0]);
    let points = recipe.data[d].0.it.sample(&Key::root(0).branch("range"), 0, 2000);
    let deviation = points.values().iter().map(|v| v * v).sum::<f64>() / points.values().len() as f64;
    let deviation = deviation.sqrt();
    let wide = sde.it.kernel(nodes.first()).sigma > 5.0 * deviation;
    let shrink = |t: f64| if wide { deviation / sde.it.kernel(t).deviation(deviation) } else { 1.0 };
    let mut panels: Vec<(String, Vec<Vec<[f64; 2]>>)> = Vec::new();
    let rk4 = OdeFlow(RungeKutta::RK4);
    for method in &recipe.methods {
        let adaptive = method.it.adaptive();
        let label = if adaptive { format!("{} (drawn by rk4)", method.label) } else { method.label.clone() };
        let by: &dyn Method = if adaptive { &rk4 } else { &*method.it };
        let grid: &Grid = &nodes;
        let sampler = Sampler { problem, method: by, grid, finish: recipe.finish };
        let sigma = sde.it.kernel(grid.first()).sigma;
        let start = noise::prior(&key, sigma, (0, PATHS, 2), (place.device, recipe.dtype))?;
        let mut watch = Trajectory { states: vec![start.clone()] };
        sampler.run(start, &Stream::new(&key, 0), &mut watch)?;
        let mut paths = vec![Vec::new(); PATHS];
        for (state, &t) in watch.states.iter().zip(grid.times()) {
            let rows: Vec<f64> = state.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
            let rows = Points::new(2, rows);
            let rows = model.standardise.as_ref().map_or_else(|| rows.clone(), |m| m.undo(&rows));
            for (path, row) in paths.iter_mut().zip(rows.rows()) {
                path.push([shrink(t) * row[0], shrink(t) * row[1]]);
            }
        }
        panels.push((label, paths));
    }
    let panels: Vec<TrajectoryPanel<'_>> =
        panels.iter().map(|(title, paths)| TrajectoryPanel { title, paths }).collect();
    let scaled = if wide { ", each state divided by its deviation" } else { "" };
    let title = format!("{steps} steps from noise to {} under {}{scaled}", recipe.data[d].0.label, sde.label);
    Ok(plot::trajectories(stem, &title, &panels)?)
}
