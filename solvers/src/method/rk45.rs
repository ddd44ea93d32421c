//! Dormand–Prince 5(4) with adaptive steps, on tensors of any device (Dormand & Prince 1980; Hairer, Nørsett & Wanner 1993,
//! table II.5.2, and §II.4 for the step control and the first step).
//!
//! Every row of the batch has its own step size, its own error norm and so its own time: a row's path never depends on the rows
//! beside it. Rows that have arrived leave the batch. Each row runs forward in s = |t − t₀|, whichever way time runs.
//!
//! A step is accepted if the root mean square of  e_j / (atol + rtol max(|x_j|, |x_j'|))  over the controlled columns is at most 1;
//! the next step is the old one times 0.9 e^(−1/5), between 0.2 and 10, and not longer right after a rejection. A row whose steps
//! shrink below the least step, or the spacing of numbers, is given up: it is filled with NaN, so that it is counted as diverged.
//!
//! States, stages and errors are f64 whatever the dtype of x, in which the model is asked: what is lost to rounding does not grow with the
//! number of steps.

use candle_core::{DType, Tensor};

use super::tolerance::{Limits, Tolerance};
use super::walkers::{Arrived, choose, norms, select};
use super::{OdeMethod, Order};
use crate::clock::Step;
use crate::dynamics::{At, Ode};
use crate::{Error, Result, model};

const A: [&[f64]; 6] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
const C: [f64; 6] = [1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
/// The difference between the fifth-order weights, which are the last row of A, and the fourth-order ones.
const E: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0];

/// Adaptive Dormand–Prince with tolerances per sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rk45 {
    tolerance: Tolerance,
    limits: Limits,
}

impl Rk45 {
    /// Relative and absolute tolerances, above 0.
    ///
    /// # Errors
    /// If one is not.
    pub fn new(rtol: f64, atol: f64) -> Result<Self> {
        Ok(Self { tolerance: Tolerance::new(rtol, atol)?, limits: Limits::default() })
    }

    /// The same within limits of its steps, in units of t.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Default for Rk45 {
    /// 1e-5 both, as score_sde.
    fn default() -> Self {
        Self { tolerance: Tolerance { rtol: 1e-5, atol: 1e-5 }, limits: Limits::default() }
    }
}

impl OdeMethod for Rk45 {
    fn order(&self) -> Order {
        Order::None
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

    fn advance(&self, ode: &dyn Ode, x: &Tensor, step: Step) -> Result<Tensor> {
        let (dtype, Limits { first, most, .. }) = (x.dtype(), self.limits);
        let columns = ode.controlled(x.dim(1)?);
        let rounding = ode.rounding(dtype);
        let mut run = Run { method: *self, ode, step, columns, dtype, rounding };
        let x = x.to_dtype(DType::F64)?;
        let slope = run.velocity(&x, At::all(&[step.from]))?;
        let lengths = match first {
            Some(first) => vec![first.min(run.length()); x.dim(0)?],
            None => run.first_steps(&x, &slope)?,
        };
        let walkers =
            lengths.into_iter().enumerate().map(|(row, h)| Walker { row, s: 0.0, h, rejected: false });
        let mut walkers: Vec<Walker> = walkers.collect();
        let (mut x, mut slope) = (x, slope);
        let mut arrived = Arrived::default();
        for _ in 0..most {
            (x, slope) = run.attempt(&x, &slope, &mut walkers)?;
            let going: Vec<usize> = (0..walkers.len()).filter(|&i| !run.done(&walkers[i])).collect();
            if going.len() < walkers.len() {
                for (i, w) in walkers.iter().enumerate().filter(|(_, w)| run.done(w)) {
                    if w.h > 0.0 {
                        arrived.take(w.row, &x, i)?;
                    } else {
                        arrived.give_up(w.row, &x, i)?;
                    }
                }
                x = select(&x, &going)?;
                slope = select(&slope, &going)?;
                walkers = going.into_iter().map(|i| walkers[i]).collect();
            }
            if walkers.is_empty() {
                return Ok(arrived.assemble()?.to_dtype(dtype)?);
            }
        }
        Err(self.limits.exhausted("rk45, which chooses its steps,", step.to, self.tolerance))
    }
}

/// One row on its way: s = |t − from| so far, and the step it tries next; h = 0 marks a row given up.
#[derive(Clone, Copy)]
struct Walker {
    row: usize,
    s: f64,
    h: f64,
    rejected: bool,
}

struct Run<'a> {
    method: Rk45,
    ode: &'a dyn Ode,
    step: Step,
    columns: usize,
    /// Of what the ODE is asked about, and the rounding of its answers.
    dtype: DType,
    rounding: f64,
}

