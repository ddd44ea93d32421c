//! Methods at budgets of evaluations: for each SDE their groups on every data set, and the Pareto fronts.

use super::table::{fresh, right};
use crate::recipe::Recipe;
use crate::run::Ranked;

/// The tables, as text; empty where nothing is ranked.
pub fn rankings(recipe: &Recipe, ranking: &[Ranked]) -> String {
    let mut out = String::new();
    for sde in &recipe.sdes {
        let rows: Vec<&Ranked> = ranking.iter().filter(|r| r.sde == sde.label).collect();
        let Some(first) = rows.first() else { continue };
        let data: Vec<&str> = recipe.data.iter().map(|(d, _)| d.label.as_str()).collect();
        out += &format!(
            "{} under {} at most so many evaluations: groups on {}, 1 is the best; methods of one group cannot be told apart over {} seeds\n",
            first.metric,
            sde.label,
            data.join(", "),
            recipe.seeds.len()
        );
        out += &format!("{}\n\n", groups(recipe, &rows, &data));
        for name in data {
            out += &front(&rows, name, &sde.label, recipe.grids.len() > 1);
        }
        out += "\n";
    }
    out
}

/// A row for each method and grid, the best on average first; `·` where it is at the floor, `–` where a budget pays for no step.
fn groups(recipe: &Recipe, rows: &[&Ranked], data: &[&str]) -> comfy_table::Table {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for r in rows {
        if !names.contains(&(&r.method, &r.grid)) {
            names.push((&r.method, &r.grid));
        }
    }
    let mine = |(method, grid): (&str, &str)| {
        rows.iter().filter(move |r| r.method == method && r.grid == grid).copied().collect::<Vec<_>>()
    };
    // The sum of groups; what diverged or has no step at a budget stands with the worst there.
    let worst = |budget: usize, data: &str| {
        rows.iter()
            .filter(|r| r.budget == budget && r.data == data)
            .filter_map(|r| r.group)
            .max()
            .unwrap_or(1)
    };
    let standing = |name: (&str, &str)| {
        let of = mine(name);
        let places = recipe.evals.iter().flat_map(|&budget| data.iter().map(move |d| (budget, *d)));
        let each = places.map(|(budget, d)| {
            let found = of.iter().find(|r| r.budget == budget && r.data == d).and_then(|r| r.group);
            found.unwrap_or_else(|| worst(budget, d))
        });
        each.sum::<usize>()
    };
    names.sort_by_key(|name| standing(*name));
    let mut table = fresh();
    let heads = recipe.evals.iter().map(ToString::to_string);
    table.set_header(["method".to_owned()].into_iter().chain(heads));
    let several = recipe.grids.len() > 1;
    for (method, grid) in names {
        let of = mine((method, grid));
        let cell = |budget: &usize| {
            let each = data.iter().map(|name| {
                let found = of.iter().find(|r| r.budget == *budget && r.data == *name);
                found.map_or_else(
                    || "–".to_owned(),
                    |r| {
                        let mark = if r.at_floor { "·" } else { "" };
                        r.group.map_or_else(|| "×".to_owned(), |g| format!("{g}{mark}"))
                    },
                )
            });
            each.collect::<Vec<_>>().join(" ")
        };
        let name = if several { format!("{method}, {grid}") } else { method.to_owned() };
        table.add_row([name].into_iter().chain(recipe.evals.iter().map(cell)));
    }
    right(&mut table);
    table
}

/// `Pareto front of two-moons under vp: 4 dpmpp-2m 0.31, 6 unipc 0.12 …`.
fn front(rows: &[&Ranked], data: &str, sde: &str, several_grids: bool) -> String {
    let mut best: Vec<&Ranked> = rows.iter().filter(|r| r.data == data && r.pareto).copied().collect();
    best.sort_by(|a, b| a.evals.total_cmp(&b.evals).then(a.mean.total_cmp(&b.mean)));
    best.dedup_by(|a, b| (&a.method, &a.grid, a.steps) == (&b.method, &b.grid, b.steps));
    let mut costs: Vec<(f64, Vec<String>)> = Vec::new();
    for r in best {
        let mark = if r.at_floor { "·" } else { "" };
        let grid = if several_grids { format!(" on {}", r.grid) } else { String::new() };
        let text = format!("{}{grid} {:.3}{mark}", r.method, r.mean);
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
    format!(
        "Pareto front on {data} under {sde}, evaluations: method and error – {}\n",
        each.collect::<Vec<_>>().join("; ")
    )
}
