//! Works out the outlines that the canvas draws.

use std::fmt::Write as _;

use super::canvas::Place;

/// An SVG path through the places.
pub(super) fn outline(places: &[Place], close: bool) -> String {
    let mut d = String::new();
    for (i, [x, y]) in places.iter().enumerate() {
        let _ = write!(d, "{}{x:.2} {y:.2}", if i == 0 { 'M' } else { 'L' });
    }
    if close {
        d.push('z');
    }
    d
}

/// The outline of a line of the given width: along one side and back along the other.
pub(super) fn ribbon(places: &[Place], width: f64) -> Vec<Place> {
    let side = |a: Place, b: Place| {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let length = dx.hypot(dy).max(1e-9);
        [-dy / length, dx / length]
    };
    let sides: Vec<Place> = places.windows(2).map(|pair| side(pair[0], pair[1])).collect();
    let half = width.max(0.1) / 2.0;
    let mut there = Vec::with_capacity(places.len() * 2);
    let mut back = Vec::with_capacity(places.len());
    for (i, [x, y]) in places.iter().enumerate() {
        let before = sides[i.saturating_sub(1)];
        let after = sides[i.min(sides.len() - 1)];
        let sum = [before[0] + after[0], before[1] + after[1]];
        let square = sum[0] * sum[0] + sum[1] * sum[1];
        // At a gentle turn the sides meet in one corner; a sharp one would send it far out and gets two.
        let corners = if square > 2.0 { vec![sum.map(|v| v * 2.0 / square)] } else { vec![before, after] };
        for [dx, dy] in corners {
            there.push([x + dx * half, y + dy * half]);
            back.push([x - dx * half, y - dy * half]);
        }
    }
    there.extend(back.into_iter().rev());
    there
}

/// The dashes of a line, or the whole line where the pattern is empty.
pub(super) fn dashes(places: &[Place], pattern: &[f64]) -> Vec<Vec<Place>> {
    if pattern.is_empty() {
        return vec![places.to_vec()];
    }
    let mut pieces = vec![vec![places[0]]];
    let (mut slot, mut left) = (0, pattern[0]);
    for pair in places.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let length = (to[0] - from[0]).hypot(to[1] - from[1]);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let share = done / length;
            let place = [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
            if slot % 2 == 0 {
                pieces.last_mut().into_iter().for_each(|piece| piece.push(place));
            } else {
                pieces.push(vec![place]);
            }
            slot += 1;
            left = pattern[slot % pattern.len()];
        }
        left -= length - done;
        if slot % 2 == 0 {
            pieces.last_mut().into_iter().for_each(|piece| piece.push(to));
        }
    }
    pieces.retain(|piece| piece.len() > 1);
    pieces
}