impl Run<'_> {
    /// v(x, t) in f64, without the graph that trainable weights leave.
    fn velocity(&self, x: &Tensor, at: At<'_>) -> Result<Tensor> {
        Ok(self.ode.velocity(&x.to_dtype(self.dtype)?, at)?.to_dtype(DType::F64)?.detach())
    }

    fn length(&self) -> f64 {
        self.step.dt().abs()
    }

    fn done(&self, w: &Walker) -> bool {
        w.s >= self.length() || w.h == 0.0
    }

    /// The time of a walker a fraction c into a step of h.
    fn time(&self, w: &Walker, ch: f64) -> f64 {
        let s = w.s + ch;
        if s >= self.length() { self.step.to } else { self.step.from + s.copysign(self.step.dt()) }
    }

    /// One attempt of every walker: moves those whose error is small enough, and sets the step that each tries next.
    fn attempt(&mut self, x: &Tensor, slope: &Tensor, walkers: &mut [Walker]) -> Result<(Tensor, Tensor)> {
        for w in walkers.iter_mut() {
            w.h = w.h.min(self.length() - w.s);
        }
        let signed: Vec<f64> = walkers.iter().map(|w| w.h.copysign(self.step.dt())).collect();
        let h = model::column(&signed, x)?;
        let rows: Vec<usize> = walkers.iter().map(|w| w.row).collect();
        let mut stages = vec![slope.clone()];
        let mut end = x.clone();
        for (row, c) in A.iter().zip(C) {
            end = (x + combine(row, &stages)?.broadcast_mul(&h)?)?;
            let times: Vec<f64> = walkers.iter().map(|w| self.time(w, c * w.h)).collect();
            stages.push(self.velocity(&end, At { t: &times, rows: Some(&rows) })?);
        }
        let error = combine(&E, &stages)?.broadcast_mul(&h)?;
        let size = x.abs()?.maximum(&end.abs()?)?;
        let norms = self.norms(&error, &size)?;
        let mut accepted = Vec::with_capacity(norms.len());
        for (w, norm) in walkers.iter_mut().zip(norms) {
            let grow = if norm.is_finite() { (0.9 * norm.powf(-0.2)).clamp(0.2, 10.0) } else { 0.2 };
            let accept = norm <= 1.0;
            accepted.push(accept);
            if accept {
                let last = w.h >= self.length() - w.s;
                w.s = if last { self.length() } else { w.s + w.h };
                w.h *= if w.rejected { grow.min(1.0) } else { grow };
                w.h = w.h.max(self.method.limits.least);
            } else {
                let spacing = (4.0 * f64::EPSILON * w.s).max(f64::MIN_POSITIVE);
                w.h = self.method.limits.shorter(w.h, w.h * grow.min(1.0), spacing).unwrap_or(0.0);
            }
            w.rejected = !accept;
        }
        Ok((choose(&accepted, &end, x)?, choose(&accepted, &stages[6], slope)?))
    }

    /// Root mean squares of  value / (atol + rtol size)  over the controlled columns, per row, on the host.
    fn norms(&self, value: &Tensor, size: &Tensor) -> Result<Vec<f64>> {
        let scale = self.method.tolerance.sum(size, self.rounding)?;
        norms(&(value / scale)?.narrow(1, 0, self.columns)?)
    }

    /// A first step for every row: Hairer, Nørsett & Wanner 1993, §II.4.
    fn first_steps(&self, x: &Tensor, slope: &Tensor) -> Result<Vec<f64>> {
        let size = x.abs()?;
        let (d0, d1) = (self.norms(x, &size)?, self.norms(slope, &size)?);
        let guess = |(a, b): (&f64, &f64)| if *a < 1e-5 || *b < 1e-5 { 1e-6 } else { 0.01 * a / b };
        let h0: Vec<f64> = d0.iter().zip(&d1).map(guess).map(|h: f64| h.min(self.length())).collect();
        let signed: Vec<f64> = h0.iter().map(|h| h.copysign(self.step.dt())).collect();
        let moved = (x + slope.broadcast_mul(&model::column(&signed, x)?)?)?;
        let times: Vec<f64> = signed.iter().map(|h| self.step.from + h).collect();
        let change = (self.velocity(&moved, At::all(&times))? - slope)?;
        let d2 = self.norms(&change, &size)?;
        let steps = h0.iter().zip(d1.iter().zip(d2)).map(|(&h0, (&d1, change))| {
            let most = d1.max(change / h0);
            let h1 = if most <= 1e-15 { (h0 * 1e-3).max(1e-6) } else { (0.01 / most).powf(0.2) };
            // A row that is not finite from the start gets any step: it is given up by its error.
            (100.0 * h0).min(h1).min(self.length()).max(f64::MIN_POSITIVE)
        });
        Ok(steps.collect())
    }
}

/// Σ wᵢ kᵢ, over the weights that are not 0.
fn combine(weights: &[f64], stages: &[Tensor]) -> Result<Tensor> {
    let mut terms = weights.iter().zip(stages).filter(|(w, _)| **w != 0.0).map(|(w, k)| k * *w);
    let first = terms.next().transpose()?;
    let sum = terms.try_fold(first, |sum, k| -> Result<_> {
        Ok(Some(match sum {
            Some(sum) => (sum + k?)?,
            None => k?,
        }))
    })?;
    sum.ok_or_else(|| Error::Solve("a Runge–Kutta row holds no weight".into()))
}
