//! Rules of a recipe that need more than one key.

use tweedie_solvers::sde::Use;

use super::{ModelSpec, Named, Recipe, coordinates};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::metrics::Kl;
use crate::train::Checkpoint;

impl Recipe {
    pub(super) fn check(&self) -> Result<()> {
        for grid in &self.grids {
            for sde in &self.sdes {
                for &n in self.steps_on(&*grid.it).iter() {
                    let made = grid.it.grid(&*sde.it, sde.it.span(Use::Sampling), n);
                    made.map_err(|e| {
                        Error::Input(format!("{}: grid {} on {}: {e}", self.file, grid.label, sde.label))
                    })?;
                }
            }
        }
        self.check_likelihood()?;
        if let ModelSpec::Saved(path) = &self.model {
            let found = Checkpoint::load(path)
                .map_err(|e| Error::Input(format!("{}: model.path: {e}", self.file)))?;
            if let Some((data, _)) = self.data.iter().find(|(data, _)| data.it.dim() != found.net.dim) {
                return Err(Error::Input(format!(
                    "{}: model.path = {}: this model is of {}-dimensional points, {} is of {}",
                    self.file,
                    path.display(),
                    found.net.dim,
                    data.label,
                    data.it.dim()
                )));
            }
        }
        for metric in &self.metrics {
            let neighbours = metric.table.get("neighbours").and_then(toml::Value::as_integer);
            if let Some(k) = neighbours.filter(|k| (self.samples as i64) < *k) {
                return Err(Error::Input(format!(
                    "{}: samples = {}: the metric {} needs {k} samples or more, as many as it has neighbours",
                    self.file, self.samples, metric.label
                )));
            }
            let most = if metric.label == "w2" { 10_000 } else { usize::MAX };
            if self.samples < 2 || self.samples > most {
                let rule = format!(
                    "the metric {} needs 2 samples or more, and w2 takes 10000 at most",
                    metric.label
                );
                return Err(Error::Input(format!("{}: samples = {}: {rule}", self.file, self.samples)));
            }
        }
        for (data, standardise) in &self.data {
            if matches!(self.model, ModelSpec::Mlp { .. }) {
                coordinates(&*data.it, *standardise)
                    .map_err(|e| Error::Input(format!("{}: data {}: {e}", self.file, data.label)))?;
            }
        }
        for (data, _) in &self.data {
            if matches!(self.model, ModelSpec::Exact) {
                data.it.exact().map_err(|e| {
                    Error::Input(format!("{}: model = \"exact\" on {}: {e}", self.file, data.label))
                })?;
            }
            for metric in self.metrics.iter().filter(|m| m.label.starts_with("mode-")) {
                if data.it.mixture().is_none() {
                    return Err(Error::Input(format!(
                        "{}: the metric {} needs data with known modes, and {} has none; use sliced-w2, energy or mmd",
                        self.file, metric.label, data.label
                    )));
                }
            }
            self.check_density(data)?;
        }
        Ok(())
    }

    /// Metrics that need the density of the data.
    fn check_density(&self, data: &Named<dyn Data>) -> Result<()> {
        let dim = data.it.dim();
        for metric in &self.metrics {
            let name = metric.table.get("name").and_then(toml::Value::as_str);
            let place = format!("{}: the metric {}", self.file, metric.label);
            if name == Some("kl") && dim > Kl::MOST_DIMENSIONS {
                return Err(Error::Input(format!(
                    "{place} takes data of one or two dimensions, and {} has {dim}; use sliced-w2, energy or mmd",
                    data.label
                )));
            }
            if name == Some("kl") || name == Some("off-support") {
                if !data.it.continuous() {
                    return Err(Error::Input(format!(
                        "{place} needs data with a density, and {} has none; use c2st, sliced-w2, energy or mmd",
                        data.label
                    )));
                }
                data.it.exact().map_err(|e| Error::Input(format!("{place} on {}: {e}", data.label)))?;
            }
        }
        Ok(())
    }

    /// The likelihood's grid on every SDE: it must start at T, where the prior is.
    fn check_likelihood(&self) -> Result<()> {
        let Some(spec) = self.likelihood.as_ref().filter(|spec| !spec.method.it.adaptive()) else {
            return Ok(());
        };
        for sde in &self.sdes {
            let span = sde.it.span(Use::Likelihood);
            let place = format!("{}: likelihood.grid {} on {}", self.file, spec.grid.label, sde.label);
            let grid = spec.grid.it.grid(&*sde.it, span, spec.grid.it.fixed_steps().unwrap_or(spec.steps));
            let grid = grid.map_err(|e| Error::Input(format!("{place}: {e}")))?;
            if grid.first() < span.end {
                return Err(Error::Input(format!(
                    "{place}: it starts at {}, but it must start at T = {}",
                    grid.first(),
                    span.end
                )));
            }
        }
        Ok(())
    }
}
