//! Score networks. One today: a multilayer perceptron that is told the noise level.

mod mlp;
mod silu;

pub use mlp::{Mlp, MlpConfig, Prediction};
