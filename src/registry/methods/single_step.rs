//! Exponential integrators of one step.

use tweedie_solvers::method::{Ddim, DpmAdaptive, Form, Method, SingleStep};

use super::super::{Entry, Family};
use super::limits;
use crate::error::Result;
use crate::recipe::Section;

pub(super) const SINGLE_STEP: Family<dyn Method> = Family {
    name: "exponential, single step",
    entries: &[
        Entry {
            name: "ddim",
            about: "DDIM with noise level eta; Euler in σ/α, DPM-Solver-1 at eta = 0",
            build: |s| Ok(Box::new(Ddim::new(s.number("eta", 0.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "dpm-solver-2s",
            about: "DPM-Solver-2, single step, noise prediction",
            build: |s| single_step(s, Form::Noise, 2),
        },
        Entry {
            name: "dpm-solver-3s",
            about: "DPM-Solver-3, single step, noise prediction",
            build: |s| single_step(s, Form::Noise, 3),
        },
        Entry {
            name: "dpmpp-2s",
            about: "DPM-Solver++(2S), single step, data prediction",
            build: |s| single_step(s, Form::Data, 2),
        },
        Entry {
            name: "dpmpp-3s",
            about: "DPM-Solver++(3S), single step, data prediction",
            build: |s| single_step(s, Form::Data, 3),
        },
        Entry {
            name: "res",
            about: "refined exponential solver, single step, data prediction",
            build: |s| {
                let order = s.integer("order", 2, 2..=3)? as usize;
                Ok(Box::new(SingleStep::res(order).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "dpm-adaptive",
            about: "DPM-Solver-12 or -23 with steps per sample",
            build: |s| {
                let form =
                    s.choice("prediction", &[("noise", Form::Noise), ("data", Form::Data)], "noise")?;
                let order = s.integer("order", 3, 2..=3)? as usize;
                let (rtol, atol) = (s.number("rtol", 0.05)?, s.number("atol", 0.0078)?);
                let plain = DpmAdaptive::new(form, order, rtol, atol).map_err(|e| s.wrap(e))?;
                Ok(Box::new(plain.within(limits(s, "0.05 in log-SNR")?)))
            },
        },
    ],
};

fn single_step(s: &Section, form: Form, order: usize) -> Result<Box<dyn Method>> {
    Ok(Box::new(SingleStep::new(form, order).map_err(|e| s.wrap(e))?))
}
