//! Restart (Xu et al. 2023, algorithm 1): a method without noise runs down the grid; at the node whose σ/α is nearest to `sigma-min`, noise
//! carries the sample up to `sigma-max`, exactly, and the method brings it down to that node again, in some steps of its own (ρ = 7), a number
//! of times.

use candle_core::Tensor;

use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::{DefaultGrid, Karras, Spacing};
use crate::noise::{Draw, Noise};
use crate::sde::{Span, Use};
use crate::{Error, Result, error};

/// Restarts around a method without noise.
#[derive(Debug)]
pub struct Restart {
    inner: Box<dyn Method>,
    low: f64,
    high: f64,
    times: usize,
    steps: usize,
}

impl Restart {
    /// `times` restarts of `steps` steps between `low` and `high`, in units of σ/α.
    ///
    /// # Errors
    /// If the method has noise or chooses its own steps, or a number is out of its domain.
    pub fn new(inner: Box<dyn Method>, (low, high): (f64, f64), times: usize, steps: usize) -> Result<Self> {
        if inner.adaptive() || !matches!(inner.order(), Order::Deterministic(_)) {
            let rule = "be a method without noise and of fixed steps, such as edm-heun";
            return Err(Error::parameter("inner", format!("{inner:?}"), rule));
        }
        error::positive("sigma-min", low)?;
        if !high.is_finite() || high <= low {
            return Err(Error::parameter("sigma-max", high, format!("exceed sigma-min = {low}")));
        }
        if steps == 0 {
            return Err(Error::parameter("restart-steps", steps, "be 1 or more"));
        }
        Ok(Self { inner, low, high, times, steps })
    }
}

impl Method for Restart {
    /// The steps of the restarts do not shrink with the grid's.
    fn order(&self) -> Order {
        if self.times == 0 { self.inner.order() } else { Order::None }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(self.inner.evals(steps)? + self.times * self.inner.evals(self.steps)?)
    }

    fn needs_density(&self) -> bool {
        self.inner.needs_density()
    }

    fn linear(&self) -> bool {
        self.inner.linear()
    }

    fn check(&self, rows: usize, dim: usize) -> Result<()> {
        self.inner.check(rows, dim)
    }

    fn couples_batch(&self) -> bool {
        self.inner.couples_batch()
    }

    fn has_noise(&self) -> bool {
        self.times > 0
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::Karras
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk {
            method: self,
            inner: self.inner.stepper(problem)?,
            problem,
            done: self.times == 0,
        }))
    }
}

struct Walk<'a> {
    method: &'a Restart,
    inner: Box<dyn Stepper + 'a>,
    problem: Problem<'a>,
    done: bool,
}

impl Walk<'_> {
    /// Up to `sigma-max` and down to the node at time `t` again, as often as it is asked.
    fn restart(&mut self, mut x: Tensor, t: f64, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let Restart { inner, low, high, times, steps } = self.method;
        self.done = true;
        let (sde, node) = (self.problem.sde, self.problem.sde.kernel(t).ratio());
        if node >= *high {
            return Err(Error::Unsupported(format!(
                "restart: σ/α = {node:.3e} is the grid's nearest to sigma-min = {low}, but not below sigma-max = {high}"
            )));
        }
        let most = sde.kernel(sde.span(Use::Sampling).end).ratio();
        if *high > most * (1.0 + 1e-9) {
            return Err(Error::Unsupported(format!(
                "restart: sigma-max = {high} lies above σ/α = {most:.3e} at T"
            )));
        }
        let top = sde.time_at(-high.ln());
        let (keep, variance) = sde.transition(t, top);
        let grid = Karras::new(7.0)?.grid(sde, Span { start: t, end: top }, *steps)?;
        for number in 0..*times {
            let z = noise.normal(step, Draw::Other(number as u32), &x)?;
            x = ((x * keep)? + (z * variance.sqrt())?)?;
            let mut inner = inner.stepper(self.problem)?;
            for part in grid.steps() {
                x = inner.step(&x, part, noise)?;
            }
        }
        // What a multistep method remembers is from before.
        self.inner = inner.stepper(self.problem)?;
        Ok(x)
    }
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let away = |t: f64| (self.problem.sde.kernel(t).ratio() - self.method.low).abs();
        // Nodes fall: the first that is no farther than the one after it is the nearest.
        let here = !self.done && step.index > 0 && away(step.from) <= away(step.to);
        let x = if here { self.restart(x.clone(), step.from, step, noise)? } else { x.clone() };
        let x = self.inner.step(&x, step, noise)?;
        let last = step.index + 1 == step.of;
        if last && !self.done { self.restart(x, step.to, step, noise) } else { Ok(x) }
    }
}
