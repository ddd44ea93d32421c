//! Methods of higher order for additive noise.

use tweedie_solvers::method::{AdaptiveSde, Additive, Method, Rejected};

use super::super::{Entry, Family};
use super::limits;

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
        Entry {
            name: "adaptive-sde",
            about: "improved Euler on the reverse SDE with steps per sample, on one Brownian path",
            build: |s| {
                let rules = [("bridge", Rejected::Bridge), ("fresh", Rejected::Fresh)];
                let (rtol, atol) = (s.number("rtol", 0.01)?, s.number("atol", 0.01)?);
                let (lambda, rejected) = (s.number("lambda", 1.0)?, s.choice("rejected", &rules, "bridge")?);
                let plain = AdaptiveSde::new(lambda, rtol, atol, rejected).map_err(|e| s.wrap(e))?;
                Ok(Box::new(plain.within(limits(s, "0.01 of the span")?)))
            },
        },
    ],
};
