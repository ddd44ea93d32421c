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
    if device.is_cpu() {
        return Ok(Box::new(Fused::new(&net)?));
    }
    let net = Resident::new(net, device)?;
    // Other threads, whose streams do not wait for this one's, are going to read the weights.
    device.synchronize()?;
    Ok(Box::new(net))
}
