//! The standard normals that a sampler asks for: addressed by (sample, step, draw) or by (sample, time), never drawn from a moving
//! generator.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Tensor};

use crate::clock::Step;
use crate::{Key, Result, model};

/// What a normal is for. All draws of a step are independent of each other, but for pieces of the increment and the increment itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Draw {
    /// The Brownian increment w of the step over √|dt|. Brownian motion is taken in the direction of the step: w is later clock time less
    /// earlier, whichever way the clock runs.
    Increment,
    /// The step's space-time Lévy area over √(|dt|/12): H = (∫ of the path over the step)/|dt| − w/2, independent of w
    /// (Foster, dos Reis & Strange 2023).
    Area,
    /// The increment over a piece of a step, which has the step's index and its own ends; pieces are numbered and do not overlap.
    Piece(u32),
    /// For a corrector, whatever the predictor.
    Corrector(u32),
    /// Any other that a method needs.
    Other(u32),
}

impl Draw {
    /// A number below 2²⁴, of its own.
    fn code(self) -> u64 {
        match self {
            Self::Increment => 0,
            Self::Corrector(n) => 1 + u64::from(n),
            Self::Piece(n) => 0x40_0000 + u64::from(n),
            Self::Area => 0x80_0000,
            Self::Other(n) => 0xC0_0000 + u64::from(n),
        }
    }
}

/// A source of standard normals for the rows of a batch.
pub trait Noise: Send + Sync {
    /// Normals of the shape (B, D), dtype and device of `like`.
    ///
    /// # Errors
    /// If the tensor cannot be made.
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> Result<Tensor>;

    /// The Brownian paths of the samples on [0, `end`], for methods that choose their steps as they go.
    fn path(&self, end: f64) -> Brownian;

    /// The addressed stream that all normals come from, if they do: a device can then make them itself.
    fn stream(&self) -> Option<&Stream> {
        None
    }
}

/// Independent normals: row i of a batch is sample `first + i`, and gets the same numbers in every batch.
#[derive(Clone, Debug)]
pub struct Stream {
    root: Key,
    key: Key,
    first: u64,
}

impl Stream {
    /// The noise of samples `first …` under a key.
    pub fn new(key: &Key, first: u64) -> Self {
        Self { root: *key, key: key.branch("noise"), first }
    }

    /// The key of its normals.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The number of the first sample.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The stream of [`key`](Self::key) that holds the normals of a draw.
    pub fn address(step: Step, draw: Draw) -> u64 {
        (step.index as u64) << 24 | draw.code()
    }
}

impl Noise for Stream {
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
        let (rows, dim) = like.dims2()?;
        let values = self.key.normals(Self::address(step, draw), self.first, rows, dim);
        model::tensor(values, (rows, dim), like)
    }

    fn stream(&self) -> Option<&Stream> {
        Some(self)
    }

    fn path(&self, end: f64) -> Brownian {
        Brownian::new(&self.root, self.first, end)
    }
}

/// How often an interval of a [`Brownian`] path is halved.
const HALVINGS: u32 = 40;

/// One Brownian path W for each sample over [0, `end`], whatever the grid: N and 2N steps, and grids of other spacings, are driven by the
/// same path. Intervals are halved together with their space-time Lévy areas: from w and H over an interval of length l,
/// w₁ = w/2 + 3H/2 + Z and H₁ = H/4 − Z/2 + N/2, H₂ = H/4 − Z/2 − N/2 with Z ~ N(0, l/16), N ~ N(0, l/12), one pair for every interval
/// (Jelinčič, Foster & Kidger 2024); after 40 halvings W is linear, so steps must be long against 2⁻⁴⁰ `end`.
#[derive(Debug)]
pub struct Brownian {
    root: Key,
    key: Key,
    first: u64,
    end: f64,
    others: Stream,
    /// The path at the two times that were asked for last: the ends of a step, of which the next starts at one.
    last: Mutex<[(f64, Arc<Point>); 2]>,
}

/// W and ∫₀ᵗ W at one time, `rows × dim` numbers each, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// W(t).
    pub w: Vec<f64>,
    /// ∫₀ᵗ W.
    pub integral: Vec<f64>,
}

impl Brownian {
    /// The paths of samples `first …` under a key, on [0, `end`].
    pub fn new(key: &Key, first: u64, end: f64) -> Self {
        Self {
            root: *key,
            key: key.branch("brownian"),
            first,
            end,
            others: Stream::new(key, first),
            last: Mutex::default(),
        }
    }

    /// The paths of all rows at one time, 0 ≤ t ≤ end.
    pub fn at(&self, t: f64, rows: usize, dim: usize) -> Point {
        self.rows(t, 0, rows, dim)
    }

