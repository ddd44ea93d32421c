//! The one place that says "cuda".

use std::io::Write;

use candle_core::Device;

/// Where tensors live, as users type it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// A CUDA card if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA card.
    Cuda,
}

impl Choice {
    /// All of them, with the names that users type.
    pub const NAMES: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("cpu", Self::Cpu), ("cuda", Self::Cuda)];

    /// The device.
    ///
    /// # Errors
    /// A sentence if a card was asked for and cannot be used.
    pub fn open(self) -> Result<Device, String> {
        let compiled = candle_core::utils::cuda_is_available();
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto if !compiled => Ok(Device::Cpu),
            Self::Auto => Ok(Device::new_cuda(0).unwrap_or_else(|error| {
                tracing::warn!("no CUDA card can be used ({error}): computing on the CPU");
                Device::Cpu
            })),
            Self::Cuda if !compiled => {
                Err("--device cuda: this program was built without CUDA; build it with `cargo build \
                 --release --features cuda`, or use --device cpu"
                    .into())
            }
            Self::Cuda => Device::new_cuda(0).map_err(|error| {
                format!("--device cuda: no CUDA card can be used ({error}); use --device cpu")
            }),
        }
    }
}

/// The device in a word, for records.
pub fn name(device: &Device) -> &'static str {
    if device.is_cuda() { "cuda" } else { "cpu" }
}

/// The CPU, and the first CUDA card where one can be used; otherwise says on standard error that it is skipped, and why. For what must hold on
/// every device.
pub fn present() -> Vec<Device> {
    let card = Choice::Cuda.open();
    if let Err(why) = &card {
        // Not `eprintln!`, which tests capture.
        let _ = writeln!(std::io::stderr(), "SKIPPED on CUDA: {why}");
    }
    std::iter::once(Device::Cpu).chain(card.ok()).collect()
}
