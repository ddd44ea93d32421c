//! Points in files, CSV or NPY by suffix, and the one way in which this program writes a file: under a temporary name, then renamed.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::points::Points;

/// Why a file could not be read or written; a sentence that begins with the path.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct FileError {
    path: PathBuf,
    what: String,
}

impl FileError {
    fn new(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into() }
    }
}

/// Writes a whole file, or nothing: a reader meets the old file or the new one, never half of one.
///
/// # Errors
/// What the system says; the temporary file is removed.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

enum Kind {
    Csv,
    Npy,
}

fn kind(path: &Path) -> Result<Kind, FileError> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => Ok(Kind::Csv),
        Some("npy") => Ok(Kind::Npy),
        _ => Err(FileError::new(path, "points are read from and written to files that end in .csv or .npy")),
    }
}

/// The suffix of a path, checked before any work is done.
///
/// # Errors
/// If it is neither `.csv` nor `.npy`.
pub fn check_suffix(path: &Path) -> Result<(), FileError> {
    kind(path).map(|_| ())
}

/// Reads points: CSV with or without a header, or NPY of float32 or float64 with one axis (d = 1) or two.
///
/// # Errors
/// A sentence with the line, or with what the array is and how to save it instead.
pub fn read_points(path: &Path) -> Result<Points, FileError> {
    let kind = kind(path)?;
    let bytes =
        std::fs::read(path).map_err(|e| FileError::new(path, format!("the file cannot be read ({e})")))?;
    let points = match kind {
        Kind::Csv => parse_csv(&bytes),
        Kind::Npy => parse_npy(&bytes),
    };
    points.map_err(|what| FileError::new(path, what))
}

/// Writes points with full precision: CSV with a header (`x0,x1,…` unless other names are given) or NPY of float64.
///
/// # Errors
/// If the suffix is not known or the file cannot be written.
pub fn write_points(path: &Path, points: &Points, columns: Option<&[&str]>) -> Result<(), FileError> {
    let bytes = match kind(path)? {
        Kind::Csv => {
            let names: Vec<String> = match columns {
                Some(names) => names.iter().map(|n| (*n).to_owned()).collect(),
                None => (0..points.dim()).map(|j| format!("x{j}")).collect(),
            };
            let mut text = names.join(",") + "\n";
            for row in points.rows() {
                let cells: Vec<String> = row.iter().map(f64::to_string).collect();
                text += &(cells.join(",") + "\n");
            }
            text.into_bytes()
        }
        Kind::Npy => npy(points),
    };
    replace(path, &bytes).map_err(|e| FileError::new(path, format!("the file cannot be written ({e})")))
}

fn parse_csv(bytes: &[u8]) -> Result<Points, String> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let (mut values, mut dim) = (Vec::new(), None);
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|e| e.to_string())?;
        let line = line_of(bytes, record.position());
        let cells: Vec<Result<f64, _>> = record.iter().map(str::parse::<f64>).collect();
        if index == 0 && cells.iter().all(Result::is_err) {
            dim = Some((cells.len(), line));
            continue;
        }
        let (expected, first) = *dim.get_or_insert((cells.len(), line));
        if cells.len() != expected {
            return Err(format!(
                "line {line} has {} values, line {first} has {expected}; every row must have as many",
                cells.len()
            ));
        }
        for (column, (cell, text)) in cells.into_iter().zip(record.iter()).enumerate() {
            match cell {
                Ok(v) if v.is_finite() => values.push(v),
                _ => {
                    return Err(format!(
                        "line {line}, column {}: `{text}` is not a finite number",
                        column + 1
                    ));
                }
            }
        }
    }
    match dim {
        Some((dim, _)) if !values.is_empty() => Ok(Points::new(dim, values)),
        _ => Err("there are no points in it; write one point per line, as in 0.5,-1.2".into()),
    }
}

