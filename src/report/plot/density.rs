//! Draws a learned log-density as a heat map, with its score field as arrows on top.

use std::path::Path;

use super::PlotError;
use super::axes::{Frame, Scale, TICK_SIZE, label_room};
use super::canvas::{Align, Canvas, GREY, INK, Pen, Rgb, WHITE};
use super::text::{self, TITLE_SIZE, line_height, title_lines};

/// Values further than this below the largest one share the darkest colour.
const DEPTH: f64 = 12.0;
const LEVELS: usize = 96;
const SIDE: f64 = 460.0;
const LABEL: u32 = 11;
const NAME: &str = "log p (nats)";
/// Every eighth of viridis, the colour map of matplotlib, from dark to bright.
const VIRIDIS: [Rgb; 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];
/// What arrows should be.
const ORANGE: Rgb = (255, 140, 0);
/// Cells without a finite value and above minus infinity.
const UNKNOWN: Rgb = (200, 200, 200);

/// What the [`density`] figure shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<'a> {
    /// Log-density at the centres of the cells: the lowest row first, each from left to right.
    pub log_density: &'a [f64],
    /// Cells along x.
    pub nx: usize,
    /// Cells along y.
    pub ny: usize,
    /// Where the grid begins and ends along x.
    pub x_range: (f64, f64),
    /// Where the grid begins and ends along y.
    pub y_range: (f64, f64),
    /// The score: place and direction, as x, y, u and v.
    pub arrows: &'a [Arrow],
    /// What the score should be, at the same places; empty where it is not known.
    pub exact: &'a [Arrow],
    /// What the arrows are, below the picture.
    pub note: &'a str,
}

/// Draws a log-density, clipped 12 nats below its largest value, and the score field.
///
/// The arrows keep their direction; their length grows with the square root of the score, so that both steep
/// and flat regions can be read.
///
/// # Errors
///
/// If the grid has another size than `nx` times `ny`, or one of the two files cannot be written.
pub fn density(stem: &Path, title: &str, field: &Field<'_>) -> Result<(), PlotError> {
    if field.log_density.len() != field.nx * field.ny {
        return Err(PlotError::Grid { nx: field.nx, ny: field.ny, len: field.log_density.len() });
    }
    let x = Scale::linear(field.x_range.0, field.x_range.1);
    let y = Scale::linear(field.y_range.0, field.y_range.1);
    let (wide, tall) = panel_size((x.span(), y.span()), SIDE);
    let most = field.log_density.iter().copied().filter(|v| v.is_finite()).fold(f64::NEG_INFINITY, f64::max);
    let most = if most.is_finite() { most } else { 0.0 };
    let least = field.log_density.iter().copied().filter(|v| v.is_finite()).fold(most, f64::min);
    let colours = Scale::linear(least.max(most - DEPTH), most);

    let left = 12.0 + label_room(&y, 6, TICK_SIZE);
    let bar_left = left + wide + 16.0;
    let width = bar_left + (14.0 + label_room(&colours, 6, TICK_SIZE)).max(text::width(NAME, LABEL)) + 8.0;
    let title = title_lines(title, width);
    let top = 12.0 + title.len() as f64 * line_height(TITLE_SIZE) + 8.0 + line_height(LABEL);
    let below = line_height(LABEL) + 4.0;
    let mut canvas = Canvas::new(width, top + tall + 30.0 + below);
    canvas.paragraph([width / 2.0, 12.0 + f64::from(TITLE_SIZE)], &title, TITLE_SIZE, Align::Middle);

    let frame = Frame { left, top, width: wide, height: tall, x, y };
    canvas.clip([left, top], wide, tall);
    draw_cells(&mut canvas, &frame, field, &colours);
    // What lies below is seen where the two differ.
    let reference = longest([field.arrows, field.exact].concat());
    draw_arrows(&mut canvas, &frame, field.exact, (reference, ORANGE, 2.0));
    draw_arrows(&mut canvas, &frame, field.arrows, (reference, WHITE, 1.0));
    canvas.unclip();
    frame.axes(&mut canvas, [6, 6], TICK_SIZE, [true, true]);
    draw_bar(&mut canvas, [bar_left, top], tall, &colours, least < most - DEPTH);
    canvas.text([left + wide / 2.0, top + tall + 30.0 + 8.0], field.note, LABEL, Align::Middle, INK);
    canvas.save(stem)
}

/// The sides of a panel whose units are equally long on both axes, the longer one `side`.
fn panel_size((x, y): (f64, f64), side: f64) -> (f64, f64) {
    let ratio = (y / x).clamp(0.25, 4.0);
    if ratio > 1.0 { ((side / ratio).round(), side) } else { (side, (side * ratio).round()) }
}

/// The level of a value on the colour map, or `None` where it has no place there.
fn level(colours: &Scale, value: f64) -> Option<usize> {
    if value.is_nan() || value == f64::INFINITY {
        return None;
    }
    Some((colours.share(value).clamp(0.0, 1.0) * (LEVELS - 1) as f64).round() as usize)
}

