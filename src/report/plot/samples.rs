//! Draws the grid of scatter panels: one row for each sampler, one column for each step count.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, robust_range};
use super::canvas::{Align, Canvas, GREY, INK, Rgb, WHITE};
use super::text::{self, TITLE_SIZE, line_height, title_lines};

/// Points drawn in one panel at most.
const MOST_POINTS: usize = 1500;
const DATA: Rgb = (90, 90, 90);
const SAMPLES: Rgb = (0, 94, 162);
const NAMES: f64 = 124.0;
const PAGE: f64 = 1130.0;
const GAP: f64 = 8.0;
const LABEL: u32 = 11;
const SMALL: u32 = 9;

/// One sampler of the [`samples`] figure.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleRow<'a> {
    /// The name of the method, at the left of the row.
    pub label: &'a str,
    /// One panel for each column; a missing one stays blank.
    pub panels: Vec<Option<SamplePanel<'a>>>,
}

/// One panel of the [`samples`] figure.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplePanel<'a> {
    /// The sample; the first 1500 points are drawn.
    pub points: &'a [[f64; 2]],
    /// A remark set in the panel, such as "diverged: 312 of 1000".
    pub note: Option<String>,
}

/// Draws samples next to the data: a row for each method, a column for each of `columns`, data at the left.
///
/// All panels share the range of the data plus a margin. Points outside are left out, and a panel that misses
/// more than one in a hundred this way says so.
///
/// # Errors
///
/// If one of the two files cannot be written.
pub fn samples(
    stem: &Path,
    title: &str,
    data: &[[f64; 2]],
    columns: &[String],
    rows: &[SampleRow<'_>],
) -> Result<(), PlotError> {
    let across = rows.iter().map(|row| row.panels.len()).fold(columns.len(), usize::max) + 1;
    let names: Vec<_> = rows.iter().map(|row| text::wrap(row.label, LABEL, NAMES)).collect();
    let widest = names.iter().flatten().map(|line| text::width(line, LABEL)).fold(0.0, f64::max);
    let side = ((PAGE - NAMES) / across as f64 - GAP).clamp(84.0, 200.0);
    let range = |axis: usize| robust_range(data.iter().map(|point| point[axis]), 0.002, 0.15);
    // A unit is as long on one axis as on the other, and no panel is a mere strip.
    let y = widened(range(1), 0.4 * (range(0).1 - range(0).0));
    let x = widened(range(0), 0.5 * (y.1 - y.0));
    let tall = (side * (y.1 - y.0) / (x.1 - x.0)).round();
    let side = side.round();

    let left = widest + 42.0;
    let width = left + across as f64 * (side + GAP) + 8.0;
    let title = title_lines(title, width);
    let heads: Vec<Vec<String>> = std::iter::once("data")
        .chain(columns.iter().map(String::as_str))
        .map(|head| text::wrap(head, LABEL, side))
        .collect();
    let head_height = heads.iter().map(Vec::len).max().unwrap_or(1) as f64 * line_height(LABEL);
    let top = 12.0 + title.len() as f64 * line_height(TITLE_SIZE) + 8.0 + head_height + 4.0;
    let height = top + rows.len().max(1) as f64 * (tall + GAP) + 22.0;

    let mut canvas = Canvas::new(width, height);
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);
    for (i, head) in heads.iter().enumerate() {
        let up = head.len().saturating_sub(1) as f64 * line_height(LABEL);
        let centre = left + i as f64 * (side + GAP) + side / 2.0;
        canvas.paragraph([centre, top - 7.0 - up], head, LABEL, Align::Middle);
    }
    let nothing = [SampleRow { label: "", panels: Vec::new() }];
    let rows = if rows.is_empty() { &nothing } else { rows };
    for (i, row) in rows.iter().enumerate() {
        let row_top = top + i as f64 * (tall + GAP);
        let name = names.get(i).map_or(&[][..], Vec::as_slice);
        let first = row_top + tall / 2.0 - (name.len() as f64 / 2.0) * line_height(LABEL) + f64::from(LABEL);
        canvas.paragraph([widest + 10.0, first], name, LABEL, Align::Right);
        let reference = Some(SamplePanel { points: data, note: None });
        for (j, panel) in std::iter::once(&reference).chain(&row.panels).enumerate() {
            let Some(panel) = panel else { continue };
            let frame = Frame {
                left: left + j as f64 * (side + GAP),
                top: row_top,
                width: side,
                height: tall,
                x: Scale::linear(x.0, x.1),
                y: Scale::linear(y.0, y.1),
            };
            // A panel is the lowest of its column where the next row has none there.
            let below =
                rows.get(i + 1).is_some_and(|row| j == 0 || matches!(row.panels.get(j - 1), Some(Some(_))));
            draw_panel(&mut canvas, &frame, panel, if j == 0 { DATA } else { SAMPLES });
            frame.axes(&mut canvas, [4, 4], SMALL, [!below, j == 0]);
        }
    }
    canvas.save(stem)
}

/// The range, or one around it where it is shorter than `least`.
fn widened((lo, hi): (f64, f64), least: f64) -> (f64, f64) {
    let extra = ((least - (hi - lo)) / 2.0).max(0.0);
    (lo - extra, hi + extra)
}

fn draw_panel(canvas: &mut Canvas, frame: &Frame, panel: &SamplePanel<'_>, colour: Rgb) {
    let shown = &panel.points[..panel.points.len().min(MOST_POINTS)];
    let inside: Vec<_> = shown
        .iter()
        .filter(|point| frame.x.holds(point[0]) && frame.y.holds(point[1]))
        .map(|point| frame.place(point[0], point[1]))
        .collect();
    canvas.clip([frame.left, frame.top], frame.width, frame.height);
    canvas.dots(&inside, 0.9, colour, 0.4);
    canvas.unclip();

    let outside = shown.len() - inside.len();
    let mut notes = Vec::new();
    if let Some(note) = &panel.note {
        notes.extend(text::wrap(note, SMALL, frame.width - 8.0).into_iter().map(|line| (line, INK)));
    }
    if outside * 100 > shown.len() {
        let share = 100.0 * outside as f64 / shown.len() as f64;
        notes.push((format!("{share:.0} % outside"), GREY));
    }
    for (i, (line, colour)) in notes.iter().enumerate() {
        let base = frame.top + 4.0 + (i + 1) as f64 * line_height(SMALL) - 2.0;
        canvas.rect([frame.left + 3.0, base - 9.0], text::width(line, SMALL) + 3.0, 11.0, WHITE);
        canvas.text([frame.left + 4.0, base], line, SMALL, Align::Left, *colour);
    }
}
