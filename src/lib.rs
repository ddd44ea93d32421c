//! tweedie: score-based SDE and ODE samplers, compared with error bars.
#![doc = include_str!("../README.md")]

pub mod bench;
pub mod cli;
pub mod data;
pub mod device;
pub mod error;
pub mod files;
pub mod metrics;
pub mod net;
pub mod points;
pub mod recipe;
pub mod registry;
pub mod report;
pub mod run;
pub mod train;
pub mod verify;

pub use error::{Error, Result};
pub use points::Points;
pub use tweedie_solvers as solvers;

/// The example of EXTENDING.md compiles and does what it says.
#[cfg(doctest)]
#[doc = include_str!("../EXTENDING.md")]
pub struct Extending;
