//! The engine of a CUDA card: an update is three launches, and nothing but the loss comes back.

use candle_core::{Device, Tensor};
use tweedie_solvers::Result;

use super::{AdamConfig, Engine, State, Update};
use crate::device::{Shape, Training};
use crate::net::{Goals, MlpConfig};

/// The numbers about each row, one row after the other, as the kernels read them.
pub(super) fn rows(net: &MlpConfig, goals: &Goals) -> Vec<f32> {
    let points = goals.x.chunks(net.dim).zip(goals.goal.chunks(net.dim));
    let told = points.zip(&goals.scale).zip(&goals.at);
    let mut list = Vec::with_capacity(goals.at.len() * (2 * net.dim + 3));
    for (((x, goal), scale), k) in told {
        list.extend(x);
        list.extend(goal);
        list.extend([*scale, net.level(*k) as f32, (1.0 / k.deviation(net.sigma_data)) as f32]);
    }
    list
}

/// Weights, moments and average, on the card.
#[derive(Debug)]
pub(super) struct Card {
    net: MlpConfig,
    shape: Shape,
    on: Training,
    adam: AdamConfig,
    device: Device,
}

impl Card {
    /// `None` if the network is too large for the kernels, or the device has none.
    pub(super) fn new(
        net: &MlpConfig,
        frequencies: &Tensor,
        from: &State,
        adam: AdamConfig,
        device: &Device,
    ) -> Result<Option<Self>> {
        let Some(shape) = Shape::new(net.dim, net.width, net.depth, net.embedding) else { return Ok(None) };
        let pack = |list: &[Tensor]| -> Result<Vec<f32>> {
            let host = list.iter().map(|t| Ok(t.flatten_all()?.to_vec1()?));
            Ok(shape.pack(&host.collect::<Result<Vec<_>>>()?))
        };
        let state = [pack(&from.weights)?, pack(&from.average)?, pack(&from.first)?, pack(&from.second)?];
        let frequencies: Vec<f32> = frequencies.flatten_all()?.to_vec1()?;
        let on = Training::new(shape, &frequencies, &state, device)?;
        Ok(on.map(|on| Self { net: net.clone(), shape, on, adam, device: device.clone() }))
    }

    fn unpack(&self, list: &[f32]) -> Result<Vec<Tensor>> {
        let lists = self.shape.unpack(list).into_iter().zip(self.net.layout());
        lists.map(|(values, (_, shape))| Ok(Tensor::from_vec(values, shape, &self.device)?)).collect()
    }
}

impl Engine for Card {
    fn gradient(&self, goals: &Goals) -> Result<(Vec<Tensor>, f64)> {
        let (gradient, loss) = self.on.gradient(&rows(&self.net, goals))?;
        Ok((self.unpack(&gradient)?, loss))
    }

    fn step(&mut self, goals: &Goals, update: Update) -> Result<f64> {
        let plan = self.adam.plan(update.number, update.rate, || 1.0).numbers(update.decay);
        self.on.step(&rows(&self.net, goals), plan, self.adam.clip)
    }

    fn state(&self) -> Result<State> {
        let [weights, average, first, second] = self.on.state()?;
        Ok(State {
            weights: self.unpack(&weights)?,
            average: self.unpack(&average)?,
            first: self.unpack(&first)?,
            second: self.unpack(&second)?,
        })
    }
}
