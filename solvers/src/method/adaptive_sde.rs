//! Adaptive steps on the reverse SDE with noise level λ (Jolicoeur-Martineau et al. 2021, algorithm 1 with the defaults of its code). An attempt
//! over a length h of time with Brownian increment w makes Euler–Maruyama's x′ = x + h f₀ + g₀ w and the improved Euler step
//! x″ = ½ (x + h f₀ + g₀ w) + ½ (x + h f(x′) + g₁ w); with E the root mean square of (x″ − x′)/max(atol, rtol max(|x′|, |x′_prev|)),
//! x″ is taken if E ≤ 1, and h ← 0.9 h E^(−0.9). Every row has its own step, error and time.
//!
//! What is tried again after a rejection must stay on the Brownian path that was seen, or noise that made large errors is thrown away and the law
//! becomes too narrow. Increments here are read off one path for each sample, which is their bridge. The published code draws afresh
//! (`rejected = "fresh"`).

use candle_core::{DType, Tensor};

use super::tolerance::{Limits, Tolerance};
use super::walkers::{Arrived, choose, norms, select};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::{Brownian, Draw, Noise};
use crate::{Result, error, model};

/// What drives an attempt after a rejected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The same Brownian path.
    Bridge,
    /// New noise, as in the published code: biased.
    Fresh,
}

/// The adaptive method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveSde {
    lambda: f64,
    tolerance: Tolerance,
    rejected: Rejected,
    limits: Limits,
}

/// The published first step, and the step at which a row is given up, in lengths of the span.
const FIRST: f64 = 0.01;
const LEAST: f64 = 1e-10;

impl AdaptiveSde {
    /// Noise level λ ≥ 0 and tolerances above 0; the published ones are 0.01 both.
    ///
    /// # Errors
    /// If a number is out of its domain.
    pub fn new(lambda: f64, rtol: f64, atol: f64, rejected: Rejected) -> Result<Self> {
        let (lambda, tolerance) = (error::non_negative("lambda", lambda)?, Tolerance::new(rtol, atol)?);
        Ok(Self { lambda, tolerance, rejected, limits: Limits::default() })
    }

    /// The same within limits of its steps, in units of t.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Method for AdaptiveSde {
    fn order(&self) -> Order {
        Order::None
    }

    fn evals(&self, _: usize) -> Option<usize> {
        None
    }

    fn adaptive(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.lambda > 0.0
    }

    fn tolerance(&self) -> Option<Tolerance> {
        Some(self.tolerance)
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: *self, problem, visits: vec![], dtype: DType::F64 }))
    }
}

struct Walk<'a> {
    method: AdaptiveSde,
    problem: Problem<'a>,
    visits: Vec<u64>,
    /// Of what the model is asked about; all else is f64.
    dtype: DType,
}

/// A row on its way: its time, the path there, and the length that it tries next.
#[derive(Clone)]
struct Walker {
    row: usize,
    t: f64,
    w: Vec<f64>,
    h: f64,
}

