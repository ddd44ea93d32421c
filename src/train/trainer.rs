//! The training loop's one step, and the state that it carries.

use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tweedie_solvers::kernel::Target;
use tweedie_solvers::sde::{LinearSde, Use};
use tweedie_solvers::{Error, Key, Result};

use super::engine::{Engine, State, Update, engine};
use super::{AdamConfig, Checkpoint, TimeLaw, Weighting, draw_times, ema_decay, weight};
use crate::data::{Data, Standardise};
use crate::net::{Goals, Mlp, MlpConfig};

/// Stratified draws of the law of times for the mean weight.
const LEVELS: usize = 4096;

/// Everything that decides what a training run computes, but for the data and the SDE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Updates in all.
    pub steps: u64,
    /// Points per update.
    pub batch: usize,
    /// Learning rate after the warm-up.
    pub rate: f64,
    /// Updates over which the rate rises linearly from 0.
    pub warmup: u64,
    /// Whether the rate falls to 0 along a cosine after the warm-up.
    pub cosine: bool,
    /// The decay of the average of the weights.
    pub ema: f64,
    /// The weighting of the loss.
    pub weighting: Weighting,
    /// How times are drawn.
    pub times: TimeLaw,
    /// The optimiser's numbers.
    pub adam: AdamConfig,
    /// The seed of weights, data, times and noise.
    pub seed: u64,
}

impl TrainConfig {
    /// The rate of update n = 1, 2, …
    fn rate_at(&self, update: u64) -> f64 {
        let (n, warm) = (update as f64, self.warmup as f64);
        if update <= self.warmup {
            return self.rate * n / warm;
        }
        if !self.cosine {
            return self.rate;
        }
        let done = (n - warm) / (self.steps.saturating_sub(self.warmup).max(1) as f64);
        self.rate * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
    }
}

/// A training run: weights, their average, the optimiser's moments and how far it is.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    net: MlpConfig,
    frequencies: Tensor,
    engine: Box<dyn Engine>,
    updates: u64,
    key: Key,
    /// The mean weight of the loss, once it is known.
    mean: OnceLock<f64>,
}

impl Trainer {
    /// Fresh weights under the seed of the configuration.
    ///
    /// # Errors
    /// If a tensor cannot be made on the device.
    pub fn new(config: TrainConfig, net: MlpConfig, device: &Device) -> Result<Self> {
        let key = Key::root(config.seed).branch("train");
        let (weights, frequencies) = Mlp::fresh(&net, &key, device)?;
        let state = State::fresh(weights)?;
        let engine = engine(&net, &frequencies, &state, config.adam, config.batch, device)?;
        Ok(Self { config, net, frequencies, engine, updates: 0, key, mean: OnceLock::new() })
    }

    /// The state that a checkpoint holds, on a device.
    ///
    /// # Errors
    /// If a tensor cannot be moved there.
    pub fn resume(from: &Checkpoint, device: &Device) -> Result<Self> {
        let to = |list: &[Tensor]| {
            list.iter().map(|t| t.to_device(device)).collect::<candle_core::Result<Vec<_>>>()
        };
        let state = State {
            weights: to(&from.weights)?,
            average: to(&from.average)?,
            first: to(&from.first)?,
            second: to(&from.second)?,
        };
        let frequencies = from.frequencies.to_device(device)?;
        let engine = engine(&from.net, &frequencies, &state, from.train.adam, from.train.batch, device)?;
        let key = Key::root(from.train.seed).branch("train");
        let (config, net) = (from.train.clone(), from.net.clone());
        let (updates, mean) = (from.step, OnceLock::new());
        Ok(Self { config, net, frequencies, engine, updates, key, mean })
    }

