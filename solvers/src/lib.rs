//! The mathematics of tweedie: diffusion SDEs, time grids, score models, samplers, likelihood. No files, no printing.
//!
//! | letter | name | meaning |
//! |---|---|---|
//! | t | time | 0 at the data, T at the noise; samplers stop at ε > 0 |
//! | x | state | a tensor (B, D): B points in D dimensions |
//! | α, σ | `alpha`, `sigma` | the kernel: x_t given x₀ is N(α x₀, σ² I) |
//! | a, f | `rate`, `drift` | f(x, t) = a(t) x for a linear SDE, a = d ln α/dt |
//! | g | `diffusion` | dx = f dt + g dw |
//! | ln(α/σ) | `log_snr` | half the logarithm of the signal-to-noise ratio α²/σ² |
//! | λ | `lambda` | the noise level of a reverse SDE: 1 is Anderson's, 0 the probability flow |
//! | ∇log p_t | `score` | of the noised law; −ε/σ given x₀ |
//! | ε | `noise` (or `epsilon`) | the normal in x = α x₀ + σ ε (or the time at which samplers stop) |
//! | z | `normal` | a standard normal that a sampler adds |
//!
//! From the bottom up: [`clock`], [`kernel`] and [`key`]; [`model`] and [`noise`]; [`sde`]; [`grid`]; [`exact`]; [`dynamics`]; [`method`];
//! [`integrate`](mod@integrate), which holds the only loop; [`likelihood`]. A lower floor names no higher one.

pub mod blocks;
pub mod clock;
pub mod count;
pub mod dynamics;
pub mod error;
pub mod exact;
pub mod grid;
pub mod integrate;
pub mod kernel;
pub mod key;
pub mod lanes;
pub mod likelihood;
pub mod method;
pub mod model;
pub mod noise;
pub mod observe;
mod record;
pub mod sde;
pub mod tape;

pub use error::{Error, Result};
pub use key::Key;
