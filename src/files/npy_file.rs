//! Points in numpy's format (numpy.lib.format): magic, version, length of the header, a Python dictionary, the values.
//!
//! Read are versions 1 to 3 of little-endian float32 and float64 in C order; written is version 1.0. The reader is this program's own,
//! for its sentences: candle's takes integers and any number of axes, ignores what follows the array, and reserves whatever size a
//! header claims.

use super::{Float, Points};

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

pub(super) fn format(points: &Points, float: Float) -> Result<Vec<u8>, String> {
    let descr = if float == Float::F32 { "<f4" } else { "<f8" };
    let header = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, {}), }}",
        points.len(),
        points.dim()
    );
    // The values begin at a multiple of 64 bytes: magic, 2 of version, 2 of length, the header, spaces, a line feed.
    let width = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 5;
    let mut out = [MAGIC, &[1, 0], &(width as u16 + 1).to_le_bytes()].concat();
    out.extend(format!("{header:<width$}\n").into_bytes());
    for (i, v) in points.values().iter().enumerate() {
        let single = *v as f32;
        match float {
            Float::F64 => out.extend(v.to_le_bytes()),
            Float::F32 if v.is_finite() && single.is_infinite() => {
                return Err(format!(
                    "{v:e} at [{}, {}] is too large for float32",
                    i / points.dim(),
                    i % points.dim()
                ));
            }
            Float::F32 => out.extend(single.to_le_bytes()),
        }
    }
    Ok(out)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Points, String> {
    let foreign = || "this is not an NPY file; write one with np.save(path, x.astype('float64'))".to_owned();
    let cut = || "the NPY file is cut short within its header; save it again".to_owned();
    let odd = |what: &str| {
        format!(
            "the header of the NPY file has no {what} that can be read; save it again with np.save(path, x)"
        )
    };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(foreign)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk::<2>().map(|(n, rest)| (u32::from(u16::from_le_bytes(*n)), rest)),
        2 | 3 => rest.split_first_chunk::<4>().map(|(n, rest)| (u32::from_le_bytes(*n), rest)),
        other => {
            return Err(format!(
                "the NPY file is of version {other}, but 1, 2 and 3 are known; save it with np.save(path, x)"
            ));
        }
    }
    .ok_or_else(cut)?;
    let (header, body) = rest.split_at_checked(length as usize).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| odd("text"))?;
    let size = match value(header, "descr").ok_or_else(|| odd("descr"))?.trim_matches(['\'', '"']) {
        "<f8" => 8,
        "<f4" => 4,
        other => {
            return Err(format!(
                "the array is of type {other}, but points are <f8 or <f4; np.save(path, x.astype('<f8'))"
            ));
        }
    };
    match value(header, "fortran_order") {
        Some("False") => {}
        Some("True") => {
            return Err("the array is in Fortran order; np.save(path, np.ascontiguousarray(x))".into());
        }
        _ => return Err(odd("fortran_order")),
    }
    let shape = value(header, "shape").ok_or_else(|| odd("shape"))?;
    let inside = shape.strip_prefix('(').and_then(|s| s.strip_suffix(')')).ok_or_else(|| odd("shape"))?;
    let axes = inside.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse::<usize>);
    let (rows, dim) = match axes.collect::<Result<Vec<_>, _>>().map_err(|_| odd("shape"))?[..] {
        [rows] => (rows, 1),
        [rows, dim] => (rows, dim),
        _ => {
            return Err(format!(
                "the array has the shape {shape}, but points are (n, d), or (n,) for d = 1; np.save(path, x.reshape(n, d))"
            ));
        }
    };
    if rows == 0 || dim == 0 {
        return Err(format!(
            "the array has the shape {shape}, so there are no points in it; save at least one"
        ));
    }
    if rows.checked_mul(dim).and_then(|n| n.checked_mul(size)) != Some(body.len()) {
        let promised = (rows as u128 * dim as u128).saturating_mul(size as u128);
        return Err(format!(
            "the shape {shape} takes {promised} bytes, but {} follow the header; save the file again",
            body.len()
        ));
    }
    let values: Vec<f64> = match size {
        8 => body.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        _ => body.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
    };
    match values.iter().position(|v| !v.is_finite()) {
        Some(i) => Err(format!(
            "the value at [{}, {}] is {}, but points must be finite",
            i / dim,
            i % dim,
            values[i]
        )),
        None => Ok(Points::new(dim, values)),
    }
}

/// The value of a key of the header, a dictionary in Python's spelling: up to the comma or brace outside brackets and quotes.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let after =
        quoted.iter().find_map(|k| header.split_once(k.as_str()))?.1.trim_start().strip_prefix(':')?;
    let (mut depth, mut quote) = (0, None);
    let end = after.find(|c| {
        match (quote, c) {
            (Some(q), _) => quote = Some(q).filter(|q| *q != c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, ',' | '}') => return depth == 0,
            _ => {}
        }
        false
    })?;
    Some(after[..end].trim())
}
