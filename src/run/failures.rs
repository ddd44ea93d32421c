//! What fails after training costs itself alone: a sentence names it, its cells stay empty, and the rest of the run stands.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// The parts of a run that failed.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<Vec<String>>);

impl Failures {
    /// What succeeded; of what did not, the sentence is kept under the name `what`.
    pub(super) fn keep<T>(&self, what: impl FnOnce() -> String, result: Result<T>) -> Option<T> {
        let note = |error: Error| {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{}: {error}", what()));
        };
        result.map_err(note).ok()
    }

    /// All sentences, in an order that threads do not change.
    pub(super) fn all(self) -> Vec<String> {
        let mut all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort();
        all
    }
}
