//! Denoising score matching in continuous time (Vincent 2011; Song et al. 2021, eq. 7):
//!
//! L = E_t E_{x₀, ε}  w(t) |ε_θ(α x₀ + σ ε) − ε|² / d,
//!
//! divided by the mean of w(t) c_r(t)², on a loss that is linear in the network's raw output: with ε = c_x x + c_r raw, the difference is c_r (raw_θ − raw*), so one
//! formula serves every prediction type.

mod adam;
mod checkpoint;
mod ema;
mod engine;
mod loss;
mod trainer;

use adam::Adam;
pub use adam::AdamConfig;
pub use checkpoint::{Checkpoint, CheckpointError, FILE};
pub use ema::ema_decay;
pub use loss::{TimeLaw, Weighting, draw_times, weight};
pub use trainer::{TrainConfig, Trainer};
