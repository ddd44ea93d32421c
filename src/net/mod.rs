//! Score networks. One today, a multilayer perceptron that is told the noise level, in two forms: candle's tensors, which define it and run
//! anywhere, and packed for the CPU or for a card.

mod fused;
mod mlp;
mod resident;

pub use fused::{Fused, Goals};
pub use mlp::{Mlp, MlpConfig, Prediction};
pub use resident::Resident;

use candle_core::Device;
use tweedie_solvers::Result;
use tweedie_solvers::model::ScoreModel;

/// A network that is not trained any more, in the form that is fast on its device.
///
/// # Errors
/// If its weights cannot be read, or packed.
pub fn frozen(net: Mlp, device: &Device) -> Result<Box<dyn ScoreModel>> {
    Ok(if device.is_cpu() { Box::new(Fused::new(&net)?) } else { Box::new(Resident::new(net, device)?) })
}
