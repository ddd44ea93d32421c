//! Files with decimal commas, which commas between cells cut in two: `1,5;2,5`, or `1,05,2,50`,
//! which reads as four whole numbers.

/// How such a file is read, and saved again.
const MEND: &str = "write decimal points, and commas between cells: pd.read_csv(path, sep=';', decimal=',').to_csv(path, index=False)";

/// A cell of digits alone, as stand after a comma.
fn digits(cell: &str) -> bool {
    !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit())
}

/// A whole number without its sign, as stands before a comma.
fn unsigned(cell: &str) -> &str {
    cell.strip_prefix(['-', '+']).unwrap_or(cell)
}

/// Digits that a whole number is not written with: `05`, `00`.
fn padded(cell: &str) -> bool {
    cell.len() > 1 && cell.starts_with('0')
}

/// What is wrong with a line whose cells stand between semicolons and have decimal commas.
pub(super) fn semicolons(line: &str) -> Option<String> {
    let cells = line.split(';').map(|cell| cell.trim().trim_matches('"'));
    let cell = cells.filter(|_| line.contains(';')).find(|cell| quoted(cell).is_some())?;
    Some(format!("`{cell}` has a decimal comma, and `;` stands between cells; {MEND}"))
}

/// What is wrong with a cell that holds a decimal comma, as it can inside quotes.
pub(super) fn quoted(cell: &str) -> Option<String> {
    let (before, after) = cell.split_once(',')?;
    let number = digits(unsigned(before)) && digits(after);
    number.then(|| format!("`{cell}` has a decimal comma; {MEND}"))
}

/// Whether a row is longer than others because decimal commas cut some of its cells: it is whole
/// numbers throughout.
pub(super) fn torn(row: &csv::StringRecord, others: usize) -> bool {
    (others + 1..=2 * others).contains(&row.len()) && row.iter().all(|cell| digits(unsigned(cell)))
}

/// Looks for rows that are pairs of a whole number and of digits after a comma throughout. Whole
/// numbers in their own right can look so too; what gives the others away are digits that no whole
/// number is written with, `05` after a comma or `-0` before one.
#[derive(Debug, Default)]
pub(super) struct Halves {
    /// A row was met that is no such pairs.
    other: bool,
    /// The first line with such digits, and the cell as it was meant.
    seen: Option<(usize, String)>,
}

impl Halves {
    /// The next row, and its line.
    pub(super) fn see(&mut self, row: &csv::StringRecord, line: impl Fn() -> usize) {
        if self.other || row.len() % 2 == 1 {
            self.other = true;
            return;
        }
        let mut before = "";
        for (i, cell) in row.iter().enumerate() {
            if i % 2 == 0 {
                before = cell;
                self.other |= !digits(unsigned(cell)) || padded(unsigned(cell));
                continue;
            }
            self.other |= !digits(cell);
            if self.seen.is_none() && (padded(cell) || matches!(before, "-0" | "+0")) {
                self.seen = Some((line(), format!("{before},{cell}")));
            }
        }
    }

    /// What is wrong with the file, if it is made of such pairs.
    pub(super) fn found(self) -> Option<String> {
        let (line, cell) = self.seen.filter(|_| !self.other)?;
        Some(format!(
            "line {line}: `{cell}` reads as two whole numbers here, as every pair does: a decimal comma; {MEND}"
        ))
    }
}
