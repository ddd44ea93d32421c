//! One row per measurement, and their means with intervals.

use std::collections::BTreeMap;

use serde::Serialize;

use super::excess::{MEAN, WORST};
use super::floor::{Standing, standing};
use super::interval::{interval, reach};
use super::{FARTHEST, PARTS, SOLVER_ERROR_LARGEST, STRONG, WHOLE, WITHOUT};
use crate::metrics::Range;
use crate::recipe::Recipe;

/// In the place of a method: the data measured against themselves, a floor.
pub const DATA: &str = "data";

/// What a number was measured on.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The data set.
    pub data: String,
    /// The SDE; empty for floors.
    pub sde: String,
    /// The model; empty for floors.
    pub model: String,
    /// The method, or `data` for floors.
    pub method: String,
    /// The grid, `adaptive`, or empty for floors.
    pub grid: String,
    /// Steps; none for adaptive methods and floors.
    pub steps: Option<usize>,
    /// Evaluations per sample, counted at the model.
    pub evals: f64,
    /// The seed.
    pub seed: u64,
}

impl Label {
    /// The label of a floor.
    pub fn data(seed: u64) -> Self {
        let none = String::new;
        Self {
            data: none(),
            sde: none(),
            model: none(),
            method: DATA.into(),
            grid: none(),
            steps: None,
            evals: 0.0,
            seed,
        }
    }

    /// A measurement under this label.
    pub fn record(&self, metric: &str, value: f64) -> Record {
        let l = self.clone();
        Record {
            data: l.data,
            sde: l.sde,
            model: l.model,
            method: l.method,
            grid: l.grid,
            steps: l.steps,
            evals: l.evals,
            seed: l.seed,
            metric: metric.into(),
            value,
        }
    }
}

/// A row of `results.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The data set.
    pub data: String,
    /// The SDE; empty for floors.
    pub sde: String,
    /// The model; empty for floors.
    pub model: String,
    /// The method, or `data` for floors.
    pub method: String,
    /// The grid, `adaptive`, or empty for floors.
    pub grid: String,
    /// Steps; none for adaptive methods and floors.
    pub steps: Option<usize>,
    /// Evaluations per sample, counted at the model.
    pub evals: f64,
    /// The seed.
    pub seed: u64,
    /// The metric.
    pub metric: String,
    /// Its value.
    pub value: f64,
}

/// A row of `summary.csv`: the mean over seeds with its 95 % interval, beside the floor. The seeds are those of samples and of held-out
/// points: the spread between trainings of a network is in no interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The data set.
    pub data: String,
    /// The SDE.
    pub sde: String,
    /// The model.
    pub model: String,
    /// The method, or `data` for floors.
    pub method: String,
    /// The grid.
    pub grid: String,
    /// Steps.
    pub steps: Option<usize>,
    /// The metric.
    pub metric: String,
    /// Mean evaluations per sample.
    pub evals: f64,
    /// Seeds.
    pub seeds: usize,
    /// The mean; not a number if any seed's value is not.
    pub mean: f64,
    /// Lower end of the interval; empty for one seed and where samples diverged.
    pub low: Option<f64>,
    /// Upper end of the interval; empty where the lower end is.
    pub high: Option<f64>,
    /// The mean of the floor, where the metric has one.
    pub floor: Option<f64>,
    /// Lower end of the floor's own interval.
    pub floor_low: Option<f64>,
    /// Upper end of the floor's own interval.
    pub floor_high: Option<f64>,
    /// What one more pair of fresh draws of the data may reach: the upper end of its 95 % interval.
    pub floor_reach: Option<f64>,
    /// Where the mean stands against the floor.
    pub against_floor: Option<Standing>,
}

impl Summary {
    /// Whether the mean is at the floor or below it: more samples, not more steps, would tell it apart.
    pub fn at_floor(&self) -> bool {
        matches!(self.against_floor, Some(Standing::At | Standing::Below))
    }
}

/// Where the values of a metric of a recipe lie, or of what else a run measures: errors are distances, and of what remains (log-densities,
/// slopes) any value can be.
pub fn range(recipe: &Recipe, metric: &str) -> Range {
    let metric = metric.strip_suffix(WITHOUT).unwrap_or(metric);
    let positive = || {
        [STRONG, WHOLE, MEAN, WORST, FARTHEST, SOLVER_ERROR_LARGEST].contains(&metric)
            || PARTS.contains(&metric)
    };
    match recipe.metrics.iter().find(|m| m.label == metric) {
        Some(found) => found.it.range(),
        None if positive() => Range::Positive,
        None => Range::Real,
    }
}

