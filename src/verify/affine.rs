//! Gaussian data in one dimension, on which every linear sampler is an affine map of its start and its noise: means, deviations and
//! pathwise differences without sampling anything.

use std::sync::Mutex;

use candle_core::{Device, Tensor};
use tweedie_solvers::clock::{Grid, Step};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::integrate::integrate;
use tweedie_solvers::method::Method;
use tweedie_solvers::noise::{Brownian, Draw, Noise};
use tweedie_solvers::sde::LinearSde;
use tweedie_solvers::{Key, Result, model};

/// The deviation of the data N(1, 0.5²).
pub const DEVIATION: f64 = 0.5;

/// N(1, 0.5²).
///
/// # Errors
/// Never.
pub fn gaussian() -> Result<Mixture> {
    Mixture::gaussian(vec![1.0], DEVIATION)
}

/// Mean and standard deviation of p_t for N(1, 0.5²).
pub fn law(sde: &dyn LinearSde, t: f64) -> (f64, f64) {
    let k = sde.kernel(t);
    (k.alpha, k.deviation(DEVIATION))
}

/// 2-Wasserstein distance of two Gaussians on the line, from their means and deviations.
pub fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// A sampler as an affine map: x_N = `offset` + `gain` x₀ + Σ `noise`_i z_i, z_i the normal of `draws`_i.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// What a start at 0 ends at, without noise.
    pub offset: f64,
    /// The coefficient of the start.
    pub gain: f64,
    /// The coefficients of the normals.
    pub noise: Vec<f64>,
    /// The normals, in the order in which they were asked for.
    pub draws: Vec<(Step, Draw)>,
}

impl Affine {
    /// The coefficients of a method on a grid for a model of one dimension whose score is affine. They are read off by unit impulses:
    /// one row for the start, and one for each normal.
    ///
    /// # Errors
    /// Those of the method and the model.
    pub fn of(problem: Problem<'_>, method: &dyn Method, grid: &Grid) -> Result<Self> {
        let run = |start: Vec<f64>, noise: &dyn Noise| -> Result<Vec<f64>> {
            let rows = start.len();
            let x = Tensor::from_vec(start, (rows, 1), &Device::Cpu)?;
            let mut stepper = method.stepper(problem)?;
            let end = integrate(&mut *stepper, x, grid, noise, &mut ())?;
            Ok(end.flatten_all()?.to_vec1()?)
        };
        let asked = Asked(Mutex::default());
        let plain = run(vec![0.0, 1.0], &asked)?;
        let draws = asked.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let noise = if draws.is_empty() {
            vec![]
        } else {
            let ends = run(vec![0.0; draws.len()], &Impulses { draws: &draws })?;
            ends.into_iter().map(|end| end - plain[0]).collect()
        };
        Ok(Self { offset: plain[0], gain: plain[1] - plain[0], noise, draws })
    }

    /// Mean and standard deviation at the end, from those of the start.
    pub fn carry(&self, (mean, deviation): (f64, f64)) -> (f64, f64) {
        let variance: f64 = self.noise.iter().map(|g| g * g).sum();
        (self.offset + self.gain * mean, (self.gain * deviation).hypot(variance.sqrt()))
    }

    /// √E|x_N − y_M|² of two samplers from one start of the given mean and deviation, driven by one Brownian path.
    pub fn apart(&self, other: &Self, (mean, deviation): (f64, f64)) -> f64 {
        let gain = self.gain - other.gain;
        let offset = self.offset - other.offset + gain * mean;
        let noise = self.products(self) - 2.0 * self.products(other) + other.products(other);
        (offset * offset + (gain * deviation).powi(2) + noise.max(0.0)).sqrt()
    }

    /// E (Σ g_i z_i)(Σ h_j z_j), z of draws on the way down the clock.
    fn products(&self, other: &Self) -> f64 {
        let mut first = 0;
        let mut sum = 0.0;
        for ((step, draw), g) in self.draws.iter().zip(&self.noise) {
            // Both lists run down the clock: what ended before this step began is passed over for good.
            while other.draws.get(first).is_some_and(|(s, _)| s.to >= step.from) {
                first += 1;
            }
            let overlapping = other.draws[first..].iter().zip(&other.noise[first..]);
            for ((s, d), h) in overlapping.take_while(|((s, _), _)| s.from > step.to) {
                sum += g * h * covariance((*step, *draw), (*s, *d));
            }
        }
        sum
    }
}

/// Mean and standard deviation after a sampler that starts from the exact p_T of N(1, 0.5²).
///
/// # Errors
/// Those of the method.
pub fn propagate(sde: &dyn LinearSde, method: &dyn Method, grid: &Grid) -> Result<(f64, f64)> {
    let model = gaussian()?;
    Ok(Affine::of(Problem { sde, model: &model }, method, grid)?.carry(law(sde, grid.first())))
}

/// E z z′ of two draws: both are ∫ f dŴ with f linear over their step, so that Simpson's rule is exact. Draws that are not of the path are
/// independent of all but themselves.
fn covariance(a: (Step, Draw), b: (Step, Draw)) -> f64 {
    // f at u, the time since the step began over its length.
    let density = |(step, draw): (Step, Draw)| {
        let root = step.root_dt();
        move |u: f64| match draw {
            Draw::Area => 12f64.sqrt() * (0.5 - u) / root,
            _ => 1.0 / root,
        }
    };
    if matches!(a.1, Draw::Corrector(_) | Draw::Other(_))
        || matches!(b.1, Draw::Corrector(_) | Draw::Other(_))
    {
        return f64::from(u8::from(a == b));
    }
    let (high, low) = (a.0.from.min(b.0.from), a.0.to.max(b.0.to));
    let (f, g) = (density(a), density(b));
    let product = |t: f64| {
        let place = |step: Step| (step.from - t) / (step.from - step.to);
        f(place(a.0)) * g(place(b.0))
    };
    (high - low).max(0.0) / 6.0 * (product(high) + 4.0 * product(0.5 * (high + low)) + product(low))
}

/// No noise, and which draws are asked for.
struct Asked(Mutex<Vec<(Step, Draw)>>);

impl Noise for Asked {
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((step, draw));
        Ok(like.zeros_like()?)
    }

    fn path(&self, end: f64) -> Brownian {
        Brownian::new(&Key::root(0), 0, end)
    }
}

/// Row i gets a unit in draw i, and nothing elsewhere.
struct Impulses<'a> {
    draws: &'a [(Step, Draw)],
}

impl Noise for Impulses<'_> {
    fn normal(&self, step: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
        let hits = self.draws.iter().map(|asked| f64::from(u8::from(*asked == (step, draw))));
        model::tensor(hits.collect(), (like.dim(0)?, 1), like)
    }

    fn path(&self, end: f64) -> Brownian {
        Brownian::new(&Key::root(0), 0, end)
    }
}
