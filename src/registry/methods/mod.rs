//! The shelf of samplers, by family.

mod additive;
mod flow;
mod multistep;
mod reverse;
mod sigma;
mod single_step;
mod stochastic;

use tweedie_solvers::method::{Limits, Method};

use super::Shelf;
use crate::error::Result;
use crate::recipe::Section;

/// The limits of an adaptive method's steps; `first` says what the first one is if it is not given.
fn limits(s: &Section, first: &str) -> Result<Limits> {
    let (first, least) = (s.optional("first-step", first)?, s.number("min-step", 0.0)?);
    let most = s.integer("max-steps", 100_000, 1..=u64::from(u32::MAX))? as usize;
    Limits::new(first, least, most).map_err(|e| s.wrap(e))
}

/// Samplers.
pub const METHODS: Shelf<dyn Method> = Shelf {
    what: "method",
    elsewhere: &[],
    families: &[
        reverse::REVERSE,
        flow::FLOW,
        single_step::SINGLE_STEP,
        multistep::MULTISTEP,
        sigma::SIGMA,
        stochastic::STOCHASTIC,
        additive::ADDITIVE,
    ],
};
