//! Draws shapes and text on a page and writes it as PNG and SVG; the only file that knows the crate kuva.
//!
//! The page is kept twice because the two writers of kuva differ: its PNG writer has no transparent strokes,
//! leaves slanted edges jagged and does not scale dashes, so that strokes are given to it as filled outlines.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kuva::backend::svg::SvgBackend;
use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};

use super::PlotError;
use super::outline::{dashes, outline, ribbon};
use super::text::line_height;
use crate::files::replace;

/// PNG pixels for each unit of the page.
const SCALE: f64 = 2.0;
/// How often a half-transparent outline is filled, each time a little lower, for smooth edges in the PNG.
const PASSES: i32 = 4;
/// Dots that share one SVG path; dots of one path do not darken where they overlap.
const DOTS_PER_PATH: usize = 25;
/// The pen stays within this distance, so that a point far outside cannot upset the writers.
const FAR: f64 = 20_000.0;

/// A colour as red, green and blue.
pub(super) type Rgb = (u8, u8, u8);
/// A place on the page, x to the right and y down.
pub(super) type Place = [f64; 2];

/// Text and axes.
pub(super) const INK: Rgb = (38, 38, 38);
/// Notes and reference lines.
pub(super) const GREY: Rgb = (110, 110, 110);
/// Grid lines.
pub(super) const PALE: Rgb = (228, 228, 228);
/// The page.
pub(super) const WHITE: Rgb = (255, 255, 255);

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    pub(super) colour: Rgb,
    pub(super) width: f64,
    pub(super) alpha: f64,
    /// Lengths of dash, gap, dash, …; empty for a solid line.
    pub(super) dash: &'static [f64],
}

impl Pen {
    /// A solid, opaque pen.
    pub(super) const fn new(colour: Rgb, width: f64) -> Self {
        Self { colour, width, alpha: 1.0, dash: &[] }
    }
}

/// Which part of a text lies at the given place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Middle,
    Right,
}

