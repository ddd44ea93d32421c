//! The shelf of time grids.

use tweedie_solvers::grid::{
    Cosine, Explicit, Exponential, Karras, Optimised, Quadratic, Spacing, UniformLogSnr, UniformT,
};

use super::{Entry, Family, Shelf};

/// Time grids.
pub const GRIDS: Shelf<dyn Spacing> = Shelf {
    what: "grid",
    elsewhere: &[],
    families: &[Family {
        name: "",
        entries: &[
            Entry { name: "uniform-t", about: "equal steps of t", build: |_| Ok(Box::new(UniformT)) },
            Entry {
                name: "uniform-log-snr",
                about: "equal steps of ln(α/σ)",
                build: |_| Ok(Box::new(UniformLogSnr)),
            },
            Entry {
                name: "karras",
                about: "equal steps of (σ/α)^(1/rho)",
                build: |s| Ok(Box::new(Karras::new(s.number("rho", 7.0)?).map_err(|e| s.wrap(e))?)),
            },
            Entry { name: "quadratic", about: "equal steps of √t", build: |_| Ok(Box::new(Quadratic)) },
            Entry {
                name: "exponential",
                about: "equal steps of ln(σ/α), or their powers (polyexponential)",
                build: |s| Ok(Box::new(Exponential::new(s.number("rho", 1.0)?).map_err(|e| s.wrap(e))?)),
            },
            Entry {
                name: "cosine",
                about: "equal steps of arctan(σ/α), the cosine schedule's",
                build: |_| Ok(Box::new(Cosine)),
            },
            Entry {
                name: "importance",
                about: "quantiles of g²/σ²: that is −2 d ln(α/σ)/dt, so the nodes are uniform-log-snr's",
                build: |_| Ok(Box::new(UniformLogSnr)),
            },
            Entry {
                name: "optimised",
                about: "the least sum of local errors on the model itself, of Euler's steps in σ/α or (order = 2) Heun's",
                build: |s| {
                    Ok(Box::new(Optimised::new(s.integer("order", 1, 1..=2)? as u8).map_err(|e| s.wrap(e))?))
                },
            },
            Entry {
                name: "explicit",
                about: "the nodes themselves, from noise to data",
                build: |s| {
                    Ok(Box::new(Explicit::new(s.numbers("times", "must be given")?).map_err(|e| s.wrap(e))?))
                },
            },
        ],
    }],
};
