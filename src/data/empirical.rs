//! `points`: a set of the user's own. Training rows are drawn with replacement, each with equal
//! chance; rows that are held out, or those of a file of their own, are what samples and models are
//! measured against.

use rand_distr::{Distribution, Uniform};
use tweedie_solvers::exact::{Exact, KernelSum};
use tweedie_solvers::{Error, Key, Result};

use super::{Data, Standardise, holdout};
use crate::points::Points;

/// Squares of larger coordinates, and their sums, would overflow.
const LARGEST: f64 = 1e100;

/// An empirical law.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    file: Points,
    name: String,
    columns: Option<Vec<String>>,
    training: Points,
    held_out: Option<Points>,
    rows: Uniform<u64>,
}

impl Empirical {
    /// At least two finite points, from the file of this name; all of them are training rows.
    ///
    /// # Errors
    /// If there are fewer than two, or a value is not finite or too large.
    pub fn new(points: Points, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        sound(&points, &name)?;
        let rows = uniform(&points, &name)?;
        Ok(Self { file: points.clone(), name, columns: None, training: points, held_out: None, rows })
    }

    /// The names of its columns, where it has them.
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    /// The same with names for its columns, one for each.
    #[must_use]
    pub fn named(self, columns: Option<Vec<String>>) -> Self {
        let columns = columns.filter(|names| names.len() == self.file.dim());
        Self { columns, ..self }
    }

    /// The same with a fraction of [0, 1) of its rows held out, chosen by their values (see
    /// [`super::digest`]); 0 holds out none.
    ///
    /// # Errors
    /// If fewer than two rows are left on a side.
    pub fn holdout(self, fraction: f64) -> Result<Self> {
        if fraction == 0.0 {
            return Ok(self);
        }
        let (training, held_out) = holdout::split(&self.file, fraction);
        if training.len() < 2 || held_out.len() < 2 {
            let (kept, all) = (held_out.len(), self.file.len());
            return Err(Error::parameter(
                "holdout",
                fraction,
                format!(
                    "leave 2 or more points of {} on each side, and it holds out {kept} of {all}; give a test-file, or holdout = 0, \
                     which measures against the points that the model was made from",
                    self.name
                ),
            ));
        }
        let rows = uniform(&training, &self.name)?;
        Ok(Self { training, held_out: Some(held_out), rows, ..self })
    }

    /// The same with the points of another file held out, and all of its own for training.
    ///
    /// # Errors
    /// If the dimensions differ, there are fewer than two, or a value is not finite or too large.
    pub fn test(self, points: Points, name: &str) -> Result<Self> {
        sound(&points, name)?;
        if points.dim() != self.dim() {
            let rule = format!("hold points of {} coordinates, as {} does", self.dim(), self.name);
            return Err(Error::parameter("test-file", format!("{name} of {}", points.dim()), rule));
        }
        Ok(Self { held_out: Some(points), ..self })
    }

    /// The rows that models are made from.
    pub fn training(&self) -> &Points {
        &self.training
    }

    /// The rows that they are measured against, if any are held out.
    pub fn kept(&self) -> Option<&Points> {
        self.held_out.as_ref()
    }

    /// All points of the file, in its order.
    pub fn file(&self) -> &Points {
        &self.file
    }

    /// The name of the file that they came from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What column j, from 0, is called in sentences: its number from 1, and its name if the file
    /// has one.
    pub fn column(&self, j: usize) -> String {
        let name = self.columns.as_ref().map(|names| format!(" (`{}`)", names[j]));
        format!("{}{}", j + 1, name.unwrap_or_default())
    }
}

/// An error unless all values are finite and of moderate size.
fn sound(points: &Points, name: &str) -> Result<()> {
    let place = |i: usize| format!("row {}, column {} of {name}", i / points.dim(), i % points.dim());
    if let Some(i) = points.values().iter().position(|v| !v.is_finite()) {
        return Err(Error::parameter(place(i), points.values()[i], "be a finite number"));
    }
    if let Some(i) = points.values().iter().position(|v| v.abs() > LARGEST) {
        let rule = format!("be at most {LARGEST:e} in size, for distances to be finite");
        return Err(Error::parameter(place(i), format!("{:e}", points.values()[i]), rule));
    }
    if points.len() < 2 {
        let rule = format!("{name} holds {} points, but it must be 2 or more", points.len());
        return Err(Error::Unsupported(rule));
    }
    Ok(())
}

/// The law of a row's number.
fn uniform(points: &Points, name: &str) -> Result<Uniform<u64>> {
    let law = Uniform::new(0, points.len() as u64);
    law.map_err(|e| Error::Unsupported(format!("{name} holds {} points: {e}", points.len())))
}

/// `count` of the points, or all, each once, in an order by the key.
fn shuffled(points: &Points, key: &Key, count: usize) -> Points {
    let places = key.uniforms(0, 0, points.len());
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    order.truncate(count);
    Points::new(points.dim(), order.iter().flat_map(|&i| points.row(i).iter().copied()).collect())
}

impl Data for Empirical {
    fn exact(&self) -> Result<Box<dyn Exact>> {
        Ok(Box::new(KernelSum::empirical(self.dim(), self.training.values().to_vec())?))
    }

