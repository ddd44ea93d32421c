//! Methods in σ/α.

use tweedie_solvers::method::{Adams, InSigma, Method};

use super::super::{Entry, Family};
use crate::error::Result;
use crate::recipe::Section;

pub(super) const SIGMA: Family<dyn Method> = Family {
    name: "in σ",
    entries: &[
        Entry {
            name: "edm-heun",
            about: "Heun in σ/α (EDM's sampler without churn)",
            build: |_| Ok(Box::new(InSigma::HEUN)),
        },
        Entry {
            name: "dpm-2",
            about: "midpoint rule at the geometric middle of σ/α (k-diffusion)",
            build: |_| Ok(Box::new(InSigma::DPM2)),
        },
        Entry {
            name: "lms",
            about: "linear multistep in σ/α, exact for its nodes (k-diffusion)",
            build: |s| adams(s, Adams::Exact),
        },
        Entry {
            name: "ipndm",
            about: "Adams–Bashforth of equal steps in σ/α, whatever the steps are",
            build: |s| adams(s, Adams::Equal),
        },
        Entry {
            name: "ipndm-v",
            about: "Adams–Bashforth of the steps as they are in σ/α",
            build: |s| {
                let weights = [("exact", Adams::Exact), ("diff-sampler", Adams::DiffSampler)];
                adams(s, s.choice("weights", &weights, "exact")?)
            },
        },
    ],
};

pub(super) fn adams(s: &Section, weights: Adams) -> Result<Box<dyn Method>> {
    let order = s.integer("order", 4, 1..=4)? as usize;
    Ok(Box::new(InSigma::multistep(order, weights).map_err(|e| s.wrap(e))?))
}
