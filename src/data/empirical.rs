//! `points`: a set of the user's own, drawn from with replacement.

use rand::Rng;
use tweedie_solvers::{Error, Key, Result};

use super::Data;
use crate::points::Points;

/// An empirical set.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    points: Points,
}

impl Empirical {
    /// At least two finite points.
    ///
    /// # Errors
    /// If there are fewer, or one is not finite.
    pub fn new(points: Points) -> Result<Self> {
        if points.len() < 2 {
            return Err(Error::parameter("points", points.len(), "be two or more"));
        }
        if let Some(value) = points.values().iter().find(|v| !v.is_finite()) {
            return Err(Error::parameter("points", value, "be finite"));
        }
        Ok(Self { points })
    }
}

impl Data for Empirical {
    fn dim(&self) -> usize {
        self.points.dim()
    }

    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        let rows = (first..first + count as u64).flat_map(|i| {
            let at = key.rng(i).random_range(0..self.points.len() as u64) as usize;
            self.points.row(at).iter().copied()
        });
        Points::new(self.dim(), rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of four rows gets a quarter of 8000 draws: 5 standard errors are 194.
    #[test]
    fn rows_come_up_equally() {
        let data = Empirical::new(Points::new(1, vec![0.0, 1.0, 2.0, 3.0])).unwrap();
        let drawn = data.sample(&Key::root(1), 0, 8000);
        for v in 0..4 {
            let count = drawn.values().iter().filter(|x| **x == f64::from(v)).count() as i32;
            assert!((count - 2000).abs() < 194, "{count}");
        }
        assert_eq!(drawn.slice(50, 60), data.sample(&Key::root(1), 50, 10));
        assert!(
            Empirical::new(Points::new(1, vec![0.0])).is_err()
                && Empirical::new(Points::new(1, vec![0.0, f64::NAN])).is_err()
        );
    }
}
