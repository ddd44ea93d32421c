//! Observers watch a run; they never change it. Nested pairs of observers make one.

use std::ops::ControlFlow;

use candle_core::Tensor;

use crate::Result;
use crate::clock::Step;

/// Where a run stands after a step.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The step that was just taken; its `to` is the time of x.
    pub step: Step,
    /// The state, (B, D).
    pub x: &'a Tensor,
}

/// Something that looks at every step.
pub trait Observer {
    /// Called after each step; `Break` ends the run there.
    ///
    /// # Errors
    /// Whatever the observer wants to report; it ends the run.
    fn observe(&mut self, at: &Moment<'_>) -> Result<ControlFlow<()>>;
}

/// Watches nothing.
impl Observer for () {
    fn observe(&mut self, _: &Moment<'_>) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&mut self, at: &Moment<'_>) -> Result<ControlFlow<()>> {
        let first = self.0.observe(at)?;
        let second = self.1.observe(at)?;
        Ok(if first.is_break() { first } else { second })
    }
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn observe(&mut self, at: &Moment<'_>) -> Result<ControlFlow<()>> {
        (**self).observe(at)
    }
}

/// Keeps the state after every step, on its device.
#[derive(Clone, Debug, Default)]
pub struct Trajectory {
    /// The states, in the order of the steps.
    pub states: Vec<Tensor>,
}

impl Observer for Trajectory {
    fn observe(&mut self, at: &Moment<'_>) -> Result<ControlFlow<()>> {
        self.states.push(at.x.clone());
        Ok(ControlFlow::Continue(()))
    }
}
