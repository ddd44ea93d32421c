//! Samplers, one file each. A [`Method`] is plain data; it makes a [`Stepper`] that works on one problem.
//!
//! To add one: a file here with the update it performs and its source, and a line in the registry of the workshop.

mod adaptive_sde;
mod additive;
mod ancestral;
mod ancestral_steps;
mod churn;
mod ddim;
mod deis;
mod dopri;
mod dpm_adaptive;
mod er_sde;
mod euler_maruyama;
mod exponential;
mod in_sigma;
mod langevin;
mod multistep;
mod predictor_corrector;
mod restart;
mod reverse_diffusion;
mod rk45;
mod runge_kutta;
mod single_step;
mod tolerance;
mod unipc;
mod visited;
mod walkers;

use std::fmt::Debug;

use candle_core::Tensor;

pub use adaptive_sde::{AdaptiveSde, Rejected};
pub use additive::Additive;
pub use ancestral::Ancestral;
pub use ancestral_steps::AncestralSteps;
pub use churn::Churn;
pub use ddim::Ddim;
pub use deis::DeisTab;
pub use dopri::{Coupling, Dopri, Order as DopriOrder};
pub use dpm_adaptive::DpmAdaptive;
pub use er_sde::{ErSde, NoiseScale};
pub use euler_maruyama::{EulerMaruyama, Maruyama};
pub use exponential::Form;
pub use in_sigma::{Adams, InSigma};
pub use langevin::{AnnealedLangevin, Langevin, Norm, Rule};
pub use multistep::{Multistep, Second, Third};
pub use predictor_corrector::PredictorCorrector;
pub use restart::Restart;
pub use reverse_diffusion::ReverseDiffusion;
pub use rk45::Rk45;
pub use runge_kutta::RungeKutta;
pub use single_step::SingleStep;
pub use tolerance::{Limits, Tolerance};
pub use unipc::{UniPc, Variant};

use crate::Result;
use crate::clock::Step;
use crate::dynamics::{Ode, ProbabilityFlow, Problem};
use crate::grid::DefaultGrid;
use crate::noise::Noise;
use visited::Visited;

/// The order of convergence that a method promises, in the length of the step. A multistep method starts with lower orders: its own shows
/// where the first steps are short, or where little happens in them, as near T.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Pathwise, for methods without noise.
    Deterministic(u8),
    /// For methods with noise: of the law, and of the path that a given Brownian motion drives.
    Stochastic {
        /// Of the law.
        weak: u8,
        /// Of the path; `None` where the noise is not that of a Brownian path of the clock.
        strong: Option<f64>,
    },
    /// None: the error is set by tolerances, or the method does not converge by shortening steps alone.
    None,
}

/// A way to carry samples from noise to data.
pub trait Method: Send + Sync + Debug {
    /// The order that it promises.
    fn order(&self) -> Order;

    /// Evaluations of the model over `steps` steps; `None` where the method decides as it goes.
    fn evals(&self, steps: usize) -> Option<usize>;

    /// The method at work on a problem.
    ///
    /// # Errors
    /// If it cannot work on this problem.
    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>>;

    /// Whether it chooses its own steps between the ends of the grid.
    fn adaptive(&self) -> bool {
        false
    }

    /// What it holds the error of a step to, for those that choose their own steps.
    fn tolerance(&self) -> Option<Tolerance> {
        None
    }

    /// Whether a sample depends on the others of its batch: then a batch must not be split.
    fn couples_batch(&self) -> bool {
        false
    }

    /// Whether its steps are linear in x, in the model's answers and in the noise, with coefficients that depend on none of them, nor on the
    /// shape of x: such a run can be recorded. `false` unless a method says so.
    fn linear(&self) -> bool {
        false
    }

    /// Whether it may ask for noise, beyond the start.
    fn has_noise(&self) -> bool;

    /// Whether the model's density is needed, not its score alone.
    fn needs_density(&self) -> bool {
        false
    }

    /// Whether it can work on batches of so many rows in so many dimensions.
    ///
    /// # Errors
    /// If it cannot: the sentence says what to change.
    fn check(&self, rows: usize, dim: usize) -> Result<()> {
        let _ = (rows, dim);
        Ok(())
    }

