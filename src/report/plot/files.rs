//! Writes files that are either whole or not there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::PlotError;

/// The path with a suffix after its last letter; a dot in the name is no ending to replace.
pub(super) fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(stem);
    name.push(suffix);
    PathBuf::from(name)
}

/// Writes a file under another name first, so that no half-written file is ever seen.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), PlotError> {
    let draft = with_suffix(path, &format!(".{}.tmp", std::process::id()));
    fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path)).map_err(|source| {
        // The first error is the one worth telling; the draft may not even exist.
        let _ = fs::remove_file(&draft);
        PlotError::Write { path: path.to_owned(), source }
    })
}
