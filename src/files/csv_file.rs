//! Points as comma-separated text.

use super::Points;
use super::decimal_comma::{self, Halves};

/// Lines that are looked at for semicolons before anything is read.
const FIRST: usize = 10;

/// One line per row, and the names of a header. A first row none of whose cells is a number is a header.
///
/// `0,1,…,D−1` is one too, as pandas names columns that have no names, where a later cell is written otherwise than such a number or there
/// are three columns or more, unless the next row counts on: the line 0,1 of whole numbers may be a point. `header` decides, where it is given.
pub(super) fn parse(bytes: &[u8], header: Option<bool>) -> Result<(Points, Option<Vec<String>>), String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (i, line) in bytes.split(|b| *b == b'\n').take(FIRST).enumerate() {
        let found = std::str::from_utf8(line).ok().and_then(decimal_comma::semicolons);
        found.map_or(Ok(()), |what| Err(format!("line {}: {what}", i + 1)))?;
    }
    if let Some(line) = open_quote(bytes) {
        return Err(format!("line {line}: a quote is opened here and never closed"));
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let (mut record, mut values, mut shape) = (csv::StringRecord::new(), Vec::new(), None);
    let (mut names, mut halves) = (None, Halves::default());
    // Whether the first row counts its columns, and a cell of another one is no whole number.
    let (mut counted, mut fractions) = (false, false);
    loop {
        // Invalid text is the only error of a reader of bytes in memory with rows of any length.
        let more = reader
            .read_record(&mut record)
            .map_err(|e| format!("line {} is not UTF-8 text", line_of(bytes, e.position())))?;
        if !more {
            break;
        }
        let line = || line_of(bytes, record.position());
        let numbers = record.iter().filter(|cell| cell.parse::<f64>().is_ok()).count();
        let comma = record.iter().any(|cell| decimal_comma::quoted(cell).is_some());
        if shape.is_none() && header.unwrap_or(numbers == 0 && !comma) {
            if let Some(i) = record.iter().position(str::is_empty) {
                let unnamed = format!("line {}, column {}: the header has no name here", line(), i + 1);
                return Err(unnamed + "; if pandas wrote its index, save with df.to_csv(path, index=False)");
            }
            shape = Some((record.len(), line()));
            names = Some(record.iter().map(str::to_owned).collect());
            continue;
        }
        let first = shape.is_none();
        if first {
            counted = header.is_none() && counts(0, record.iter());
        } else {
            counted &= values.len() != record.len() || !counts(record.len(), record.iter());
            fractions |= record.iter().any(|cell| cell.bytes().any(|b| !b.is_ascii_digit()));
        }
        let (dim, reference) = *shape.get_or_insert_with(|| (record.len(), line()));
        if record.len() != dim {
            let comma = if decimal_comma::torn(&record, dim) {
                "; if its commas are decimal commas, write decimal points"
            } else {
                ""
            };
            return Err(format!(
                "line {} has {} cells, but line {reference} has {dim}; every row must have as many{comma}",
                line(),
                record.len()
            ));
        }
        for (column, cell) in record.iter().enumerate() {
            let rule = match cell.parse::<f64>() {
                Ok(v) if v.is_finite() => {
                    values.push(v);
                    continue;
                }
                Ok(_) => "is not finite; points must be",
                Err(_) if decimal_comma::quoted(cell).is_some() => {
                    let what = decimal_comma::quoted(cell).unwrap_or_default();
                    return Err(format!("line {}, column {}: {what}", line(), column + 1));
                }
                Err(_) if first => {
                    "is not a number, though others in this line are; a header must hold names only"
                }
                Err(_) => "is not a number; cells are numbers such as -1.5e-3, separated by commas",
            };
            return Err(format!("line {}, column {}: `{cell}` {rule}", line(), column + 1));
        }
        halves.see(&record, line);
    }
    if let Some(what) = halves.found() {
        return Err(what);
    }
    if let Some((dim, _)) = shape.filter(|(dim, _)| counted && values.len() > *dim && (fractions || *dim > 2))
    {
        values.drain(..dim);
        names = Some((0..dim).map(|j| j.to_string()).collect());
    }
    match shape {
        Some((dim, _)) if !values.is_empty() => Ok((Points::new(dim, values), names)),
        Some(_) => {
            Err("there is a header, but no points follow it; write one point per line, such as 0.5,-1.2"
                .into())
        }
        None => Err("the file is empty; write one point per line, such as 0.5,-1.2".into()),
    }
}

/// Whether cells are `from` and the numbers that follow it.
pub(super) fn counts<'a>(from: usize, cells: impl IntoIterator<Item = &'a str>) -> bool {
    cells.into_iter().zip(from..).all(|(cell, j): (_, usize)| *cell == j.to_string())
}

/// The line of the last quote, from 1, where their number is odd.
fn open_quote(bytes: &[u8]) -> Option<usize> {
    let quotes = bytes.iter().filter(|b| **b == b'"').count();
    let last = bytes.iter().rposition(|b| *b == b'"').filter(|_| quotes % 2 == 1)?;
    Some(1 + bytes[..last].iter().filter(|b| **b == b'\n').count())
}

/// The line of a record, from 1; the position that `csv` gives lies before the empty lines that it skips.
fn line_of(bytes: &[u8], position: Option<&csv::Position>) -> usize {
    let from = position.map_or(0, |p| p.byte() as usize).min(bytes.len());
    let skipped = bytes[from..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    1 + bytes[..from + skipped].iter().filter(|b| **b == b'\n').count()
}

pub(super) fn format(points: &Points, columns: Option<&[String]>) -> Result<Vec<u8>, String> {
    let names =
        columns.map_or_else(|| (0..points.dim()).map(|j| format!("x{j}")).collect(), <[String]>::to_vec);
    if names.len() != points.dim() {
        return Err(format!(
            "{} column names were given for points of {} coordinates",
            names.len(),
            points.dim()
        ));
    }
    if let Some(name) = names.iter().find(|n| n.trim().is_empty() || n.trim().parse::<f64>().is_ok()) {
        return Err(format!(
            "`{name}` cannot be the name of a column; a name must not be empty or read as a number"
        ));
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut put = |cells: Vec<String>| writer.write_record(cells).map_err(|e| e.to_string());
    put(names)?;
    points.rows().try_for_each(|row| put(row.iter().map(|v| format!("{v:?}")).collect()))?;
    writer.into_inner().map_err(|e| e.to_string())
}
