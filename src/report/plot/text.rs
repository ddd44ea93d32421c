//! Measures and wraps the labels of a figure.

/// The distance between the lines of a text.
pub(super) fn line_height(size: u32) -> f64 {
    (f64::from(size) * 1.25).round()
}

/// The title of a figure, wrapped to its width.
pub(super) fn title_lines(title: &str, width: f64) -> Vec<String> {
    wrap(title, TITLE_SIZE, width - 24.0)
}

/// The font size of titles.
pub(super) const TITLE_SIZE: u32 = 14;

/// The approximate width of a text in DejaVu Sans, in pixels.
pub(super) fn width(text: &str, size: u32) -> f64 {
    text.chars().map(advance).sum::<f64>() * f64::from(size)
}

/// The advance of one character as a share of the font size, rounded up a little.
fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | 'I' | '|' => 0.30,
        ' ' | '.' | ',' | ':' | ';' | '/' | '-' | '(' | ')' | 'f' | 't' | 'r' | '!' => 0.40,
        '⁰'..='⁹' | '⁻' | '¹' | '²' | '³' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '=' | '+' | '×' | '−' => 0.90,
        'A'..='Z' => 0.72,
        'a'..='z' | '0'..='9' => 0.63,
        _ => 0.75,
    }
}

/// Breaks a text into lines no wider than `limit`, at spaces and after hyphens where there are any.
pub(super) fn wrap(text: &str, size: u32, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive([' ', '-']) {
        if !line.is_empty() && width(&format!("{line}{}", word.trim_end()), size) > limit {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        for c in word.chars() {
            if line.chars().count() > 1 && c != ' ' && width(&line, size) + width("m", size) > limit {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines.retain(|line| !line.is_empty());
    lines
}

/// Cuts a text that is wider than `limit` and marks the cut with an ellipsis.
pub(super) fn shorten(text: &str, size: u32, limit: f64) -> String {
    if width(text, size) <= limit {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if width(&short, size) + width("m…", size) > limit {
            break;
        }
        short.push(c);
    }
    format!("{}…", short.trim_end())
}