impl Walk<'_> {
    /// f in the direction of the samplers, for every row at its own time.
    fn drift(&mut self, x: &Tensor, at: &[f64], walkers: &[Walker]) -> Result<Tensor> {
        walkers.iter().for_each(|w| self.visits[w.row] += 1);
        let (sde, lambda) = (self.problem.sde, self.method.lambda);
        let found = self.problem.predict(&x.to_dtype(self.dtype)?, at)?;
        let drift = found.read_rows(at.iter().map(|&t| sde.reverse(t, lambda)))?;
        Ok(drift.to_dtype(DType::F64)?.neg()?)
    }
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let AdaptiveSde { lambda, tolerance, rejected, limits } = self.method;
        let ((rows, dim), sde) = (x.dims2()?, self.problem.sde);
        self.visits.resize(rows, 0);
        // Without noise none is asked for.
        let path: Option<Brownian> = (lambda > 0.0).then(|| noise.path(step.from));
        let length = step.from - step.to;
        let at = |row: usize, t: f64| match &path {
            Some(path) => path.rows(t, row as u64, 1, dim).w,
            None => vec![0.0; dim],
        };
        let h = limits.first.unwrap_or(FIRST * length);
        let start = |row| Walker { row, t: step.from, w: at(row, step.from), h };
        let mut walkers: Vec<Walker> = (0..rows).map(start).collect();
        self.dtype = x.dtype();
        let rounding = self.problem.model.rounding(self.dtype);
        let mut x = x.to_dtype(DType::F64)?;
        let mut before = x.clone();
        let mut arrived = Arrived::default();
        for attempt in 0..limits.most {
            let times: Vec<f64> = walkers.iter().map(|w| w.t).collect();
            let ends: Vec<f64> =
                walkers.iter().map(|w| if w.t - w.h <= step.to { step.to } else { w.t - w.h }).collect();
            let lengths: Vec<f64> = times.iter().zip(&ends).map(|(a, b)| a - b).collect();
            let paths: Vec<Vec<f64>> = walkers.iter().zip(&ends).map(|(w, &t)| at(w.row, t)).collect();
            let w = match rejected {
                Rejected::Fresh if lambda > 0.0 => {
                    let all = Tensor::zeros((rows, dim), x.dtype(), x.device())?;
                    let z = noise.normal(Step { index: attempt, ..step }, Draw::Other(0), &all)?;
                    let z = select(&z, &walkers.iter().map(|w| w.row).collect::<Vec<_>>())?;
                    let roots: Vec<f64> = lengths.iter().map(|h| h.sqrt()).collect();
                    z.broadcast_mul(&model::column(&roots, &x)?)?
                }
                _ => {
                    let pairs =
                        walkers.iter().zip(&paths).flat_map(|(w, to)| w.w.iter().zip(to).map(|(a, b)| a - b));
                    model::tensor(pairs.collect(), (walkers.len(), dim), &x)?
                }
            };
            let kick = |times: &[f64]| -> Result<Tensor> {
                let g: Vec<f64> = times.iter().map(|&t| lambda * sde.diffusion(t)).collect();
                Ok(w.broadcast_mul(&model::column(&g, &x)?)?)
            };
            let h = model::column(&lengths, &x)?;
            let first = (self.drift(&x, &times, &walkers)?.broadcast_mul(&h)? + kick(&times)?)?;
            let euler = (&x + &first)?;
            let second = (self.drift(&euler, &ends, &walkers)?.broadcast_mul(&h)? + kick(&ends)?)?;
            let error = ((&second - &first)? * 0.5)?;
            let scale = tolerance.larger(&euler.abs()?.maximum(&before.abs()?)?, rounding)?;
            let errors = norms(&(&error / scale)?)?;
            let accepted: Vec<bool> = errors.iter().map(|e| *e <= 1.0).collect();
            x = choose(&accepted, &(&euler + error)?, &x)?;
            before = choose(&accepted, &euler, &before)?;
            let (mut going, mut next) = (vec![], vec![]);
            for (i, (w, to)) in walkers.into_iter().zip(paths).enumerate() {
                let grow = if errors[i].is_finite() { 0.9 * errors[i].powf(-0.9) } else { 0.2 };
                let h = lengths[i] * grow.max(1e-6);
                let (t, path) = if accepted[i] { (ends[i], to) } else { (w.t, w.w) };
                let shorter = || limits.shorter(lengths[i], h, LEAST * length);
                let h = if accepted[i] { Some(h.max(limits.least)) } else { shorter() };
                if accepted[i] && t == step.to {
                    arrived.take(w.row, &x, i)?;
                } else if let Some(h) = h {
                    going.push(i);
                    next.push(Walker { row: w.row, t, w: path, h });
                } else {
                    arrived.give_up(w.row, &x, i)?;
                }
            }
            if going.len() < accepted.len() && !going.is_empty() {
                (x, before) = (select(&x, &going)?, select(&before, &going)?);
            }
            walkers = next;
            if walkers.is_empty() {
                return Ok(arrived.assemble()?.to_dtype(self.dtype)?);
            }
        }
        Err(limits.exhausted("adaptive-sde, which chooses its steps,", step.to, tolerance))
    }

    fn visits(&self) -> Option<&[u64]> {
        Some(&self.visits)
    }
}
