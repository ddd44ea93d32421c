//! Methods of higher order for additive noise.

use tweedie_solvers::method::{Additive, Method};

use super::super::{Entry, Family};

pub(super) const ADDITIVE: Family<dyn Method> = Family {
    name: "additive noise",
    entries: &[
        Entry {
            name: "stochastic-heun",
            about: "Heun on the reverse SDE with noise level lambda",
            build: |s| Ok(Box::new(Additive::heun(s.number("lambda", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "sra1",
            about: "Rößler's SRA1 on the reverse SDE, strong order 1.5",
            build: |s| Ok(Box::new(Additive::sra1(s.number("lambda", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "shark",
            about: "ShARK on the reverse SDE, strong order 1.5",
            build: |s| Ok(Box::new(Additive::shark(s.number("lambda", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
    ],
};
