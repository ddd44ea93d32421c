//! The one place that says "cuda": which device, and the kernels of our own that a card has beside candle's.
//!
//! The kernels are C with a few words of CUDA: whole trajectories around a small network or an exact score in one launch (`trajectory.cu`,
//! `mixture.cu`), a network's updates in three (`training.cu`), and sums and addressed normals for everything else (`elementwise.cu`). Where
//! there is no card each of them is `None`, and tensors do the same.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(not(feature = "cuda"))]
#[path = "without.rs"]
mod cuda;
mod errors;
pub mod memory;
mod training;
mod trajectory;

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::clock::Step;
use tweedie_solvers::noise::{Brownian, Draw, Noise, Stream};
use tweedie_solvers::{Key, Result, tape};

pub use cuda::Training;
pub use errors::explain;
pub use training::{ROWS, Shape};
pub use trajectory::{MixtureTrajectory, Program, Run, THREADS, Trajectory, Weights};

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
    pub fn open(self) -> std::result::Result<Device, String> {
        let compiled = candle_core::utils::cuda_is_available();
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Auto if !compiled => Ok(Device::Cpu),
            Self::Auto => Ok(first().unwrap_or_else(|why| {
                tracing::warn!("{why}: computing on the CPU");
                Device::Cpu
            })),
            Self::Cuda if !compiled => {
                Err("--device cuda: this program was built without CUDA; build it with `cargo build \
                 --release --features cuda`, or use --device cpu"
                    .into())
            }
            Self::Cuda => first().map_err(|why| format!("--device cuda: {why}; or use --device cpu")),
        }
    }
}

/// The first card, after it has computed something: a driver may know a card and still not run the program's kernels.
fn first() -> std::result::Result<Device, String> {
    let attempt = || {
        let device = Device::new_cuda(0)?;
        Tensor::ones(1, DType::F32, &device)?.affine(2.0, 1.0)?;
        device.synchronize()?;
        Ok(device)
    };
    attempt().map_err(|error: candle_core::Error| {
        let said = error.to_string();
        explain(&said)
            .unwrap_or_else(|| format!("no CUDA card can be used ({})", said.lines().next().unwrap_or("")))
    })
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

/// A thread's turn on a card, until it is dropped; the CPU takes all at once. candle has one cuBLAS handle, with one workspace, for the streams
/// of all threads: whoever multiplies matrices holds a turn until its results are on the host. Nobody may wait for other threads meanwhile.
pub fn turn(device: &Device) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    device.is_cuda().then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Σ c · x: one launch where there is a kernel, else [`tape::sum`].
///
/// # Errors
/// If there is no term, or a tensor operation fails.
pub fn sum(terms: &[(&Tensor, f64)]) -> Result<Tensor> {
    cuda::sum(terms)?.map_or_else(|| tape::sum(terms), Ok)
}

/// What a launch of trajectories left.
#[derive(Clone, Debug)]
pub struct Played {
    /// The points that they led to, (B, D).
    pub end: Tensor,
    /// How often the kernel asked the model about each of them.
    pub asked: Vec<u32>,
}

/// The points that trajectories lead x (B, D) to, in one launch; `None` where there is no kernel for them.
///
/// # Errors
/// If the launch fails.
pub fn play(trajectory: &Trajectory<'_>, x: &Tensor) -> Result<Option<Played>> {
    cuda::trajectory(trajectory, x)
}

/// The same around an exact score.
///
/// # Errors
/// If the launch fails.
pub fn play_mixture(trajectory: &MixtureTrajectory, x: &Tensor) -> Result<Option<Played>> {
    cuda::mixture(trajectory, x)
}

/// Standard normals of a key, made on the device in f32 where there is a kernel: rows `first …` of the stream at `address`, (rows, dim).
///
/// # Errors
/// If the launch fails.
pub fn normals(
    key: &Key,
    address: u64,
    shape: (u64, usize, usize),
    on: (&Device, DType),
) -> Result<Option<Tensor>> {
    if on.1 == DType::F32 { cuda::normals(key, address, shape, on.0) } else { Ok(None) }
}

/// The same noise, made on the device where there is a kernel.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "noise is not")]
pub struct Made<'a>(pub &'a dyn Noise);

impl Noise for Made<'_> {
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
        let made = match self.0.stream() {
            Some(stream) => {
                let (rows, dim) = like.dims2()?;
                let address = Stream::address(step, draw);
                normals(stream.key(), address, (stream.first(), rows, dim), (like.device(), like.dtype()))?
            }
            None => None,
        };
        made.map_or_else(|| self.0.normal(step, draw, like), Ok)
    }

    fn path(&self, end: f64) -> Brownian {
        self.0.path(end)
    }

    fn stream(&self) -> Option<&Stream> {
        self.0.stream()
    }
}
