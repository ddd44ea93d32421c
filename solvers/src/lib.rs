//! tweedie solvers
pub mod clock;
pub mod count;
pub mod dynamics;
pub mod error;
pub mod exact;
pub mod grid;
pub mod integrate;
pub mod kernel;
pub mod key;
pub mod likelihood;
pub mod method;
pub mod model;
pub mod noise;
pub mod observe;
pub mod sde;
pub use error::{Error, Result};
pub use key::Key;
