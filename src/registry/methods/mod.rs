//! The shelf of samplers, by family.

mod additive;
mod flow;
mod multistep;
mod reverse;
mod sigma;
mod single_step;
mod stochastic;

use tweedie_solvers::method::Method;

use super::Shelf;

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
