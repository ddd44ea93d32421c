//! Draws the marks that tell series apart, and the legend that names them.

use super::canvas::{Align, Canvas, INK, Pen, Place, Rgb, WHITE};
use super::text;

/// Colours that stay apart for colour-blind readers (after Okabe and Ito, the yellow left out).
const COLOURS: [Rgb; 7] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (60, 60, 60),
];
const DASHES: [&[f64]; 3] = [&[], &[6.0, 2.5], &[1.5, 2.0]];
const SIZE: u32 = 10;
const ROW: f64 = 17.0;
const SAMPLE: f64 = 30.0;
const WIDEST_NAME: f64 = 330.0;

/// The pen of the series with this number.
pub(super) fn pen(series: usize) -> Pen {
    let dash = DASHES[series / COLOURS.len() % DASHES.len()];
    Pen { dash, ..Pen::new(COLOURS[series % COLOURS.len()], 1.6) }
}

/// Draws the marker of the series with this number: six shapes against seven colours, so that pairs differ.
pub(super) fn marker(canvas: &mut Canvas, series: usize, at: Place, size: f64) {
    let corners: Vec<Place> = match series % 6 {
        0 => turned(24, 0.0),
        1 => turned(4, 45.0).iter().map(|v| v.map(|v| v * 1.2)).collect(),
        2 => turned(3, -90.0).iter().map(|v| v.map(|v| v * 1.3)).collect(),
        3 => turned(4, 0.0).iter().map(|v| v.map(|v| v * 1.25)).collect(),
        4 => turned(3, 90.0).iter().map(|v| v.map(|v| v * 1.3)).collect(),
        _ => star(),
    };
    let scaled =
        |size: f64| corners.iter().map(|v| [at[0] + v[0] * size, at[1] + v[1] * size]).collect::<Vec<_>>();
    canvas.polygon(&scaled(size + 0.9), WHITE, 1.0);
    canvas.polygon(&scaled(size), pen(series).colour, 1.0);
}

/// The corners of a regular polygon of radius one.
fn turned(corners: i32, degrees: f64) -> Vec<Place> {
    let angle = |i: i32| (degrees + 360.0 * f64::from(i) / f64::from(corners)).to_radians();
    (0..corners).map(|i| [angle(i).cos(), angle(i).sin()]).collect()
}

/// A star with five points.
fn star() -> Vec<Place> {
    turned(10, -90.0)
        .iter()
        .enumerate()
        .map(|(i, v)| v.map(|v| v * if i % 2 == 0 { 1.5 } else { 0.65 }))
        .collect()
}

/// Names of series, set in columns.
#[derive(Debug)]
pub(super) struct Legend {
    names: Vec<String>,
    markers: bool,
    columns: usize,
    column_width: f64,
}

impl Legend {
    /// A legend no wider than `limit`, in as many columns as fit.
    pub(super) fn new(names: &[&str], markers: bool, limit: f64) -> Self {
        let names: Vec<String> = names.iter().map(|name| text::shorten(name, SIZE, WIDEST_NAME)).collect();
        let widest = names.iter().map(|name| text::width(name, SIZE)).fold(0.0, f64::max);
        let column_width = SAMPLE + 6.0 + widest + 18.0;
        let fitting = ((limit / column_width) as usize).clamp(1, names.len().max(1));
        let rows = names.len().div_ceil(fitting).max(1);
        let columns = names.len().div_ceil(rows).max(1);
        Self { names, markers, columns, column_width }
    }

    fn rows(&self) -> usize {
        self.names.len().div_ceil(self.columns)
    }

    /// The width that it takes.
    pub(super) fn width(&self) -> f64 {
        self.column_width * self.columns as f64 - 18.0
    }

    /// The height that it takes.
    pub(super) fn height(&self) -> f64 {
        self.rows() as f64 * ROW
    }

    /// Draws it with its upper left corner at the place.
    pub(super) fn draw(&self, canvas: &mut Canvas, [left, top]: Place) {
        for (i, name) in self.names.iter().enumerate() {
            let x = left + (i / self.rows()) as f64 * self.column_width;
            let y = top + ((i % self.rows()) as f64 + 0.5) * ROW;
            canvas.line(&[[x, y], [x + SAMPLE, y]], pen(i));
            if self.markers {
                marker(canvas, i, [x + SAMPLE / 2.0, y], 3.4);
            }
            canvas.text([x + SAMPLE + 6.0, y + 3.6], name, SIZE, Align::Left, INK);
        }
    }
}
