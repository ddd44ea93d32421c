//! The standard normals that a sampler asks for: addressed by (sample, step, draw) or by (sample, time), never drawn from a moving
//! generator.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};

use crate::clock::Step;
use crate::{Key, Result, model};

/// A source of standard normals for the rows of a batch.
pub trait Noise: Send + Sync {
    /// Normals of the shape (B, D), dtype and device of `like`. Draw 0 of a step drives the diffusion over it (times
    /// `step.root_dt()` it is the Brownian increment); draws 1, 2, … are independent of it, for correctors.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor>;
}

/// Independent normals: row i of a batch is sample `first + i`, and gets the same numbers in every batch.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: Key,
    first: u64,
}

impl Stream {
    /// The noise of samples `first …` under a key.
    pub fn new(key: &Key, first: u64) -> Self {
        Self { key: key.branch("noise"), first }
    }
}

impl Noise for Stream {
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor> {
        let (rows, dim) = like.dims2()?;
        let stream = (step.index as u64) << 24 | u64::from(draw);
        model::tensor(self.key.normals(stream, self.first, rows, dim), (rows, dim), like)
    }
}

/// How often an interval of a [`Brownian`] path is halved.
const HALVINGS: u32 = 40;

/// One Brownian path W for each sample over [0, `end`], whatever the grid: N and 2N steps, and grids of other spacings, are driven by the
/// same path. It is Lévy's construction: W(end) = √end z, and the middle of an interval [a, b] is ½ (W(a) + W(b)) + ½ √(b − a) z with
/// one z for every interval (Kloeden & Platen 1992, §2.4); after 40 halvings W is linear, so steps must be long against 2⁻⁴⁰ `end`.
#[derive(Debug)]
pub struct Brownian {
    key: Key,
    first: u64,
    end: f64,
    others: Stream,
    /// Where the last step ended, and W there: the next one starts from it.
    last: Mutex<(f64, Vec<f64>)>,
}

impl Brownian {
    /// The paths of samples `first …` under a key, on [0, `end`].
    pub fn new(key: &Key, first: u64, end: f64) -> Self {
        Self {
            key: key.branch("brownian"),
            first,
            end,
            others: Stream::new(key, first),
            last: Mutex::default(),
        }
    }

    /// W(t), `rows × dim` numbers, row-major; 0 ≤ t ≤ end.
    pub fn at(&self, t: f64, rows: usize, dim: usize) -> Vec<f64> {
        let normals = |interval: u64| self.key.normals(interval, self.first, rows, dim);
        let (mut a, mut b, mut interval) = (0.0, self.end, 1);
        let mut left = vec![0.0; rows * dim];
        let mut right: Vec<f64> = normals(0).into_iter().map(|z| self.end.sqrt() * z).collect();
        for _ in 0..HALVINGS {
            if t <= a || t >= b {
                break;
            }
            let (middle, scale) = (0.5 * (a + b), 0.5 * (b - a).sqrt());
            let ends = left.iter().zip(&right);
            let value = ends.zip(normals(interval)).map(|((l, r), z)| 0.5 * (l + r) + scale * z).collect();
            if t < middle {
                (b, right, interval) = (middle, value, 2 * interval);
            } else {
                (a, left, interval) = (middle, value, 2 * interval + 1);
            }
        }
        let w = ((t - a) / (b - a)).clamp(0.0, 1.0);
        left.iter().zip(&right).map(|(l, r)| (1.0 - w) * l + w * r).collect()
    }
}

impl Noise for Brownian {
    /// Draw 0 is the increment of W over the step, later time less earlier, over √|dt|; other draws are those of a [`Stream`].
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor> {
        if draw > 0 {
            return self.others.normal(step, draw, like);
        }
        let (rows, dim) = like.dims2()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.0 == step.from && last.1.len() == rows * dim;
        let from = if known { std::mem::take(&mut last.1) } else { self.at(step.from, rows, dim) };
        let to = self.at(step.to, rows, dim);
        let scale = step.dt().signum() / step.root_dt();
        let values = to.iter().zip(from).map(|(to, from)| scale * (to - from)).collect();
        *last = (step.to, to);
        model::tensor(values, (rows, dim), like)
    }
}

