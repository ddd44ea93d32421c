//! Points in files, CSV or NPY by suffix, and the one way in which this program writes a file: under a temporary name, then renamed.

mod csv_file;
mod decimal_comma;
mod npy_file;
mod write;

use std::path::{Path, PathBuf};

use crate::points::Points;

pub use write::{abandon, check_writable, is_temporary, replace, sweep};

/// Why a file could not be read or written: a sentence that begins with the path.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct FileError {
    path: PathBuf,
    what: String,
    /// Whether the machine failed, as a disk that is full does, and not what was asked for.
    failed: bool,
}

impl FileError {
    /// Whether the machine failed, and what was asked for is as it should be.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// What the system said when something was to be done to a file: `"the file cannot be written"`.
    pub fn system(path: &Path, what: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        // What another name, or other rights, would mend.
        let asked = matches!(
            error.kind(),
            K::NotFound
                | K::PermissionDenied
                | K::AlreadyExists
                | K::IsADirectory
                | K::NotADirectory
                | K::DirectoryNotEmpty
                | K::ReadOnlyFilesystem
                | K::InvalidFilename
                | K::InvalidInput
                | K::InvalidData
        );
        Self { path: path.to_owned(), what: format!("{what} ({error})"), failed: !asked }
    }
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
    move |what| FileError { path: path.to_owned(), what, failed: false }
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
    Ok(read_columns(path, None)?.0)
}

/// As [`read_points`], with the names of the columns where the file has them. `header` says whether the first line of a CSV file holds them;
/// where it is not given the line itself tells, and [`numbered`] names are worth a word.
///
/// # Errors
/// As [`read_points`].
pub fn read_columns(path: &Path, header: Option<bool>) -> Result<(Points, Option<Vec<String>>), FileError> {
    let kind = kind(path)?;
    let bytes = std::fs::read(path).map_err(|e| FileError::system(path, "the file cannot be read", &e))?;
    match kind {
        Kind::Csv => csv_file::parse(&bytes, header),
        Kind::Npy => npy_file::parse(&bytes).map(|points| (points, None)),
    }
    .map_err(named(path))
}

/// What is to be said of names `0,1,…,D−1`, which could be a point: as pandas writes columns that have none.
pub fn numbered(names: Option<&[String]>) -> Option<&'static str> {
    let counted = names.is_some_and(|names| csv_file::counts(0, names.iter().map(String::as_str)));
    counted.then_some("its first line counts the columns from 0, as pandas does where they have no names, and is read as their names")
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
    replace(path, &bytes)
}

#[cfg(test)]
mod tests;
