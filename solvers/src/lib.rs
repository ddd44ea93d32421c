//! tweedie solvers
pub mod clock;
pub mod error;
pub mod exact;
pub mod kernel;
pub mod key;
pub mod model;
pub mod sde;
pub use error::{Error, Result};
pub use key::Key;