    /// The paths of rows `skip .. skip + rows`.
    pub fn rows(&self, t: f64, skip: u64, rows: usize, dim: usize) -> Point {
        let n = rows * dim;
        // Two normals for each number of an interval: of w and of the area for the whole, Z and N for the middle of another.
        let normals = |interval: u64| self.key.normals(interval, self.first + skip, rows, 2 * dim);
        let pair =
            |z: &[f64], i: usize| (z[i / dim * 2 * dim + i % dim], z[i / dim * 2 * dim + dim + i % dim]);
        let (mut a, mut b, mut interval) = (0.0, self.end, 1);
        let mut left = Point { w: vec![0.0; n], integral: vec![0.0; n] };
        let z = normals(0);
        let mut right = Point::default();
        for (zw, zh) in (0..n).map(|i| pair(&z, i)) {
            let (w, h) = (b.sqrt() * zw, (b / 12.0).sqrt() * zh);
            right.w.push(w);
            right.integral.push(b * (0.5 * w + h));
        }
        for _ in 0..HALVINGS {
            if t <= a || t >= b {
                break;
            }
            let (l, middle) = (b - a, 0.5 * (a + b));
            let (root_z, root_n) = ((l / 16.0).sqrt(), (l / 12.0).sqrt());
            let z = normals(interval);
            let mut point = Point::default();
            for i in 0..n {
                let (zz, zn) = pair(&z, i);
                let w = right.w[i] - left.w[i];
                let h = (right.integral[i] - left.integral[i]) / l - left.w[i] - 0.5 * w;
                let zz = root_z * zz;
                let w1 = 0.5 * w + 1.5 * h + zz;
                let h1 = 0.25 * h - 0.5 * zz + 0.5 * root_n * zn;
                point.w.push(left.w[i] + w1);
                point.integral.push(left.integral[i] + 0.5 * l * (left.w[i] + 0.5 * w1 + h1));
            }
            if t < middle {
                (b, right, interval) = (middle, point, 2 * interval);
            } else {
                (a, left, interval) = (middle, point, 2 * interval + 1);
            }
        }
        let u = ((t - a) / (b - a)).clamp(0.0, 1.0);
        let between =
            |l: Vec<f64>, r: Vec<f64>| l.iter().zip(r).map(|(l, r)| (1.0 - u) * l + u * r).collect();
        Point { w: between(left.w, right.w), integral: between(left.integral, right.integral) }
    }

    /// A normal for every number of `like`, from the paths at the two ends of a step.
    fn over(
        &self,
        step: Step,
        like: &Tensor,
        normal: impl Fn(usize, &Point, &Point) -> f64,
    ) -> Result<Tensor> {
        let (rows, dim) = like.dims2()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |t: f64| match last.iter().find(|(at, p)| *at == t && p.w.len() == rows * dim) {
            Some((_, point)) => Arc::clone(point),
            None => Arc::new(self.at(t, rows, dim)),
        };
        let (from, to) = (find(step.from), find(step.to));
        let values = (0..rows * dim).map(|i| normal(i, &from, &to)).collect();
        *last = [(step.from, from), (step.to, to)];
        drop(last);
        model::tensor(values, (rows, dim), like)
    }
}

