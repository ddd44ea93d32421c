//! Methods at budgets of evaluations: means with intervals and groups for each data set and SDE, groups side by side where there are several
//! data sets, and the Pareto fronts.

use super::layout::{blocks, short, wrap};
use super::table::{mark, title, titled, value};
use crate::recipe::Recipe;
use crate::run::record::DATA;
use crate::run::{Ranked, Summary};

/// The tables, as text; empty where nothing is ranked.
pub fn rankings(recipe: &Recipe, summary: &[Summary], ranking: &[Ranked]) -> String {
    let mut out = String::new();
    for sde in &recipe.sdes {
        let rows: Vec<&Ranked> = ranking.iter().filter(|r| r.sde == sde.label).collect();
        let Some(first) = rows.first() else { continue };
        let data: Vec<&str> = recipe.data.iter().map(|(d, _)| d.label.as_str()).collect();
        for set in &recipe.data {
            let name = &set.0.label;
            let here: Vec<&Ranked> = rows.iter().filter(|r| r.data == *name).copied().collect();
            let measured = |r: &&Summary| {
                (&r.data, &r.sde, &r.metric) == (name, &sde.label, &first.metric) && r.method != DATA
            };
            let shown: Vec<&Summary> = summary.iter().filter(measured).collect();
            let title = title(recipe, set, &sde.label, &first.metric) + " by budgets of evaluations";
            out += &format!(
                "{}\n{}\n\n",
                titled(&title, &shown),
                table(recipe, &here, |budget, method| numbers(&here, budget, method))
            );
        }
        let grouped = rows.iter().any(|r| r.group.is_some());
        if grouped && data.len() > 1 {
            let title = format!("groups under {} on {}", sde.label, data.join(", "));
            let cells = table(recipe, &rows, |budget, method| groups(&rows, &data, budget, method));
            out += &format!("{}\n{cells}\n\n", wrap(&title));
        }
        for name in data {
            out += &front(&rows, name, &sde.label, recipe.grids.len() > 1);
        }
        out += "\n";
    }
    out
}

/// A method and its grid.
type Name<'a> = (&'a str, &'a str);

/// A row for each method and grid by budgets, the best on average first.
fn table(recipe: &Recipe, rows: &[&Ranked], cell: impl Fn(usize, Name<'_>) -> String) -> String {
    let mut names: Vec<Name<'_>> = Vec::new();
    for r in rows {
        if !names.contains(&(&r.method, &r.grid)) {
            names.push((&r.method, &r.grid));
        }
    }
    names.sort_by_cached_key(|name| standing(recipe, rows, *name));
    let head: Vec<String> =
        ["method".to_owned()].into_iter().chain(recipe.evals.iter().map(ToString::to_string)).collect();
    let several = recipe.grids.len() > 1;
    let line = |name: Name<'_>| -> Vec<String> {
        let shown = if several { format!("{}, {}", name.0, name.1) } else { name.0.to_owned() };
        [shown].into_iter().chain(recipe.evals.iter().map(|&budget| cell(budget, name))).collect()
    };
    blocks(&head, &names.into_iter().map(line).collect::<Vec<_>>(), 1)
}

/// The sum of a method's groups, or of its places where there are none; what diverged or has no step at a budget stands last there.
fn standing(recipe: &Recipe, rows: &[&Ranked], (method, grid): Name<'_>) -> (usize, usize) {
    let mut sum = (0, 0);
    for (data, _) in &recipe.data {
        for &budget in &recipe.evals {
            let here: Vec<&&Ranked> =
                rows.iter().filter(|r| r.budget == budget && r.data == data.label).collect();
            let worst = here.iter().filter_map(|r| r.group).max().unwrap_or(1);
            let place = here.iter().position(|r| r.method == method && r.grid == grid);
            sum.0 += place.and_then(|p| here[p].group).unwrap_or(worst);
            sum.1 += place.unwrap_or(rows.len());
        }
    }
    sum
}

/// `·0.041 (1)` above `0.038–0.044`, `–` where a budget pays for no step.
fn numbers(rows: &[&Ranked], budget: usize, (method, grid): Name<'_>) -> String {
    let found = rows.iter().find(|r| r.budget == budget && r.method == method && r.grid == grid);
    found.map_or_else(
        || "–".to_owned(),
        |r| {
            let group = r.group.map_or_else(String::new, |g| format!(" ({g})"));
            value(r.mean, (r.low, r.high), r.against_floor, &group)
        },
    )
}

/// The groups on all data sets, `×` where samples diverged.
fn groups(rows: &[&Ranked], data: &[&str], budget: usize, (method, grid): Name<'_>) -> String {
    let each = data.iter().map(|name| {
        let mine = |r: &&&Ranked| r.budget == budget && r.method == method && r.grid == grid;
        rows.iter().filter(mine).find(|r| r.data == *name).map_or_else(
            || "–".to_owned(),
            |r| r.group.map_or_else(|| "×".to_owned(), |g| format!("{}{g}", mark(r.against_floor))),
        )
    });
    each.collect::<Vec<_>>().join(" ")
}

/// `Pareto front of means on two-moons under vp: 4 dpmpp-2m 0.31, 6 unipc 0.12 …`.
fn front(rows: &[&Ranked], data: &str, sde: &str, several_grids: bool) -> String {
    let mut best: Vec<&Ranked> = rows.iter().filter(|r| r.data == data && r.pareto).copied().collect();
    best.sort_by(|a, b| a.evals.total_cmp(&b.evals).then(a.mean.total_cmp(&b.mean)));
    best.dedup_by(|a, b| (&a.method, &a.grid, a.steps) == (&b.method, &b.grid, b.steps));
    let mut costs: Vec<(f64, Vec<String>)> = Vec::new();
    for r in best {
        let grid = if several_grids { format!(" on {}", r.grid) } else { String::new() };
        let text = format!("{}{grid} {}{}", r.method, mark(r.against_floor), short(r.mean));
        match costs.last_mut() {
            Some((evals, names)) if *evals == r.evals => {
                if !names.contains(&text) {
                    names.push(text);
                }
            }
            _ => costs.push((r.evals, vec![text])),
        }
    }
    let each = costs.into_iter().map(|(evals, names)| format!("{evals:.0}: {}", names.join(" or ")));
    let text = format!(
        "Pareto front of means, tested against nothing, on {data} under {sde}, evaluations: method and error – {}",
        each.collect::<Vec<_>>().join("; ")
    );
    wrap(&text) + "\n"
}
