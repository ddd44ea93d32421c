//! Methods against a baseline, seed by seed: the same seed is the same start, the same held-out draw and the same noise, so that the
//! difference of two methods varies less than either of them.

use serde::Serialize;

use super::interval::{equal, interval, mean, welch};
use super::record::{DATA, Record};
use crate::metrics::Range;
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
    /// The mean difference; below 0 the method is better. Empty where a run diverged.
    pub difference: Option<f64>,
    /// Half the width of its interval, from the differences themselves (Student). Empty where a run diverged.
    pub half_width: Option<f64>,
    /// Half the width that independent runs would have, from the spread of both (Welch). Empty where a run diverged.
    pub half_width_unpaired: Option<f64>,
    /// The second over the first. Empty where a run diverged, and where the differences have no spread, as between methods that agree on
    /// all seeds.
    pub narrower: Option<f64>,
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
        let difference = Some(mean(&differences)).filter(|d| d.is_finite());
        let half = interval(&differences, Range::Real).1.map(|(low, high)| 0.5 * (high - low));
        let unpaired = welch(&mine, &theirs);
        // A spread of the size of rounding is none.
        let agree = mine.iter().zip(&theirs).all(|(a, b)| equal(*a, *b));
        let spread = half.filter(|h| *h > 0.0 && !agree);
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
            narrower: unpaired.zip(spread).map(|(unpaired, half)| unpaired / half),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::record::Label;

    /// Two methods that agree on all seeds, one that is worse by a constant, one that diverged: no cell is a number that is none.
    #[test]
    fn what_does_not_exist_is_empty() {
        let text = "model = \"exact\"\nmethod = [\"heun\", \"euler\", \"ddim\", \"rk4\"]\nsteps = 4\nseed = [0, 1, 2]\n\
            metrics = [\"w2\"]\n[paired]\nbaseline = \"heun\"\n";
        let recipe = Recipe::build("t".into(), "t.toml", text.parse().unwrap()).unwrap();
        let mut records = Vec::new();
        for seed in 0..3 {
            let value = [0.25, 0.5, 1.0][seed as usize];
            let diverged = if seed == 1 { f64::NAN } else { value };
            for (method, value) in
                [("heun", value), ("euler", value), ("ddim", value + 0.125), ("rk4", diverged)]
            {
                let label = Label { method: method.into(), steps: Some(4), ..Label::data(seed) };
                records.push(label.record("w2", value));
            }
        }
        let rows = paired(&recipe, &records);
        let all = |r: &Paired| [r.difference, r.half_width, r.half_width_unpaired, r.narrower];
        let welch = rows[0].half_width_unpaired;
        assert!(welch.is_some_and(|h| h > 0.1));
        assert_eq!(all(&rows[0]), [Some(0.0), Some(0.0), welch, None]);
        assert_eq!(all(&rows[1]), [Some(0.125), Some(0.0), welch, None]);
        assert_eq!(all(&rows[2]), [None; 4]);
        let dir = tempfile::tempdir().unwrap();
        crate::report::write_paired(dir.path(), &rows).unwrap();
        let text = std::fs::read_to_string(dir.path().join("paired.csv")).unwrap();
        assert!(
            !text.contains("NaN") && !text.contains("inf") && text.contains("heun,,4,w2,3,,,,\n"),
            "{text}"
        );
    }
}