    fn exact_within(&self, map: &Standardise) -> Result<Box<dyn Exact>> {
        Ok(Box::new(KernelSum::empirical(self.dim(), map.apply(&self.training).values().to_vec())?))
    }

    fn continuous(&self) -> bool {
        false
    }

    fn dim(&self) -> usize {
        self.file.dim()
    }

    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        let picks = (first..first + count as u64).map(|i| self.rows.sample(&mut key.rng(i)) as usize);
        Points::new(self.dim(), picks.flat_map(|row| self.training.row(row).iter().copied()).collect())
    }

    fn held_out(&self, key: &Key, count: usize) -> Points {
        let some = |points| shuffled(points, key, count);
        self.held_out.as_ref().map_or_else(|| self.sample(key, 0, count), some)
    }

    fn ideal(&self, key: &Key, count: usize) -> Points {
        match self.held_out {
            Some(_) => shuffled(&self.training, key, count),
            None => self.sample(key, 0, count),
        }
    }

    fn own(&self) -> Option<&Empirical> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of four rows gets a quarter of 8000 draws, ± 5 standard errors of √(8000·3)/4 = 38.8
    /// each: false-alarm rate below 1e-5.
    #[test]
    fn rows_come_up_equally() {
        let own = Points::new(3, (0..12).map(f64::from).collect());
        let data = Empirical::new(own.clone(), "own.csv").unwrap();
        let drawn = data.sample(&Key::root(1), 0, 8000);
        for row in own.rows() {
            let count = drawn.rows().filter(|r| *r == row).count() as f64;
            assert!((count - 2000.0).abs() < 5.0 * 38.8, "{count}");
        }
        assert_eq!((data.dim(), data.name(), data.training(), data.kept()), (3, "own.csv", &own, None));
        let error = |p| Empirical::new(p, "own.csv").unwrap_err().to_string();
        assert_eq!(error(own.slice(0, 1)), "own.csv holds 1 points, but it must be 2 or more");
        let nan = Points::new(2, vec![0.0, 1.0, 2.0, f64::NAN]);
        assert_eq!(error(nan), "row 1, column 1 of own.csv = NaN, but it must be a finite number");
    }

    /// What is trained on, the exact score and floors are of training rows; references are of the
    /// others, each once.
    #[test]
    fn held_out_rows_are_never_drawn() {
        let points = Points::new(2, Key::root(2).normals(0, 0, 300, 2));
        let data = Empirical::new(points.clone(), "own.csv").unwrap().holdout(0.3).unwrap();
        let kept = data.kept().unwrap().clone();
        let (training, key) = (data.training().clone(), Key::root(1));
        assert_eq!(training.len() + kept.len(), 300);
        let among = |all: &Points, row: &[f64]| all.rows().any(|r| r == row);
        let drawn = data.sample(&key, 0, 3000);
        assert!(drawn.rows().all(|row| among(&training, row) && !among(&kept, row)));
        assert!(data.ideal(&key, 100).rows().all(|row| among(&training, row)));
        let few = data.held_out(&key, 20);
        assert!(few.len() == 20 && few.rows().all(|row| among(&kept, row)));
        assert_ne!(data.held_out(&Key::root(2), 20), few);
        let all = data.held_out(&key, 1000);
        assert!(all.len() == kept.len() && kept.rows().all(|row| among(&all, row)));
        let score = data.exact().unwrap();
        let at = tweedie_solvers::kernel::Kernel { alpha: 1.0, sigma: 1e-4 };
        assert!(score.log_density(training.row(0), at) > 10.0 && score.log_density(kept.row(0), at) < 0.0);
        let map = Standardise::fit(&training).unwrap();
        let (behind, mapped) = (data.exact_within(&map).unwrap(), |p: &Points| map.apply(p));
        let log = |p: &Points| behind.log_density(mapped(p).row(0), at);
        assert!(log(&training) > 10.0 && log(&kept) < 0.0);
        let test = Points::new(2, vec![9.0, 9.0, 8.0, 8.0]);
        let data = Empirical::new(points.clone(), "own.csv").unwrap().test(test.clone(), "t.csv").unwrap();
        assert_eq!((data.training(), data.kept()), (&points, Some(&test)));
        let error = Empirical::new(points.slice(0, 4), "own.csv").unwrap().holdout(1e-9).unwrap_err();
        let said = "holdout = 0.000000001, but it must leave 2 or more points of own.csv on each side, and it holds out 0 of 4;";
        assert!(error.to_string().starts_with(said), "{error}");
        let flat = Points::new(1, vec![1.0, 2.0]);
        let error = Empirical::new(points, "own.csv").unwrap().test(flat, "t.csv").unwrap_err();
        assert!(error.to_string().starts_with("test-file = t.csv of 1, but"), "{error}");
    }

    #[test]
    fn columns_are_called_by_number_and_name() {
        let own = || Empirical::new(Points::new(2, vec![0.0, 1.0, 2.0, 3.0]), "own.csv").unwrap();
        let names = Some(vec!["age".to_owned(), "size".to_owned()]);
        assert_eq!((own().column(1), own().named(names).column(0)), ("2".into(), "1 (`age`)".into()));
    }
}
