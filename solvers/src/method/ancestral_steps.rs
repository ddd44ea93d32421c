//! Single steps of DPM-Solver++(2S) with noise (k-diffusion), on any linear SDE. In y = x/α and s = σ/α, going from s to s′ with noise level η
//! is going to s_down and adding s_up z:  s_up = η s′ √(1 − s′²/s²),  s_down = √(s′² − s_up²)  (Song, Meng & Ermon 2021, eq. 16).
//!
//! * `dpmpp-2s-ancestral`: one step of DPM-Solver++(2S) from s to s_down, then noise;
//! * `dpmpp-sde`: both stages go down and add noise. The first goes to s_m, a fraction r of the way in log-SNR, for a second prediction;
//!   the second goes all the way with (1 − 1/2r) x̂₀ + 1/2r x̂₀ᵐ, and its noise holds that of the first:
//!   s_up z = √w z₁ + √(1 − w) z₂ over the two pieces of the step, w the share that the first piece has in the variance at s′.
//!   k-diffusion draws both from one Brownian path in σ, which tends to the same. Independent draws would cost the law an order.

use candle_core::Tensor;

use super::exponential::{Form, combine};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::noise::{Draw, Noise};
use crate::{Error, Result};

/// Where the noise comes in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    After,
    Within(f64),
}

/// DPM-Solver++(2S) with noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AncestralSteps {
    eta: f64,
    rule: Rule,
}

impl AncestralSteps {
    /// `dpmpp-2s-ancestral` with noise level η from 0 to 1.
    ///
    /// # Errors
    /// If η is outside.
    pub fn after(eta: f64) -> Result<Self> {
        Ok(Self { eta: level(eta)?, rule: Rule::After })
    }

    /// `dpmpp-sde` with noise level η from 0 to 1 and its second prediction at 0 < r ≤ 1.
    ///
    /// # Errors
    /// If η or r is outside.
    pub fn within(eta: f64, r: f64) -> Result<Self> {
        if !(r > 0.0 && r <= 1.0) {
            return Err(Error::parameter("r", r, "lie above 0 and up to 1"));
        }
        Ok(Self { eta: level(eta)?, rule: Rule::Within(r) })
    }
}

fn level(eta: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&eta) { Ok(eta) } else { Err(Error::parameter("eta", eta, "lie from 0 to 1")) }
}

impl Method for AncestralSteps {
    fn order(&self) -> Order {
        match self.rule {
            _ if self.eta == 0.0 => Order::Deterministic(2),
            _ => Order::Stochastic { weak: 2, strong: Some(1.0) },
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(2 * steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.eta > 0.0
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::Karras
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: *self, problem }))
    }
}

struct Walk<'a> {
    method: AncestralSteps,
    problem: Problem<'a>,
}

impl Walk<'_> {
    /// s_down and s_up.
    fn split(&self, s: f64, end: f64) -> (f64, f64) {
        let up = self.method.eta * end * (1.0 - (end / s).powi(2)).sqrt();
        ((end * end - up * up).sqrt(), up)
    }
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let sde = self.problem.sde;
        let (from, to) = (sde.kernel(step.from), sde.kernel(step.to));
        let (s, end) = (from.ratio(), to.ratio());
        let (down, up) = self.split(s, end);
        let y = (x / from.alpha)?;
        let first = Form::Data.predict(self.problem, x, step.from)?;
        // y at s′ < s by a prediction that does not change: (s′/s) y + (1 − s′/s) x̂₀.
        let go = |end: f64, x0: &Tensor| combine(&y, end / s, [(1.0 - end / s, x0)]);
        // Prediction at s′.
        let ask = |y: &Tensor, s: f64| {
            let t = sde.time_at(-s.ln());
            Form::Data.predict(self.problem, &(y * sde.kernel(t).alpha)?, t)
        };
        match self.method.rule {
            Rule::After => {
                let middle = (s * down).sqrt();
                let second = ask(&go(middle, &first)?, middle)?;
                let mut y = go(down, &second)?;
                if up > 0.0 {
                    y = (y + (noise.normal(step, Draw::Increment, x)? * up)?)?;
                }
                Ok((y * to.alpha)?)
            }
            Rule::Within(r) => {
                let middle = s * (end / s).powf(r);
                let (there, spread) = self.split(s, middle);
                let (rest, own) = self.split(middle, end);
                let mut ahead = go(there, &first)?;
                let mut kick = None;
                if up > 0.0 {
                    let t = if r < 1.0 { sde.time_at(-middle.ln()) } else { step.to };
                    let z1 = noise.normal(Step { to: t, ..step }, Draw::Piece(0), x)?;
                    ahead = (ahead + (&z1 * spread)?)?;
                    let held = rest / middle * spread;
                    let w = held * held / (held * held + own * own);
                    kick = Some(if r < 1.0 {
                        let z2 = noise.normal(Step { from: t, ..step }, Draw::Piece(1), x)?;
                        ((z1 * (w.sqrt() * up))? + (z2 * ((1.0 - w).sqrt() * up))?)?
                    } else {
                        (z1 * up)?
                    });
                }
                let second = ask(&ahead, middle)?;
                let c = 0.5 / r;
                let y = go(down, &((first * (1.0 - c))? + (second * c)?)?)?;
                let y = match kick {
                    Some(kick) => (y + kick)?,
                    None => y,
                };
                Ok((y * to.alpha)?)
            }
        }
    }
}
