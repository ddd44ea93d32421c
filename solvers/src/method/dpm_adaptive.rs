//! DPM-Solver-12 and -23 with adaptive steps (Lu et al. 2022a, appendix C; the authors' `dpm_solver_adaptive`), for noise or data prediction. An
//! attempt takes a step of length h in log-SNR with the methods of orders k − 1 and k, k = 2 or 3, whose difference over
//! max(atol, rtol max(|x_low|, |x_prev|)) has the root mean square E: the step of order k is taken if E ≤ 1, and h ← 0.9 h E^(−1/k).
//!
//! The published tolerances, 0.05 and 0.0078, are loose where α = 1: rtol is a share of |x|, which there begins at σ(T), and an error made early
//! stays. Where the authors take the largest E of the batch, every row has its own step, error and time here: a row never depends on its companions.

use candle_core::{DType, Tensor};

use super::exponential::{Form, Leap};
use super::tolerance::{Limits, Tolerance};
use super::walkers::{Arrived, choose, norms, select};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::kernel::{Kernel, Target};
use crate::noise::Noise;
use crate::{Error, Result, model};

/// The adaptive DPM-Solver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DpmAdaptive {
    form: Form,
    order: usize,
    tolerance: Tolerance,
    limits: Limits,
}

/// The authors' first step, and the step at which a row is given up, in log-SNR.
const FIRST: f64 = 0.05;
const LEAST: f64 = 1e-12;

impl DpmAdaptive {
    /// Order 2 (DPM-Solver-12) or 3 (-23), and tolerances above 0; the authors' are 0.05 and 0.0078.
    ///
    /// # Errors
    /// If a number is out of its domain.
    pub fn new(form: Form, order: usize, rtol: f64, atol: f64) -> Result<Self> {
        if !(2..=3).contains(&order) {
            return Err(Error::parameter("order", order, "be 2 or 3"));
        }
        Ok(Self { form, order, tolerance: Tolerance::new(rtol, atol)?, limits: Limits::default() })
    }

    /// The same within limits of its steps, in units of log-SNR.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Method for DpmAdaptive {
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

    fn has_noise(&self) -> bool {
        false
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: *self, problem, visits: vec![], dtype: DType::F64 }))
    }
}

struct Walk<'a> {
    method: DpmAdaptive,
    problem: Problem<'a>,
    visits: Vec<u64>,
    /// Of what the model is asked about; all else is f64.
    dtype: DType,
}

/// A row on its way: its time, and the step in log-SNR that it tries next.
#[derive(Clone, Copy)]
struct Walker {
    row: usize,
    t: f64,
    h: f64,
}

/// A prediction, and its factor on each row's leap.
type Part<'a> = (&'a dyn Fn(&Leap) -> f64, &'a Tensor);

