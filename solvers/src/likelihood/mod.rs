//! Log-densities through the probability flow (Song et al. 2021, eq. 39; Chen et al. 2018, theorem 1):
//!
//! log p_ε(x) = log N(x_T; 0, σ(T)² I) + ∫_ε^T ∇·v(x_t, t) dt   along dx/dt = v from x_ε = x.
//!
//! The integral is one more column of the state, so that every ODE method is a likelihood method. The result is the density at ε,
//! not at 0. With the flow's row, v = c_x x + c_r r(x) for the model's raw output r, and so ∇·v = c_x D + c_r tr ∂r/∂x; only the
//! last trace needs derivatives of the model:
//!
//! * exact: D forward-mode derivatives along the axes;
//! * Hutchinson (1990): the mean over k probes of uᵀ(∂r/∂x)u with E uuᵀ = I. Probes are fixed for a solve, so that the right-hand
//!   side is a function; each probe's integral is a column of its own, and their spread gives the standard error.

mod augmented;

use candle_core::Tensor;

use crate::clock::Grid;
use crate::count::Counted;
use crate::dynamics::{ProbabilityFlow, Problem};
use crate::integrate::integrate;
use crate::method::{OdeMethod, OdeStepper, Stepper};
use crate::noise::Stream;
use crate::{Error, Key, Result, model};

use augmented::Augmented;

/// How the trace of the model's Jacobian is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// All D directions.
    Exact,
    /// Random probes.
    Hutchinson {
        /// How many, k ≥ 1.
        probes: usize,
        /// Their law.
        law: Probe,
    },
}

/// The law of a probe; both have covariance I.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probe {
    /// ±1 per coordinate: for a symmetric Jacobian J the variance is 2 Σ_{i≠j} J_ij².
    #[default]
    Rademacher,
    /// N(0, I): for a symmetric Jacobian J the variance is 2 ‖J‖_F².
    Gaussian,
}

/// Log-densities of points, with what they cost.
#[derive(Clone, Debug)]
pub struct LogDensity {
    /// log p_ε(x) in nats, one for each point.
    pub log_p: Vec<f64>,
    /// Its standard error over the probes; only for Hutchinson with two probes or more, and `None` at a point whose probes are all equal up to
    /// sign: u and −u give the same trace, so that their spread is 0 whatever the error is. In the plane that happens to 2^(1−k) of all
    /// points under k Rademacher probes.
    pub standard_error: Option<Vec<Option<f64>>>,
    /// Where the flow carries the points: (B, D) at T.
    pub latent: Tensor,
    /// Evaluations of the model for each point; a derivative along one direction counts as one.
    pub evals: Vec<f64>,
}

/// The flow of a problem under an ODE method on a grid.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// The SDE and the model.
    pub problem: Problem<'a>,
    /// The ODE method.
    pub method: &'a dyn OdeMethod,
    /// The nodes between ε and T, in either order; an adaptive method uses the two ends.
    pub grid: &'a Grid,
}

impl Flow<'_> {
    /// x (B, D) at ε carried to the prior at T.
    ///
    /// # Errors
    /// Those of the method and the model.
    pub fn encode(&self, x: &Tensor) -> Result<Tensor> {
        self.carry(x, true)
    }

    /// z (B, D) at T carried to ε: the inverse of [`encode`](Self::encode) up to the error of the method.
    ///
    /// # Errors
    /// Those of the method and the model.
    pub fn decode(&self, z: &Tensor) -> Result<Tensor> {
        self.carry(z, false)
    }

    fn carry(&self, x: &Tensor, rising: bool) -> Result<Tensor> {
        let mut stepper = OdeStepper::new(self.method, ProbabilityFlow(self.problem));
        // An ODE asks for no noise.
        integrate(&mut stepper, x.clone(), &self.nodes(rising)?, &Stream::new(&Key::root(0), 0), &mut ())
    }

    fn nodes(&self, rising: bool) -> Result<Grid> {
        let grid = if self.method.adaptive() {
            Grid::new(vec![self.grid.first(), self.grid.last()])?
        } else {
            self.grid.clone()
        };
        Ok(if (grid.last() > grid.first()) == rising { grid } else { grid.reversed() })
    }

    /// log p_ε of the rows of x (B, D), which are points `first …` as far as probes are concerned.
    ///
    /// # Errors
    /// Those of the method and the model; and if the model offers no derivative, or there are no probes.
    pub fn log_density(
        &self,
        x: &Tensor,
        divergence: Divergence,
        key: &Key,
        first: u64,
    ) -> Result<LogDensity> {
        let (rows, dim) = x.dims2()?;
        if dim != self.problem.model.dim() {
            return Err(Error::shape("the points", format!("(B, {})", self.problem.model.dim()), x.dims()));
        }
        let counted = Counted::new(self.problem.model);
        let problem = Problem { sde: self.problem.sde, model: &counted };
        let augmented = Augmented::new(problem, divergence)?;
        let mut stepper = OdeStepper::new(self.method, augmented);
        let nodes = self.nodes(true)?;
        let start = augmented.start(x, key, first)?;
        let end = integrate(&mut stepper, start, &nodes, &Stream::new(key, first), &mut ())?;
        let latent = end.narrow(1, 0, dim)?.contiguous()?;
        let prior = log_prior(&latent, self.problem.sde.kernel(nodes.last()).sigma)?;
        let integrals = model::read_rows(&end.narrow(1, dim, augmented.integrals())?)?;
        let told = augmented.told_apart(&end)?;
        let (mut log_p, mut errors) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for ((prior, integrals), told) in prior.iter().zip(&integrals).zip(told) {
            let k = integrals.len() as f64;
            let mean = integrals.iter().sum::<f64>() / k;
            let spread = integrals.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            log_p.push(prior + mean);
            errors.push(told.then(|| (spread / (k * (k - 1.0))).sqrt()));
        }
        let standard_error = (augmented.integrals() > 1).then_some(errors);
        Ok(LogDensity { log_p, standard_error, latent, evals: counted.per_row(rows, stepper.visits()) })
    }
}

/// log N(z; 0, σ² I) of the rows.
fn log_prior(z: &Tensor, sigma: f64) -> Result<Vec<f64>> {
    let rows = model::read_rows(z)?;
    let log = |row: &Vec<f64>| {
        let square: f64 = row.iter().map(|v| (v / sigma).powi(2)).sum();
        -0.5 * square - row.len() as f64 * (0.5 * std::f64::consts::TAU.ln() + sigma.ln())
    };
    Ok(rows.iter().map(log).collect())
}

/// Nats to bits per dimension: −log₂ p / D.
pub fn bits_per_dimension(log_p: f64, dim: usize) -> f64 {
    -log_p / (dim as f64 * std::f64::consts::LN_2)
}

/// A row of ones and zeros along axis `i`, for (rows, dim).
fn axis(i: usize, rows: usize, dim: usize, like: &Tensor) -> Result<Tensor> {
    let row: Vec<f64> = (0..dim).map(|j| f64::from(u8::from(i == j))).collect();
    Ok(model::tensor(row, (1, dim), like)?.broadcast_as((rows, dim))?.contiguous()?)
}
