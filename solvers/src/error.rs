//! What can go wrong, in sentences: every variant names the value and the rule that it broke.

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the mathematics: a parameter out of its domain, a shape that does not fit, a solve that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A parameter lies outside its domain.
    #[error("{name} = {value}, but it must {rule}")]
    Parameter {
        /// The name that the user typed.
        name: String,
        /// The value as given.
        value: String,
        /// The rule, to be read after "it must".
        rule: String,
    },
    /// A tensor or a list has the wrong shape.
    #[error("{what} has shape {got}, expected {expected}")]
    Shape {
        /// What was passed.
        what: String,
        /// The shape wanted.
        expected: String,
        /// The shape found.
        got: String,
    },
    /// Two things that cannot be combined.
    #[error("{0}")]
    Unsupported(String),
    /// An integration could not be finished.
    #[error("{0}")]
    Solve(String),
}

impl Error {
    /// A parameter out of its domain; `rule` is read after "it must".
    pub fn parameter(
        name: impl Into<String>,
        value: impl std::fmt::Display,
        rule: impl Into<String>,
    ) -> Self {
        Self::Parameter { name: name.into(), value: value.to_string(), rule: rule.into() }
    }

    /// A shape that does not fit.
    pub fn shape(what: impl Into<String>, expected: impl std::fmt::Debug, got: impl std::fmt::Debug) -> Self {
        Self::Shape { what: what.into(), expected: format!("{expected:?}"), got: format!("{got:?}") }
    }
}

/// `value` when it is finite and above zero; otherwise the error that names it.
pub fn positive(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(Error::parameter(name, value, "be a finite number above 0"))
    }
}

/// `value` when it is finite and not below zero; otherwise the error that names it.
pub fn non_negative(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(Error::parameter(name, value, "be a finite number, 0 or above"))
    }
}
