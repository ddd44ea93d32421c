//! Numbers from samples: metrics, and their floors.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use tweedie_solvers::Key;

use super::Drawn;
use super::memorisation::{DEVIATIONS, MEMORISATION, Memory};
use super::outliers::{Extent, FARTHEST, OUTLIERS, WITHOUT};
use super::record::{Label, Record};
use crate::data::{Data, Standardise};
use crate::error::Result;
use crate::metrics::{Known, Measured, Metric};
use crate::points::Points;
use crate::recipe::{Named, Recipe, units};
use crate::report::Progress;

/// At least this many pairs of draws make a floor.
const FLOORS: u64 = 5;

/// What samples of one data set are measured with, made once for all.
pub(super) struct Yardstick {
    known: Known,
    extent: Extent,
    memory: Option<Memory>,
    /// What distances are taken behind.
    map: Option<Standardise>,
    /// By data set, SDE and metric: a sentence about one of the cells, and their number.
    said: Mutex<BTreeMap<String, (String, usize)>>,
}

impl Yardstick {
    pub(super) fn of(data: &dyn Data, standardise: bool) -> Result<Self> {
        let (known, extent, memory) = (Known::of(data), Extent::of(data), data.own().and_then(Memory::of));
        Ok(Self { known, extent, memory, map: units(data, standardise)?, said: Mutex::default() })
    }

    /// A metric of points in the user's coordinates.
    fn measure(&self, metric: &dyn Metric, samples: &Points, reference: &Points) -> Result<Measured> {
        let behind = |points: &Points| self.map.as_ref().map(|map| map.apply(points));
        let (samples, reference) = (
            behind(samples).unwrap_or_else(|| samples.clone()),
            behind(reference).unwrap_or_else(|| reference.clone()),
        );
        Ok(metric.detailed(&samples, &reference, &self.known)?)
    }

    /// The row of a metric and those of its parts; where it cannot be taken a row that is not a number, and a sentence in `said`.
    fn take(&self, metric: &Named<dyn Metric>, (a, b): (&Points, &Points), label: &Label) -> Vec<Record> {
        let about = |what: &str| {
            let steps = label.steps.map_or_else(String::new, |n| format!(", {n} steps"));
            let cell = format!("{} {}{steps}, seed {}", label.method, label.grid, label.seed);
            let text = format!("{} {}: {} of {cell}: {what}", label.data, label.sde, metric.label);
            let place = format!("{} {} {}", label.data, label.sde, metric.label);
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            // The least of them, whatever the order of threads, and how many there are.
            let (first, count) = said.entry(place).or_insert_with(|| (text.clone(), 0));
            *count += 1;
            *first = first.clone().min(text);
        };
        match self.measure(&*metric.it, a, b) {
            Ok(found) => {
                found.remark.iter().for_each(|what| about(what));
                let part = |(name, v): &(&str, f64)| label.record(&format!("{}-{name}", metric.label), *v);
                let parts = found.parts.iter().map(part);
                std::iter::once(label.record(&metric.label, found.value)).chain(parts).collect()
            }
            Err(error) => {
                about(&format!("it cannot be taken, so that the cell is empty: {error}"));
                vec![label.record(&metric.label, f64::NAN)]
            }
        }
    }

    /// What was said of cells: one sentence for each data set, SDE and metric.
    pub(super) fn said(&self) -> Vec<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let more = |n: usize| if n > 1 { format!("; likewise {} more", n - 1) } else { String::new() };
        said.values().map(|(first, count)| format!("{first}{}", more(*count))).collect()
    }
}

/// Every metric of one set of samples against as many points of the data: fresh draws, or rows that are held out, of which there may be
/// fewer than samples; then the first of these are measured. Where samples are not finite the metric is
/// not a number, and a row says how many there are.
pub(super) fn samples(
    recipe: &Recipe,
    (data, by): (&dyn Data, &Yardstick),
    drawn: &Drawn,
    label: &Label,
) -> Vec<Record> {
    let reference = data.held_out(&Key::root(label.seed).branch("reference"), recipe.compared(data));
    let points = drawn.points.slice(0, reference.len());
    let mut records = Vec::new();
    for metric in &recipe.metrics {
        if drawn.diverged.is_some() {
            records.push(label.record(&metric.label, f64::NAN));
        } else {
            records.extend(by.take(metric, (&points, &reference), label));
        }
    }
    if let Some((count, step)) = drawn.diverged {
        records.push(label.record("diverged", count as f64));
        records.push(label.record("diverged-at-step", (step + 1) as f64));
    }
    if let Some(found) = by.extent.outliers(&drawn.points) {
        records.push(label.record(OUTLIERS, found.count as f64));
        records.push(label.record(FARTHEST, found.largest));
        let near = by.extent.without(&points);
        let reference = reference.slice(0, near.len());
        for metric in recipe.metrics.iter().filter(|_| drawn.diverged.is_none() && near.len() < points.len())
        {
            // Where too few are left for a metric there is nothing to say.
            let rest = by.measure(&*metric.it, &near, &reference).map_or(f64::NAN, |found| found.value);
            records.push(label.record(&format!("{}{WITHOUT}", metric.label), rest));
        }
    }
    if let Some(memory) = &by.memory {
        let found = memory.of_samples(&drawn.points);
        records.push(label.record(MEMORISATION, found.share));
        records.push(label.record(DEVIATIONS, found.deviations));
    }
    records
}

/// The floor of every metric: between two fresh draws of the data of the size that samples are measured at; of a user's points between
/// training rows and held-out ones.
pub(super) fn floors(recipe: &Recipe, by: &[Yardstick], progress: &Progress) -> Vec<Record> {
    let bar = progress.bar("floors", (recipe.data.len() as u64) * FLOORS);
    let pairs: Vec<(usize, u64)> =
        (0..recipe.data.len()).flat_map(|d| (0..FLOORS).map(move |s| (d, s))).collect();
    let one = |&(d, seed): &(usize, u64)| -> Vec<Record> {
        let (data, by) = (&recipe.data[d].0, &by[d]);
        let key = Key::root(seed).branch("floor");
        let count = recipe.compared(&*data.it);
        let (a, b) = (data.it.ideal(&key.child(0), count), data.it.held_out(&key.child(1), count));
        let label = Label { data: data.label.clone(), ..Label::data(seed) };
        let rows = recipe.metrics.iter().flat_map(|m| by.take(m, (&a, &b), &label)).collect();
        bar.inc(1);
        rows
    };
    let rows: Vec<Vec<Record>> = pairs.par_iter().map(one).collect();
    bar.finish_and_clear();
    rows.into_iter().flatten().collect()
}
