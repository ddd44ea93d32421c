//! The tables that a run ends with: for each data set, SDE and metric, methods by step counts.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};

use tweedie_solvers::integrate::Finish;

use crate::data::Data;
use crate::recipe::{Named, Recipe};
use crate::registry::NLL;
use crate::run::record::DATA;
use crate::run::{AGAIN, Level, MEMORISATION, SOLVER_ERROR, SOLVER_ERROR_LARGEST, Summary, worst};

/// The tables, as text: the first metric's for each data set and SDE, then likelihoods. `·` marks means that are not above the upper
/// end of the floor's own interval: more samples, not more steps, would tell those apart.
pub fn tables(recipe: &Recipe, summary: &[Summary]) -> String {
    let mut out = String::new();
    for set in &recipe.data {
        let data = &set.0;
        // Methods at budgets are ranked, in tables of their own, where there are seeds to rank them by.
        let ranked = !recipe.evals.is_empty() && recipe.seeds.len() > 1;
        if let Some(metric) = recipe.metrics.first().filter(|_| !ranked) {
            for sde in &recipe.sdes {
                out += &quality(recipe, summary, set, &sde.label, &metric.label);
            }
        }
        out += &likelihood(summary, data);
        out += &memorisation(summary, &data.label);
    }
    out
}

fn quality(
    recipe: &Recipe,
    summary: &[Summary],
    (data, standardise): &(Named<dyn Data>, bool),
    sde: &str,
    metric: &str,
) -> String {
    let units = if data.it.own().is_some() && *standardise { ", in deviations of each column" } else { "" };
    let (count, data) = (recipe.compared(&*data.it), data.label.as_str());
    let rows: Vec<&Summary> = summary
        .iter()
        .filter(|r| r.data == data && r.sde == sde && r.metric == metric && r.method != DATA)
        .collect();
    let mut columns: Vec<Option<usize>> = rows.iter().map(|r| r.steps).collect();
    columns.sort_by_key(|c| c.map_or(usize::MAX, |n| n));
    columns.dedup();
    let mut table = fresh();
    let head = columns.iter().map(|c| c.map_or_else(|| "adaptive".to_owned(), |n| format!("{n} steps")));
    table.set_header(["method".to_owned(), "evals".to_owned()].into_iter().chain(head));
    let several = recipe.grids.len() > 1;
    let mut names: Vec<(&str, &str)> = Vec::new();
    for r in &rows {
        if !names.contains(&(&r.method, &r.grid)) {
            names.push((&r.method, &r.grid));
        }
    }
    for (method, grid) in names {
        let mine: Vec<&&Summary> = rows.iter().filter(|r| r.method == method && r.grid == grid).collect();
        let cells =
            columns.iter().map(|c| mine.iter().find(|r| r.steps == *c).map_or_else(String::new, |r| cell(r)));
        let name = if several { format!("{method}, {grid}") } else { method.to_owned() };
        // The final denoising is one more, whatever the steps.
        let last = f64::from(u8::from(recipe.finish == Finish::Denoise));
        let evals = cost(&mine, last);
        table.add_row([name, evals].into_iter().chain(cells));
    }
    right(&mut table);
    let floor = rows.first().and_then(|r| {
        let (mean, low, high) = (r.floor?, r.floor_low?, r.floor_high?);
        Some(format!("; floor {}", spread(mean, Some((high - low) / 2.0))))
    });
    format!(
        "{metric} of {count} samples of {data} under {sde}{units}{}\n{table}\n\n",
        floor.unwrap_or_default()
    )
}

