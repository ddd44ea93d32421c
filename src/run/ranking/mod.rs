//! Methods against each other at budgets of evaluations: groups that the seeds cannot tell apart, and the Pareto front of error against
//! evaluations. Where a recipe has `evals`, by its first metric.
//!
//! The family of a budget, data set and SDE is all pairs of its methods: whether two of them are told apart is Holm's word ([`holm`]), so
//! that where all means are equal 95 % of the families have one group. Group 1 is the best mean and what is not told apart from it; the
//! next group is the best mean of the rest, and what of the rest is not told apart from that one; and so on. So a method is told apart
//! from the *first* of every better group, not from all of its members. Methods at the floor are not told apart, whatever the test says.
//! The front is one of means, and tested against nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::floor::{LEAST_SEEDS, Standing};
use super::holm::{self, BySeed, told_apart};
use super::record::{DATA, Record, Summary};
use crate::recipe::Recipe;
use crate::registry::METHODS;

/// A row of `ranking.csv`: a method with the most steps that a budget pays for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// The data set.
    pub data: String,
    /// The SDE.
    pub sde: String,
    /// The metric.
    pub metric: String,
    /// Evaluations that may be spent on a sample.
    pub budget: usize,
    /// The method.
    pub method: String,
    /// Its family.
    pub family: String,
    /// The grid, or `adaptive`.
    pub grid: String,
    /// Steps; none for adaptive methods.
    pub steps: Option<usize>,
    /// Evaluations that it spends.
    pub evals: f64,
    /// Seconds of sampling, the mean over seeds, other runs beside it.
    pub seconds: f64,
    /// The mean over seeds.
    pub mean: f64,
    /// Lower end of its interval; empty for one seed and where samples diverged.
    pub low: Option<f64>,
    /// Upper end of its interval; empty where the lower end is.
    pub high: Option<f64>,
    /// Where the mean stands against the floor.
    pub against_floor: Option<Standing>,
    /// 1 for the best and what is not told apart from it, 2 for the best of the others, and so on; empty where samples diverged and
    /// where there are fewer than three seeds.
    pub group: Option<usize>,
    /// How many comparisons the groups of this budget survive: all pairs of its methods.
    pub comparisons: usize,
    /// Whether no mean that costs as much or less is better, over all budgets; what is at the floor counts as equal.
    pub pareto: bool,
}

/// The rows of every data set, SDE and budget, the best first; none for a recipe of step counts.
pub fn ranking(
    recipe: &Recipe,
    records: &[Record],
    summary: &[Summary],
    seconds: &dyn Fn(&Summary) -> f64,
) -> Vec<Ranked> {
    let Some(metric) = recipe.metrics.first().map(|m| m.label.as_str()) else { return vec![] };
    if recipe.evals.is_empty() {
        return vec![];
    }
    let mut out = Vec::new();
    for (data, _) in &recipe.data {
        for sde in &recipe.sdes {
            let here = |r: &&Summary| r.data == data.label && r.sde == sde.label && r.metric == metric;
            let all: Vec<&Summary> = summary.iter().filter(here).filter(|r| r.method != DATA).collect();
            let values = by_seed(&all, records);
            let front = front(&all);
            for &budget in &recipe.evals {
                let paid = within(recipe, &all, budget);
                let ranked = groups(&all, &values, paid);
                let compared = ranked.iter().filter(|(_, group)| group.is_some()).count();
                for (place, group) in ranked {
                    let r = all[place];
                    let method = recipe.methods.iter().find(|m| m.label == r.method);
                    out.push(Ranked {
                        data: r.data.clone(),
                        sde: r.sde.clone(),
                        metric: r.metric.clone(),
                        budget,
                        method: r.method.clone(),
                        family: method.map_or("", |m| METHODS.family(m.name())).to_owned(),
                        grid: r.grid.clone(),
                        steps: r.steps,
                        evals: r.evals,
                        seconds: seconds(r),
                        mean: r.mean,
                        low: r.low,
                        high: r.high,
                        against_floor: r.against_floor,
                        group,
                        comparisons: holm::comparisons(compared),
                        pareto: front[place],
                    });
                }
            }
        }
    }
    out
}

/// The values of every row.
fn by_seed(all: &[&Summary], records: &[Record]) -> Vec<BySeed> {
    let key = |method: &str, grid: &str, steps: Option<usize>| format!("{method}\n{grid}\n{steps:?}");
    let mut found: BTreeMap<String, BySeed> = BTreeMap::new();
    if let Some(first) = all.first() {
        let here = |r: &&Record| (&r.data, &r.sde, &r.metric) == (&first.data, &first.sde, &first.metric);
        for r in records.iter().filter(here) {
            found.entry(key(&r.method, &r.grid, r.steps)).or_default().insert(r.seed, r.value);
        }
    }
    all.iter().map(|r| found.remove(&key(&r.method, &r.grid, r.steps)).unwrap_or_default()).collect()
}

/// The row of every method and grid that spends the most within a budget.
fn within(recipe: &Recipe, all: &[&Summary], budget: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::new();
    for (i, r) in all.iter().enumerate() {
        // Adaptive methods spend what they spend.
        if r.evals > budget as f64 + 1e-9 || recipe.methods.iter().all(|m| m.label != r.method) {
            continue;
        }
        match best.iter_mut().find(|j| (&all[**j].method, &all[**j].grid) == (&r.method, &r.grid)) {
            Some(j) if all[*j].evals < r.evals => *j = i,
            Some(_) => {}
            None => best.push(i),
        }
    }
    best
}

/// Rows from the best to the worst with their groups.
fn groups(all: &[&Summary], values: &[BySeed], mut places: Vec<usize>) -> Vec<(usize, Option<usize>)> {
    places.sort_by(|&a, &b| all[a].mean.total_cmp(&all[b].mean));
    let (sound, broken): (Vec<usize>, Vec<usize>) =
        places.into_iter().partition(|&p| all[p].mean.is_finite() && all[p].seeds >= LEAST_SEEDS);
    let apart = told_apart(&sound.iter().map(|&p| &values[p]).collect::<Vec<_>>());
    let mut out = Vec::new();
    let mut rest: Vec<usize> = (0..sound.len()).collect();
    let mut group = 0;
    while let Some(&best) = rest.first() {
        group += 1;
        let alike = |i: usize| !apart[i][best] || (all[sound[i]].at_floor() && all[sound[best]].at_floor());
        let (mine, others): (Vec<usize>, Vec<usize>) = rest.iter().partition(|&&i| alike(i));
        out.extend(mine.into_iter().map(|i| (sound[i], Some(group))));
        rest = others;
    }
    out.extend(broken.into_iter().map(|p| (p, None)));
    out
}

/// Whether each row is on the front of low means and few evaluations. A mean at the floor, or below it, counts as the floor.
fn front(all: &[&Summary]) -> Vec<bool> {
    let error = |r: &Summary| {
        let floor = r.floor.unwrap_or(f64::NEG_INFINITY);
        if r.at_floor() { floor } else { r.mean.max(floor) }
    };
    let beaten = |r: &Summary| {
        all.iter().any(|o| {
            o.mean.is_finite()
                && o.evals <= r.evals
                && error(o) <= error(r)
                && (o.evals < r.evals || error(o) < error(r))
        })
    };
    all.iter().map(|r| r.mean.is_finite() && !beaten(r)).collect()
}

#[cfg(test)]
mod tests;
