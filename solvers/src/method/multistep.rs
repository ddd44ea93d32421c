//! Multistep exponential integrators: DPM-Solver (noise prediction; Lu et al. 2022a) and DPM-Solver++ (data prediction; Lu et al. 2022b), of
//! orders 2 and 3, and their SDE forms with η = λ², λ the noise level of the reverse SDE (Lu et al. 2022b, §5; k-diffusion). With predictions m₀, m₁, m₂ at the last three nodes,
//! r₀ = (λ₀ − λ₁)/h, r₁ = (λ₁ − λ₂)/h, D₀ = (m₀ − m₁)/r₀, D₁ = (m₁ − m₂)/r₁:
//!
//! * order 2: keep x + scale h [φ₁ m₀ + c D₀], where c = ½ φ₁ (midpoint, the authors' choice) or φ₂ (heun);
//! * order 3: keep x + scale h [φ₁ m₀ + φ₂ (D₀ + r₀ D) + c φ₃ D],  D = (D₀ − D₁)/(r₀ + r₁).
//!
//! D is half the second derivative (times h²), so that Taylor's coefficient of it is 2 φ₃; the published code has φ₃, and thereby order 2. Both
//! are here: `difference`. The first steps take the orders 1, 2, …; every step costs one evaluation.

use std::collections::VecDeque;

use candle_core::Tensor;

use super::exponential::{Form, Leap, combine};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::{Draw, Noise};
use crate::{Error, Result, error};

/// The weight of the first difference at order 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// ½ φ₁: the prediction of the middle, the authors' `dpmsolver` type.
    Midpoint,
    /// φ₂: the integral of the line through both, the authors' `taylor` type.
    Heun,
}

/// The weight of the second difference at order 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Third {
    /// φ₃, as in the authors' code, k-diffusion and diffusers: the order is 2.
    Published,
    /// 2 φ₃, the integral of the parabola: the order is 3.
    Exact,
}

/// A multistep exponential integrator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Multistep {
    form: Form,
    order: usize,
    second: Second,
    third: Third,
    eta: f64,
    lower_final: bool,
}

impl Multistep {
    /// The flow's, of order 1, 2 or 3; `second` is also how an integrator of order 3 takes its second step.
    ///
    /// # Errors
    /// If the order is none of these.
    pub fn new(form: Form, order: usize, second: Second, third: Third) -> Result<Self> {
        if !(1..=3).contains(&order) {
            return Err(Error::parameter("order", order, "be 1, 2 or 3"));
        }
        Ok(Self { form, order, second, third, eta: 0.0, lower_final: false })
    }

    /// The same for the reverse SDE with noise level λ = √η, η ≥ 0, by data prediction.
    ///
    /// # Errors
    /// If η is negative or not finite, or the prediction is of the noise.
    pub fn noisy(self, eta: f64) -> Result<Self> {
        if self.form == Form::Noise {
            return Err(Error::parameter("prediction", "noise", "be data where eta is given"));
        }
        Ok(Self { eta: error::non_negative("eta", eta)?, ..self })
    }

    /// The same with the order lowered towards the end: the last step has order 1, the one before it 2, as the authors' code and diffusers
    /// have it for few steps.
    #[must_use]
    pub fn lower_final(self, lower_final: bool) -> Self {
        Self { lower_final, ..self }
    }

    /// The order in h.
    fn reached(&self) -> u8 {
        match (self.order, self.third) {
            (3, Third::Published) => 2,
            // The one step of order 1 at the end errs by h².
            (order, _) if self.lower_final => order.min(2) as u8,
            (order, _) => order as u8,
        }
    }
}

impl Method for Multistep {
    fn order(&self) -> Order {
        if self.eta > 0.0 {
            // A step's own noise enters the differences one step late, which costs the law the third order.
            Order::Stochastic { weak: self.reached().min(2), strong: Some(1.0) }
        } else {
            Order::Deterministic(self.reached())
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.eta > 0.0
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: *self, problem, past: VecDeque::new() }))
    }
}

/// The method at work; λ and predictions at the last nodes, newest first.
struct Walk<'a> {
    method: Multistep,
    problem: Problem<'a>,
    past: VecDeque<(f64, Tensor)>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let Multistep { form, order, second, third, eta, lower_final } = self.method;
        let (from, to) = (self.problem.sde.kernel(step.from), self.problem.sde.kernel(step.to));
        let leap = Leap::noisy(form, from, to, eta);
        self.past.push_front((from.log_snr(), form.predict(self.problem, x, step.from)?));
        self.past.truncate(order);
        let count = if lower_final { order.min(step.of - step.index) } else { order };
        let m: Vec<&Tensor> = self.past.iter().take(count).map(|p| &p.1).collect();
        let gap = |i: usize| (self.past[i].0 - self.past[i + 1].0) / leap.h;
        let first = leap.weight(1);
        let weights = match m.len() {
            1 => vec![first],
            2 => {
                let c = match second {
                    Second::Midpoint => 0.5 * first,
                    Second::Heun => leap.weight(2),
                } / gap(0);
                vec![first + c, -c]
            }
            _ => {
                let (r0, r1) = (gap(0), gap(1));
                let twice = if third == Third::Exact { 2.0 } else { 1.0 };
                let (d, dd) = (leap.weight(2), (leap.weight(2) * r0 + twice * leap.weight(3)) / (r0 + r1));
                // d D₀ + dd (D₀ − D₁).
                let (c0, c1) = ((d + dd) / r0, dd / r1);
                vec![first + c0, -c0 - c1, c1]
            }
        };
        let end = combine(x, leap.keep, weights.into_iter().zip(m))?;
        let spread = to.sigma * (-(-2.0 * eta * leap.h).exp_m1()).sqrt();
        if spread == 0.0 {
            return Ok(end);
        }
        Ok((end + (noise.normal(step, Draw::Increment, x)? * spread)?)?)
    }
}
