//! Score networks. One today: a multilayer perceptron that is told the noise level.

mod fused;
mod mlp;
mod silu;

pub use fused::Fused;
pub use mlp::{Mlp, MlpConfig, Prediction};
