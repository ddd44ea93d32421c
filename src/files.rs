//! Points in files, CSV or NPY by suffix, and the one way in which this program writes a file: under a temporary name, then renamed.

mod csv_file;
mod decimal_comma;
mod npy_file;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::points::Points;

/// Why a file could not be read or written: a sentence that begins with the path.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct FileError {
    path: PathBuf,
    what: String,
}

/// The width of the numbers in an NPY file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Float {
    /// `<f4`, rounded to the nearest.
    F32,
    /// `<f8`, exact.
    F64,
}

#[derive(Clone, Copy)]
enum Kind {
    Csv,
    Npy,
}

fn kind(path: &Path) -> Result<Kind, FileError> {
    let suffix = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    match suffix.as_deref() {
        Some("csv") => Ok(Kind::Csv),
        Some("npy") => Ok(Kind::Npy),
        _ => Err(named(path)(
            "the name must end in .csv or .npy, the two formats that points are read from and written to"
                .into(),
        )),
    }
}

fn named(path: &Path) -> impl Fn(String) -> FileError {
    move |what| FileError { path: path.to_owned(), what }
}

/// The suffix of a path, checked before any work is done.
///
/// # Errors
/// If it is neither `.csv` nor `.npy`.
pub fn check_suffix(path: &Path) -> Result<(), FileError> {
    kind(path).map(|_| ())
}

/// Reads points: CSV with or without a header, or NPY of float32 or float64 with two axes, or one (d = 1).
///
/// # Errors
/// What is wrong, where (line and column, or row and column of the array), and how to save the file instead.
pub fn read_points(path: &Path) -> Result<Points, FileError> {
    Ok(read_columns(path)?.0)
}

/// As [`read_points`], with the names of the columns where the file has them.
///
/// # Errors
/// As [`read_points`].
pub fn read_columns(path: &Path) -> Result<(Points, Option<Vec<String>>), FileError> {
    let kind = kind(path)?;
    let bytes = std::fs::read(path).map_err(|e| named(path)(format!("the file cannot be read ({e})")))?;
    match kind {
        Kind::Csv => csv_file::parse(&bytes),
        Kind::Npy => npy_file::parse(&bytes).map(|points| (points, None)),
    }
    .map_err(named(path))
}

/// Writes points, whole or not at all, in f64: CSV with shortest digits that read back as the same number and a header, `x0,x1,…`
/// or the names given, or NPY of float64 (which has no names). Values that are not finite are written too, but not read back.
///
/// # Errors
/// If the suffix is not known, the names do not fit the points or read as numbers, or the system refuses.
pub fn write_points(path: &Path, points: &Points, columns: Option<&[String]>) -> Result<(), FileError> {
    write_points_as(path, points, columns, Float::F64)
}

/// As [`write_points`], with the width of NPY's numbers chosen; CSV keeps all digits in any case.
///
/// # Errors
/// As [`write_points`], and if a finite value is too large for float32.
pub fn write_points_as(
    path: &Path,
    points: &Points,
    columns: Option<&[String]>,
    float: Float,
) -> Result<(), FileError> {
    let bytes = match kind(path)? {
        Kind::Csv => csv_file::format(points, columns),
        Kind::Npy => npy_file::format(points, float),
    };
    let bytes = bytes.map_err(named(path))?;
    replace(path, &bytes).map_err(|e| named(path)(format!("the file cannot be written ({e})")))
}

/// Writes a whole file, or nothing: a reader meets the old file or the new one, never half of one.
///
/// # Errors
/// What the system says; the temporary file in the same folder is removed.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = temporary(path);
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // What went wrong first is what is reported.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Checks that a file can be written, before the work whose result it is to hold; leaves nothing behind.
///
/// # Errors
/// If its folder is missing or not writable, or the path is a folder.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let bad = |e: std::io::Error| named(path)(format!("the file cannot be written ({e})"));
    if path.is_dir() {
        return Err(bad(std::io::ErrorKind::IsADirectory.into()));
    }
    let temporary = temporary(path);
    std::fs::File::create(&temporary).and_then(|_| std::fs::remove_file(&temporary)).map_err(bad)
}

/// A name beside a path that no other thread or process uses.
fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests;
