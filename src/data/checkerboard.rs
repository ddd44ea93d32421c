//! `checkerboard`: uniform on 8 of the 16 squares of side `scale` that tile [−2 scale, 2 scale]² (FFJORD's, whose side is 2):
//! the square of column i and row j = 0 … 3 from the lower left is filled where i + j is even. Density 1/(8 scale²); entropy
//! ln 8 + 2 ln scale.

use rand::Rng;
use tweedie_solvers::{Key, Result, error};

use super::{Data, each};
use crate::points::Points;

/// Eight squares of a board of sixteen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checkerboard {
    scale: f64,
}

impl Checkerboard {
    /// Squares of side `scale` > 0.
    ///
    /// # Errors
    /// If the side is not a finite number above 0.
    pub fn new(scale: f64) -> Result<Self> {
        Ok(Self { scale: error::positive("scale", scale)? })
    }
}

impl Data for Checkerboard {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        each(key, first, count, |rng| {
            let square: u32 = rng.random_range(0..8);
            let (row, pair) = (square / 2, square % 2);
            let column = 2 * pair + row % 2;
            let (u, v): (f64, f64) = (rng.random(), rng.random());
            [self.scale * (f64::from(column) + u - 2.0), self.scale * (f64::from(row) + v - 2.0)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every point lies in a filled square, and each of the eight gets an eighth: 16 000 points, 5 standard errors are 209.
    #[test]
    fn only_even_squares_are_filled_and_equally() {
        let points = Checkerboard::new(2.0).unwrap().sample(&Key::root(2), 0, 16_000);
        let mut counts = [[0i32; 4]; 4];
        for p in points.rows() {
            let (i, j) = ((p[0] / 2.0 + 2.0).floor() as usize, (p[1] / 2.0 + 2.0).floor() as usize);
            counts[i][j] += 1;
        }
        for (i, j) in (0..16).map(|k| (k / 4, k % 4)) {
            let wanted = if (i + j) % 2 == 0 { 2000 } else { 0 };
            assert!((counts[i][j] - wanted).abs() <= wanted / 9, "{i} {j} {}", counts[i][j]);
        }
        assert!(Checkerboard::new(-1.0).is_err());
    }
}
