//! Whether every metric can be taken, as far as that is known before anything is trained.

use tweedie_solvers::Key;

use super::{Recipe, units};
use crate::error::{Error, Result};
use crate::metrics::{Known, Prospect};

impl Recipe {
    /// Refuses what no samples could make right: too few or too many of them, and data that a metric cannot take.
    pub(super) fn check_metrics(&self) -> Result<()> {
        for (data, standardise) in self.data.iter().filter(|_| !self.metrics.is_empty()) {
            let (known, map) = (Known::of(&*data.it), units(&*data.it, *standardise)?);
            let count = self.compared(&*data.it);
            for metric in &self.metrics {
                let drawn = self.seeds.iter().map(|&seed| {
                    let points = data.it.held_out(&Key::root(seed).branch("reference"), count);
                    map.as_ref().map_or_else(|| points.clone(), |map| map.apply(&points))
                });
                let (dim, known, references) = (data.it.dim(), &known, &mut drawn.into_iter());
                metric.it.foresee(&mut Prospect { count, dim, known, references }).map_err(|e| {
                    let place = format!("{}: the metric {} on {}", self.file, metric.label, data.label);
                    let given = if count < self.samples {
                        format!("{count} points that can be compared with, held out and trained on")
                    } else {
                        format!("samples = {count}")
                    };
                    Error::Input(format!("{place} with {given}: {e}"))
                })?;
            }
        }
        Ok(())
    }
}
