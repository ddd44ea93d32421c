//! Methods against each other at budgets of evaluations: groups that the seeds cannot tell apart, and the Pareto front of error against
//! evaluations. Where a recipe has `evals`, by its first metric.

use serde::Serialize;

use super::record::{DATA, Record, Summary, interval};
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
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// Whether the mean is not above the upper end of the floor's interval.
    pub at_floor: bool,
    /// 1 for the best and what cannot be told from it, 2 for the best of the others, and so on; none where samples diverged.
    pub group: Option<usize>,
    /// Whether nothing that costs as much or less is better, over all budgets; what is at the floor counts as equal.
    pub pareto: bool,
}

/// The rows of every data set, SDE and budget, the best first; none for a recipe of step counts or of one seed.
pub fn ranking(
    recipe: &Recipe,
    records: &[Record],
    summary: &[Summary],
    seconds: &dyn Fn(&Summary) -> f64,
) -> Vec<Ranked> {
    let Some(metric) = recipe.metrics.first().map(|m| m.label.as_str()) else { return vec![] };
    if recipe.evals.is_empty() || recipe.seeds.len() < 2 {
        return vec![];
    }
    let mut out = Vec::new();
    for (data, _) in &recipe.data {
        for sde in &recipe.sdes {
            let here = |r: &&Summary| r.data == data.label && r.sde == sde.label && r.metric == metric;
            let all: Vec<&Summary> = summary.iter().filter(here).filter(|r| r.method != DATA).collect();
            let values = |r: &Summary| -> Vec<f64> {
                let same = |x: &&Record| {
                    (&x.data, &x.sde, &x.metric) == (&r.data, &r.sde, &r.metric)
                        && (&x.method, &x.grid, x.steps) == (&r.method, &r.grid, r.steps)
                };
                let mut found: Vec<(u64, f64)> =
                    records.iter().filter(same).map(|x| (x.seed, x.value)).collect();
                found.sort_by_key(|(seed, _)| *seed);
                found.into_iter().map(|(_, value)| value).collect()
            };
            let values: Vec<Vec<f64>> = all.iter().map(|r| values(r)).collect();
            let front = front(&all);
            for &budget in &recipe.evals {
                let paid = within(recipe, &all, budget);
                for (place, group) in groups(&all, &values, paid) {
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
                        at_floor: r.at_floor(),
                        group,
                        pareto: front[place],
                    });
                }
            }
        }
    }
    out
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

/// Rows from the best to the worst with their groups. Two are told apart if the 95 % interval of their difference over seeds (Student, seed by
/// seed) does not hold 0 and not both are at the floor.
fn groups(all: &[&Summary], values: &[Vec<f64>], mut places: Vec<usize>) -> Vec<(usize, Option<usize>)> {
    places.sort_by(|&a, &b| all[a].mean.total_cmp(&all[b].mean));
    let (mut rest, broken): (Vec<usize>, Vec<usize>) =
        places.into_iter().partition(|&p| all[p].mean.is_finite());
    let mut out = Vec::new();
    let mut group = 0;
    while let Some(&best) = rest.first() {
        group += 1;
        let alike = |p: usize| {
            let differences: Vec<f64> = values[p].iter().zip(&values[best]).map(|(a, b)| a - b).collect();
            let (mean, half) = interval(&differences);
            p == best || (all[p].at_floor() && all[best].at_floor()) || half.is_none_or(|h| mean.abs() <= h)
        };
        let (mine, others): (Vec<usize>, Vec<usize>) = rest.iter().partition(|&&p| alike(p));
        out.extend(mine.into_iter().map(|p| (p, Some(group))));
        rest = others;
    }
    out.extend(broken.into_iter().map(|p| (p, None)));
    out
}

/// Whether each row is on the front of low error and few evaluations; an error below the floor counts as the floor.
fn front(all: &[&Summary]) -> Vec<bool> {
    let error = |r: &Summary| r.mean.max(r.floor_high.unwrap_or(0.0));
    let beaten = |r: &Summary| {
        all.iter().any(|o| {
            error(o).is_finite()
                && o.evals <= r.evals
                && error(o) <= error(r)
                && (o.evals < r.evals || error(o) < error(r))
        })
    };
    all.iter().map(|r| r.mean.is_finite() && !beaten(r)).collect()
}
