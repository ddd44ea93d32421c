//! Methods of higher order for additive noise, on the reverse SDE with noise level λ:  dx = f dt + g dw, g of time alone. With w the Brownian
//! increment over a step of length h, H its space-time Lévy area, f in the direction of the step and g₀, g₁ at its ends:
//!
//! * `stochastic-heun`:  x′ = x + h f₀ + g₀ w,  x ← x + ½ h (f₀ + f(x′)) + ½ (g₀ + g₁) w   (Kloeden & Platen 1992);
//! * `sra1` (Rößler 2010):  x′ = x + ¾ h f₀ + g₁ (¾ w + 3/2 H) at ¾,  x ← x + h (⅓ f₀ + ⅔ f(x′)) + ∫ g dw;
//! * `shark` (Foster, dos Reis & Strange 2023, eq. 6.1):  f₀ at x + g₀ H,  x′ = x + g₀ H + ⅚ (h f₀ + g₀ w) at ⅚,
//!   x ← x + h (⅖ f₀ + ⅗ f(x′)) + ∫ g dw;
//!
//! where ∫ g dw = g₀ w + (g₁ − g₀)(½ w − H) for a g that is linear over the step.

use candle_core::Tensor;

use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::{Problem, Reverse};
use crate::noise::{Draw, Noise};
use crate::sde::Sde;
use crate::{Result, error};

/// The rule of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Heun,
    Sra1,
    Shark,
}

/// A method for additive noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Additive {
    rule: Rule,
    lambda: f64,
}

impl Additive {
    /// `stochastic-heun` with noise level λ ≥ 0.
    ///
    /// # Errors
    /// If λ is negative or not finite.
    pub fn heun(lambda: f64) -> Result<Self> {
        Self::new(Rule::Heun, lambda)
    }

    /// `sra1` with noise level λ ≥ 0.
    ///
    /// # Errors
    /// If λ is negative or not finite.
    pub fn sra1(lambda: f64) -> Result<Self> {
        Self::new(Rule::Sra1, lambda)
    }

    /// `shark` with noise level λ ≥ 0.
    ///
    /// # Errors
    /// If λ is negative or not finite.
    pub fn shark(lambda: f64) -> Result<Self> {
        Self::new(Rule::Shark, lambda)
    }

    fn new(rule: Rule, lambda: f64) -> Result<Self> {
        Ok(Self { rule, lambda: error::non_negative("lambda", lambda)? })
    }
}

impl Method for Additive {
    fn order(&self) -> Order {
        if self.lambda == 0.0 {
            return Order::Deterministic(2);
        }
        let strong = if self.rule == Rule::Heun { 1.0 } else { 1.5 };
        Order::Stochastic { weak: 2, strong: Some(strong) }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(2 * steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.lambda > 0.0
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { rule: self.rule, sde: Reverse { problem, lambda: self.lambda } }))
    }
}

struct Walk<'a> {
    rule: Rule,
    sde: Reverse<'a>,
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let (h, (g0, g1)) = (step.dt(), (self.sde.diffusion(step.from), self.sde.diffusion(step.to)));
        // a w + b H: the noise of a stage, if there is any.
        let quiet = self.sde.lambda == 0.0;
        let (w, area) = if quiet {
            (None, None)
        } else {
            let w = (noise.normal(step, Draw::Increment, x)? * step.root_dt())?;
            let area = match self.rule {
                Rule::Heun => None,
                _ => Some((noise.normal(step, Draw::Area, x)? * (step.root_dt() / 12f64.sqrt()))?),
            };
            (Some(w), area)
        };
        let kicked = |x: Tensor, a: f64, b: f64| -> Result<Tensor> {
            let x = match &w {
                Some(w) if a != 0.0 => (x + (w * a)?)?,
                _ => x,
            };
            Ok(match &area {
                Some(area) if b != 0.0 => (x + (area * b)?)?,
                _ => x,
            })
        };
        // Where the first slope is taken, how far the second is and what noise its point has, and its share.
        let (start, c, (a, b), share) = match self.rule {
            Rule::Heun => (0.0, 1.0, (g0, 0.0), 0.5),
            Rule::Sra1 => (0.0, 0.75, (0.75 * g1, 1.5 * g1), 2.0 / 3.0),
            Rule::Shark => (g0, 5.0 / 6.0, (5.0 / 6.0 * g0, g0), 0.6),
        };
        let first = self.sde.drift(&kicked(x.clone(), 0.0, start)?, step.from)?;
        let t = if c == 1.0 { step.to } else { step.from + c * h };
        let second = self.sde.drift(&kicked((x + (&first * (c * h))?)?, a, b)?, t)?;
        let end = ((x + (first * ((1.0 - share) * h))?)? + (second * (share * h))?)?;
        kicked(end, 0.5 * (g0 + g1), g0 - g1)
    }
}
