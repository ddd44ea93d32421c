//! Methods against a baseline, seed by seed: the same seed is the same start, the same held-out draw and the same noise, so that the
//! difference of two methods varies less than either of them.

use serde::Serialize;

use super::record::{DATA, Record, interval, student};
use crate::recipe::Recipe;

/// A row of `paired.csv`: the mean of metric(method) − metric(baseline) over seeds, at the same steps and grid, with 95 % intervals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// The data set.
    pub data: String,
    /// The SDE.
    pub sde: String,
    /// The model.
    pub model: String,
    /// The method.
    pub method: String,
    /// What it is compared with.
    pub baseline: String,
    /// The grid of the method.
    pub grid: String,
    /// Steps of the method.
    pub steps: Option<usize>,
    /// The metric.
    pub metric: String,
    /// Seeds.
    pub seeds: usize,
    /// The mean difference; below 0 the method is better.
    pub difference: f64,
    /// Half the width of its interval, from the differences themselves (Student).
    pub half_width: f64,
    /// Half the width that independent runs would have, from the spread of both (Welch).
    pub half_width_unpaired: f64,
    /// The second over the first.
    pub narrower: f64,
}

/// Every method of a recipe against its baseline, for metrics of samples, on the same grid, or where the baseline has one grid alone (its
/// default) on that one. A method that chooses its own steps as a baseline serves all step counts; one that is compared with a baseline
/// of fixed steps is left out.
pub fn paired(recipe: &Recipe, records: &[Record]) -> Vec<Paired> {
    let Some(baseline) = &recipe.baseline else { return vec![] };
    let mut rows = Vec::new();
    let measured = |r: &&Record| recipe.metrics.iter().any(|m| m.label == r.metric) && r.method != DATA;
    for first in
        records.iter().filter(measured).filter(|r| r.seed == recipe.seeds[0] && r.method != *baseline)
    {
        let same = |r: &Record| {
            (&r.data, &r.sde, &r.model, &r.metric) == (&first.data, &first.sde, &first.model, &first.metric)
        };
        let place = |label: &str| recipe.methods.iter().position(|m| m.label == *label);
        let under = recipe.sdes.iter().position(|s| s.label == first.sde);
        let one = under.zip(place(baseline)).is_some_and(|(s, m)| recipe.grids_of(s, m).len() == 1);
        let value = |method: &str, seed: u64| {
            let at = |r: &&Record| {
                (r.steps == first.steps && (r.grid == first.grid || (method == baseline && one)))
                    || (method == baseline && r.steps.is_none())
            };
            records
                .iter()
                .filter(|r| same(r) && r.method == method && r.seed == seed)
                .find(at)
                .map(|r| r.value)
        };
        let both = recipe
            .seeds
            .iter()
            .filter_map(|&seed| Some((value(&first.method, seed)?, value(baseline, seed)?)));
        let (mine, theirs): (Vec<f64>, Vec<f64>) = both.unzip();
        if mine.len() < 2 {
            continue;
        }
        let differences: Vec<f64> = mine.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        let (difference, half) = interval(&differences);
        let (half, unpaired) = (half.unwrap_or(f64::NAN), welch(&mine, &theirs));
        rows.push(Paired {
            data: first.data.clone(),
            sde: first.sde.clone(),
            model: first.model.clone(),
            method: first.method.clone(),
            baseline: baseline.clone(),
            grid: first.grid.clone(),
            steps: first.steps,
            metric: first.metric.clone(),
            seeds: mine.len(),
            difference,
            half_width: half,
            half_width_unpaired: unpaired,
            narrower: unpaired / half,
        });
    }
    rows
}

/// Half the width of the 95 % interval of a difference of two means of n values each: t(ν) √(v/n), v = v₁ + v₂, with Welch's
/// ν = (n − 1) v²/(v₁² + v₂²).
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let variance = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / n;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)
    };
    let (v, w) = (variance(a), variance(b));
    student((n - 1.0) * (v + w).powi(2) / (v * v + w * w)) * ((v + w) / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: variances 1 and 4, ν = 2·25/17, t₀.₉₇₅(2.9412) = 3.2185 (scipy), half 3.2185 √(5/3).
    #[test]
    fn welchs_interval() {
        let half = welch(&[1.0, 2.0, 3.0], &[5.0, 3.0, 1.0]);
        assert!((half - 3.2185 * (5.0f64 / 3.0).sqrt()).abs() < 2e-3, "{half}");
    }
}
