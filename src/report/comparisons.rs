//! Tables that compare runs with each other: parts of errors, strong errors, and methods against a baseline.

use super::footer::span;
use super::layout::{blocks, fresh, right, short, spread};
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
    let heads = recipe.steps.iter().map(|n| format!("{n} steps"));
    let head = ["method".to_owned(), "error".to_owned()].into_iter().chain(heads).chain(["slope".to_owned()]);
    let mut lines: Vec<Vec<String>> = Vec::new();
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
            let slope = slope
                .and_then(|s| mine(None, s))
                .map_or_else(String::new, |r| spread(r.mean, r.high.map(|h| h - r.mean)));
            let name = if number > 0 { String::new() } else { named(recipe, method, grid) };
            let part = metric.trim_start_matches("error-").trim_start_matches("strong-").to_owned();
            let cells = [name, part].into_iter().chain(recipe.steps.iter().map(cell)).chain([slope]);
            lines.push(cells.collect());
        }
    }
    format!("{title}, means {}\n{}\n\n", span(recipe), blocks(&head.collect::<Vec<_>>(), &lines, 2))
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
    table.set_header(["method", "steps", "difference", "if independent", "narrower"]);
    for p in &rows {
        let steps = p.steps.map_or_else(|| "adaptive".to_owned(), |n| n.to_string());
        let [difference, unpaired, narrower] = cells(p);
        table.add_row([named(recipe, &p.method, &p.grid), steps, difference, unpaired, narrower]);
    }
    right(&mut table);
    let (seeds, count) = (recipe.seeds.len(), rows.len());
    let alone = if count > 1 { format!(", each alone: of {count}, 5 % miss") } else { String::new() };
    format!(
        "{} of {data} under {sde} less that of {baseline}, seed by seed\nmeans and 95 % intervals over {seeds} seeds{alone}\n{table}\n\n",
        metric.label
    )
}

/// The difference, half the width that independent runs would have, and the factor between the two; `equal` where all seeds agree.
fn cells(p: &Paired) -> [String; 3] {
    let Some((difference, half)) = p.difference.zip(p.half_width) else {
        return ["diverged", "", ""].map(str::to_owned);
    };
    let unpaired = p.half_width_unpaired.map_or_else(String::new, |h| format!("±{}", two(h)));
    let narrower = p.narrower.map_or_else(String::new, |n| format!("{} ×", two(n)));
    let difference =
        if difference == 0.0 && half == 0.0 { "equal".into() } else { spread(difference, Some(half)) };
    [difference, unpaired, narrower]
}

/// Two digits.
fn two(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if (1e-3..1e4).contains(&value) {
        return format!("{value:.*}", (1 - value.log10().floor() as i32).max(0) as usize);
    }
    format!("{value:.1e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of two methods at three seeds.
    fn row(difference: Option<f64>, half_width: Option<f64>, narrower: Option<f64>) -> Paired {
        let text = String::new;
        Paired {
            data: text(),
            sde: text(),
            model: text(),
            method: text(),
            baseline: text(),
            grid: text(),
            steps: None,
            metric: text(),
            seeds: 3,
            difference,
            half_width,
            half_width_unpaired: difference.map(|_| 0.034),
            narrower,
        }
    }

    /// What has no spread has no digits to count.
    #[test]
    fn methods_that_agree_are_equal() {
        assert_eq!(cells(&row(Some(0.0), Some(0.0), None)), ["equal", "±0.034", ""]);
        assert_eq!(cells(&row(Some(0.125), Some(0.0), None)), ["0.125 ±0", "±0.034", ""]);
        assert_eq!(cells(&row(Some(0.1), Some(0.013), Some(2.6))), ["0.100 ±0.013", "±0.034", "2.6 ×"]);
        assert_eq!(cells(&row(None, None, None)), ["diverged", "", ""]);
    }
}
