//! One row per measurement, and their means with intervals.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

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

/// A row of `summary.csv`: the mean over seeds with its 95 % interval (Student), beside the floor.
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
    /// Lower end of the interval; empty for one seed.
    pub low: Option<f64>,
    /// Upper end of the interval; empty for one seed.
    pub high: Option<f64>,
    /// The mean of the floor, where the metric has one.
    pub floor: Option<f64>,
    /// Lower end of the floor's own interval.
    pub floor_low: Option<f64>,
    /// Upper end of the floor's own interval.
    pub floor_high: Option<f64>,
}

impl Summary {
    /// Whether the mean is not above the upper end of the floor's own interval: more samples, not more steps, would tell it apart.
    pub fn at_floor(&self) -> bool {
        self.floor_high.is_some_and(|high| self.mean <= high)
    }
}

/// Means over seeds, in the order in which combinations first appear.
pub fn summarise(records: &[Record]) -> Vec<Summary> {
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
    let mut rows: Vec<Summary> = order
        .iter()
        .map(|group| {
            let first = group[0];
            let values: Vec<f64> = group.iter().map(|r| r.value).collect();
            let (mean, half) = interval(&values);
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
                low: half.map(|h| mean - h),
                high: half.map(|h| mean + h),
                floor: None,
                floor_low: None,
                floor_high: None,
            }
        })
        .collect();
    let floors: Vec<Summary> =
        rows.iter().filter(|r| r.method == DATA && r.sde.is_empty()).cloned().collect();
    for row in rows.iter_mut().filter(|r| r.method != DATA) {
        if let Some(floor) = floors.iter().find(|f| f.data == row.data && f.metric == row.metric) {
            (row.floor, row.floor_low, row.floor_high) = (Some(floor.mean), floor.low, floor.high);
        }
    }
    rows
}

/// The mean, and half the width of its 95 % interval t₀.₉₇₅(n − 1) s/√n for n ≥ 2.
pub(super) fn interval(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, None);
    }
    let s = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    (mean, Some(student(n - 1.0) * s / n.sqrt()))
}

/// The 97.5 % quantile of Student's law.
pub(super) fn student(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
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

    /// Student's 97.5 % quantiles with 1, 2 and 4 degrees of freedom, from tables.
    #[test]
    fn intervals_are_students() {
        for (values, t) in [
            (vec![1.0, 3.0], 12.706_204_7),
            (vec![1.0, 2.0, 3.0], 4.302_652_7),
            (vec![1.0, 2.0, 3.0, 4.0, 5.0], 2.776_445_1),
        ] {
            let n = values.len() as f64;
            let (mean, half) = interval(&values);
            assert_eq!(mean, (1.0 + values[values.len() - 1]) / 2.0);
            let s = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            assert!((half.unwrap() / (t * s / n.sqrt()) - 1.0).abs() < 1e-6);
        }
        assert_eq!(interval(&[2.0]), (2.0, None));
    }

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
        let rows = summarise(&records);
        assert_eq!((rows.len(), rows[0].floor, rows[1].floor, rows[2].floor), (3, Some(0.5), None, None));
        let bad = Label { seed: 1, ..label.clone() };
        assert!(summarise(&[label.record("w2", 2.0), bad.record("w2", f64::NAN)])[0].mean.is_nan());
    }
}