    /// The state, to be written; weights are copied, so that training can go on.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn checkpoint(&self, standardise: Option<Standardise>) -> Result<Checkpoint> {
        let State { weights, average, first, second } = self.engine.state()?;
        Ok(Checkpoint {
            net: self.net.clone(),
            train: self.config.clone(),
            step: self.updates,
            standardise,
            sde: toml::Table::new(),
            data: toml::Table::new(),
            rows: vec![],
            frequencies: self.frequencies.copy()?,
            weights,
            average,
            first,
            second,
        })
    }

    /// Updates made so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The network of the averaged weights, frozen.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn averaged(&self) -> Result<Mlp> {
        Mlp::new(self.net.clone(), &self.engine.state()?.average, &self.frequencies)
    }

    /// The root of what multiplies |F − F*|²/d at a time that the law of times drew: √w |c| over the root of the density, with
    /// ε = c_x x + c F.
    fn scale(&self, sde: &dyn LinearSde, (t, density): (f64, f64)) -> f64 {
        let k = sde.kernel(t);
        let (_, c) = k.read(k.row(self.net.target()), k.row(Target::Noise));
        (weight(self.config.weighting, sde, t, k, self.net.sigma_data) / density).sqrt() * c.abs()
    }

    /// The mean of its square over the law of times. The loss is divided by it, so that it and the norm at which gradients are
    /// clipped mean the same under every SDE and weighting.
    fn mean_weight(&self, sde: &dyn LinearSde) -> f64 {
        let draw = || {
            let (law, span) = (self.config.times, (sde.span(Use::Training), &self.net));
            let times = draw_times(law, sde, span, &self.key.branch("weight"), 0, LEVELS);
            times.into_iter().map(|at| self.scale(sde, at).powi(2)).sum::<f64>() / LEVELS as f64
        };
        *self.mean.get_or_init(draw)
    }

    /// What the network should say in the next step.
    fn goals(&self, data: &dyn Data, standardise: Option<&Standardise>, sde: &dyn LinearSde) -> Goals {
        let (batch, dim, step) = (self.config.batch, self.net.dim, self.updates);
        let points = data.sample(&self.key.branch("data"), step * batch as u64, batch);
        let points = match standardise {
            Some(s) => s.apply(&points),
            None => points,
        };
        let noise = self.key.branch("noise").normals(step, 0, batch, dim);
        let (law, span) = (self.config.times, sde.span(Use::Training));
        let drawn = draw_times(law, sde, (span, &self.net), &self.key.branch("times"), step, batch);
        let target = self.net.target();
        let unit = (self.mean_weight(sde) * (batch * dim) as f64).sqrt();
        let mut goals = Goals::default();
        for (i, &(t, density)) in drawn.iter().enumerate() {
            let k = sde.kernel(t);
            let row = k.row(target);
            for j in 0..dim {
                let (x0, e) = (points.values()[i * dim + j], noise[i * dim + j]);
                goals.x.push((k.alpha * x0 + k.sigma * e) as f32);
                goals.goal.push((row.data * x0 + row.noise * e) as f32);
            }
            goals.scale.push((self.scale(sde, (t, density)) / unit) as f32);
            goals.at.push(k);
        }
        goals
    }

    /// The gradient of the loss at the next step, for each weight in order, and the loss.
    ///
    /// # Errors
    /// If a tensor operation fails, or a weight gets no gradient.
    pub fn gradient(
        &self,
        data: &dyn Data,
        standardise: Option<&Standardise>,
        sde: &dyn LinearSde,
    ) -> Result<(Vec<Tensor>, f64)> {
        self.engine.gradient(&self.goals(data, standardise, sde))
    }

    /// One update; returns the loss before it.
    ///
    /// # Errors
    /// If a tensor operation fails, or the loss is not finite.
    pub fn step(
        &mut self,
        data: &dyn Data,
        standardise: Option<&Standardise>,
        sde: &dyn LinearSde,
    ) -> Result<f64> {
        let goals = self.goals(data, standardise, sde);
        let number = self.updates + 1;
        let decay = ema_decay(self.config.ema, self.updates);
        let loss = self.engine.step(&goals, Update { number, rate: self.config.rate_at(number), decay })?;
        if !loss.is_finite() {
            return Err(Error::Solve(format!(
                "the training loss is {loss} at step {number}: lower `train.rate` (now {}) or shorten the range of the SDE",
                self.config.rate
            )));
        }
        self.updates = number;
        Ok(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TwoMoons;
    use crate::net::Prediction;
    use tweedie_solvers::sde::{Edm, SubVp, Vp};

    /// Under every SDE and weighting the weights of a batch, on the network's own output, are 1 in the mean.
    #[test]
    fn the_loss_has_one_scale() {
        let sdes: [Box<dyn LinearSde>; 3] =
            [Box::new(Vp::default()), Box::new(SubVp::default()), Box::new(Edm::default())];
        let cases = [
            (Prediction::Edm, Weighting::Edm, TimeLaw::Level),
            (Prediction::Edm, Weighting::Likelihood, TimeLaw::Importance),
            (Prediction::Noise, Weighting::Noise, TimeLaw::Uniform),
            (Prediction::Score, Weighting::Likelihood, TimeLaw::Importance),
        ];
        for sde in sdes {
            for (prediction, weighting, times) in cases {
                let finest = if prediction == Prediction::Edm { 0.03 } else { 0.0 };
                let net = MlpConfig { width: 8, depth: 0, prediction, finest, ..MlpConfig::reference(2) };
                let config = TrainConfig {
                    steps: 1,
                    batch: 4096,
                    rate: 1e-3,
                    warmup: 0,
                    cosine: false,
                    ema: 0.9,
                    weighting,
                    times,
                    adam: AdamConfig::default(),
                    seed: 0,
                };
                let trainer = Trainer::new(config, net, &Device::Cpu).unwrap();
                let goals = trainer.goals(&TwoMoons::default(), None, &*sde);
                let mean = 2.0 * goals.scale.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                // The batch is another stratified draw; weights of a score rise as 1/σ² towards the end of the span.
                let within = if prediction == Prediction::Score { 0.2 } else { 0.02 };
                assert!((mean - 1.0).abs() < within, "{sde:?} {prediction:?} {weighting:?}: {mean}");
            }
        }
    }
}