impl Noise for Brownian {
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
        let (h, sign) = (step.dt().abs(), step.dt().signum());
        match draw {
            Draw::Increment | Draw::Piece(_) => {
                self.over(step, like, |i, from, to| sign * (to.w[i] - from.w[i]) / h.sqrt())
            }
            Draw::Area => self.over(step, like, |i, from, to| {
                let w = sign * (to.w[i] - from.w[i]);
                // ∫ |path − its start| over the step, in the step's direction.
                let integral = (to.integral[i] - from.integral[i]) - from.w[i] * step.dt();
                (integral / h - 0.5 * w) / (h / 12.0).sqrt()
            }),
            Draw::Corrector(_) | Draw::Other(_) => self.others.normal(step, draw, like),
        }
    }

    fn path(&self, _: f64) -> Brownian {
        Self::new(&self.root, self.first, self.end)
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
        let values = times.map(|t| path.at(t, n, 2).w);
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
        assert_eq!(path.at(0.0, 3, 2).w, [0.0; 6]);
    }

    /// Increments add up over any refinement, rows are addressed, and a tiny step has a normal of unit size.
    #[test]
    fn refinements_are_the_same_path() {
        let key = Key::root(4);
        let (path, like) =
            (Brownian::new(&key, 0, 1.0), Tensor::zeros((50, 3), DType::F64, &Device::Cpu).unwrap());
        let increment = |from: f64, to: f64| -> Vec<f64> {
            let step = Step { index: 7, of: 9, from, to };
            let z = path.normal(step, Draw::Increment, &like).unwrap();
            (z * step.root_dt()).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let whole = increment(0.9, 0.1);
        let parts = [increment(0.9, 0.37), increment(0.37, 0.2), increment(0.2, 0.1)];
        for (i, w) in whole.iter().enumerate() {
            assert!((w - parts.iter().map(|p| p[i]).sum::<f64>()).abs() < 1e-12);
        }
        assert_eq!(increment(0.1, 0.9), whole);
        assert_eq!(Brownian::new(&key, 20, 1.0).at(0.3, 5, 3).w, path.at(0.3, 50, 3).w[60..75]);
        assert_eq!(path.rows(0.3, 20, 5, 3).integral, path.at(0.3, 50, 3).integral[60..75]);
        let small = increment(1e-3, 1e-3 - 1e-9);
        let size = (small.iter().map(|v| v * v).sum::<f64>() / 150.0 / 1e-9).sqrt();
        assert!((0.7..1.3).contains(&size), "{size}");
        let (step, other) = (Step { index: 2, of: 9, from: 0.5, to: 0.4 }, Stream::new(&key, 0));
        let vec = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let corrector = Draw::Corrector(0);
        let (a, b) =
            (path.normal(step, corrector, &like).unwrap(), other.normal(step, corrector, &like).unwrap());
        assert_eq!(vec(a), vec(b));
    }

    /// At the end, W = √T z and H = √(T/12) z' with the first pair of normals, so that ∫ W = T (W/2 + H).
    #[test]
    fn the_whole_path_is_two_normals() {
        let (key, end) = (Key::root(12), 0.7f64);
        let z = key.branch("brownian").normals(0, 3, 5, 2);
        let got = Brownian::new(&key, 3, end).at(end, 5, 1);
        for (i, z) in z.chunks_exact(2).enumerate() {
            let w = end.sqrt() * z[0];
            assert!((got.w[i] - w).abs() < 1e-15);
            let integral = end * (0.5 * w + (end / 12.0).sqrt() * z[1]);
            assert!((got.integral[i] - integral).abs() < 1e-15);
        }
    }

    /// ∫₀ᵗ W is the integral of W: against 2000 trapezoids over [0, 0.7], whose error has deviation 0.7^1.5/(2000 √12) = 8.5e-5.
    #[test]
    fn the_integral_is_of_the_path() {
        let path = Brownian::new(&Key::root(6), 0, 1.0);
        let (n, t) = (2000, 0.7);
        let values: Vec<Vec<f64>> =
            (0..=n).map(|i| path.at(t * f64::from(i) / f64::from(n), 4, 1).w).collect();
        for (row, want) in path.at(t, 4, 1).integral.into_iter().enumerate() {
            let inner: f64 = values[1..n as usize].iter().map(|v| v[row]).sum();
            let sum = t / f64::from(n) * (inner + 0.5 * (values[0][row] + values[n as usize][row]));
            assert!((sum - want).abs() < 5.0 * 8.5e-5, "{sum} {want}");
        }
    }

    /// Increments and areas of two steps of 40 000 paths are independent standard normals, up and down the clock: 5 standard errors of means,
    /// variances and covariances, a false-alarm rate below 1e-4; and an area changes its sign with the direction as it must.
    #[test]
    fn areas_are_independent_normals() {
        let (path, n) = (Brownian::new(&Key::root(8), 0, 1.0), 40_000);
        let like = Tensor::zeros((n, 1), DType::F64, &Device::Cpu).unwrap();
        let get = |from: f64, to: f64, draw: Draw| -> Vec<f64> {
            let step = Step { index: 0, of: 1, from, to };
            path.normal(step, draw, &like).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        let of = |from, to| [Draw::Increment, Draw::Area].map(|draw| get(from, to, draw));
        let draws: Vec<Vec<f64>> = of(0.9, 0.31).into_iter().chain(of(0.31, 0.3)).collect();
        let five = 5.0 / (n as f64).sqrt();
        for (i, a) in draws.iter().enumerate() {
            assert!((a.iter().sum::<f64>() / n as f64).abs() < five);
            for (j, b) in draws.iter().enumerate() {
                let got = a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / n as f64;
                let (want, spread) = if i == j { (1.0, 2f64.sqrt()) } else { (0.0, 1.0) };
                assert!((got - want).abs() < five * spread, "{i} {j}: {got}");
            }
        }
        // Reversed, ∫ of the path from its new start is w |dt| less the old integral: H turns its sign, w does not.
        for (down, up) in draws[1].iter().zip(get(0.31, 0.9, Draw::Area)).take(50) {
            assert!((down + up).abs() < 1e-9);
        }
    }
}