/// Means over seeds, in the order in which combinations first appear; `range` says where the values of a metric lie.
pub fn summarise(records: &[Record], range: &dyn Fn(&str) -> Range) -> Vec<Summary> {
    let mut order: Vec<Vec<&Record>> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for r in records {
        let key = format!(
            "{}\n{}\n{}\n{}\n{}\n{:?}\n{}",
            r.data, r.sde, r.model, r.method, r.grid, r.steps, r.metric
        );
        let at = *index.entry(key).or_insert_with(|| {
            order.push(Vec::new());
            order.len() - 1
        });
        order[at].push(r);
    }
    let values = |group: &[&Record]| -> Vec<f64> { group.iter().map(|r| r.value).collect() };
    let floors: Vec<(&Record, Vec<f64>)> = order
        .iter()
        .filter(|group| group[0].method == DATA && group[0].sde.is_empty())
        .map(|group| (group[0], values(group)))
        .collect();
    let row = |group: &Vec<&Record>| {
        let (first, values) = (group[0], values(group));
        let range = range(&first.metric);
        let (mean, ends) = interval(&values, range);
        let floor = floors
            .iter()
            .find(|(f, _)| first.method != DATA && f.data == first.data && f.metric == first.metric)
            .map(|(_, values)| values);
        let of_floor = floor.map(|f| interval(f, range));
        let beyond = floor.and_then(|f| reach(f, range));
        Summary {
            data: first.data.clone(),
            sde: first.sde.clone(),
            model: first.model.clone(),
            method: first.method.clone(),
            grid: first.grid.clone(),
            steps: first.steps,
            metric: first.metric.clone(),
            evals: group.iter().map(|r| r.evals).sum::<f64>() / group.len() as f64,
            seeds: group.len(),
            mean,
            low: ends.map(|e| e.0),
            high: ends.map(|e| e.1),
            floor: of_floor.map(|f| f.0),
            floor_low: of_floor.and_then(|f| Some(f.1?.0)),
            floor_high: of_floor.and_then(|f| Some(f.1?.1)),
            floor_reach: beyond,
            against_floor: floor.zip(beyond).and_then(|(f, reach)| standing(&values, f, reach, range)),
        }
    };
    order.iter().map(row).collect()
}

/// d ln error/d ln N by least squares over the three largest of two or more step counts; none where an error is not above 0.
pub(super) fn rate(errors: &[(f64, f64)]) -> Option<f64> {
    let mut logs: Vec<(f64, f64)> = errors.iter().map(|(n, error)| (n.ln(), error.ln())).collect();
    logs.sort_by(|a, b| b.0.total_cmp(&a.0));
    logs.truncate(3);
    let n = logs.len() as f64;
    let (x, y) = (logs.iter().map(|l| l.0).sum::<f64>() / n, logs.iter().map(|l| l.1).sum::<f64>() / n);
    let slope = logs.iter().map(|l| (l.0 - x) * (l.1 - y)).sum::<f64>()
        / logs.iter().map(|l| (l.0 - x).powi(2)).sum::<f64>();
    slope.is_finite().then_some(slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A power law's exponent, by the three largest step counts alone; none from one of them or from an error of 0.
    #[test]
    fn rates_are_exponents() {
        let power = |n: f64| (n, 3.0 * n.powf(-1.5));
        let errors = [(10.0, 5.0), power(80.0), power(20.0), power(40.0)];
        assert!((rate(&errors).unwrap() + 1.5).abs() < 1e-12);
        // By hand: ln 2, ln 4, ln 8 against 0, −ln 2, −3 ln 2.
        assert!((rate(&[(2.0, 1.0), (4.0, 0.5), (8.0, 0.125)]).unwrap() + 1.5).abs() < 1e-12);
        assert!(
            rate(&errors[..1]).is_none() && rate(&[]).is_none() && rate(&[(1.0, 1.0), (2.0, 0.0)]).is_none()
        );
    }

    #[test]
    fn rows_get_the_floor_of_their_data_and_metric() {
        let label = Label {
            data: "a".into(),
            sde: "vp".into(),
            method: "heun".into(),
            steps: Some(10),
            ..Label::data(0)
        };
        let floor = Label { data: "a".into(), ..Label::data(0) };
        let records = [label.record("w2", 2.0), label.record("mmd", 9.0), floor.record("w2", 0.5)];
        let real = |_: &str| Range::Real;
        let rows = summarise(&records, &real);
        assert_eq!((rows.len(), rows[0].floor, rows[1].floor, rows[2].floor), (3, Some(0.5), None, None));
        let bad = Label { seed: 1, ..label.clone() };
        let broken = &summarise(&[label.record("w2", 2.0), bad.record("w2", f64::NAN)], &real)[0];
        assert!(broken.mean.is_nan() && broken.low.is_none() && broken.high.is_none());
        // Five pairs of 0.5 ± 0.1 √(5/2) and three seeds at 2: above, and the reach is 0.5 + t s √1.2.
        let pairs = (0..5).map(|i| Label { seed: i, ..floor.clone() }.record("w2", 0.3 + 0.1 * i as f64));
        let three = (0..3).map(|i| Label { seed: i, ..label.clone() }.record("w2", 2.0));
        let rows = summarise(&pairs.chain(three).collect::<Vec<_>>(), &real);
        assert_eq!((rows[0].against_floor, rows[1].against_floor), (None, Some(Standing::Above)));
        let reach = 0.5 + 2.776_445_1 * 0.1 * 2.5f64.sqrt() * 1.2f64.sqrt();
        assert!(
            (rows[1].floor_reach.unwrap() - reach).abs() < 1e-6
                && (rows[1].seeds, rows[1].low) == (3, Some(2.0))
        );
    }
}
