//! The shelf of SDEs.

use tweedie_solvers::sde::{Edm, LinearSde, SubVp, Ve, Vp, VpCosine};

use super::{Entry, Family, Shelf};

/// Forward diffusions.
pub const SDES: Shelf<dyn LinearSde> = Shelf {
    what: "sde",
    elsewhere: &[],
    families: &[Family {
        name: "",
        entries: &[
            Entry {
                name: "vp",
                about: "variance preserving, linear β(t) (DDPM's limit)",
                build: |s| {
                    let (min, max, epsilon) =
                        (s.number("beta-min", 0.1)?, s.number("beta-max", 20.0)?, s.number("epsilon", 1e-3)?);
                    Ok(Box::new(Vp::new(min, max, epsilon).map_err(|e| s.wrap(e))?))
                },
            },
            Entry {
                name: "vp-cosine",
                about: "variance preserving, improved DDPM's cosine schedule",
                build: |s| {
                    let (offset, epsilon) = (s.number("offset", 0.008)?, s.number("epsilon", 1e-3)?);
                    Ok(Box::new(VpCosine::new(offset, epsilon).map_err(|e| s.wrap(e))?))
                },
            },
            Entry {
                name: "ve",
                about: "variance exploding, geometric σ(t) (NCSN's limit)",
                build: |s| {
                    let (min, max, epsilon) = (
                        s.number("sigma-min", 0.01)?,
                        s.number("sigma-max", 50.0)?,
                        s.number("epsilon", 1e-5)?,
                    );
                    Ok(Box::new(Ve::new(min, max, epsilon).map_err(|e| s.wrap(e))?))
                },
            },
            Entry {
                name: "sub-vp",
                about: "sub-VP, linear β(t), variance bounded by VP's",
                build: |s| {
                    let (min, max, epsilon) =
                        (s.number("beta-min", 0.1)?, s.number("beta-max", 20.0)?, s.number("epsilon", 1e-3)?);
                    Ok(Box::new(SubVp::new(min, max, epsilon).map_err(|e| s.wrap(e))?))
                },
            },
            Entry {
                name: "edm",
                about: "EDM: α = 1, σ(t) = t",
                build: |s| {
                    let (min, max) = (s.number("sigma-min", 0.002)?, s.number("sigma-max", 80.0)?);
                    Ok(Box::new(Edm::new(min, max).map_err(|e| s.wrap(e))?))
                },
            },
        ],
    }],
};
