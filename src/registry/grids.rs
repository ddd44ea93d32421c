//! The shelf of time grids.

use tweedie_solvers::grid::{
    Cosine, DefaultGrid, Explicit, Exponential, Karras, Optimised, Quadratic, Spacing, UniformLogSnr,
    UniformT,
};
use tweedie_solvers::method::Method;
use tweedie_solvers::sde::LinearSde;

use super::{Entry, Family, Shelf};
use crate::error::Result;
use crate::recipe::{Named, Section, named, one};

/// What is typed, or left out, for the grid that goes with each method and SDE.
pub const DEFAULT: &str = "default";

/// The name of a default.
pub fn default_name(grid: DefaultGrid) -> &'static str {
    match grid {
        DefaultGrid::UniformT => "uniform-t",
        DefaultGrid::UniformLogSnr => "uniform-log-snr",
        DefaultGrid::Karras => "karras",
        DefaultGrid::Quadratic => "quadratic",
    }
}

/// The grid that goes with a method under an SDE.
///
/// # Errors
/// Never: the names are on the shelf.
pub fn default_grid(sde: &dyn LinearSde, method: &dyn Method) -> Result<Named<dyn Spacing>> {
    let name = default_name(method.default_grid().under(sde));
    one(&Section::new("", "grid", named(name)), |section| GRIDS.build(section))
}

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
