//! What is integrated: an SDE together with a model of its score, as a reverse SDE or as the probability-flow ODE.

use candle_core::{DType, Tensor};

use crate::Result;
use crate::model::{Prediction, ScoreModel};
use crate::sde::{LinearSde, Sde};

/// An SDE and a model of the noised data: all that a sampler needs.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    /// The forward diffusion.
    pub sde: &'a dyn LinearSde,
    /// The model of its score.
    pub model: &'a dyn ScoreModel,
}

impl std::fmt::Debug for Problem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Problem({:?}, {} dimensions)", self.sde, self.model.dim())
    }
}

impl Problem<'_> {
    /// What the model says about x (B, D) at one time, or at one for each row, without the graph that trainable weights leave: solvers do not
    /// differentiate, and candle would chain a whole run into one graph.
    ///
    /// # Errors
    /// Those of the model.
    pub fn predict(&self, x: &Tensor, t: &[f64]) -> Result<Prediction> {
        let at: Vec<_> = t.iter().map(|&t| self.sde.kernel(t)).collect();
        Ok(Prediction::of(self.model, x, &at)?.detach())
    }
}

/// When a velocity is asked, and for which rows: adaptive methods drop the rows that have arrived.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// One time for the batch, or one for each row.
    pub t: &'a [f64],
    /// The numbers of the rows in the batch that the solve began with; `None` while all of them are there.
    pub rows: Option<&'a [usize]>,
}

impl<'a> At<'a> {
    /// The whole batch, at one time or at one for each row.
    pub fn all(t: &'a [f64]) -> Self {
        Self { t, rows: None }
    }
}

/// dx = v(x, t) dt.
pub trait Ode: Send + Sync {
    /// v(x, t) for x of shape (B, W).
    ///
    /// # Errors
    /// If the model or a tensor operation fails.
    fn velocity(&self, x: &Tensor, at: At<'_>) -> Result<Tensor>;

    /// The relative rounding error of velocities at states of a dtype: the dtype's, or the model's where that is larger.
    fn rounding(&self, dtype: DType) -> f64 {
        crate::model::rounding(dtype)
    }

    /// How many leading columns of the state an adaptive method controls; the others never change.
    fn controlled(&self, width: usize) -> usize {
        width
    }
}

/// The reverse SDE with noise level λ (Song et al. 2021, eq. 6 at λ = 1; Zhang & Chen 2023, eq. 6):
/// dx = [a x − ½ (1 + λ²) g² ∇log p_t(x)] dt + λ g dw, with time running down.
#[derive(Clone, Copy, Debug)]
pub struct Reverse<'a> {
    /// The SDE and its model.
    pub problem: Problem<'a>,
    /// λ ≥ 0.
    pub lambda: f64,
}

impl Sde for Reverse<'_> {
    fn drift(&self, x: &Tensor, t: f64) -> Result<Tensor> {
        let row = self.problem.sde.reverse(t, self.lambda);
        self.problem.predict(x, &[t])?.read(|_| row)
    }

    fn diffusion(&self, t: f64) -> f64 {
        self.lambda * self.problem.sde.diffusion(t)
    }
}

/// The probability-flow ODE (Song et al. 2021, eq. 13): dx/dt = a x − ½ g² ∇log p_t(x) = α̇ x̂₀ + σ̇ ε̂.
#[derive(Clone, Copy, Debug)]
pub struct ProbabilityFlow<'a>(pub Problem<'a>);

impl Ode for ProbabilityFlow<'_> {
    fn velocity(&self, x: &Tensor, at: At<'_>) -> Result<Tensor> {
        self.0.predict(x, at.t)?.read_rows(at.t.iter().map(|&t| self.0.sde.kernel_rate(t)))
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.0.model.rounding(dtype)
    }
}