    /// The factor by which the law of its corrections, repeated for ever on a Gaussian in `dim` dimensions, is wider in variance than that
    /// Gaussian, however short the corrections are: 1 for what has no such bias.
    fn widening(&self, dim: usize) -> f64 {
        let _ = dim;
        1.0
    }

    /// The grid that its source takes, where none is named.
    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::UniformLogSnr
    }

    /// The ODE method behind it, for those that solve the probability flow.
    fn ode(&self) -> Option<&dyn OdeMethod> {
        None
    }
}

/// A method at work; mutable, because some remember earlier steps.
pub trait Stepper {
    /// How often the model was asked about each row, for methods under which rows differ.
    fn visits(&self) -> Option<&[u64]> {
        None
    }

    /// Carries x (B, D) over one step.
    ///
    /// # Errors
    /// If the model or a tensor operation fails, or an adaptive method cannot go on.
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor>;
}

/// A way to solve any ODE, with time running up or down. On the probability flow it is a [`Method`] too.
pub trait OdeMethod: Send + Sync + Debug {
    /// The order that it promises.
    fn order(&self) -> Order;

    /// Evaluations of the velocity over `steps` steps; `None` where the method decides as it goes.
    fn evals(&self, steps: usize) -> Option<usize>;

    /// x carried over one step.
    ///
    /// # Errors
    /// If the velocity cannot be evaluated, or an adaptive method cannot go on.
    fn advance(&self, ode: &dyn Ode, x: &Tensor, step: Step) -> Result<Tensor>;

    /// Whether it chooses its own steps.
    fn adaptive(&self) -> bool {
        false
    }

    /// What it holds the error of a step to, for those that choose their own steps.
    fn tolerance(&self) -> Option<Tolerance> {
        None
    }

    /// Whether a step is linear in x and in the velocities, with coefficients that depend on neither, nor on the shape of x. `false` unless
    /// a method says so.
    fn linear(&self) -> bool {
        false
    }

    /// Whether a row depends on the others of its batch.
    fn couples_batch(&self) -> bool {
        false
    }
}

/// An ODE method on the probability flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow<M>(pub M);

impl<M: OdeMethod> Method for Flow<M> {
    fn order(&self) -> Order {
        self.0.order()
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        self.0.evals(steps)
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(OdeStepper::new(&self.0, ProbabilityFlow(problem))))
    }

    fn adaptive(&self) -> bool {
        self.0.adaptive()
    }

    fn tolerance(&self) -> Option<Tolerance> {
        self.0.tolerance()
    }

    fn linear(&self) -> bool {
        self.0.linear()
    }

    /// An ODE has none.
    fn has_noise(&self) -> bool {
        false
    }

    fn couples_batch(&self) -> bool {
        self.0.couples_batch()
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::UniformT
    }

    fn ode(&self) -> Option<&dyn OdeMethod> {
        Some(&self.0)
    }
}

/// An ODE method at work on an ODE, for the loop of [`integrate`](crate::integrate::integrate).
pub struct OdeStepper<'a, O> {
    /// The method.
    pub method: &'a dyn OdeMethod,
    /// What it solves.
    pub ode: O,
    visits: Option<Vec<u64>>,
}

impl<'a, O: Ode> OdeStepper<'a, O> {
    /// A method for an ODE.
    pub fn new(method: &'a dyn OdeMethod, ode: O) -> Self {
        Self { method, ode, visits: None }
    }
}

impl<O> Debug for OdeStepper<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OdeStepper({:?})", self.method)
    }
}

impl<O: Ode> Stepper for OdeStepper<'_, O> {
    fn step(&mut self, x: &Tensor, step: Step, _: &dyn Noise) -> Result<Tensor> {
        if !self.method.adaptive() {
            return self.method.advance(&self.ode, x, step);
        }
        let counted = Visited::new(&self.ode, x.dim(0)?, self.visits.take());
        let end = self.method.advance(&counted, x, step);
        self.visits = Some(counted.visits());
        end
    }

    fn visits(&self) -> Option<&[u64]> {
        self.visits.as_deref()
    }
}
