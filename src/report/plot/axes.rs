//! Draws the axes of a panel: scales, ticks, labels and the frame.

use super::canvas::{Align, Canvas, INK, PALE, Place};
use super::text;

/// The font size of tick labels.
pub(super) const TICK_SIZE: u32 = 10;

/// A range of values along one side of a panel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    lo: f64,
    hi: f64,
    log: bool,
}

impl Scale {
    /// A linear scale; an empty or unusable range is widened to something that can be drawn.
    pub(super) fn linear(lo: f64, hi: f64) -> Self {
        let (lo, hi) = if lo.is_finite() && hi.is_finite() { (lo.min(hi), lo.max(hi)) } else { (0.0, 1.0) };
        let least = (lo.abs().max(hi.abs()) * 1e-6).max(1e-12);
        if hi - lo > least {
            return Self { lo, hi, log: false };
        }
        let half = if lo == 0.0 { 1.0 } else { lo.abs() / 2.0 };
        Self { lo: lo - half, hi: hi + half, log: false }
    }

    /// A logarithmic scale with a margin at both ends, at least a factor of two wide.
    pub(super) fn log(lo: f64, hi: f64) -> Self {
        let usable = lo.is_finite() && hi.is_finite() && lo > 0.0 && hi >= lo;
        let (lo, hi) = if usable { (lo.log10(), hi.log10()) } else { (0.0, 1.0) };
        let margin = ((hi - lo) * 0.06).max((0.35 - (hi - lo)) / 2.0);
        Self { lo: lo - margin, hi: hi + margin, log: true }
    }

    /// The length of the range; in decades where it is logarithmic.
    pub(super) fn span(&self) -> f64 {
        self.hi - self.lo
    }

    /// Where a value lies: 0 at the lower end, 1 at the upper end.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = if self.log { value.log10() } else { value };
        (value - self.lo) / self.span()
    }

    /// Whether the range holds the value.
    pub(super) fn holds(&self, value: f64) -> bool {
        (0.0..=1.0).contains(&self.share(value))
    }

    /// The ends of the range.
    pub(super) fn ends(&self) -> (f64, f64) {
        if self.log { (10_f64.powf(self.lo), 10_f64.powf(self.hi)) } else { (self.lo, self.hi) }
    }

    /// Values to mark, about `count` of them, with labels in one notation.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            for digits in [&[1][..], &[1, 3], &[1, 2, 5], &[1, 2, 3, 5, 7]] {
                let values = self.decade_values(digits, count);
                if values.len() >= 3 {
                    return label_log(&values);
                }
            }
        }
        let (lo, hi) = self.ends();
        let step = nice_step((hi - lo) / count.max(1) as f64);
        let first = (lo / step - 1e-9).ceil();
        let values: Vec<f64> =
            (0..=2 * count).map(|i| (first + i as f64) * step).filter(|v| *v <= hi + step * 1e-9).collect();
        label_linear(&values, step)
    }

    /// Values between the ticks of a logarithmic scale, to be marked without a label.
    pub(super) fn minor_ticks(&self) -> Vec<f64> {
        if !self.log || self.span() > 7.0 {
            return Vec::new();
        }
        self.decade_values(&[1, 2, 3, 4, 5, 6, 7, 8, 9], usize::MAX)
    }

    /// The given multiples of powers of ten within the range; whole decades are thinned out to `count`.
    fn decade_values(&self, digits: &[i32], count: usize) -> Vec<f64> {
        let stride = if digits.len() == 1 { (self.span() / count as f64).ceil().max(1.0) as i32 } else { 1 };
        let (first, last) = (self.lo.floor() as i32, self.hi.ceil() as i32);
        (first..=last)
            .filter(|exponent| exponent.rem_euclid(stride) == 0)
            .flat_map(|exponent| digits.iter().map(move |digit| times_ten(*digit, exponent)))
            .filter(|value| self.holds(*value))
            .collect()
    }
}

