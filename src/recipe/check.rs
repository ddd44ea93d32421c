//! Rules of a recipe that need more than one key.

use tweedie_solvers::integrate::Finish;
use tweedie_solvers::method::Order;
use tweedie_solvers::noise::Driver;
use tweedie_solvers::sde::Use;

use super::{ModelSpec, Named, Recipe, coordinates};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::metrics::Kl;
use crate::train::Checkpoint;

/// Sampling runs of a recipe.
const MOST_RUNS: f64 = 1e6;

impl Recipe {
    /// An error for a recipe of more sampling runs than any machine ends.
    fn check_size(&self) -> Result<()> {
        let counts = [
            ("data", self.data.len()),
            ("sde", self.sdes.len()),
            ("method", self.methods.len()),
            ("grid", self.grids.len().max(1)),
            (if self.evals.is_empty() { "steps" } else { "evals" }, self.steps.len().max(self.evals.len())),
            ("seed", self.seeds.len()),
        ];
        let all: f64 = counts.iter().map(|(_, n)| *n as f64).product();
        if all <= MOST_RUNS {
            return Ok(());
        }
        let parts: Vec<String> = counts.iter().map(|(key, n)| format!("{n} {key}")).collect();
        Err(Error::Input(format!(
            "{}: the recipe asks for up to {all:.0} sampling runs ({}), and at most {MOST_RUNS:.0} are made; shorten a list",
            self.file,
            parts.join(" × ")
        )))
    }

    pub(super) fn check(&self) -> Result<()> {
        self.check_size()?;
        for grid in self.grids.iter().filter(|g| !g.it.needs_model()) {
            for sde in &self.sdes {
                for n in grid.it.fixed_steps().map_or_else(|| self.all_steps(), |n| vec![n]) {
                    let made = grid.it.grid(&*sde.it, sde.it.span(Use::Sampling), n);
                    made.map_err(|e| {
                        Error::Input(format!("{}: grid {} on {}: {e}", self.file, grid.label, sde.label))
                    })?;
                }
            }
        }
        self.check_likelihood()?;
        self.check_paths()?;
        for (data, _) in &self.data {
            for method in &self.methods {
                let made = method.it.check(self.samples, data.it.dim());
                made.map_err(|e| {
                    Error::Input(format!("{}: {} on {}: {e}", self.file, method.label, data.label))
                })?;
            }
        }
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
        let exact = matches!(self.model, ModelSpec::Exact);
        if let Some(method) = self.methods.iter().find(|m| m.it.needs_density() && !exact) {
            return Err(Error::Input(format!(
                "{}: the method {} has metropolis = true, which needs the density that model = \"exact\" knows; a network gives a score alone",
                self.file, method.label
            )));
        }
        for (data, standardise) in &self.data {
            let place = || format!("{}: data {}", self.file, data.label);
            let map = match self.model {
                ModelSpec::Saved(_) => None,
                _ => {
                    coordinates(&*data.it, *standardise)
                        .map_err(|e| Error::Input(format!("{}: {e}", place())))?
                        .0
                }
            };
            if matches!(self.model, ModelSpec::Exact) {
                let law = map.as_ref().map_or_else(|| data.it.exact(), |map| data.it.exact_within(map));
                law.map_err(|e| {
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
        self.check_metrics()
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
        let Some(spec) =
            self.likelihood.as_ref().filter(|spec| !spec.method.it.adaptive() && !spec.grid.it.needs_model())
        else {
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

    /// Strong errors and decompositions compare samples on one path: methods must converge to one, and the reference be finer.
    fn check_paths(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::Input(format!("{}: {what}", self.file)));
        let by_steps = [
            ("strong", self.strong.is_some()),
            ("decompose", self.decompose.is_some()),
            ("paired", self.baseline.is_some()),
        ];
        if let Some((key, _)) = by_steps.iter().find(|(_, asked)| *asked && !self.evals.is_empty()) {
            return refuse(format!(
                "[{key}] compares runs of the same steps; give steps in the place of evals"
            ));
        }
        if !self.evals.is_empty() {
            let poor =
                |&(m, g): &(usize, usize)| self.steps_of(&*self.methods[m].it, &*self.grids[g].it).is_empty();
            if let Some(method) = self.fixed_pairs().into_iter().find(poor).map(|(m, _)| &self.methods[m]) {
                return refuse(format!(
                    "evals: no budget pays for one step of {}, which takes {}",
                    method.label,
                    method.it.evals(1).unwrap_or(1) + usize::from(self.finish == Finish::Denoise)
                ));
            }
        }
        let asked = [
            self.strong.map(|s| ("strong", s.reference_steps)),
            self.decompose.map(|d| ("decompose", d.reference_steps)),
        ];
        for (key, reference) in asked.into_iter().flatten() {
            let most = self.steps.iter().copied().max().unwrap_or(0);
            if reference < 2 * most {
                return refuse(format!(
                    "{key}.reference-steps = {reference}, but it must be twice the largest of steps or more, {}",
                    2 * most
                ));
            }
            let pathless = |order| matches!(order, Order::None | Order::Stochastic { strong: None, .. });
            let vague = self.methods.iter().find(|m| !m.it.adaptive() && pathless(m.it.order()));
            if let Some(method) = vague {
                return refuse(format!(
                    "[{key}] compares step counts on one path, and {} does not tend to one: its noise is another for every grid; leave it out",
                    method.label
                ));
            }
            if self.methods.iter().all(|m| m.it.adaptive()) {
                return refuse(format!(
                    "[{key}] compares step counts, and every method here chooses its own steps; add one such as heun"
                ));
            }
            if let Some(grid) = self.grids.iter().find(|g| g.it.fixed_steps().is_some()) {
                return refuse(format!(
                    "[{key}] needs grids of any number of steps, and {} has its own",
                    grid.label
                ));
            }
        }
        if let Some(grid) = self.grids.iter().find(|g| g.it.fixed_steps().is_some() && !self.evals.is_empty())
        {
            let what = "evals decide how many steps are taken";
            return refuse(format!("{what}, and {} has its own: leave out one of the two", grid.label));
        }
        if self.strong.is_some() && self.driver != Driver::Brownian {
            return refuse(
                "[strong] needs noise = \"brownian\", so that all step counts share their paths".into(),
            );
        }
        if self.decompose.is_some() {
            for (data, standardise) in &self.data {
                let place = format!("{}: decompose on {}", self.file, data.label);
                let broken = |e| Error::Input(format!("{place}: {e}"));
                let map = match &self.model {
                    ModelSpec::Saved(path) => {
                        Checkpoint::load(path)
                            .map_err(|e| Error::Input(format!("{}: model.path: {e}", self.file)))?
                            .standardise
                    }
                    _ if *standardise => coordinates(&*data.it, true)?.0,
                    _ => None,
                };
                let law = map.as_ref().map_or_else(|| data.it.exact(), |map| data.it.exact_within(map));
                law.map_err(broken)?;
            }
        }
        if self.baseline.is_some() && (self.seeds.len() < 2 || self.methods.len() < 2) {
            return refuse("[paired] compares two methods or more over two seeds or more".into());
        }
        Ok(())
    }
}
