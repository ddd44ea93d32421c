//! The only loop over steps, and the sampler that is built on it.

use candle_core::{DType, Device, Tensor};

use crate::clock::Grid;
use crate::count::Counted;
use crate::dynamics::Problem;
use crate::method::{Method, Stepper};
use crate::noise::{self, Noise, Stream};
use crate::observe::{Moment, Observer};
use crate::sde::Use;
use crate::{Key, Result};

/// Carries x (B, W) over the steps of a grid and returns it at the last node, or where an observer broke off.
///
/// # Errors
/// Those of the method, the model and the observer.
pub fn integrate(
    stepper: &mut dyn Stepper,
    mut x: Tensor,
    grid: &Grid,
    noise: &dyn Noise,
    watch: &mut dyn Observer,
) -> Result<Tensor> {
    for step in grid.steps() {
        // Detached: candle would otherwise chain the whole run into one graph when the weights are trainable.
        x = stepper.step(&x, step, noise)?.detach();
        if watch.observe(&Moment { step, x: &x })?.is_break() {
            break;
        }
    }
    Ok(x)
}

/// What is done at the last node, ε.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finish {
    /// Nothing: the result is x at ε.
    #[default]
    Stop,
    /// One more evaluation: the result is E[x₀ | x], Tweedie's formula.
    Denoise,
}

/// A method on a grid for a problem.
#[derive(Clone, Copy, Debug)]
pub struct Sampler<'a> {
    /// The SDE and the model.
    pub problem: Problem<'a>,
    /// The method.
    pub method: &'a dyn Method,
    /// The nodes, from noise to data.
    pub grid: &'a Grid,
    /// What is done at the end.
    pub finish: Finish,
}

/// What a sampler returns.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The samples, (B, D).
    pub x: Tensor,
    /// Evaluations of the model for each sample, counted at the model.
    pub evals: Vec<f64>,
}

impl Sampler<'_> {
    /// Samples `first .. first + rows` of a key, started from the prior N(0, σ(T)² I).
    ///
    /// # Errors
    /// Those of the method and the model.
    pub fn draw(
        &self,
        key: &Key,
        first: u64,
        rows: usize,
        device: &Device,
        dtype: DType,
    ) -> Result<Solution> {
        let sigma = self.problem.sde.kernel(self.grid.first()).sigma;
        let x = noise::prior(key, sigma, (first, rows, self.problem.model.dim()), (device, dtype))?;
        self.run(x, &Stream::new(key, first), &mut ())
    }

    /// The same from given points at the first node.
    ///
    /// # Errors
    /// Those of the method, the model and the observer.
    pub fn run(&self, x: Tensor, noise: &dyn Noise, watch: &mut dyn Observer) -> Result<Solution> {
        let rows = x.dim(0)?;
        self.method.check(rows, self.problem.model.dim())?;
        let counted = Counted::new(self.problem.model);
        let problem = Problem { sde: self.problem.sde, model: &counted };
        let mut stepper = self.method.stepper(problem)?;
        let mut x = integrate(&mut *stepper, x, self.grid, noise, watch)?;
        let mut evals = counted.per_row(rows, stepper.visits());
        if self.finish == Finish::Denoise {
            let last = Counted::new(self.problem.model);
            x = Problem { model: &last, ..problem }.predict(&x, &[self.grid.last()])?.denoised()?.detach();
            evals.iter_mut().zip(last.per_row(rows, None)).for_each(|(n, last)| *n += last);
        }
        Ok(Solution { x, evals })
    }
}

/// The grid of a sampler run: all nodes for a method of fixed steps, the two ends for an adaptive one.
///
/// # Errors
/// Those of the spacing.
pub fn sampling_grid(
    sde: &dyn crate::sde::LinearSde,
    spacing: &dyn crate::grid::Spacing,
    method: &dyn Method,
    steps: usize,
) -> Result<Grid> {
    let span = sde.span(Use::Sampling);
    let grid = spacing.grid(sde, span, steps)?;
    if method.adaptive() { Grid::new(vec![grid.first(), grid.last()]) } else { Ok(grid) }
}
