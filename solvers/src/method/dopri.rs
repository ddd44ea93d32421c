//! `dopri5` and `dop853`: the solvers of the crate `ode_solvers`, after Hairer, Nørsett & Wanner's Fortran codes, in f64 on the CPU.
//!
//! The reference that the tensor methods are checked with, not the fast path: by default every sample is solved as an ODE of its
//! own, one evaluation of the model per sample and stage, so that it does not depend on the others. `coupling = "batch"` solves
//! the batch as one system with one step size, as score_sde does with scipy.
//!
//! The crate's dense output panics or hangs when time runs down, so it is always handed s = |t − t₀| and sparse output. Its `Dop853`
//! (0.6.2) evaluates the twelfth stage at the time of the first, which ruins it where the velocity depends on time. So s is a
//! state of its own, with slope 1, and the system that the crate sees does not depend on time. That column has no error; the
//! tolerances are multiplied by √(n/(n+1)), which takes it out of the mean of n + 1 squares again.

use std::cell::RefCell;

use candle_core::{DType, Tensor};
use ode_solvers::dop_shared::IntegrationError;
use ode_solvers::{DVector, Dop853, Dopri5, OutputType, System};

use super::tolerance::{Limits, Tolerance};
use super::{OdeMethod, Order as MethodOrder};
use crate::clock::Step;
use crate::dynamics::{At, Ode};
use crate::{Error, Result, model};

/// Which of the two codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Dormand–Prince 5(4).
    Five,
    /// Dormand–Prince 8(5,3).
    Eight,
}

/// What shares a step size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coupling {
    /// Each sample has its own.
    #[default]
    Sample,
    /// The whole batch is one system.
    Batch,
}

/// An adaptive solver of `ode_solvers`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dopri {
    order: Order,
    tolerance: Tolerance,
    coupling: Coupling,
    limits: Limits,
}

impl Dopri {
    /// A code with its tolerances, above 0.
    ///
    /// # Errors
    /// If a tolerance is not above 0.
    pub fn new(order: Order, rtol: f64, atol: f64, coupling: Coupling) -> Result<Self> {
        Ok(Self { order, tolerance: Tolerance::new(rtol, atol)?, coupling, limits: Limits::default() })
    }

    /// The same within limits of its steps, in units of t.
    ///
    /// # Errors
    /// If there is a least step: the codes know none.
    pub fn within(self, limits: Limits) -> Result<Self> {
        if limits.least > 0.0 {
            return Err(Error::parameter("min-step", limits.least, "be 0: ode_solvers knows no least step"));
        }
        Ok(Self { limits, ..self })
    }
}

impl OdeMethod for Dopri {
    fn order(&self) -> MethodOrder {
        MethodOrder::None
    }

    fn evals(&self, _: usize) -> Option<usize> {
        None
    }

    fn adaptive(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Option<Tolerance> {
        Some(self.tolerance)
    }

    fn couples_batch(&self) -> bool {
        self.coupling == Coupling::Batch
    }

    fn advance(&self, ode: &dyn Ode, x: &Tensor, step: Step) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        // ode_solvers works on the host.
        let start = model::read_rows(x)?;
        let like = Tensor::zeros((1, 1), DType::F64, x.device())?;
        let bundle = if self.coupling == Coupling::Batch { rows } else { 1 };
        let mut end = Vec::with_capacity(rows * width);
        let numbers: Vec<usize> = (0..rows).collect();
        for (rows, numbers) in start.chunks(bundle.max(1)).zip(numbers.chunks(bundle.max(1))) {
            let columns = ode.controlled(width);
            let rounding = ode.rounding(x.dtype());
            let failure = RefCell::default();
            let system = Rows { ode, step, like: &like, rows, numbers, columns, rounding, failure };
            end.extend(self.solve(&system)?);
        }
        model::tensor(end, (rows, width), x)
    }
}

