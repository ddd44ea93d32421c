//! `points`: a set of the user's own; its rows are drawn with replacement, each with equal chance.

use rand_distr::{Distribution, Uniform};
use tweedie_solvers::exact::{Exact, KernelSum};
use tweedie_solvers::{Error, Key, Result};

use super::Data;
use crate::points::Points;

/// Squares of larger coordinates, and their sums, would overflow.
const LARGEST: f64 = 1e100;

/// An empirical law.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    points: Points,
    name: String,
    rows: Uniform<u64>,
}

impl Empirical {
    /// At least two finite points, from the file of this name.
    ///
    /// # Errors
    /// If there are fewer than two, or a value is not finite.
    pub fn new(points: Points, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let refuse = |value: String, rule: &str| {
            Error::Unsupported(format!("{name} holds {value} points, but it must {rule}"))
        };
        if let Some(i) = points.values().iter().position(|v| !v.is_finite()) {
            let (row, column, value) = (i / points.dim(), i % points.dim(), points.values()[i]);
            return Err(Error::parameter(
                format!("row {row}, column {column} of {name}"),
                value,
                "be a finite number",
            ));
        }
        if let Some(i) = points.values().iter().position(|v| v.abs() > LARGEST) {
            let (row, column, value) = (i / points.dim(), i % points.dim(), points.values()[i]);
            let rule = format!("be at most {LARGEST:e} in size, for distances to be finite");
            let place = format!("row {row}, column {column} of {name}");
            return Err(Error::parameter(place, format!("{value:e}"), rule));
        }
        if points.len() < 2 {
            return Err(refuse(points.len().to_string(), "be 2 or more"));
        }
        let rows = Uniform::new(0, points.len() as u64)
            .map_err(|e| refuse(points.len().to_string(), &format!("be usable: {e}")))?;
        Ok(Self { points, name, rows })
    }

    /// The points themselves.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// The name of the file that they came from.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Data for Empirical {
    fn exact(&self) -> Result<Box<dyn Exact>> {
        Ok(Box::new(KernelSum::empirical(self.points.dim(), self.points.values().to_vec())?))
    }

    fn continuous(&self) -> bool {
        false
    }

    fn dim(&self) -> usize {
        self.points.dim()
    }

    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        let picks = (first..first + count as u64).map(|i| self.rows.sample(&mut key.rng(i)) as usize);
        Points::new(self.dim(), picks.flat_map(|row| self.points.row(row).iter().copied()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of four rows gets a quarter of 8000 draws, ± 5 standard errors of √(8000·3)/4 = 38.8 each: false-alarm rate below 1e-5.
    #[test]
    fn rows_come_up_equally() {
        let own = Points::new(3, (0..12).map(f64::from).collect());
        let data = Empirical::new(own.clone(), "own.csv").unwrap();
        let drawn = data.sample(&Key::root(1), 0, 8000);
        for row in own.rows() {
            let count = drawn.rows().filter(|r| *r == row).count() as f64;
            assert!((count - 2000.0).abs() < 5.0 * 38.8, "{count}");
        }
        assert_eq!((data.dim(), data.name(), data.points()), (3, "own.csv", &own));
        let error = |p| Empirical::new(p, "own.csv").unwrap_err().to_string();
        assert_eq!(error(own.slice(0, 1)), "own.csv holds 1 points, but it must be 2 or more");
        let nan = Points::new(2, vec![0.0, 1.0, 2.0, f64::NAN]);
        assert_eq!(error(nan), "row 1, column 1 of own.csv = NaN, but it must be a finite number");
    }
}