fn viridis(level: usize) -> Rgb {
    let place = level as f64 / (LEVELS - 1) as f64 * (VIRIDIS.len() - 1) as f64;
    let lower = (place as usize).min(VIRIDIS.len() - 2);
    let mix =
        |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * (place - lower as f64)).round() as u8;
    let (a, b) = (VIRIDIS[lower], VIRIDIS[lower + 1]);
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

fn draw_cells(canvas: &mut Canvas, frame: &Frame, field: &Field<'_>, colours: &Scale) {
    let mut by_level: Vec<Vec<[f64; 4]>> = vec![Vec::new(); LEVELS + 1];
    let (wide, tall) = (frame.width / field.nx as f64, frame.height / field.ny as f64);
    for (row, values) in field.log_density.chunks(field.nx.max(1)).enumerate() {
        let bottom = frame.top + frame.height - row as f64 * tall;
        let levels: Vec<usize> = values.iter().map(|v| level(colours, *v).unwrap_or(LEVELS)).collect();
        let mut start = 0;
        for run in levels.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            let (x0, x1) = (frame.left + start as f64 * wide, frame.left + end as f64 * wide);
            by_level[run[0]].push([x0, bottom - tall, x1, bottom]);
            start = end;
        }
    }
    for (level, cells) in by_level.iter().enumerate().filter(|(_, cells)| !cells.is_empty()) {
        canvas.cells(cells, if level == LEVELS { UNKNOWN } else { viridis(level) });
    }
}

/// A place and a direction, as x, y, u and v.
pub type Arrow = (f64, f64, f64, f64);

/// The length of the arrows at the nine tenths, which are drawn as long as the room for one arrow is wide.
fn longest(arrows: Vec<Arrow>) -> f64 {
    let lengths = arrows.into_iter().map(|(_, _, u, v)| u.hypot(v)).filter(|l| l.is_finite());
    let mut lengths: Vec<f64> = lengths.collect();
    lengths.sort_by(f64::total_cmp);
    lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(0.0)
}

/// Arrows in a colour, their shafts this wide.
fn draw_arrows(
    canvas: &mut Canvas,
    frame: &Frame,
    arrows: &[Arrow],
    (reference, colour, wide): (f64, Rgb, f64),
) {
    let arrows: Vec<_> =
        arrows.iter().filter(|(x, y, u, v)| [x, y, u, v].iter().all(|v| v.is_finite())).collect();
    if arrows.is_empty() || reference <= 0.0 {
        return;
    }
    let room = (frame.width * frame.height / arrows.len() as f64).sqrt().min(40.0) * 0.8;
    for (x, y, u, v) in arrows {
        let strength = u.hypot(*v);
        let length = room * (strength / reference).sqrt().min(1.1);
        if length < 1.5 {
            continue;
        }
        let direction = [u / strength, -v / strength];
        let [cx, cy] = frame.place(*x, *y);
        let along = |t: f64, aside: f64| {
            [cx + direction[0] * t - direction[1] * aside, cy + direction[1] * t + direction[0] * aside]
        };
        let (tail, tip, head) = (-length / 2.0, length / 2.0, (length * 0.38).min(6.0));
        let shaft = [along(tail, 0.0), along(tip - head * 0.9, 0.0)];
        canvas.line(&shaft, Pen { alpha: 0.75, ..Pen::new(INK, wide + 1.6) });
        let point = |grow: f64| {
            [
                along(tip + grow * 1.6, 0.0),
                along(tip - head - grow * 0.6, head * 0.42 + grow),
                along(tip - head - grow * 0.6, -head * 0.42 - grow),
            ]
        };
        canvas.polygon(&point(0.8), INK, 0.75);
        canvas.line(&shaft, Pen::new(colour, wide));
        canvas.polygon(&point(0.0), colour, 1.0);
    }
}

fn draw_bar(canvas: &mut Canvas, [left, top]: [f64; 2], height: f64, colours: &Scale, clipped: bool) {
    let wide = 14.0;
    for level in 0..LEVELS {
        let edge = |level: usize| top + height * (1.0 - level as f64 / LEVELS as f64);
        canvas.cells(&[[left, edge(level + 1), left + wide, edge(level)]], viridis(level));
    }
    let (lowest, highest) = colours.ends();
    for (value, label) in colours.ticks(6) {
        let at = top + height * (1.0 - (value - lowest) / (highest - lowest));
        canvas.rule([left + wide, at], [left + wide + 4.0, at], 0.8, INK);
        canvas.text([left + wide + 6.0, at + 3.6], &label, TICK_SIZE, Align::Left, INK);
    }
    canvas.text([left, top - 7.0], NAME, LABEL, Align::Left, INK);
    if clipped {
        canvas.text([left, top + height + 15.0], "clipped below", 9, Align::Left, GREY);
    }
}
