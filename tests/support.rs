//! What the tests share: Gaussian data in one dimension, on which every linear sampler is an affine map of known noise.

use candle_core::{Device, Tensor};
use tweedie_solvers::clock::{Grid, Step};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::integrate::integrate;
use tweedie_solvers::method::Method;
use tweedie_solvers::noise::Noise;
use tweedie_solvers::sde::LinearSde;
use tweedie_solvers::{Result, model};

/// N(1, 0.5²).
pub(crate) fn gaussian() -> Mixture {
    Mixture::gaussian(vec![1.0], 0.5).unwrap()
}

/// Mean and standard deviation of p_t for N(1, 0.5²).
pub(crate) fn law(sde: &dyn LinearSde, t: f64) -> (f64, f64) {
    let k = sde.kernel(t);
    (k.alpha, k.deviation(0.5))
}

/// Row 2 + i gets a unit of noise in step i and none elsewhere; rows 0 and 1 get none.
struct Impulses;

impl Noise for Impulses {
    fn normal(&self, step: Step, draw: u32, like: &Tensor) -> Result<Tensor> {
        assert_eq!(draw, 0, "an affine chain has one draw a step");
        let rows = like.dim(0)?;
        let values = (0..rows).map(|row| f64::from(u8::from(row == step.index + 2))).collect();
        model::tensor(values, (rows, 1), like)
    }
}

/// Mean and standard deviation after a sampler that starts from the exact p_T of N(1, 0.5²): no Monte Carlo. The sampler is
/// affine in its start and its noise, so its coefficients are read off by unit impulses.
pub(crate) fn propagate(sde: &dyn LinearSde, method: &dyn Method, grid: &Grid) -> (f64, f64) {
    let model = gaussian();
    let rows = grid.len() + 2;
    let mut start = vec![0.0; rows];
    start[1] = 1.0;
    let x = Tensor::from_vec(start, (rows, 1), &Device::Cpu).unwrap();
    let mut stepper = method.stepper(Problem { sde, model: &model }).unwrap();
    let end = integrate(&mut *stepper, x, grid, &Impulses, &mut ()).unwrap();
    let end: Vec<f64> = end.flatten_all().unwrap().to_vec1().unwrap();
    let (mean, deviation) = law(sde, grid.first());
    let gains = std::iter::once((end[1] - end[0]) * deviation).chain(end[2..].iter().map(|e| e - end[0]));
    let variance: f64 = gains.map(|g| g * g).sum();
    (end[0] + (end[1] - end[0]) * mean, variance.sqrt())
}

/// 2-Wasserstein distance of two Gaussians on the line.
pub(crate) fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}
