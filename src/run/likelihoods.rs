//! Likelihoods of held-out points, beside the truth where it is known.

use candle_core::Device;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Exact;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::likelihood::{Flow, bits_per_dimension};
use tweedie_solvers::method::OdeMethod;
use tweedie_solvers::sde::{LinearSde, Use};

use super::record::{DATA, Label, Record};
use super::solver_error::{SOLVER_ERROR, SOLVER_ERROR_LARGEST, Solved, solver_error};
use super::{Failures, Model, Place, densities};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::points::Points;
use crate::recipe::{LikelihoodSpec, Named, Recipe};
use crate::registry::NLL;

/// The negative log-likelihood of held-out points for every data set and SDE, in nats and bits per dimension, and the truth where it
/// is known: the mean of −log p of the same points under the data's own density, and the gap between the two.
pub(super) fn likelihoods(
    recipe: &Recipe,
    models: &[Vec<Model>],
    (place, failures): (&Place<'_>, &Failures),
) -> Vec<Record> {
    let Some(spec) = &recipe.likelihood else { return vec![] };
    let bar =
        place.progress.bar("likelihood", (recipe.data.len() * recipe.sdes.len() * recipe.seeds.len()) as u64);
    let mut records = Vec::new();
    for ((data, _), models) in recipe.data.iter().zip(models) {
        let exact = data.it.continuous().then(|| data.it.exact().ok()).flatten();
        for (sde, model) in recipe.sdes.iter().zip(models) {
            let of = Likelihood {
                recipe,
                spec,
                data,
                exact: exact.as_deref(),
                sde,
                model,
                device: place.device,
                failures,
            };
            let under = || format!("likelihood, {} {}", data.label, sde.label);
            let Some(grid) = failures.keep(under, of.grid()) else { continue };
            for &seed in &recipe.seeds {
                let found = of.records(&grid, seed);
                records.extend(
                    failures.keep(|| format!("{}, seed {seed}", under()), found).into_iter().flatten(),
                );
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    records
}

/// What the likelihood of one model is taken of.
struct Likelihood<'a> {
    recipe: &'a Recipe,
    spec: &'a LikelihoodSpec,
    data: &'a Named<dyn Data>,
    exact: Option<&'a dyn Exact>,
    sde: &'a Named<dyn LinearSde>,
    model: &'a Model,
    device: &'a Device,
    failures: &'a Failures,
}

impl Likelihood<'_> {
    fn method(&self) -> Result<&dyn OdeMethod> {
        self.spec.method.it.ode().ok_or_else(|| Error::Run("the likelihood needs an ODE method".into()))
    }

    fn grid(&self) -> Result<Grid> {
        let (spec, sde) = (self.spec, &*self.sde.it);
        let span = sde.span(Use::Likelihood);
        if self.method()?.adaptive() {
            return Ok(Grid::new(vec![span.end, span.start])?);
        }
        let fitted = spec.grid.it.fit(sde, &*self.model.score, span, self.device)?;
        let spacing = fitted.as_deref().unwrap_or(&*spec.grid.it);
        Ok(spacing.grid(sde, span, spacing.fixed_steps().unwrap_or(spec.steps))?)
    }

    fn records(&self, grid: &Grid, seed: u64) -> Result<Vec<Record>> {
        let (spec, data, model, device) = (self.spec, &*self.data.it, self.model, self.device);
        let method = self.method()?;
        let key = Key::root(seed);
        let points = data.held_out(&key.branch("held-out"), spec.points);
        let flow = Flow { problem: Problem { sde: &*self.sde.it, model: &*model.score }, method, grid };
        let standardise = model.standardise.as_ref();
        let found = densities(flow, spec.divergence, &points, standardise, &key, device)?;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let label = Label {
            data: self.data.label.clone(),
            sde: self.sde.label.clone(),
            model: model.label.clone(),
            method: spec.method.label.clone(),
            grid: if method.adaptive() { "adaptive".into() } else { spec.grid.label.clone() },
            steps: (!method.adaptive()).then_some(spec.steps),
            evals: mean(&found.evals),
            seed,
        };
        let nll = -mean(&found.log_p);
        let mut records = vec![label.record(NLL, nll)];
        records.push(label.record("bits-per-dimension", bits_per_dimension(-nll, points.dim())));
        if data.own().is_some_and(|own| own.kept().is_some()) {
            let n = found.log_p.len() as f64;
            let spread = found.log_p.iter().map(|p| (p + nll).powi(2)).sum::<f64>() / (n - 1.0) / n;
            records.push(label.record("nll-rows-error", spread.sqrt()));
        }
        if let Some(error) = found.pooled_error() {
            records.push(label.record("nll-probe-error", error));
        }
        if seed == self.recipe.seeds[0] {
            let solved = Solved { flow, method: &spec.method, divergence: spec.divergence, key: &key };
            let error = solver_error(&solved, &points, (standardise, &found.log_p), device);
            let what =
                || format!("the solver's error of the likelihood, {} {}", self.data.label, self.sde.label);
            if let Some(Some(error)) = self.failures.keep(what, error.map_err(Error::from)) {
                records.push(label.record(SOLVER_ERROR, error.mean));
                records.push(label.record(SOLVER_ERROR_LARGEST, error.largest));
            }
        }
        let clean = Kernel { alpha: 1.0, sigma: 0.0 };
        let truth =
            self.exact.map(|law| points.rows().map(|p| -law.log_density(p, clean)).collect::<Vec<_>>());
        if let Some(truth) = truth {
            let floor = Label { model: DATA.into(), method: DATA.into(), ..label.clone() };
            records.push(floor.record("nll-of-the-truth", mean(&truth)));
            records.push(label.record("nll-gap", nll - mean(&truth)));
        }
        if let Some(law) = self.exact.filter(|_| spec.flow_kl && standardise.is_none()) {
            // Draws of p_ε, where the flow's density is meant.
            let at = self.sde.it.kernel(self.sde.it.span(Use::Likelihood).start);
            let noise = key.branch("flow-kl").normals(0, 0, points.len(), points.dim());
            let noised = points.values().iter().zip(noise).map(|(x, z)| at.alpha * x + at.sigma * z);
            let noised = Points::new(points.dim(), noised.collect());
            let found = densities(flow, spec.divergence, &noised, None, &key, device)?;
            let gaps = noised.rows().zip(&found.log_p).map(|(x, q)| law.log_density(x, at) - q);
            records.push(label.record("flow-kl", mean(&gaps.collect::<Vec<_>>())));
        }
        Ok(records)
    }
}
