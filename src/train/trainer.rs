//! The training loop's one step, and the state that it carries.

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::model::{self, ScoreModel};
use tweedie_solvers::sde::{LinearSde, Use};
use tweedie_solvers::{Error, Key, Result};

use super::{Adam, AdamConfig, Checkpoint, TimeLaw, Weighting, draw_times, ema_decay, weight};
use crate::data::{Data, Standardise};
use crate::net::{Mlp, MlpConfig};

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
    weights: Vec<Var>,
    average: Vec<Tensor>,
    adam: Adam,
    key: Key,
}

impl Trainer {
    /// Fresh weights under the seed of the configuration.
    ///
    /// # Errors
    /// If a tensor cannot be made on the device.
    pub fn new(config: TrainConfig, net: MlpConfig, device: &Device) -> Result<Self> {
        let key = Key::root(config.seed).branch("train");
        let (weights, frequencies) = Mlp::fresh(&net, &key, device)?;
        let average = weights.iter().map(Tensor::copy).collect::<candle_core::Result<_>>()?;
        let weights = weights.iter().map(Var::from_tensor).collect::<candle_core::Result<Vec<_>>>()?;
        let adam = Adam::new(config.adam, &weights)?;
        Ok(Self { config, net, frequencies, weights, average, adam, key })
    }

    /// The state that a checkpoint holds, on a device.
    ///
    /// # Errors
    /// If a tensor cannot be moved there.
    pub fn resume(from: &Checkpoint, device: &Device) -> Result<Self> {
        let mut trainer = Self::new(from.train.clone(), from.net.clone(), device)?;
        let to = |list: &[Tensor]| {
            list.iter().map(|t| t.to_device(device)).collect::<candle_core::Result<Vec<_>>>()
        };
        trainer.weights =
            to(&from.weights)?.iter().map(Var::from_tensor).collect::<candle_core::Result<_>>()?;
        trainer.average = to(&from.average)?;
        (trainer.adam.first, trainer.adam.second) = (to(&from.first)?, to(&from.second)?);
        trainer.adam.updates = from.step;
        trainer.frequencies = from.frequencies.to_device(device)?;
        Ok(trainer)
    }

    /// The state, to be written; weights are copied, so that training can go on.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn checkpoint(&self, standardise: Option<Standardise>) -> Result<Checkpoint> {
        let copy = |list: &[Tensor]| list.iter().map(Tensor::copy).collect::<candle_core::Result<Vec<_>>>();
        let weights: Vec<Tensor> = self.weights.iter().map(Var::as_detached_tensor).collect();
        Ok(Checkpoint {
            net: self.net.clone(),
            train: self.config.clone(),
            step: self.adam.updates,
            standardise,
            sde: toml::Table::new(),
            data: toml::Table::new(),
            frequencies: self.frequencies.copy()?,
            weights: copy(&weights)?,
            average: copy(&self.average)?,
            first: copy(&self.adam.first)?,
            second: copy(&self.adam.second)?,
        })
    }

    /// Updates made so far.
    pub fn updates(&self) -> u64 {
        self.adam.updates
    }

    /// The network of the averaged weights, frozen.
    ///
    /// # Errors
    /// If a tensor cannot be copied.
    pub fn averaged(&self) -> Result<Mlp> {
        let weights = self.average.iter().map(Tensor::copy).collect::<candle_core::Result<Vec<_>>>()?;
        Mlp::new(self.net.clone(), &weights, &self.frequencies)
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
        let (batch, dim) = (self.config.batch, self.net.dim);
        let step = self.adam.updates;
        let points = data.sample(&self.key.branch("data"), step * batch as u64, batch);
        let points = match standardise {
            Some(s) => s.apply(&points),
            None => points,
        };
        let noise = self.key.branch("noise").normals(step, 0, batch, dim);
        let drawn = draw_times(
            self.config.times,
            sde,
            sde.span(Use::Training),
            &self.key.branch("times"),
            step,
            batch,
        );
        let net = Mlp::new(
            self.net.clone(),
            &self.weights.iter().map(|w| (**w).clone()).collect::<Vec<_>>(),
            &self.frequencies,
        )?;
        let (mut x, mut goal, mut scale, mut at) = (Vec::new(), Vec::new(), Vec::new(), Vec::<Kernel>::new());
        for (i, &(t, density)) in drawn.iter().enumerate() {
            let k = sde.kernel(t);
            let row = k.row(net.target());
            let (_, c) = k.read(row, k.row(Target::Noise));
            let w = weight(self.config.weighting, sde, t, k, self.net.sigma_data) / density;
            for j in 0..dim {
                let (x0, e) = (points.values()[i * dim + j], noise[i * dim + j]);
                x.push(k.alpha * x0 + k.sigma * e);
                goal.push(row.data * x0 + row.noise * e);
            }
            scale.push(w.sqrt() * c.abs());
            at.push(k);
        }
        let like = &self.frequencies;
        let x = model::tensor(x, (batch, dim), like)?;
        let goal = model::tensor(goal, (batch, dim), like)?;
        let error = model::scale(&(net.forward(&x, &at)? - goal)?, &scale)?;
        let loss = (error.sqr()?.sum_all()? / (batch * dim) as f64)?;
        let mut gradients = loss.backward()?;
        let missing = || Error::Solve("a weight got no gradient".into());
        let list = self.weights.iter().map(|w| Ok(gradients.remove(w).ok_or_else(missing)?.detach()));
        Ok((list.collect::<Result<_>>()?, f64::from(loss.to_scalar::<f32>()?)))
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
        let (gradients, loss) = self.gradient(data, standardise, sde)?;
        if !loss.is_finite() {
            let n = self.adam.updates + 1;
            return Err(Error::Solve(format!(
                "the training loss is {loss} at step {n}: lower `train.rate` (now {}) or shorten the range of the SDE",
                self.config.rate
            )));
        }
        let update = self.adam.updates;
        self.adam.step(&self.weights, &gradients, self.config.rate_at(update + 1))?;
        let decay = ema_decay(self.config.ema, update);
        for (average, weight) in self.average.iter_mut().zip(&self.weights) {
            *average = ((&*average * decay)? + (weight.as_detached_tensor() * (1.0 - decay))?)?;
        }
        Ok(loss)
    }
}
