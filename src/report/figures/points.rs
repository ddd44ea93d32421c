//! Pictures of points: samples beside the data, the learned density with its score, trajectories.

use candle_core::{DType, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::integrate::Sampler;
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::method::{EulerMaruyama, Flow as OdeFlow, Method, RungeKutta};
use tweedie_solvers::model::{ScoreModel, tensor};
use tweedie_solvers::noise;
use tweedie_solvers::observe::Trajectory;
use tweedie_solvers::sde::Use;

use super::Shown;
use crate::error::Result;
use crate::points::Points;
use crate::recipe::Recipe;
use crate::report::plot::{self, Field, SamplePanel, SampleRow, TrajectoryPanel};
use crate::run::{EXACT, Model, Place, densities};

/// Cells along each side of a log-density map.
const CELLS: usize = 72;
/// Paths in a picture of trajectories.
const PATHS: usize = 40;

fn pairs(points: &Points) -> Vec<[f64; 2]> {
    points.rows().map(|r| [r[0], r[1]]).collect()
}

/// Samples of every method and step count beside the data.
pub(super) fn samples(
    recipe: &Recipe,
    d: usize,
    s: usize,
    shown: &[(Shown, &Points)],
    stem: &std::path::Path,
) -> Result<()> {
    let data = &recipe.data[d].0;
    let reference = data.it.held_out(&Key::root(recipe.seeds[0]).branch("reference"), recipe.samples);
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

/// The root of the mean variance of the coordinates.
fn spread(points: &Points) -> f64 {
    let (n, d) = (points.len() as f64, points.dim());
    let mean = |j: usize| points.rows().map(|p| p[j]).sum::<f64>() / n;
    let variance = |j: usize| {
        let m = mean(j);
        points.rows().map(|p| (p[j] - m).powi(2)).sum::<f64>() / n
    };
    ((0..d).map(variance).sum::<f64>() / d as f64).sqrt()
}

/// The range of a coordinate of points, with a margin.
fn range(points: &Points, axis: usize) -> (f64, f64) {
    let values = points.rows().map(|r| r[axis]);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let margin = 0.12 * (high - low);
    (low - margin, high + margin)
}

/// The noise level σ/α at which scores are drawn, of the data's deviation: the field is smooth on the scale of the arrows, and the
/// network has learned it; or the samplers' ε, if that is noisier.
const SCORE_LEVEL: f64 = 0.1;

/// The model's log-density at ε of the likelihood, by RK4 in 40 steps of log-SNR, and its score at one noise level, with the
/// exact one beside it where that is known.
pub(super) fn density(
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
    let span = sde.it.span(Use::Sampling);
    let wide = SCORE_LEVEL * spread(&standardise.map_or_else(|| points.clone(), |m| m.apply(&points)));
    let at = sde.it.time_at(-wide.ln()).clamp(span.start, span.end);
    let inner = tensor(inner.values().to_vec(), (side * side, 2), &like)?;
    // The score of the user's coordinates: each component is divided by the deviation of its axis.
    let by = standardise.map_or_else(|| vec![1.0, 1.0], |m| m.deviation.clone());
    let arrows = |model: &dyn ScoreModel| -> Result<Vec<(f64, f64, f64, f64)>> {
        let problem = Problem { sde: &*sde.it, model };
        let score: Vec<Vec<f64>> = problem.predict(&inner, &[at])?.score()?.to_vec2()?;
        let one = |(p, v): (&[f64], &Vec<f64>)| (p[0], p[1], v[0] / by[0], v[1] / by[1]);
        Ok(tails.rows().zip(&score).map(one).collect())
    };
    let learned = model.label != EXACT;
    let law = (learned && standardise.is_none() && data.it.continuous()).then(|| data.it.exact().ok());
    let exact = law.flatten().map_or_else(|| Ok(vec![]), |law| arrows(&*law))?;
    let mine = arrows(&*model.score)?;
    let level = sde.it.kernel(at).ratio();
    let whose = match (learned, exact.is_empty()) {
        (false, _) => "white: exact score",
        (true, true) => "white: the network's score",
        (true, false) => "white: the network's score, orange: exact",
    };
    let note = format!("{whose}, at t = {at:.2e}, σ/α = {level:.2e}");
    let field = Field {
        log_density: &found.log_p,
        nx: CELLS,
        ny: CELLS,
        x_range: x,
        y_range: y,
        arrows: &mine,
        exact: &exact,
        note: &note,
    };
    let title = format!("Log-density and score, {} under {}", data.label, sde.label);
    Ok(plot::density(stem, &title, &field)?)
}

/// Paths of every method at its largest step count, and the flow's for adaptive ones, which keep no steps. Where the noise is much wider
/// than the data (VE), each state is divided by its own deviation, √(α² σ_d² + σ²)/σ_d, or nothing would be seen.
pub(super) fn trajectories(
    recipe: &Recipe,
    d: usize,
    s: usize,
    model: &Model,
    place: &Place<'_>,
    stem: &std::path::Path,
) -> Result<()> {
    let sde = &recipe.sdes[s];
    let most = recipe.all_steps().pop().unwrap_or(100);
    // Each method on the first of its grids.
    let nodes = |method: usize| {
        let spacing = model.spacing(recipe, recipe.grids_of(s, method)[0])?;
        spacing.grid(&*sde.it, sde.it.span(Use::Sampling), spacing.fixed_steps().unwrap_or(most))
    };
    let first = nodes(0)?;
    let problem = Problem { sde: &*sde.it, model: &*model.score };
    let key = Key::root(recipe.seeds[0]);
    let points = recipe.data[d].0.it.sample(&Key::root(0).branch("range"), 0, 2000);
    let deviation = points.values().iter().map(|v| v * v).sum::<f64>() / points.values().len() as f64;
    let deviation = deviation.sqrt();
    let wide = sde.it.kernel(first.first()).sigma > 5.0 * deviation;
    let shrink = |t: f64| if wide { deviation / sde.it.kernel(t).deviation(deviation) } else { 1.0 };
    let mut panels: Vec<(String, Vec<Vec<[f64; 2]>>)> = Vec::new();
    let (rk4, euler) = (OdeFlow(RungeKutta::RK4), EulerMaruyama::default());
    for (m, method) in recipe.methods.iter().enumerate() {
        let adaptive = method.it.adaptive();
        let (by, name): (&dyn Method, _) = match (adaptive, method.it.has_noise()) {
            (false, _) => (&*method.it, ""),
            (true, true) => (&euler, " (drawn by euler-maruyama)"),
            (true, false) => (&rk4, " (drawn by rk4)"),
        };
        let label = format!("{}{name}", method.label);
        let grid: &Grid = &nodes(m)?;
        let sampler = Sampler { problem, method: by, grid, finish: recipe.finish };
        let (end, sigma) = (grid.first(), sde.it.kernel(grid.first()).sigma);
        let start = noise::prior(&key, sigma, (0, PATHS, 2), (place.device, recipe.dtype))?;
        let mut watch = Trajectory { states: vec![start.clone()] };
        sampler.run(start, &*recipe.driver.noise(&key, 0, end), &mut watch)?;
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
    let steps = first.len();
    let title = format!("{steps} steps from noise to {} under {}{scaled}", recipe.data[d].0.label, sde.label);
    Ok(plot::trajectories(stem, &title, &panels)?)
}
