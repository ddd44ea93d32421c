//! Score networks. One today: a multilayer perceptron that is told the noise level.

mod mlp;

pub use mlp::{Mlp, MlpConfig, Prediction};