/// `digit` times ten to the power `exponent`, rounded once.
fn times_ten(digit: i32, exponent: i32) -> f64 {
    let power = 10_f64.powi(exponent.abs());
    if exponent < 0 { f64::from(digit) / power } else { f64::from(digit) * power }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `raw`.
fn nice_step(raw: f64) -> f64 {
    let exponent = raw.log10().floor() as i32;
    [(1, 0), (2, 0), (5, 0), (1, 1)]
        .map(|(digit, more)| times_ten(digit, exponent + more))
        .into_iter()
        .find(|step| *step >= raw * 0.999)
        .unwrap_or(raw)
}

fn label_log(values: &[f64]) -> Vec<(f64, String)> {
    let plain = values.iter().all(|v| (9.9e-4..=1.01e4).contains(v));
    let label = |v: f64| {
        let exponent = (v.log10() + 1e-9).floor();
        if plain {
            return format!("{v:.*}", (-exponent).max(0.0) as usize);
        }
        match (v / 10_f64.powf(exponent)).round() as i32 {
            1 => format!("10{}", superscript(exponent as i32)),
            digit => format!("{digit}×10{}", superscript(exponent as i32)),
        }
    };
    values.iter().map(|v| (*v, label(*v))).collect()
}

fn label_linear(values: &[f64], step: f64) -> Vec<(f64, String)> {
    let largest = values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let step_exponent = (step.log10() + 1e-9).floor() as i32;
    let exponent = largest.max(step).log10().floor() as i32;
    let label = |v: f64| {
        if v.abs() < step * 1e-6 {
            return "0".to_owned();
        }
        let text = if (-4..=5).contains(&exponent) {
            format!("{v:.*}", (-step_exponent).max(0) as usize)
        } else {
            let digits = (exponent - step_exponent).max(0) as usize;
            format!("{:.digits$}×10{}", v / 10_f64.powi(exponent), superscript(exponent))
        };
        text.replace('-', "−")
    };
    values.iter().map(|v| (*v, label(*v))).collect()
}

fn superscript(exponent: i32) -> String {
    let digit = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0'..='9' => char::from_u32('⁰' as u32 + (c as u32 - '0' as u32)).unwrap_or(c),
        other => other,
    };
    exponent.to_string().chars().map(digit).collect()
}

/// A panel with its two scales.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    /// Where a pair of values lies on the page.
    pub(super) fn place(&self, x: f64, y: f64) -> Place {
        [self.left + self.x.share(x) * self.width, self.top + (1.0 - self.y.share(y)) * self.height]
    }

    /// Draws pale lines at the ticks.
    pub(super) fn grid(&self, canvas: &mut Canvas, count: [usize; 2]) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (x0, y0) = (self.x.ends().0, self.y.ends().0);
        for (value, _) in self.x.ticks(count[0]) {
            let at = self.place(value, y0)[0];
            canvas.rule([at, self.top], [at, bottom], 0.6, PALE);
        }
        for (value, _) in self.y.ticks(count[1]) {
            let at = self.place(x0, value)[1];
            canvas.rule([self.left, at], [right, at], 0.6, PALE);
        }
    }

    /// Draws the frame with ticks, and tick labels below and at the left where they are asked for.
    pub(super) fn axes(&self, canvas: &mut Canvas, count: [usize; 2], size: u32, labels: [bool; 2]) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (x0, y0) = (self.x.ends().0, self.y.ends().0);
        for value in self.x.minor_ticks() {
            let at = self.place(value, y0)[0];
            canvas.rule([at, bottom], [at, bottom + 2.0], 0.6, INK);
        }
        for value in self.y.minor_ticks() {
            let at = self.place(x0, value)[1];
            canvas.rule([self.left - 2.0, at], [self.left, at], 0.6, INK);
        }
        for (value, label) in self.x.ticks(count[0]) {
            let at = self.place(value, y0)[0];
            canvas.rule([at, bottom], [at, bottom + 4.0], 0.8, INK);
            if labels[0] {
                canvas.text([at, bottom + 6.0 + f64::from(size)], &label, size, Align::Middle, INK);
            }
        }
        for (value, label) in self.y.ticks(count[1]) {
            let at = self.place(x0, value)[1];
            canvas.rule([self.left - 4.0, at], [self.left, at], 0.8, INK);
            if labels[1] {
                let base = at + f64::from(size) * 0.36;
                canvas.text([self.left - 6.0, base], &label, size, Align::Right, INK);
            }
        }
        for [from, to] in [
            [[self.left, self.top], [right, self.top]],
            [[self.left, bottom], [right, bottom]],
            [[self.left, self.top], [self.left, bottom]],
            [[right, self.top], [right, bottom]],
        ] {
            canvas.rule(from, to, 0.8, INK);
        }
    }
}

/// The room that the widest tick label of a vertical axis needs, with its tick.
pub(super) fn label_room(scale: &Scale, count: usize, size: u32) -> f64 {
    let widest = scale.ticks(count).iter().map(|(_, label)| text::width(label, size)).fold(0.0, f64::max);
    widest + 10.0
}

/// The range that holds most of the finite values: without a share of `cut` at each end, plus a margin.
pub(super) fn robust_range(values: impl Iterator<Item = f64>, cut: f64, margin: f64) -> (f64, f64) {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    if values.is_empty() {
        return (0.0, 1.0);
    }
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let skip = (last as f64 * cut).round() as usize;
    let (lo, hi) = (values[skip], values[last - skip]);
    let extra = if hi > lo { (hi - lo) * margin } else { 1.0 };
    (lo - extra, hi + extra)
}
