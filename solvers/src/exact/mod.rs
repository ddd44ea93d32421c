//! Closed-form scores: the ruler that everything else is measured with.

mod mixture;

pub use mixture::Mixture;
