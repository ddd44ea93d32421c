//! Gaussian data in one dimension, on which every linear sampler is an affine map of its start and its noise: means, deviations and
//! pathwise differences without sampling anything.

use std::sync::Mutex;

use candle_core::{Device, Tensor};
use tweedie_solvers::clock::{Grid, Step};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::integrate::integrate;
use tweedie_solvers::method::Method;
use tweedie_solvers::noise::Noise;
use tweedie_solvers::sde::LinearSde;
use tweedie_solvers::{Result, model};

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

/// A sampler as an affine map: x_N = `offset` + `gain` x₀ + Σ `noise`_i z_i.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// What a start at 0 ends at, without noise.
    pub offset: f64,
    /// The coefficient of the start.
    pub gain: f64,
    /// The coefficients of the normals, in the order of (step, draw): `draws` to each step.
    pub noise: Vec<f64>,
    /// The normals that are asked for in one step.
    pub draws: usize,
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
        let asked = Asked(Mutex::new(0));
        let plain = run(vec![0.0, 1.0], &asked)?;
        let draws = asked.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let noise = if draws == 0 {
            vec![]
        } else {
            let ends = run(vec![0.0; grid.len() * draws], &Impulses { draws })?;
            ends.into_iter().map(|end| end - plain[0]).collect()
        };
        Ok(Self { offset: plain[0], gain: plain[1] - plain[0], noise, draws })
    }

    /// Mean and standard deviation at the end, from those of the start.
    pub fn carry(&self, (mean, deviation): (f64, f64)) -> (f64, f64) {
        let variance: f64 = self.noise.iter().map(|g| g * g).sum();
        (self.offset + self.gain * mean, (self.gain * deviation).hypot(variance.sqrt()))
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

/// No noise, and how many draws a step asks for.
struct Asked(Mutex<usize>);

impl Noise for Asked {
    fn normal(&self, _: Step, draw: u32, like: &Tensor) -> Result<Tensor> {
        let mut most = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *most = (*most).max(draw as usize + 1);
        Ok(like.zeros_like()?)
    }
}

/// Row i gets a unit in draw i mod `draws` of step i div `draws`, and nothing elsewhere.
struct Impulses {
    draws: usize,
}

impl Noise for Impulses {
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor> {
        let rows = like.dim(0)?;
        let mine = step.index * self.draws + draw as usize;
        model::tensor((0..rows).map(|row| f64::from(u8::from(row == mine))).collect(), (rows, 1), like)
    }
}