/// The line on which a record stands: the reader's own position lies before the empty lines that it skips.
fn line_of(bytes: &[u8], position: Option<&csv::Position>) -> usize {
    let from = position.map_or(0, |p| p.byte() as usize).min(bytes.len());
    let skipped = bytes[from..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    1 + bytes[..from + skipped].iter().filter(|b| **b == b'\n').count()
}

const MAGIC: &[u8] = b"\x93NUMPY";

/// Format 1.0 of numpy: magic, version, length of the header, a Python dictionary padded to 64 bytes, then the values.
fn npy(points: &Points) -> Vec<u8> {
    let header = format!(
        "{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {}), }}",
        points.len(),
        points.dim()
    );
    let padded = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((padded as u16).to_le_bytes());
    out.extend(format!("{header:<width$}\n", width = padded - 1).into_bytes());
    out.extend(points.values().iter().flat_map(|v| v.to_le_bytes()));
    out
}

fn parse_npy(bytes: &[u8]) -> Result<Points, String> {
    let foreign = || "this is not an NPY file; write one with np.save(path, x)".to_owned();
    let cut = || "this NPY file is cut short".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(foreign)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = if version[0] == 1 {
        let (n, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        (usize::from(u16::from_le_bytes(*n)), rest)
    } else {
        let (n, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        (u32::from_le_bytes(*n) as usize, rest)
    };
    let (header, body) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| foreign())?;
    // The value after 'key': up to the next comma outside brackets.
    let field = |key: &str| -> Option<&str> {
        let after = header.split_once(&format!("'{key}':"))?.1.trim_start();
        let end = if after.starts_with('(') { after.find(')')? + 1 } else { after.find([',', '}'])? };
        Some(after[..end].trim())
    };
    let descr = field("descr").ok_or_else(foreign)?.trim_matches('\'');
    let size = match descr {
        "<f8" => 8,
        "<f4" => 4,
        other => {
            return Err(format!(
                "the array has dtype {other}, but points must be float32 or float64: np.save(path, x.astype('float64'))"
            ));
        }
    };
    if field("fortran_order") != Some("False") {
        return Err("the array is in Fortran order: np.save(path, np.ascontiguousarray(x))".into());
    }
    let shape = field("shape").ok_or_else(foreign)?;
    let axes: Option<Vec<usize>> = shape
        .trim_matches(['(', ')'])
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(|s| s.parse().ok())
        .collect();
    let (rows, dim) = match axes.as_deref() {
        Some([n]) => (*n, 1),
        Some([n, d]) => (*n, *d),
        _ => return Err(format!("the array has shape {shape}, but points are (n, d), or (n,) for d = 1")),
    };
    if rows == 0 || dim == 0 {
        return Err(format!("the array has shape {shape}: there are no points in it"));
    }
    let wanted = rows.checked_mul(dim).and_then(|n| n.checked_mul(size));
    if wanted != Some(body.len()) {
        return Err(format!(
            "the array has shape {shape} of {descr}, but {} bytes follow: the file is cut short or damaged",
            body.len()
        ));
    }
    let values: Vec<f64> = if size == 8 {
        body.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
    } else {
        body.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
    };
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(format!("row {}, column {}: {} is not a finite number", i / dim, i % dim, values[i]));
    }
    Ok(Points::new(dim, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let points = Points::new(3, vec![0.1, -2.5e-300, 1e300, std::f64::consts::PI, 5.0, -0.0]);
        for name in ["a.csv", "a.npy"] {
            let path = dir.path().join(name);
            write_points(&path, &points, None).unwrap();
            assert_eq!(read_points(&path).unwrap(), points);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file stays");
        assert!(std::fs::read_to_string(dir.path().join("a.csv")).unwrap().starts_with("x0,x1,x2\n0.1,"));
        assert_eq!(std::fs::read(dir.path().join("a.npy")).unwrap().len() % 64, 48);
        for bad in ["a.txt", "a", "no/such/folder/a.csv"] {
            assert!(write_points(&dir.path().join(bad), &points, None).is_err());
        }
    }

    #[test]
    fn headers_are_optional() {
        let want = Points::new(2, vec![1.0, 2.0, 3.0, 4.0]);
        for text in ["x,y\n1,2\n3,4\n", "1,2\n3,4", " 1 , 2 \r\n3,4\r\n", "\"a\",\"b\"\n1,2\n\n3,4\n"] {
            assert_eq!(parse_csv(text.as_bytes()).unwrap(), want, "{text:?}");
        }
    }

    #[test]
    fn bad_csv_is_refused_with_its_line() {
        for (text, part) in [
            ("", "no points"),
            ("x,y\n", "no points"),
            ("1,2\n3\n", "line 2 has 1 values, line 1 has 2"),
            ("x,y\n1,2,3\n", "line 2 has 3 values"),
            ("1,2\n3,abc\n", "line 2, column 2: `abc`"),
            ("1,b\n3,4\n", "line 1, column 2: `b`"),
            ("1,2\n\n3,NaN\n", "line 3, column 2: `NaN`"),
            ("1,inf\n", "`inf`"),
            ("1,\n", "column 2: ``"),
        ] {
            let error = parse_csv(text.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn bad_npy_is_refused_with_advice() {
        let array = |descr: &str, order: &str, shape: &str, body: &[u8]| {
            let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
            let mut out = MAGIC.to_vec();
            out.extend([2, 0]);
            out.extend((header.len() as u32).to_le_bytes());
            out.extend(header.bytes());
            out.extend(body);
            out
        };
        let good = array("<f4", "False", "(2,)", &[0, 0, 128, 63, 0, 0, 0, 64]);
        assert_eq!(parse_npy(&good).unwrap(), Points::new(1, vec![1.0, 2.0]));
        for (bytes, part) in [
            (b"PK\x03\x04".to_vec(), "not an NPY file"),
            (good[..9].to_vec(), "cut short"),
            (good[..good.len() - 1].to_vec(), "cut short"),
            (array(">f8", "False", "(1, 1)", &[0; 8]), "dtype >f8"),
            (array("<i8", "False", "(1, 1)", &[0; 8]), "astype"),
            (array("<f8", "True", "(1, 1)", &[0; 8]), "Fortran"),
            (array("<f8", "False", "(1, 1, 1)", &[0; 8]), "shape (1, 1, 1)"),
            (array("<f8", "False", "(0, 2)", &[]), "no points"),
            (array("<f8", "False", "(99999999999, 99999999999)", &[]), "cut short"),
            (array("<f8", "False", "(1, 1)", &f64::NAN.to_le_bytes()), "row 0, column 0"),
        ] {
            let error = parse_npy(&bytes).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
