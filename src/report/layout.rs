//! How tables are laid out: rules, alignment, numbers, and columns in blocks that fit a screen.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};

/// Columns of characters that a table may take where no terminal says more.
const WIDTH: usize = 80;

/// A table with rules above, below and under the head.
pub(crate) fn fresh() -> Table {
    let mut table = Table::new();
    let style =
        UTF8_HORIZONTAL_ONLY.header_separator(LineStyle::none().fill('─')).row_separator(LineStyle::none());
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// All columns but the first to the right.
pub(crate) fn right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A table of so many columns that one terminal holds, below each other: the first `kept` columns stand in each. A row is left out of a block
/// that has nothing of it. All but the first column to the right.
pub(super) fn blocks(head: &[String], rows: &[Vec<String>], kept: usize) -> String {
    let limit = fresh().width().map_or(WIDTH, |w| WIDTH.max(w.into()));
    let wide = |column: usize| {
        let cells = rows.iter().map(|r| &r[column]).chain([&head[column]]);
        // One space on each side, and one between columns.
        3 + cells.flat_map(|c| c.lines()).map(|l| l.chars().count()).max().unwrap_or(0)
    };
    let first: usize = (0..kept).map(wide).sum();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for column in kept..head.len() {
        let needed = wide(column);
        match parts.last_mut().filter(|_| needed <= room) {
            Some(part) => part.push(column),
            None => {
                parts.push(vec![column]);
                room = (limit + 1).saturating_sub(first);
            }
        }
        room = room.saturating_sub(needed);
    }
    let block = |part: &Vec<usize>| {
        let mut table = fresh();
        let cells = |row: &[String]| -> Vec<String> {
            (0..kept).chain(part.iter().copied()).map(|c| row[c].clone()).collect()
        };
        table.set_header(cells(head));
        for row in rows.iter().filter(|r| part.iter().any(|&c| !r[c].is_empty())) {
            table.add_row(cells(row));
        }
        right(&mut table);
        table.to_string()
    };
    parts.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// Text in lines of no more than the width of a screen.
pub(super) fn wrap(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// Three significant digits: 0.0411, 12.3, 1.20e-5.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    plain(value, 2 - value.abs().log10().floor() as i32)
}

/// So many decimals; where a number is below a thousandth or from ten thousand on, its powers of ten and two decimals of those.
fn plain(value: f64, decimals: i32) -> String {
    if value == 0.0 || (1e-3..1e4).contains(&value.abs()) {
        format!("{value:.*}", decimals.clamp(0, 9) as usize)
    } else {
        format!("{value:.2e}")
    }
}

/// The decimals that show two digits of a width above 0.
fn decimals(width: f64) -> i32 {
    (1 - width.log10().floor().clamp(-300.0, 300.0) as i32).clamp(0, 9)
}

/// `1.04 ±0.08`, both to two digits of the interval; the mean alone where there is none. ±0 says that all seeds agree.
pub(super) fn spread(mean: f64, half: Option<f64>) -> String {
    match half {
        None => short(mean),
        Some(half) if half > 0.0 && half.is_finite() => {
            let places = decimals(half);
            if mean.abs().max(half) >= 1e4 || half < 1e-4 {
                return format!("{} ±{half:.1e}", short(mean));
            }
            format!("{mean:.*} ±{half:.*}", places as usize, places as usize)
        }
        Some(_) => format!("{} ±0", short(mean)),
    }
}

/// The ends of an interval about a mean, to two digits of its width: `±0.08` where they lie as far from the mean as digits show, and
/// `0.037–0.170` where not. ±0 says that all seeds agree.
pub(super) fn ends(mean: f64, low: f64, high: f64) -> String {
    let half = 0.5 * (high - low);
    if half == 0.0 {
        return "±0".to_owned();
    }
    let places = decimals(half);
    if low < 0.0 || ((high - mean) - (mean - low)).abs() < 1e-9 * half {
        return if !(1e-3..1e4).contains(&half) {
            format!("±{half:.1e}")
        } else {
            format!("±{half:.*}", places as usize)
        };
    }
    format!("{}–{}", plain(low, places), plain(high, places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_is_known() {
        assert_eq!(
            [0.0411, 12.34, 1.2e-5, 0.0, 99_999.0].map(short),
            ["0.0411", "12.3", "1.20e-5", "0", "1.00e5"]
        );
        assert_eq!(spread(1.04, Some(0.081)), "1.040 ±0.081");
        assert_eq!(spread(0.543, Some(4.12)), "0.5 ±4.1");
        assert_eq!(spread(1.04, None), "1.04");
        assert_eq!(spread(0.125, Some(0.0)), "0.125 ±0");
        assert_eq!(spread(3e-6, Some(2e-6)), "3.00e-6 ±2.0e-6");
        assert_eq!(spread(-2e-4, Some(4.04e-4)), "-0.00020 ±0.00040");
        assert_eq!(ends(0.079, 0.037, 0.17), "0.037–0.170");
        assert_eq!(ends(3.31, 3.02, 3.63), "3.02–3.63");
        assert_eq!(ends(0.001, -0.002, 0.004), "±0.0030");
        assert_eq!(ends(0.125, 0.125, 0.125), "±0");
        assert_eq!(ends(0.543, 2.8e-4, 1069.0), "2.80e-4–1069");
        assert_eq!(ends(2e-5, 1e-5, 4e-5), "1.00e-5–4.00e-5");
    }

    /// Twelve columns of ten characters beside a name: blocks of 80, each with the name, every column once, rows only where they have cells.
    #[test]
    fn wide_tables_fit_a_screen() {
        let head: Vec<String> =
            std::iter::once("method".into()).chain((0..12).map(|i| format!("head{i}"))).collect();
        let full = |name: &str| -> Vec<String> {
            std::iter::once(name.into())
                .chain((0..12).map(|i| format!("{i:>10}\n{:>10}", "low–high")))
                .collect()
        };
        let mut late = vec![String::new(); 13];
        (late[0], late[12]) = ("adaptive-method".into(), "7".into());
        let text = blocks(&head, &[full("a"), full("dpmpp-2s-ancestral"), late], 1);
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        assert_eq!(text.matches("dpmpp-2s-ancestral").count(), 3);
        assert_eq!(text.matches("adaptive-method").count(), 1);
        assert!((0..12).all(|i| text.matches(&format!("head{i} ")).count() == 1), "{text}");
        assert_eq!(blocks(&["method".into()], &[], 1), "");
        let long = wrap(&"word ".repeat(100));
        assert!(long.lines().all(|l| l.len() <= 80) && long.split_whitespace().count() == 100);
    }
}