/// A page to draw on.
#[derive(Debug)]
pub(super) struct Canvas {
    svg: Scene,
    png: Scene,
    clips: usize,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let scene = || {
            let mut scene = Scene::new(width.ceil(), height.ceil());
            scene.font_family = Some("DejaVu Sans, Verdana, sans-serif".to_owned());
            scene
        };
        Self { svg: scene(), png: scene(), clips: 0 }
    }

    /// A filled rectangle, moved to whole PNG pixels.
    pub(super) fn rect(&mut self, [x, y]: Place, width: f64, height: f64, colour: Rgb) {
        let least = 1.0 / SCALE;
        let (width, height) = (snap(width).max(least), snap(height).max(least));
        self.both(rectangle([snap(x), snap(y)], width, height, colour));
    }

    /// A horizontal or vertical line.
    pub(super) fn rule(&mut self, from: Place, to: Place, width: f64, colour: Rgb) {
        let corner = [from[0].min(to[0]) - width / 2.0, from[1].min(to[1]) - width / 2.0];
        self.rect(corner, (to[0] - from[0]).abs() + width, (to[1] - from[1]).abs() + width, colour);
    }

    /// One line of text whose baseline starts, ends or is centred at the place.
    ///
    /// Text always runs level: the PNG writer of kuva draws turned text without smooth edges.
    pub(super) fn text(&mut self, [x, y]: Place, content: &str, size: u32, align: Align, colour: Rgb) {
        let anchor = match align {
            Align::Left => TextAnchor::Start,
            Align::Middle => TextAnchor::Middle,
            Align::Right => TextAnchor::End,
        };
        self.both(Primitive::Text {
            x: x.round(),
            y: y.round(),
            content: content.replace('$', "\\$"),
            size,
            anchor,
            rotate: None,
            bold: false,
            color: Some(paint(colour)),
        });
    }

    /// Lines of text, from the given baseline down.
    pub(super) fn paragraph(&mut self, [x, y]: Place, lines: &[String], size: u32, align: Align) {
        let step = line_height(size);
        for (i, line) in lines.iter().enumerate() {
            self.text([x, y + i as f64 * step], line, size, align, INK);
        }
    }

    /// Round dots of one size; the colours of half-transparent dots add up.
    pub(super) fn dots(&mut self, places: &[Place], radius: f64, colour: Rgb, alpha: f64) {
        let places: Vec<_> = places.iter().filter(|place| place.iter().all(|v| v.abs() < FAR)).collect();
        for [cx, cy] in places.iter().copied().copied() {
            self.png.add(Primitive::Circle {
                cx,
                cy,
                r: radius,
                fill: paint(colour),
                fill_opacity: Some(alpha),
                stroke: None,
                stroke_width: None,
            });
        }
        self.svg.add(group(format!(r#"stroke-linecap="round" stroke-opacity="{alpha}""#)));
        for chunk in places.chunks(DOTS_PER_PATH) {
            let mut d = String::new();
            for [x, y] in chunk {
                let _ = write!(d, "M{x:.1} {y:.1}h.01");
            }
            self.svg.add(path(d, None, Some(colour), radius * 2.0, None));
        }
        self.svg.add(Primitive::GroupEnd);
    }

    /// A line through the places, interrupted where one of them is not finite.
    pub(super) fn line(&mut self, places: &[Place], pen: Pen) {
        for part in places.split(|place| !place.iter().all(|v| v.is_finite())) {
            let mut part: Vec<Place> = part.iter().map(|place| place.map(|v| v.clamp(-FAR, FAR))).collect();
            part.dedup();
            if part.len() > 1 {
                self.svg_line(&part, pen);
                for piece in dashes(&part, pen.dash) {
                    self.png_line(&piece, pen);
                }
            }
        }
    }

    fn svg_line(&mut self, places: &[Place], pen: Pen) {
        self.svg.add(group(format!(r#"stroke-linejoin="round" stroke-opacity="{}""#, pen.alpha)));
        let lengths: Vec<_> = pen.dash.iter().map(ToString::to_string).collect();
        let dash = (!lengths.is_empty()).then(|| lengths.join(" "));
        self.svg.add(path(outline(places, false), None, Some(pen.colour), pen.width, dash));
        self.svg.add(Primitive::GroupEnd);
    }

    fn png_line(&mut self, places: &[Place], pen: Pen) {
        if pen.alpha < 1.0 {
            self.png_fill(&ribbon(places, pen.width), pen.colour, pen.alpha);
        } else {
            self.png_fill(&ribbon(places, pen.width - 1.0 / SCALE), pen.colour, 1.0);
        }
    }

    /// A filled polygon.
    pub(super) fn polygon(&mut self, places: &[Place], colour: Rgb, alpha: f64) {
        if places.len() < 3 || places.iter().flatten().any(|v| !v.is_finite()) {
            return;
        }
        self.svg.add(fill(outline(places, true), colour, alpha));
        self.png_fill(places, colour, alpha);
    }

    fn png_fill(&mut self, places: &[Place], colour: Rgb, alpha: f64) {
        if alpha >= 1.0 {
            // A stroke of one pixel is the only thing whose slanted edges the PNG writer smooths. It takes the
            // middle of a pixel for its corner, hence the shift.
            let edge: Vec<Place> =
                places.iter().chain(places.first()).map(|v| v.map(|v| v - 0.5 / SCALE)).collect();
            self.png.add(fill(outline(places, true), colour, 1.0));
            self.png.add(path(outline(&edge, false), None, Some(colour), 1.0 / SCALE, None));
            return;
        }
        let share = 1.0 - (1.0 - alpha).powf(1.0 / f64::from(PASSES));
        for pass in 0..PASSES {
            let down = ((f64::from(pass) + 0.5) / f64::from(PASSES) - 0.5) / SCALE;
            let moved: Vec<Place> = places.iter().map(|[x, y]| [*x, y + down]).collect();
            self.png.add(fill(outline(&moved, true), colour, share));
        }
    }

    /// Rectangles of one colour that touch without seams, each given as left, top, right and bottom.
    pub(super) fn cells(&mut self, cells: &[[f64; 4]], colour: Rgb) {
        let mut d = String::new();
        for cell in cells {
            let [x, y, right, bottom] = cell.map(snap);
            let _ = write!(d, "M{x} {y}H{right}V{bottom}H{x}z");
            self.png.add(rectangle([x, y], right - x, bottom - y, colour));
        }
        self.svg.add(group(r#"shape-rendering="crispEdges""#.to_owned()));
        self.svg.add(fill(d, colour, 1.0));
        self.svg.add(Primitive::GroupEnd);
    }

    /// Hides what is drawn outside the rectangle until [`Canvas::unclip`].
    pub(super) fn clip(&mut self, [x, y]: Place, width: f64, height: f64) {
        self.clips += 1;
        let id = format!("clip{}", self.clips);
        self.svg.defs.push(format!(
            r#"<clipPath id="{id}"><rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/></clipPath>"#
        ));
        self.both(Primitive::ClipStart { x, y, width, height, id });
    }

    /// Ends [`Canvas::clip`].
    pub(super) fn unclip(&mut self) {
        self.both(Primitive::ClipEnd);
    }

    fn both(&mut self, shape: Primitive) {
        self.svg.add(shape.clone());
        self.png.add(shape);
    }

    /// Writes `stem.png` and `stem.svg`, or neither name changes.
    pub(super) fn save(&self, stem: &Path) -> Result<(), PlotError> {
        let png_path = with_suffix(stem, ".png");
        let png = kuva::PngBackend::new()
            .with_scale(SCALE as f32)
            .render_scene(&self.png)
            .map_err(|reason| PlotError::Draw { path: png_path.clone(), reason })?;
        let svg = SvgBackend::new().render_scene(&self.svg);
        replace(&png_path, &png)?;
        Ok(replace(&with_suffix(stem, ".svg"), svg.as_bytes())?)
    }
}

fn snap(v: f64) -> f64 {
    (v * SCALE).round() / SCALE
}

fn paint((red, green, blue): Rgb) -> Color {
    Color::Rgb(red, green, blue)
}

fn rectangle([x, y]: Place, width: f64, height: f64, colour: Rgb) -> Primitive {
    Primitive::Rect {
        x,
        y,
        width,
        height,
        fill: paint(colour),
        stroke: None,
        stroke_width: None,
        opacity: None,
    }
}

fn group(attributes: String) -> Primitive {
    Primitive::GroupStart { transform: None, title: None, extra_attrs: Some(attributes) }
}

fn path(d: String, fill: Option<Rgb>, stroke: Option<Rgb>, width: f64, dash: Option<String>) -> Primitive {
    Primitive::Path(Box::new(PathData {
        d,
        fill: fill.map(paint),
        stroke: stroke.map_or(Color::None, paint),
        stroke_width: width,
        opacity: None,
        stroke_dasharray: dash,
    }))
}

fn fill(d: String, colour: Rgb, alpha: f64) -> Primitive {
    Primitive::Path(Box::new(PathData {
        d,
        fill: Some(paint(colour)),
        stroke: Color::None,
        stroke_width: 0.0,
        opacity: (alpha < 1.0).then_some(alpha),
        stroke_dasharray: None,
    }))
}

/// The path with a suffix after its last letter; a dot in the name is no ending to replace.
fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(stem);
    name.push(suffix);
    PathBuf::from(name)
}
