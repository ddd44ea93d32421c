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

/// The numbers of one update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    shrink: f32,
    beta1: f32,
    beta2: f32,
    /// 1 − β₁ and 1 − β₂.
    new1: f32,
    new2: f32,
    /// 1/(1 − β₁ⁿ) and 1/(1 − β₂ⁿ).
    correct1: f32,
    correct2: f32,
    epsilon: f32,
    rate: f32,
    kept: f32,
}

impl AdamConfig {
    /// Update n = 1, 2, …, with a learning rate; the gradient's norm is asked for where it is clipped.
    pub(super) fn plan(self, n: u64, rate: f64, norm: impl FnOnce() -> f64) -> Plan {
        let shrink = if self.clip > 0.0 { (self.clip / norm()).min(1.0) } else { 1.0 };
        let correct = |beta: f64| (1.0 / (1.0 - beta.powf(n as f64))) as f32;
        Plan {
            shrink: shrink as f32,
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            new1: (1.0 - self.beta1) as f32,
            new2: (1.0 - self.beta2) as f32,
            correct1: correct(self.beta1),
            correct2: correct(self.beta2),
            epsilon: self.epsilon as f32,
            rate: rate as f32,
            kept: (1.0 - rate * self.weight_decay) as f32,
        }
    }
}

impl Plan {
    /// What the kernel of a card is told: all but the shrinking, which it finds itself, and the decay of the average.
    pub(super) fn numbers(&self, decay: f64) -> [f32; 10] {
        let Self { beta1, beta2, new1, new2, correct1, correct2, epsilon, rate, kept, .. } = *self;
        [beta1, beta2, new1, new2, correct1, correct2, epsilon, rate, kept, decay as f32]
    }

    /// One weight w with its gradient and moments.
    #[inline(always)]
    pub(super) fn apply(&self, w: &mut f32, gradient: f32, m: &mut f32, v: &mut f32) {
        let g = gradient * self.shrink;
        *m = self.beta1 * *m + self.new1 * g;
        *v = self.beta2 * *v + self.new2 * g * g;
        let step = *m * self.correct1 / ((*v * self.correct2).sqrt() + self.epsilon);
        *w = self.kept * *w - self.rate * step;
    }
}

/// Adam's moments for a list of weights that are tensors.
#[derive(Clone, Debug)]
pub(super) struct Adam {
    config: AdamConfig,
    /// First moments, in the order of the weights.
    pub(super) first: Vec<Tensor>,
    /// Second moments, in the order of the weights.
    pub(super) second: Vec<Tensor>,
}

impl Adam {
    pub(super) fn new(config: AdamConfig, first: Vec<Tensor>, second: Vec<Tensor>) -> Self {
        Self { config, first, second }
    }

    /// Update n with learning rate `rate`; `gradients` in the order of the weights.
    pub(super) fn step(&mut self, weights: &[Var], gradients: &[Tensor], n: u64, rate: f64) -> Result<()> {
        let AdamConfig { beta1, beta2, epsilon, weight_decay, clip } = self.config;
        let shrink = if clip > 0.0 {
            let squares = gradients.iter().map(|g| g.sqr()?.sum_all()?.to_scalar::<f32>());
            let norm = squares.sum::<candle_core::Result<f32>>()?.sqrt();
            (clip / f64::from(norm)).min(1.0)
        } else {
            1.0
        };
        let (correct1, correct2) = (1.0 - beta1.powf(n as f64), 1.0 - beta2.powf(n as f64));
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
        let zeros = vec![weight.zeros_like().unwrap()];
        let mut adam = Adam::new(config, zeros.clone(), zeros);
        let (mut w, mut m, mut v) = (1.0f64, 0.0, 0.0);
        let (mut w1, mut m1, mut v1) = (1.0f32, 0.0, 0.0);
        for (t, g) in [(1i32, 0.5f64), (2, -8.0), (3, 1.5)] {
            adam.step(
                std::slice::from_ref(&weight),
                &[Tensor::new(&[g as f32], &Device::Cpu).unwrap()],
                t as u64,
                0.05,
            )
            .unwrap();
            config.plan(t as u64, 0.05, || g.abs()).apply(&mut w1, g as f32, &mut m1, &mut v1);
            let g: f64 = if g.abs() > 2.0 { 2.0 * g.signum() } else { g };
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (mh, vh) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w = w - 0.05 * 0.1 * w - 0.05 * mh / (vh.sqrt() + 1e-3);
            let got: Vec<f32> = weight.to_vec1().unwrap();
            for got in [got[0], w1] {
                assert!((f64::from(got) - w).abs() < 1e-5, "{got} {w}");
            }
        }
    }
}
