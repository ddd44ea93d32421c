//! What carries the weights of a run: candle's tensors and gradients, which define an update and run on any device, or the packed network of
//! the CPU or the kernels of a card, which do the same faster.

mod card;

use candle_core::{Device, Shape, Tensor, Var};
use tweedie_solvers::lanes::Aligned;
use tweedie_solvers::model::{self, ScoreModel};
use tweedie_solvers::{Error, Result};

use super::{Adam, AdamConfig};
use crate::device::{self, memory};
use crate::net::{Fused, Goals, Mlp, MlpConfig};
use card::Card;

/// Everything that updates change, in the order of [`MlpConfig::layout`].
#[derive(Debug)]
pub(super) struct State {
    pub(super) weights: Vec<Tensor>,
    pub(super) average: Vec<Tensor>,
    pub(super) first: Vec<Tensor>,
    pub(super) second: Vec<Tensor>,
}

impl State {
    /// Weights at the start.
    pub(super) fn fresh(weights: Vec<Tensor>) -> Result<Self> {
        let zeros = || weights.iter().map(Tensor::zeros_like).collect::<candle_core::Result<Vec<_>>>();
        let average = weights.iter().map(Tensor::copy).collect::<candle_core::Result<_>>()?;
        Ok(Self { average, first: zeros()?, second: zeros()?, weights })
    }
}

/// The numbers of one update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    /// 1, 2, …
    pub(super) number: u64,
    pub(super) rate: f64,
    /// The decay of the average.
    pub(super) decay: f64,
}

pub(super) trait Engine: Send + std::fmt::Debug {
    /// The gradient for each weight, and the loss.
    fn gradient(&self, goals: &Goals) -> Result<(Vec<Tensor>, f64)>;

    /// One update; returns the loss before it, and changes nothing if that is not finite.
    fn step(&mut self, goals: &Goals, update: Update) -> Result<f64>;

    /// A copy of the state.
    fn state(&self) -> Result<State>;
}

/// The engine that is fast on a device.
pub(super) fn engine(
    net: &MlpConfig,
    frequencies: &Tensor,
    state: &State,
    adam: AdamConfig,
    batch: usize,
    device: &Device,
) -> Result<Box<dyn Engine>> {
    // The gradient keeps every layer before and after its activation, and what lies between.
    let row = 4 * (8 * (net.depth + 2) * net.width.max(32) + 4 * net.embedding + 8 * net.dim);
    memory::check("`train.batch`", batch, row, device)?;
    if device.is_cpu() {
        return Ok(Box::new(Packed::new(net, frequencies, state, adam)?));
    }
    Ok(match Card::new(net, frequencies, state, adam, device)? {
        Some(card) => Box::new(card),
        None => Box::new(Plain::new(net, frequencies, state, adam)?),
    })
}

/// candle's tensors.
#[derive(Debug)]
pub(super) struct Plain {
    net: MlpConfig,
    frequencies: Tensor,
    weights: Vec<Var>,
    average: Vec<Tensor>,
    adam: Adam,
}

impl Plain {
    pub(super) fn new(net: &MlpConfig, frequencies: &Tensor, from: &State, adam: AdamConfig) -> Result<Self> {
        Ok(Self {
            net: net.clone(),
            frequencies: frequencies.clone(),
            weights: from.weights.iter().map(Var::from_tensor).collect::<candle_core::Result<_>>()?,
            average: from.average.clone(),
            adam: Adam::new(adam, from.first.clone(), from.second.clone()),
        })
    }
}