/// Where the normals of a sampler come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// Independent normals for every step: other step counts are other paths.
    #[default]
    Independent,
    /// One Brownian path per sample, the same for all step counts, grids and methods.
    Brownian,
}

impl Driver {
    /// The noise of samples `first …` of a key, on times up to `end`.
    pub fn noise(self, key: &Key, first: u64, end: f64) -> Box<dyn Noise> {
        match self {
            Self::Independent => Box::new(Stream::new(key, first)),
            Self::Brownian => Box::new(Brownian::new(key, first, end)),
        }
    }
}

/// `rows` prior points, σ z, of samples `first …` under a key: shape (rows, dim).
///
/// # Errors
/// If the tensor cannot be made.
pub fn prior(
    key: &Key,
    sigma: f64,
    (first, rows, dim): (u64, usize, usize),
    on: (&Device, DType),
) -> Result<Tensor> {
    let like = Tensor::zeros((1, 1), on.1, on.0)?;
    let values = key.branch("prior").normals(0, first, rows, dim).into_iter().map(|z| sigma * z).collect();
    model::tensor(values, (rows, dim), &like)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests read on the host")]
mod tests {
    use super::*;

    /// E W(s) W(t) = min(s, t) at dyadic and other times; 40 000 paths in two coordinates: 5 standard errors of √(2·0.8²/n) are 0.02, a
    /// false-alarm rate below 1e-5.
    #[test]
    fn paths_are_brownian() {
        let (n, end) = (40_000, 0.8);
        let path = Brownian::new(&Key::root(3), 5, end);
        let times = [1e-6, 0.1, 0.2, 0.3333, 0.4, 0.41, 0.8];
        let values = times.map(|t| path.at(t, n, 2));
        for (i, s) in times.into_iter().enumerate() {
            for (j, t) in times.into_iter().enumerate() {
                for (a, b) in [(0, 0), (1, 1), (0, 1)] {
                    let want = if a == b { s.min(t) } else { 0.0 };
                    let rows = values[i].chunks(2).zip(values[j].chunks(2));
                    let got = rows.map(|(x, y)| x[a] * y[b]).sum::<f64>() / n as f64;
                    let five = 5.0 * (2.0 * s * t / n as f64).sqrt();
                    assert!((got - want).abs() < five, "{s} {t}: {got} {want}");
                }
            }
        }
        assert_eq!(path.at(0.0, 3, 2), [0.0; 6]);
    }

    /// Increments add up over any refinement, rows are addressed, and a tiny step has a normal of unit size.
    #[test]
    fn refinements_are_the_same_path() {
        let key = Key::root(4);
        let (path, like) =
            (Brownian::new(&key, 0, 1.0), Tensor::zeros((50, 3), DType::F64, &Device::Cpu).unwrap());
        let increment = |from: f64, to: f64| -> Vec<f64> {
            let step = Step { index: 7, of: 9, from, to };
            let z = path.normal(step, 0, &like).unwrap();
            (z * step.root_dt()).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let whole = increment(0.9, 0.1);
        let parts = [increment(0.9, 0.37), increment(0.37, 0.2), increment(0.2, 0.1)];
        for (i, w) in whole.iter().enumerate() {
            assert!((w - parts.iter().map(|p| p[i]).sum::<f64>()).abs() < 1e-12);
        }
        assert_eq!(increment(0.1, 0.9), whole);
        assert_eq!(Brownian::new(&key, 20, 1.0).at(0.3, 5, 3), path.at(0.3, 50, 3)[60..75]);
        let small = increment(1e-3, 1e-3 - 1e-9);
        let size = (small.iter().map(|v| v * v).sum::<f64>() / 150.0 / 1e-9).sqrt();
        assert!((0.7..1.3).contains(&size), "{size}");
        let (step, other) = (Step { index: 2, of: 9, from: 0.5, to: 0.4 }, Stream::new(&key, 0));
        let vec = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(vec(path.normal(step, 1, &like).unwrap()), vec(other.normal(step, 1, &like).unwrap()));
    }
}