/// `2/step`, with what is spent besides: between two step counts the rest is what does not grow with them.
fn cost(rows: &[&&Summary], last: f64) -> String {
    let points: Vec<(f64, f64)> =
        rows.iter().filter_map(|r| Some((r.steps? as f64, r.evals - last))).collect();
    let Some(&(n, evals)) = points.first() else { return format!("{:.0}", rows[0].evals) };
    let each = match points.iter().find(|p| p.0 != n) {
        Some(other) => (other.1 - evals) / (other.0 - n),
        None => evals / n,
    };
    let once = evals - each * n + last;
    if points.iter().any(|p| (p.1 - p.0 * each - (evals - each * n)).abs() > 1e-3 * p.1) {
        return "varies".to_owned();
    }
    let short = |v: f64| format!("{v:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
    match once {
        once if once > 5e-4 => format!("{}/step + {}", short(each), short(once)),
        once if once < -5e-4 => format!("{}/step − {}", short(each), short(-once)),
        _ => format!("{}/step", short(each)),
    }
}

/// `0.041 ±0.003·`.
fn cell(r: &Summary) -> String {
    if r.mean.is_nan() {
        return "diverged".to_owned();
    }
    let mark = if r.at_floor() { "·" } else { " " };
    format!("{}{mark}", spread(r.mean, r.high.map(|h| h - r.mean)))
}

/// A mean and half its interval, to three digits of the mean, or to four places where it is below 0.01.
fn spread(mean: f64, half: Option<f64>) -> String {
    let digits = match mean.abs() {
        m if m >= 100.0 => 0,
        m if m >= 10.0 => 1,
        m if m >= 1.0 => 2,
        m if m >= 0.01 => 3,
        _ => 4,
    };
    let half = half.map_or_else(String::new, |h| format!(" ±{h:.digits$}"));
    format!("{mean:.digits$}{half}")
}

/// How far networks are from exact scores, of a network that says 0: the mean over the levels that samplers and likelihoods use, and the
/// worst of them. Empty where no exact score is known.
pub fn networks(levels: &[Level]) -> String {
    let rows = worst(levels);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = fresh();
    table.set_header(["network", "mean", "worst", "at t", "σ/α there", "asked by"]);
    let short = |x: f64| if (1e-3..1e4).contains(&x) { format!("{x:.3}") } else { format!("{x:.1e}") };
    for w in &rows {
        let l = &w.level;
        table.add_row([
            format!("{}, {}", w.data, w.sde),
            short(w.mean),
            short(l.ratio()),
            format!("{:.1e}", l.t),
            format!("{:.1e}", l.sigma / l.alpha),
            if l.sampled { "samplers, likelihoods" } else { "likelihoods" }.to_owned(),
        ]);
    }
    right(&mut table);
    format!(
        "squared error of the networks' scores at the noise levels that samplers and likelihoods use,\nof that of a network that says 0 \
         (0 is exact, 1 is nothing learned)\n{table}\n\n"
    )
}

/// The largest figure under each SDE: one method's samples may be too rough to be copies.
fn memorisation(summary: &[Summary], data: &str) -> String {
    let mut most: Vec<&Summary> = Vec::new();
    for row in summary.iter().filter(|r| r.data == data && r.metric == MEMORISATION) {
        match most.iter_mut().find(|r| r.sde == row.sde) {
            Some(other) if row.mean > other.mean => *other = row,
            Some(_) => {}
            None => most.push(row),
        }
    }
    let parts: Vec<String> =
        most.iter().map(|r| format!("{} {}", r.sde, spread(r.mean, r.high.map(|h| h - r.mean)))).collect();
    if parts.is_empty() {
        return String::new();
    }
    let parts = parts.join(", ");
    format!(
        "memorisation on {data}, the largest of all methods (0.5 is none, 1 copies of training points): {parts}\n\n"
    )
}

fn likelihood(summary: &[Summary], set: &Named<dyn Data>) -> String {
    let data = set.label.as_str();
    let rows: Vec<&Summary> = summary.iter().filter(|r| r.data == data && r.metric == NLL).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut table = fresh();
    table.set_header(["sde", "NLL (nats)", "bits/dim", "above the truth (nats)", "evaluations per point"]);
    for r in &rows {
        let other =
            |metric: &str| summary.iter().find(|s| s.data == data && s.sde == r.sde && s.metric == metric);
        let shown = |s: Option<&Summary>| {
            s.map_or_else(|| "–".into(), |s| spread(s.mean, s.high.map(|h| h - s.mean)))
        };
        table.add_row([
            r.sde.clone(),
            shown(Some(r)),
            shown(other("bits-per-dimension")),
            shown(other("nll-gap")),
            format!("{:.0}", r.evals),
        ]);
    }
    right(&mut table);
    let held_out = set.it.own().is_none_or(|own| own.kept().is_some());
    let which = if held_out { "held-out" } else { "the training points of" };
    let solver = solver(summary, data);
    format!("negative log-likelihood of {which} {data}, by {}\n{table}\n{solver}\n", rows[0].method)
}

/// A line on what of these the solver owes, which no interval holds.
fn solver(summary: &[Summary], data: &str) -> String {
    let of =
        |metric: &str| summary.iter().filter(|r| r.data == data && r.metric == metric).collect::<Vec<_>>();
    let pairs = of(SOLVER_ERROR).into_iter().zip(of(SOLVER_ERROR_LARGEST));
    let parts: Vec<String> = pairs
        .map(|(mean, most)| format!("{} {:.0e} and {:.0e}", mean.sde, mean.mean.abs(), most.mean))
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(
        "the solver's error, by solving up to {AGAIN} points more finely, of their mean and at the worst (nats): {}\n",
        parts.join(", ")
    )
}

/// A table with rules above, below and under the head.
pub(crate) fn fresh() -> Table {
    let mut table = Table::new();
    let style =
        UTF8_HORIZONTAL_ONLY.header_separator(LineStyle::none().fill('─')).row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// All columns but the first to the right.
pub(crate) fn right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