impl Engine for Plain {
    fn gradient(&self, goals: &Goals) -> Result<(Vec<Tensor>, f64)> {
        let _turn = device::turn(self.frequencies.device());
        let weights: Vec<Tensor> = self.weights.iter().map(|w| (**w).clone()).collect();
        let net = Mlp::new(self.net.clone(), &weights, &self.frequencies)?;
        let (shape, device) = (Shape::from((goals.at.len(), net.dim())), self.frequencies.device());
        let x = Tensor::from_slice(&goals.x, &shape, device)?;
        let goal = Tensor::from_slice(&goals.goal, &shape, device)?;
        let scale: Vec<f64> = goals.scale.iter().copied().map(f64::from).collect();
        let error = model::scale(&(net.forward(&x, &goals.at)? - goal)?, &scale)?;
        let loss = error.sqr()?.sum_all()?;
        let mut gradients = loss.backward()?;
        let missing = || Error::Solve("a weight got no gradient".into());
        let list = self.weights.iter().map(|w| Ok(gradients.remove(w).ok_or_else(missing)?.detach()));
        Ok((list.collect::<Result<_>>()?, f64::from(loss.to_scalar::<f32>()?)))
    }

    fn step(&mut self, goals: &Goals, update: Update) -> Result<f64> {
        let (gradients, loss) = self.gradient(goals)?;
        if loss.is_finite() {
            self.adam.step(&self.weights, &gradients, update.number, update.rate)?;
            let decay = update.decay;
            for (average, weight) in self.average.iter_mut().zip(&self.weights) {
                *average = ((&*average * decay)? + (weight.as_detached_tensor() * (1.0 - decay))?)?;
            }
        }
        Ok(loss)
    }

    fn state(&self) -> Result<State> {
        let copy = |list: &[Tensor]| list.iter().map(Tensor::copy).collect::<candle_core::Result<Vec<_>>>();
        let weights: Vec<Tensor> = self.weights.iter().map(Var::as_detached_tensor).collect();
        Ok(State {
            weights: copy(&weights)?,
            average: copy(&self.average)?,
            first: copy(&self.adam.first)?,
            second: copy(&self.adam.second)?,
        })
    }
}

/// The packed network, and everything else as lists of its shape.
#[derive(Debug)]
pub(super) struct Packed {
    net: Fused,
    average: Aligned,
    first: Aligned,
    second: Aligned,
    adam: AdamConfig,
    /// The gradient, and parts of it.
    room: Vec<Aligned>,
}

impl Packed {
    pub(super) fn new(net: &MlpConfig, frequencies: &Tensor, from: &State, adam: AdamConfig) -> Result<Self> {
        let net = Fused::new(&Mlp::new(net.clone(), &from.weights, frequencies)?)?;
        let pack = |list: &[Tensor]| net.pack(list);
        let (average, first, second) = (pack(&from.average)?, pack(&from.first)?, pack(&from.second)?);
        Ok(Self { net, average, first, second, adam, room: Vec::new() })
    }
}

/// √Σ vᵢ², by lanes.
fn norm(values: &[f32]) -> f64 {
    let mut lanes = [0.0; 16];
    for values in values.chunks(16) {
        for (lane, &v) in lanes.iter_mut().zip(values) {
            *lane += f64::from(v) * f64::from(v);
        }
    }
    lanes.iter().sum::<f64>().sqrt()
}

impl Engine for Packed {
    fn gradient(&self, goals: &Goals) -> Result<(Vec<Tensor>, f64)> {
        let mut room = Vec::new();
        let loss = self.net.gradient(goals, &mut room);
        Ok((self.net.unpack(&room[0])?, loss))
    }

    fn step(&mut self, goals: &Goals, update: Update) -> Result<f64> {
        let loss = self.net.gradient(goals, &mut self.room);
        if !loss.is_finite() {
            return Ok(loss);
        }
        let gradient = &self.room[0];
        let plan = self.adam.plan(update.number, update.rate, || norm(gradient));
        let decay = update.decay as f32;
        let own = (&mut *self.average, &mut *self.first, &mut *self.second);
        self.net.update(
            gradient,
            own,
            #[inline(always)]
            |w, g, average, m, v| {
                plan.apply(w, g, m, v);
                *average = decay * *average + (1.0 - decay) * *w;
            },
        );
        Ok(loss)
    }

    fn state(&self) -> Result<State> {
        let unpack = |list: &[f32]| self.net.unpack(list);
        Ok(State {
            weights: unpack(self.net.values())?,
            average: unpack(&self.average)?,
            first: unpack(&self.first)?,
            second: unpack(&self.second)?,
        })
    }
}

#[cfg(test)]
mod tests;
