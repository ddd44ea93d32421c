//! Single-step exponential integrators: DPM-Solver-2 and -3 (noise prediction; Lu et al. 2022a, algorithms 1 and 2), DPM-Solver++(2S) and (3S)
//! (data prediction; Lu et al. 2022b, algorithm 1, and the authors' code) and RES (data prediction; Zhang et al. 2023, after Hochbruck &
//! Ostermann 2010, eqs. 2.39 and 5.8). With m at λ, m₁ at λ + r₁ h, m₂ at λ + r₂ h, r₂ = ⅔:
//!
//! * order 2:  keep x + scale h [φ₁ m + c (m₁ − m)/r₁],  c = ½ φ₁ for DPM-Solver, φ₂ for RES, where r₁ = ½;
//! * order 3:  x₂ = keep x + scale r₂h [φ₁ m + φ₂ (r₂/r₁)(m₁ − m)],  then  keep x + scale h [φ₁ m + φ₂ (m₂ − m)/r₂], where r₁ = ⅓ for
//!   DPM-Solver and ½ for RES.

use candle_core::Tensor;

use super::exponential::{Form, Leap, combine};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::Noise;
use crate::{Error, Result};

/// A single-step exponential integrator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingleStep {
    form: Form,
    order: usize,
    /// Whether the weights are those of RES.
    refined: bool,
}

impl SingleStep {
    /// DPM-Solver or DPM-Solver++, of order 2 or 3.
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn new(form: Form, order: usize) -> Result<Self> {
        if !(2..=3).contains(&order) {
            return Err(Error::parameter("order", order, "be 2 or 3"));
        }
        Ok(Self { form, order, refined: false })
    }

    /// RES, of order 2 or 3.
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn res(order: usize) -> Result<Self> {
        Ok(Self { refined: true, ..Self::new(Form::Data, order)? })
    }
}

impl Method for SingleStep {
    fn order(&self) -> Order {
        Order::Deterministic(self.order as u8)
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps * self.order)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        false
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Jump { method: *self, problem }))
    }
}

struct Jump<'a> {
    method: SingleStep,
    problem: Problem<'a>,
}

impl Stepper for Jump<'_> {
    fn step(&mut self, x: &Tensor, step: Step, _: &dyn Noise) -> Result<Tensor> {
        let (problem, SingleStep { form, order, refined }) = (self.problem, self.method);
        let (from, to) = (problem.sde.kernel(step.from), problem.sde.kernel(step.to));
        let whole = Leap::new(form, from, to);
        // The way to λ + r h, and the time there.
        let part = |r: f64| {
            let t = problem.sde.time_at(from.log_snr() + r * whole.h);
            (Leap::new(form, from, problem.sde.kernel(t)), t)
        };
        let m = form.predict(problem, x, step.from)?;
        let r1 = if order == 3 && !refined { 1.0 / 3.0 } else { 0.5 };
        let (leap, t) = part(r1);
        let m1 = form.predict(problem, &combine(x, leap.keep, [(leap.weight(1), &m)])?, t)?;
        if order == 2 {
            let w = whole.weight(1);
            let c = if refined { whole.weight(2) } else { 0.5 * w } / r1;
            return combine(x, whole.keep, [(w - c, &m), (c, &m1)]);
        }
        let r2 = 2.0 / 3.0;
        let (leap, t) = part(r2);
        let (w, c) = (leap.weight(1), leap.weight(2) * r2 / r1);
        let m2 = form.predict(problem, &combine(x, leap.keep, [(w - c, &m), (c, &m1)])?, t)?;
        let (w, c) = (whole.weight(1), whole.weight(2) / r2);
        combine(x, whole.keep, [(w - c, &m), (c, &m2)])
    }
}