impl Dopri {
    fn solve(&self, system: &Rows<'_>) -> Result<Vec<f64>> {
        let length = system.step.dt().abs();
        let controlled = system.rows.iter().flat_map(|row| row[..system.columns].iter().copied());
        let count = system.rows.len() * system.columns;
        let y0 = DVector::from_iterator(count + 1, controlled.chain([0.0]));
        let without_time = (count as f64 / (count + 1) as f64).sqrt();
        // No less than the model's answers can keep, and the result can hold.
        let Tolerance { rtol, atol } = self.tolerance;
        let rtol = rtol.max(Tolerance::least(system.rounding));
        let (rtol, atol, sparse) = (rtol * without_time, atol * without_time, OutputType::Sparse);
        let first = self.limits.first.map_or(0.0, |first| first.min(length));
        let tries = u32::try_from(self.limits.most).unwrap_or(u32::MAX);
        // The codes' own defaults, with the stiffness test switched off: it would end a run that only needs more steps.
        let (outcome, end) = match self.order {
            Order::Five => {
                let (safety, beta, least, most) = (0.9, 0.04, 0.2, 10.0);
                let mut solver = Dopri5::from_param(
                    system,
                    0.0,
                    length,
                    length,
                    y0,
                    rtol,
                    atol,
                    safety,
                    beta,
                    least,
                    most,
                    length,
                    first,
                    tries,
                    u32::MAX,
                    sparse,
                );
                (solver.integrate(), solver.y_out().last().cloned())
            }
            Order::Eight => {
                let (safety, beta, least, most) = (0.9, 0.0, 0.333, 6.0);
                let mut solver = Dop853::from_param(
                    system,
                    0.0,
                    length,
                    length,
                    y0,
                    rtol,
                    atol,
                    safety,
                    beta,
                    least,
                    most,
                    length,
                    first,
                    tries,
                    u32::MAX,
                    sparse,
                );
                (solver.integrate(), solver.y_out().last().cloned())
            }
        };
        if let Some(error) = system.failure.take() {
            return Err(error);
        }
        match (outcome, end) {
            (Ok(_), Some(end)) => Ok(system.restore(&end)),
            // A right-hand side that is not finite ends like this: the rows are counted as diverged.
            (Err(IntegrationError::StepSizeUnderflow { .. }), _) | (Ok(_), None) => {
                Ok(vec![f64::NAN; system.rows.len() * system.rows[0].len()])
            }
            (Err(IntegrationError::MaxNumStepReached { .. }), _) => {
                Err(self.limits.exhausted("ode_solvers", system.step.to, self.tolerance))
            }
            (Err(error), _) => Err(Error::Solve(format!("ode_solvers gave up: {error}"))),
        }
    }
}

/// Some rows as one system; its state is their controlled columns, and s.
struct Rows<'a> {
    ode: &'a dyn Ode,
    step: Step,
    like: &'a Tensor,
    rows: &'a [Vec<f64>],
    /// Which rows of the batch these are.
    numbers: &'a [usize],
    columns: usize,
    rounding: f64,
    failure: RefCell<Option<Error>>,
}

impl Rows<'_> {
    /// The full rows around a state.
    fn restore(&self, y: &DVector<f64>) -> Vec<f64> {
        let states = y.as_slice()[..y.len() - 1].chunks_exact(self.columns);
        states.zip(self.rows).flat_map(|(y, row)| y.iter().chain(&row[self.columns..]).copied()).collect()
    }

    fn slope(&self, y: &DVector<f64>) -> Result<Vec<f64>> {
        let (s, length) = (y[y.len() - 1], self.step.dt().abs());
        let t = if s >= length { self.step.to } else { self.step.from + s.copysign(self.step.dt()) };
        let x = model::tensor(self.restore(y), (self.rows.len(), self.rows[0].len()), self.like)?;
        let v = self.ode.velocity(&x, At { t: &[t], rows: Some(self.numbers) })?;
        let v = model::read(&v.narrow(1, 0, self.columns)?)?;
        Ok(v.into_iter().map(|v| v * self.step.dt().signum()).chain([1.0]).collect())
    }
}

impl System<f64, DVector<f64>> for &Rows<'_> {
    fn system(&self, _: f64, y: &DVector<f64>, dy: &mut DVector<f64>) {
        match self.slope(y) {
            Ok(slope) => dy.copy_from_slice(&slope),
            Err(error) => {
                self.failure.borrow_mut().get_or_insert(error);
                dy.fill(0.0);
            }
        }
    }

    fn solout(&mut self, _: f64, _: &DVector<f64>, _: &DVector<f64>) -> bool {
        self.failure.borrow().is_some()
    }
}
