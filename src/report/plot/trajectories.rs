//! Draws the paths of samples from noise to data, one panel for each method.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, robust_range};
use super::canvas::{Align, Canvas, Pen, Rgb};
use super::text::{self, TITLE_SIZE, line_height, title_lines};

/// Points drawn of one path at most.
const MOST_POINTS: usize = 1000;
const PATH: Rgb = (86, 130, 170);
const START: Rgb = (150, 150, 150);
const END: Rgb = (213, 94, 0);
/// The side of a panel where one, two, three or four stand side by side.
const SIDES: [f64; 4] = [460.0, 360.0, 290.0, 250.0];
/// Panels have axes of their own where the widest range is this much wider than the narrowest.
const MOST_UNLIKE: f64 = 2.5;
const LABEL: u32 = 11;

/// One panel of the [`trajectories`] figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrajectoryPanel<'a> {
    /// The method.
    pub title: &'a str,
    /// For each sample its places, noise first.
    pub paths: &'a [Vec<[f64; 2]>],
}

/// Draws paths from noise (grey dots) to data (orange dots), up to four panels in a row.
///
/// The panels share their axes unless their ranges differ much, as those of processes with unlike noise do.
/// A range holds the bulk of the first and last places; paths are cut at the frame.
///
/// # Errors
///
/// If one of the two files cannot be written.
pub fn trajectories(stem: &Path, title: &str, panels: &[TrajectoryPanel<'_>]) -> Result<(), PlotError> {
    let across = panels.len().clamp(1, 4);
    let side = SIDES[across - 1];
    let down = panels.len().div_ceil(across).max(1);
    let squares: Vec<Square> = panels.iter().map(|panel| Square::of(&[*panel])).collect();
    let halves = squares.iter().map(|square| square.half);
    let widest = halves.clone().fold(0.0, f64::max);
    let own = widest > MOST_UNLIKE * halves.fold(f64::INFINITY, f64::min);
    let shared = Square::of(panels);

    let heads: Vec<_> = panels.iter().map(|panel| text::wrap(panel.title, LABEL, side)).collect();
    let head_height = heads.iter().map(Vec::len).max().unwrap_or(0) as f64 * line_height(LABEL) + 8.0;
    let (left, gap) = (42.0, if own { 40.0 } else { 14.0 });
    let width = left + across as f64 * (side + gap) - gap + 14.0;
    let title = title_lines(title, width);
    let top = 12.0 + title.len() as f64 * line_height(TITLE_SIZE) + 4.0;
    let row = head_height + side + if own { 22.0 } else { 8.0 };
    let mut canvas = Canvas::new(width, top + down as f64 * row + 22.0);
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);

    for (i, panel) in panels.iter().enumerate() {
        let square = if own { squares[i] } else { shared };
        let frame = Frame {
            left: left + (i % across) as f64 * (side + gap),
            top: top + (i / across) as f64 * row + head_height,
            width: side,
            height: side,
            x: square.scale(0),
            y: square.scale(1),
        };
        let up = heads[i].len().saturating_sub(1) as f64 * line_height(LABEL);
        canvas.paragraph([frame.left + side / 2.0, frame.top - 6.0 - up], &heads[i], LABEL, Align::Middle);
        draw_paths(&mut canvas, &frame, panel.paths);
        frame.axes(&mut canvas, [5, 5], 9, [own || i + across >= panels.len(), own || i % across == 0]);
    }
    canvas.save(stem)
}

/// What a panel shows: a square of the plane.
#[derive(Debug, Clone, Copy)]
struct Square {
    centre: [f64; 2],
    half: f64,
}

impl Square {
    /// The square that holds the bulk of the first and the last places.
    fn of(panels: &[TrajectoryPanel<'_>]) -> Self {
        let paths = || panels.iter().flat_map(|panel| panel.paths);
        let range = |axis: usize| {
            // One and a half times the middle half beyond its ends, as the whiskers of a box plot reach.
            let starts = || paths().filter_map(|path| path.first()).map(|place| place[axis]);
            let ends = || paths().filter_map(|path| path.last()).map(|place| place[axis]);
            let (start, end) = (robust_range(starts(), 0.25, 1.5), robust_range(ends(), 0.25, 1.5));
            let (least, most) = robust_range(starts().chain(ends()), 0.0, 0.05);
            (start.0.min(end.0).max(least), start.1.max(end.1).min(most))
        };
        let ranges = [range(0), range(1)];
        let half = ranges.iter().map(|(lo, hi)| (hi - lo) / 2.0).fold(0.0, f64::max);
        Self { centre: ranges.map(|(lo, hi)| (lo + hi) / 2.0), half }
    }

    fn scale(&self, axis: usize) -> Scale {
        Scale::linear(self.centre[axis] - self.half, self.centre[axis] + self.half)
    }
}

fn draw_paths(canvas: &mut Canvas, frame: &Frame, paths: &[Vec<[f64; 2]>]) {
    canvas.clip([frame.left, frame.top], frame.width, frame.height);
    let pen = Pen { alpha: 0.4, ..Pen::new(PATH, 0.9) };
    let ends = |pick: fn(&Vec<[f64; 2]>) -> Option<&[f64; 2]>| {
        paths.iter().filter_map(pick).map(|place| frame.place(place[0], place[1])).collect::<Vec<_>>()
    };
    for path in paths {
        let stride = path.len().div_ceil(MOST_POINTS).max(1);
        let last = path.last().filter(|_| (path.len() - 1) % stride != 0);
        let places: Vec<_> =
            path.iter().step_by(stride).chain(last).map(|place| frame.place(place[0], place[1])).collect();
        canvas.line(&places, pen);
    }
    canvas.dots(&ends(|path| path.first()), 1.7, START, 0.9);
    canvas.dots(&ends(|path| path.last()), 2.2, END, 0.95);
    canvas.unclip();
}
