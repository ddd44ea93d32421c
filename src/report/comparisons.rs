//! Tables that compare runs with each other: parts of errors, strong errors, and methods against a baseline.

use super::table::{fresh, right};
use crate::recipe::Recipe;
use crate::run::{PARTS, Paired, SLOPE, STRONG, STRONG_SLOPE, Summary, WHOLE};

/// The tables, as text; empty where the recipe asks for none.
pub fn comparisons(recipe: &Recipe, summary: &[Summary], paired: &[Paired]) -> String {
    let mut out = String::new();
    for (data, _) in &recipe.data {
        for sde in &recipe.sdes {
            let here: Vec<&Summary> =
                summary.iter().filter(|r| r.data == data.label && r.sde == sde.label).collect();
            let place = format!("{} under {}", data.label, sde.label);
            if let Some(spec) = &recipe.decompose {
                let rows =
                    PARTS.iter().chain([&WHOLE]).map(|part| (*part, (*part == PARTS[1]).then_some(SLOPE)));
                let title = format!("where errors come from: {place}, {} samples", spec.samples);
                out += &by_steps(recipe, &here, &title, &rows.collect::<Vec<_>>());
            }
            if let Some(spec) = &recipe.strong {
                let title = format!(
                    "strong errors of {place}, against {} steps on the same paths",
                    spec.reference_steps
                );
                out += &by_steps(recipe, &here, &title, &[(STRONG, Some(STRONG_SLOPE))]);
            }
            out += &against(recipe, paired, &data.label, &sde.label);
        }
    }
    out
}

/// Metrics of every method, and their slopes, by step counts.
fn by_steps(recipe: &Recipe, rows: &[&Summary], title: &str, metrics: &[(&str, Option<&str>)]) -> String {
    let mut table = fresh();
    let heads = recipe.steps.iter().map(|n| format!("{n} steps"));
    table.set_header(
        ["method".to_owned(), String::new()].into_iter().chain(heads).chain(["slope".to_owned()]),
    );
    for (method, grid) in recipe.fixed_pairs() {
        let (method, grid) = (recipe.methods[method].label.as_str(), recipe.grids[grid].label.as_str());
        if !rows.iter().any(|r| r.method == method && r.grid == grid) {
            continue;
        }
        let mine = |steps, metric: &str| {
            rows.iter()
                .find(|r| r.method == method && r.grid == grid && r.steps == steps && r.metric == metric)
        };
        for (number, (metric, slope)) in metrics.iter().enumerate() {
            let cell = |n: &usize| mine(Some(*n), metric).map_or_else(String::new, |r| short(r.mean));
            let slope = slope.and_then(|s| mine(None, s)).map_or_else(String::new, |r| {
                format!(
                    "{:.2}{}",
                    r.mean,
                    r.high.map_or_else(String::new, |h| format!(" ±{:.2}", h - r.mean))
                )
            });
            let name = if number > 0 { String::new() } else { named(recipe, method, grid) };
            let part = metric.trim_start_matches("error-").trim_start_matches("strong-").to_owned();
            table.add_row([name, part].into_iter().chain(recipe.steps.iter().map(cell)).chain([slope]));
        }
    }
    right(&mut table);
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    format!("{title}\n{table}\n\n")
}

fn named(recipe: &Recipe, method: &str, grid: &str) -> String {
    if recipe.grids.len() > 1 { format!("{method}, {grid}") } else { method.to_owned() }
}

/// The first metric of every method less that of the baseline, with the interval and how much narrower pairing makes it.
fn against(recipe: &Recipe, paired: &[Paired], data: &str, sde: &str) -> String {
    let (Some(baseline), Some(metric)) = (&recipe.baseline, recipe.metrics.first()) else {
        return String::new();
    };
    let rows: Vec<&Paired> =
        paired.iter().filter(|p| p.data == data && p.sde == sde && p.metric == metric.label).collect();
    let mut table = fresh();
    table.set_header(["method", "steps", "difference", "if runs were independent", "narrower"]);
    for p in &rows {
        let digits = (2 - p.half_width.log10().floor() as i32).clamp(0, 9) as usize;
        let steps = p.steps.map_or_else(|| "adaptive".to_owned(), |n| n.to_string());
        table.add_row([
            named(recipe, &p.method, &p.grid),
            steps,
            format!("{:.digits$} ±{:.digits$}", p.difference, p.half_width),
            format!("±{:.digits$}", p.half_width_unpaired),
            format!("{:.1} ×", p.narrower),
        ]);
    }
    right(&mut table);
    let seeds = recipe.seeds.len();
    format!(
        "{} of {data} under {sde} less that of {baseline}, seed by seed; mean and 95 % interval over {seeds} seeds\n{table}\n\n",
        metric.label
    )
}

/// Three digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    if (1e-3..1e4).contains(&size) {
        return format!("{value:.*}", (2 - size.log10().floor() as i32).max(0) as usize);
    }
    format!("{value:.2e}")
}
