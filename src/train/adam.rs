//! Adam with decoupled weight decay (Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2) over an ordered list of
//! weights, with its moments open, so that a checkpoint can hold them and a resumed run repeats an uninterrupted one bit for bit.

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};
use tweedie_solvers::Result;

/// The numbers of Adam.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// β₁, the decay of the first moment.
    pub beta1: f64,
    /// β₂, the decay of the second moment.
    pub beta2: f64,
    /// ϵ, added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled decay of the weights per unit of learning rate; 0 is plain Adam.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm; 0 switches it off.
    pub clip: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, clip: 1.0 }
    }
}

/// Adam's moments for a list of weights.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    /// First moments, in the order of the weights.
    pub first: Vec<Tensor>,
    /// Second moments, in the order of the weights.
    pub second: Vec<Tensor>,
    /// Updates made so far.
    pub updates: u64,
}

impl Adam {
    /// Zero moments for these weights.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn new(config: AdamConfig, weights: &[Var]) -> Result<Self> {
        let zeros = || weights.iter().map(|w| Ok(w.zeros_like()?)).collect::<Result<Vec<_>>>();
        Ok(Self { config, first: zeros()?, second: zeros()?, updates: 0 })
    }

    /// One update with learning rate `rate`; `gradients` in the order of the weights.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(&mut self, weights: &[Var], gradients: &[Tensor], rate: f64) -> Result<()> {
        self.updates += 1;
        let AdamConfig { beta1, beta2, epsilon, weight_decay, clip } = self.config;
        let shrink = if clip > 0.0 {
            let squares = gradients.iter().map(|g| g.sqr()?.sum_all()?.to_scalar::<f32>());
            let norm = squares.sum::<candle_core::Result<f32>>()?.sqrt();
            (clip / f64::from(norm)).min(1.0)
        } else {
            1.0
        };
        let t = self.updates as i32;
        let (correct1, correct2) = (1.0 - beta1.powi(t), 1.0 - beta2.powi(t));
        for (i, (weight, gradient)) in weights.iter().zip(gradients).enumerate() {
            let g = (gradient * shrink)?;
            self.first[i] = ((&self.first[i] * beta1)? + (&g * (1.0 - beta1))?)?;
            self.second[i] = ((&self.second[i] * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
            let root = ((&self.second[i] / correct2)?.sqrt()? + epsilon)?;
            let step = ((&self.first[i] / correct1)? / root)?;
            let kept = (weight.as_detached_tensor() * (1.0 - rate * weight_decay))?;
            weight.set(&(kept - (step * rate)?)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Three updates of one number by the formulae of the papers in f64, with decay and with gradients above and below the clip.
    #[test]
    fn three_updates_by_hand() {
        let config = AdamConfig { weight_decay: 0.1, clip: 2.0, epsilon: 1e-3, ..AdamConfig::default() };
        let weight = Var::new(&[1.0f32], &Device::Cpu).unwrap();
        let mut adam = Adam::new(config, std::slice::from_ref(&weight)).unwrap();
        let (mut w, mut m, mut v) = (1.0f64, 0.0, 0.0);
        for (t, g) in [(1, 0.5f64), (2, -8.0), (3, 1.5)] {
            adam.step(
                std::slice::from_ref(&weight),
                &[Tensor::new(&[g as f32], &Device::Cpu).unwrap()],
                0.05,
            )
            .unwrap();
            let g: f64 = if g.abs() > 2.0 { 2.0 * g.signum() } else { g };
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (mh, vh) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w = w - 0.05 * 0.1 * w - 0.05 * mh / (vh.sqrt() + 1e-3);
            let got: Vec<f32> = weight.to_vec1().unwrap();
            assert!((f64::from(got[0]) - w).abs() < 1e-5, "{} {w}", got[0]);
        }
    }
}
