//! `checkerboard`: uniform on 8 of the 16 squares of side `scale` (2) that tile [−2 scale, 2 scale]²; of column i and row j = 0 … 3,
//! counted from the lower left, those with i + j even. No noise.
//!
//! Follows the `checkerboard` of FFJORD (side 2). Density 1/(8 scale²), entropy ln 8 + 2 ln scale: 3.4657359 nats at side 2. As a
//! union of boxes its noised density is a sum of products of differences of the normal distribution function.

use rand::Rng;
use tweedie_solvers::exact::{Boxes, Exact};
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

impl Default for Checkerboard {
    fn default() -> Self {
        Self { scale: 2.0 }
    }
}

/// Column and row, from 0, of a filled square.
fn square(number: u32) -> [u32; 2] {
    let (row, pair) = (number / 2, number % 2);
    [2 * pair + row % 2, row]
}

impl Data for Checkerboard {
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        each(key, first, count, |rng| {
            let [column, row] = square(rng.random_range(0..8));
            let [u, v]: [f64; 2] = rng.random();
            [self.scale * (f64::from(column) + u - 2.0), self.scale * (f64::from(row) + v - 2.0)]
        })
    }

    fn exact(&self) -> Result<Box<dyn Exact>> {
        let corner = |k: u32| self.scale * (f64::from(k) - 2.0);
        let (mut low, mut high) = (vec![], vec![]);
        for [column, row] in (0..8).map(square) {
            low.push(vec![corner(column), corner(row)]);
            high.push(vec![corner(column + 1), corner(row + 1)]);
        }
        Ok(Box::new(Boxes::new(vec![1.0; 8], low, high)?))
    }

    fn entropy(&self) -> Option<f64> {
        Some(8f64.ln() + 2.0 * self.scale.ln())
    }

    /// Of a uniform on a side, scale/√12.
    fn narrowest(&self) -> Option<f64> {
        Some(self.scale / 12f64.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every point lies in a filled square by FFJORD's rule, each square gets an eighth, and within squares both coordinates have the
    /// mean ½ and the mean square ⅓ of a uniform. n = 80 000, 5 standard errors (√(n·7)/8, √(1/12n), √(4/45n)): false-alarm rate below 1e-5.
    #[test]
    fn squares_are_those_of_ffjord() {
        let n = 80_000;
        let points = Checkerboard::new(1.5).unwrap().sample(&Key::root(2), 0, n);
        let mut counts = [[0.0; 4]; 4];
        let mut sums = [[0.0; 2]; 2];
        for p in points.rows() {
            let [x, y] = [p[0] / 1.5, p[1] / 1.5];
            counts[(x.floor() + 2.0) as usize][(y.floor() + 2.0) as usize] += 1.0;
            // FFJORD: x₂ = u − {0, 2} + (⌊x₁⌋ mod 2), so without the last term x₂ lies in [0, 1) or [−2, −1).
            let plain = y - x.floor().rem_euclid(2.0);
            assert!(
                (-2.0..2.0).contains(&x) && ((0.0..1.0).contains(&plain) || (-2.0..-1.0).contains(&plain)),
                "{p:?}"
            );
            for (i, v) in [x, y].into_iter().enumerate() {
                sums[i][0] += (v - v.floor()) / n as f64;
                sums[i][1] += (v - v.floor()).powi(2) / n as f64;
            }
        }
        let n = n as f64;
        for count in counts.iter().flatten().filter(|c| **c > 0.0) {
            assert!((count - n / 8.0).abs() < 5.0 * (n * 7.0).sqrt() / 8.0, "{count}");
        }
        assert_eq!(counts.iter().flatten().filter(|c| **c > 0.0).count(), 8);
        for [first, second] in sums {
            assert!(
                (first - 0.5).abs() < 5.0 / (12.0 * n).sqrt()
                    && (second - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / n).sqrt()
            );
        }
        assert!((Checkerboard::default().entropy().unwrap() - 3.4657359).abs() < 1e-7);
        assert!((Checkerboard::new(1.0).unwrap().entropy().unwrap() - 2.0794415).abs() < 1e-7);
        assert!(Checkerboard::new(-1.0).is_err() && Checkerboard::new(f64::NAN).is_err());
    }
}
