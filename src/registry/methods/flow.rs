//! Solvers of the probability flow in time.

use tweedie_solvers::method::{Coupling, Dopri, DopriOrder, Flow, Method, Rk45, RungeKutta};

use super::super::{Entry, Family};
use super::limits;
use crate::error::Result;
use crate::recipe::Section;

pub(super) const FLOW: Family<dyn Method> = Family {
    name: "flow in t",
    entries: &[
        Entry {
            name: "euler",
            about: "Euler on the probability flow",
            build: |_| Ok(Box::new(Flow(RungeKutta::EULER))),
        },
        Entry {
            name: "heun",
            about: "Heun on the probability flow",
            build: |_| Ok(Box::new(Flow(RungeKutta::HEUN))),
        },
        Entry {
            name: "rk4",
            about: "classical Runge–Kutta on the probability flow",
            build: |_| Ok(Box::new(Flow(RungeKutta::RK4))),
        },
        Entry {
            name: "rk45",
            about: "adaptive Dormand–Prince on the flow, steps per sample, any device",
            build: |s| {
                let ((rtol, atol), limits) = (tolerances(s)?, limits(s, "chosen from the slope")?);
                Ok(Box::new(Flow(Rk45::new(rtol, atol).map_err(|e| s.wrap(e))?.within(limits))))
            },
        },
        Entry {
            name: "dopri5",
            about: "adaptive Dormand–Prince 5(4) of ode_solvers, f64 on the CPU",
            build: |s| dopri(s, DopriOrder::Five),
        },
        Entry {
            name: "dop853",
            about: "adaptive Dormand–Prince 8(5,3) of ode_solvers, f64 on the CPU",
            build: |s| dopri(s, DopriOrder::Eight),
        },
    ],
};

fn tolerances(s: &Section) -> Result<(f64, f64)> {
    Ok((s.number("rtol", 1e-5)?, s.number("atol", 1e-5)?))
}

fn dopri(s: &Section, order: DopriOrder) -> Result<Box<dyn Method>> {
    let (rtol, atol) = tolerances(s)?;
    let coupling =
        s.choice("coupling", &[("sample", Coupling::Sample), ("batch", Coupling::Batch)], "sample")?;
    let plain = Dopri::new(order, rtol, atol, coupling).map_err(|e| s.wrap(e))?;
    let limits = limits(s, "chosen from the slope")?;
    Ok(Box::new(Flow(plain.within(limits).map_err(|e| s.wrap(e))?)))
}