/// c x + Σ w m, every factor one number for each row.
fn combine(x: &Tensor, leaps: &[Leap], parts: &[Part<'_>]) -> Result<Tensor> {
    let keep: Vec<f64> = leaps.iter().map(|l| l.keep).collect();
    let mut sum = x.broadcast_mul(&model::column(&keep, x)?)?;
    for (weight, m) in parts {
        let weights: Vec<f64> = leaps.iter().map(weight).collect();
        sum = (sum + m.broadcast_mul(&model::column(&weights, x)?)?)?;
    }
    Ok(sum)
}

impl Walk<'_> {
    /// The prediction for every row at its own time.
    fn predict(&mut self, x: &Tensor, at: &[f64], walkers: &[Walker]) -> Result<Tensor> {
        walkers.iter().for_each(|w| self.visits[w.row] += 1);
        let target = match self.method.form {
            Form::Data => Target::Data,
            Form::Noise => Target::Noise,
        };
        let found = self.problem.predict(&x.to_dtype(self.dtype)?, at)?.read(|k| k.row(target))?;
        Ok(found.to_dtype(DType::F64)?)
    }

    /// Steps of order k − 1 and k from every row's time over its h, to these kernels.
    fn attempt(&mut self, x: &Tensor, walkers: &[Walker], ends: &[Kernel]) -> Result<(Tensor, Tensor)> {
        let (sde, form) = (self.problem.sde, self.method.form);
        let from: Vec<Kernel> = walkers.iter().map(|w| sde.kernel(w.t)).collect();
        let leaps = |to: &[Kernel]| -> Vec<Leap> {
            from.iter().zip(to).map(|(&from, &to)| Leap::new(form, from, to)).collect()
        };
        let part = |r: f64| -> (Vec<f64>, Vec<Kernel>) {
            let times = from
                .iter()
                .zip(ends)
                .map(|(from, to)| sde.time_at(from.log_snr() + r * (to.log_snr() - from.log_snr())));
            let times: Vec<f64> = times.collect();
            let kernels = times.iter().map(|&t| sde.kernel(t)).collect();
            (times, kernels)
        };
        let whole = leaps(ends);
        let times: Vec<f64> = walkers.iter().map(|w| w.t).collect();
        let m = self.predict(x, &times, walkers)?;
        let r1 = if self.method.order == 2 { 0.5 } else { 1.0 / 3.0 };
        let (times, kernels) = part(r1);
        let m1 = self.predict(&combine(x, &leaps(&kernels), &[(&|l| l.weight(1), &m)])?, &times, walkers)?;
        let d1 = (&m1 - &m)?;
        let second = combine(x, &whole, &[(&|l| l.weight(1), &m), (&|l| 0.5 * l.weight(1) / r1, &d1)])?;
        if self.method.order == 2 {
            return Ok((combine(x, &whole, &[(&|l| l.weight(1), &m)])?, second));
        }
        let r2 = 2.0 / 3.0;
        let (times, kernels) = part(r2);
        let ahead =
            combine(x, &leaps(&kernels), &[(&|l| l.weight(1), &m), (&|l| l.weight(2) * r2 / r1, &d1)])?;
        let d2 = (self.predict(&ahead, &times, walkers)? - &m)?;
        Ok((second, combine(x, &whole, &[(&|l| l.weight(1), &m), (&|l| l.weight(2) / r2, &d2)])?))
    }
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, _: &dyn Noise) -> Result<Tensor> {
        let (sde, DpmAdaptive { order, tolerance, limits, .. }) = (self.problem.sde, self.method);
        let (rows, goal) = (x.dim(0)?, sde.kernel(step.to).log_snr());
        self.visits.resize(rows, 0);
        self.dtype = x.dtype();
        let rounding = self.problem.model.rounding(self.dtype);
        let h = limits.first.unwrap_or(FIRST);
        let mut walkers: Vec<Walker> = (0..rows).map(|row| Walker { row, t: step.from, h }).collect();
        let mut x = x.to_dtype(DType::F64)?;
        let mut before = x.clone();
        let mut arrived = Arrived::default();
        for _ in 0..limits.most {
            let ends = walkers.iter().map(|w| {
                let lambda = sde.kernel(w.t).log_snr() + w.h;
                if lambda >= goal { step.to } else { sde.time_at(lambda) }
            });
            let ends: Vec<f64> = ends.collect();
            let kernels: Vec<Kernel> = ends.iter().map(|&t| sde.kernel(t)).collect();
            let (low, high) = self.attempt(&x, &walkers, &kernels)?;
            let scale = tolerance.larger(&low.abs()?.maximum(&before.abs()?)?, rounding)?;
            let errors = norms(&((&high - &low)? / scale)?)?;
            let accepted: Vec<bool> = errors.iter().map(|e| *e <= 1.0).collect();
            x = choose(&accepted, &high, &x)?;
            before = choose(&accepted, &low, &before)?;
            let (mut going, mut next) = (vec![], vec![]);
            for (i, w) in walkers.iter().enumerate() {
                let tried = kernels[i].log_snr() - sde.kernel(w.t).log_snr();
                let grow =
                    if errors[i].is_finite() { 0.9 * errors[i].powf(-1.0 / order as f64) } else { 0.2 };
                let (t, h) = (if accepted[i] { ends[i] } else { w.t }, tried * grow.max(1e-6));
                let h = if accepted[i] { Some(h.max(limits.least)) } else { limits.shorter(tried, h, LEAST) };
                if accepted[i] && t == step.to {
                    arrived.take(w.row, &x, i)?;
                } else if let Some(h) = h {
                    going.push(i);
                    next.push(Walker { t, h, ..*w });
                } else {
                    arrived.give_up(w.row, &x, i)?;
                }
            }
            if going.len() < walkers.len() && !going.is_empty() {
                (x, before) = (select(&x, &going)?, select(&before, &going)?);
            }
            walkers = next;
            if walkers.is_empty() {
                return Ok(arrived.assemble()?.to_dtype(self.dtype)?);
            }
        }
        Err(limits.exhausted("dpm-adaptive, which chooses its steps,", step.to, tolerance))
    }

    fn visits(&self) -> Option<&[u64]> {
        Some(&self.visits)
    }
}
