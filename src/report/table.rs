//! The tables that a run ends with: for each data set, SDE and metric, methods by step counts.

use tweedie_solvers::integrate::Finish;

use super::layout::{blocks, ends, fresh, right, short, spread, wrap};
use crate::data::Data;
use crate::recipe::{Named, Recipe};
use crate::registry::NLL;
use crate::run::record::DATA;
use crate::run::{AGAIN, Level, MEMORISATION, SOLVER_ERROR, SOLVER_ERROR_LARGEST, Standing, Summary, worst};

/// The tables, as text: the first metric's for each data set and SDE, then likelihoods. Under each mean stands its interval; `·` and `?`
/// say where it stands against the floor.
pub fn tables(recipe: &Recipe, summary: &[Summary]) -> String {
    let mut out = String::new();
    for set in &recipe.data {
        let data = &set.0;
        // Methods at budgets are ranked, in tables of their own.
        if let Some(metric) = recipe.metrics.first().filter(|_| recipe.evals.is_empty()) {
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
    set: &(Named<dyn Data>, bool),
    sde: &str,
    metric: &str,
) -> String {
    let data = set.0.label.as_str();
    let rows: Vec<&Summary> = summary
        .iter()
        .filter(|r| r.data == data && r.sde == sde && r.metric == metric && r.method != DATA)
        .collect();
    let mut columns: Vec<Option<usize>> = rows.iter().map(|r| r.steps).collect();
    columns.sort_by_key(|c| c.map_or(usize::MAX, |n| n));
    columns.dedup();
    let heads = columns.iter().map(|c| c.map_or_else(|| "adaptive".to_owned(), |n| format!("{n} steps")));
    let head: Vec<String> = ["method".to_owned(), "evals".to_owned()].into_iter().chain(heads).collect();
    let several = recipe.grids.len() > 1;
    let mut names: Vec<(&str, &str)> = Vec::new();
    for r in &rows {
        if !names.contains(&(&r.method, &r.grid)) {
            names.push((&r.method, &r.grid));
        }
    }
    let line = |(method, grid): (&str, &str)| -> Vec<String> {
        let mine: Vec<&&Summary> = rows.iter().filter(|r| r.method == method && r.grid == grid).collect();
        let diverged = |r: &Summary| {
            let same = |o: &&Summary| (&o.data, &o.sde, &o.method) == (&r.data, &r.sde, &r.method);
            let mut counts = summary.iter().filter(|o| o.metric == "diverged").filter(same);
            counts.any(|o| (&o.grid, o.steps) == (&r.grid, r.steps))
        };
        let shown = |r: &Summary| {
            // Why it is empty is said in a warning.
            if r.mean.is_nan() && !diverged(r) { "not found".to_owned() } else { cell(r) }
        };
        let of = |steps: &Option<usize>| mine.iter().find(|r| r.steps == *steps);
        let cells = columns.iter().map(|c| of(c).map_or_else(String::new, |r| shown(r)));
        let name = if several { format!("{method}, {grid}") } else { method.to_owned() };
        // The final denoising is one more, whatever the steps.
        let last = f64::from(u8::from(recipe.finish == Finish::Denoise));
        let evals = cost(&mine, last);
        [name, evals].into_iter().chain(cells).collect()
    };
    let lines: Vec<Vec<String>> = names.into_iter().map(line).collect();
    format!("{}\n{}\n\n", titled(&title(recipe, set, sde, metric), &rows), blocks(&head, &lines, 2))
}

/// What is measured of how many samples of what.
pub(super) fn title(
    recipe: &Recipe,
    (data, standardise): &(Named<dyn Data>, bool),
    sde: &str,
    metric: &str,
) -> String {
    let units = if data.it.own().is_some() && *standardise { ", in deviations of each column" } else { "" };
    format!("{metric} of {} samples of {} under {sde}{units}", recipe.compared(&*data.it), data.label)
}

/// A title with `; floor 0.047 (0.036–0.062)`, and what the marks mean in a table of these rows.
pub(super) fn titled(title: &str, rows: &[&Summary]) -> String {
    let floor = |r: &&Summary| Some((r.floor?, r.floor_low?, r.floor_high?, r.floor_reach?));
    let Some((mean, low, high, reach)) = rows.iter().find_map(floor) else { return wrap(title) };
    let title = wrap(&format!("{title}; floor {} ({})", short(mean), ends(mean, low, high)));
    let reach = short(reach);
    let any = |standing| rows.iter().any(|r| r.against_floor == Some(standing));
    let mut marks = Vec::new();
    if any(Standing::TooFewSeeds) {
        marks.push("too few seeds to tell what is at the floor".to_owned());
    }
    if any(Standing::At) {
        marks.push(format!("· at the floor: not above it, interval within {reach}"));
    }
    if any(Standing::Unclear) {
        let within = if any(Standing::At) { String::new() } else { format!(" than {reach}") };
        marks.push(format!("? not above it, but wider{within}"));
    }
    if any(Standing::Below) {
        marks.push("< below it: by chance, narrower than the data, or copies of them".to_owned());
    }
    if marks.is_empty() { title } else { format!("{title}\n{}", wrap(&marks.join("; "))) }
}

/// `2/step`, with what is spent besides: between two step counts the rest is what does not grow with them.
fn cost(rows: &[&&Summary], last: f64) -> String {
    let points: Vec<(f64, f64)> =
        rows.iter().filter_map(|r| Some((r.steps? as f64, r.evals - last))).collect();
    // A run that failed has counted nothing.
    if rows.iter().any(|r| r.evals.is_nan()) {
        return "–".to_owned();
    }
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

/// `·0.041` above `0.038–0.044`.
fn cell(r: &Summary) -> String {
    value(r.mean, (r.low, r.high), r.against_floor, "")
}

/// A mean with its mark before it and something behind it, and its interval on a line below.
pub(super) fn value(
    mean: f64,
    interval: (Option<f64>, Option<f64>),
    standing: Option<Standing>,
    behind: &str,
) -> String {
    if mean.is_nan() {
        return "diverged".to_owned();
    }
    let below = match interval {
        (Some(low), Some(high)) => format!("\n{}", ends(mean, low, high)),
        _ => String::new(),
    };
    format!("{}{}{behind}{below}", mark(standing), short(mean))
}

/// `·` at the floor, `<` below it, `?` where that is not clear.
pub(super) fn mark(standing: Option<Standing>) -> &'static str {
    match standing {
        Some(Standing::At) => "·",
        Some(Standing::Below) => "<",
        Some(Standing::Unclear) => "?",
        Some(Standing::Above | Standing::TooFewSeeds) | None => "",
    }
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
    let within = |r: &Summary| r.low.zip(r.high).map(|(low, high)| format!(" ({})", ends(r.mean, low, high)));
    let one = |r: &&Summary| format!("{} {}{}", r.sde, short(r.mean), within(r).unwrap_or_default());
    let parts: Vec<String> = most.iter().map(one).collect();
    if parts.is_empty() {
        return String::new();
    }
    let parts = parts.join(", ");
    format!(
        "memorisation on {data}, the largest of all methods (0 is none, 1 copies of training points): {parts}\n\n"
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
