//! The workshop's error: either the input is wrong, which one sentence can mend, or a run failed.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input broke a rule; the sentence says which, where, and what to type instead.
    #[error("{0}")]
    Input(String),
    /// The input was fine and the work still failed.
    #[error("{0}")]
    Run(String),
}

/// The result of everything in the workshop that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl From<tweedie_solvers::Error> for Error {
    fn from(error: tweedie_solvers::Error) -> Self {
        use tweedie_solvers::Error as E;
        match error {
            E::Parameter { .. } | E::Shape { .. } | E::Unsupported(_) => Self::Input(error.to_string()),
            _ => Self::failed(&error),
        }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::failed(&error)
    }
}

impl Error {
    /// A run that failed; what a card's driver says becomes a sentence.
    fn failed(error: &impl std::fmt::Display) -> Self {
        let said = error.to_string();
        let what = said.split_once(" on the CUDA card failed").map(|(what, _)| format!("{what}: "));
        let why = crate::device::explain(&said);
        Self::Run(why.map(|why| what.unwrap_or_default() + &why).unwrap_or(said))
    }
}

impl From<crate::train::CheckpointError> for Error {
    fn from(error: crate::train::CheckpointError) -> Self {
        match error {
            crate::train::CheckpointError::Io(error) => error.into(),
            error => Self::Input(error.to_string()),
        }
    }
}

impl From<crate::files::FileError> for Error {
    fn from(error: crate::files::FileError) -> Self {
        if error.failed() { Self::Run(error.to_string()) } else { Self::Input(error.to_string()) }
    }
}

/// The known name nearest to a mistyped one, if any is near.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|k| (strsim::damerau_levenshtein(typed, k), k));
    scored.min_by_key(|(d, _)| *d).filter(|(d, k)| *d <= 2.max(k.len() / 3)).map(|(_, k)| k)
}

/// "did you mean `x`? Known are: a, b, c".
pub fn suggest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let list = known.clone().into_iter().collect::<Vec<_>>().join(", ");
    match nearest(typed, known) {
        Some(name) => format!("did you mean `{name}`? Known are: {list}"),
        None => format!("known are: {list}"),
    }
}
