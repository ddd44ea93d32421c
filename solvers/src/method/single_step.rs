//! Single-step exponential integrators: DPM-Solver-2 and -3 (noise prediction; Lu et al. 2022a, algorithms 1 and 2) and DPM-Solver++(2S) and (3S)
//! (data prediction; Lu et al. 2022b, algorithm 1, and the authors' code). With m at λ, m₁ at λ + r₁ h, m₂ at λ + r₂ h:
//!
//! * order 2, r₁ = ½:  keep x + scale h φ₁ [m + (m₁ − m)/2r₁];
//! * order 3, r₁ = ⅓, r₂ = ⅔:  x₂ = keep x + scale r₂h [φ₁ m + φ₂ (r₂/r₁)(m₁ − m)],  then  keep x + scale h [φ₁ m + φ₂ (m₂ − m)/r₂].

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
}

impl SingleStep {
    /// Of order 2 or 3.
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn new(form: Form, order: usize) -> Result<Self> {
        if !(2..=3).contains(&order) {
            return Err(Error::parameter("order", order, "be 2 or 3"));
        }
        Ok(Self { form, order })
    }
}

impl Method for SingleStep {
    fn order(&self) -> Order {
        Order::Deterministic(self.order as u8)
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps * self.order)
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
        let (problem, form) = (self.problem, self.method.form);
        let (from, to) = (problem.sde.kernel(step.from), problem.sde.kernel(step.to));
        let whole = Leap::new(form, from, to);
        // The way to λ + r h, and the time there.
        let part = |r: f64| {
            let t = problem.sde.time_at(from.log_snr() + r * whole.h);
            (Leap::new(form, from, problem.sde.kernel(t)), t)
        };
        let m = form.predict(problem, x, step.from)?;
        if self.method.order == 2 {
            let r = 0.5;
            let (leap, t) = part(r);
            let m1 = form.predict(problem, &combine(x, leap.keep, [(leap.weight(1), &m)])?, t)?;
            let (w, c) = (whole.weight(1), 0.5 * whole.weight(1) / r);
            return combine(x, whole.keep, [(w - c, &m), (c, &m1)]);
        }
        let (r1, r2) = (1.0 / 3.0, 2.0 / 3.0);
        let (leap, t) = part(r1);
        let m1 = form.predict(problem, &combine(x, leap.keep, [(leap.weight(1), &m)])?, t)?;
        let (leap, t) = part(r2);
        let (w, c) = (leap.weight(1), leap.weight(2) * r2 / r1);
        let m2 = form.predict(problem, &combine(x, leap.keep, [(w - c, &m), (c, &m1)])?, t)?;
        let (w, c) = (whole.weight(1), whole.weight(2) / r2);
        combine(x, whole.keep, [(w - c, &m), (c, &m2)])
    }
}
