//! Exponential integrators that remember earlier steps.

use tweedie_solvers::method::{
    Adams, DeisTab, Form, InSigma, Method, Multistep, RungeKutta, Second, Third, UniPc, Variant,
};

use super::super::{Entry, Family};
use crate::error::Result;
use crate::recipe::Section;

pub(super) const MULTISTEP: Family<dyn Method> = Family {
    name: "exponential, multistep",
    entries: &[
        Entry {
            name: "dpm-solver-2m",
            about: "DPM-Solver-2, multistep, noise prediction",
            build: |s| Ok(Box::new(multistep(s, Form::Noise, 2, "midpoint")?)),
        },
        Entry {
            name: "dpm-solver-3m",
            about: "DPM-Solver-3, multistep, noise prediction",
            build: |s| Ok(Box::new(multistep(s, Form::Noise, 3, "midpoint")?)),
        },
        Entry {
            name: "dpmpp-2m",
            about: "DPM-Solver++(2M), multistep, data prediction",
            build: |s| Ok(Box::new(multistep(s, Form::Data, 2, "midpoint")?)),
        },
        Entry {
            name: "dpmpp-3m",
            about: "DPM-Solver++(3M), multistep, data prediction",
            build: |s| Ok(Box::new(multistep(s, Form::Data, 3, "midpoint")?)),
        },
        Entry { name: "unipc", about: "UniPC, multistep predictor and corrector", build: unipc },
        Entry { name: "deis", about: "DEIS: tAB in t, ρAB and ρRK in σ/α", build: deis },
    ],
};

pub(super) fn multistep(s: &Section, form: Form, order: usize, second: &str) -> Result<Multistep> {
    let second = s.choice("second", &[("midpoint", Second::Midpoint), ("heun", Second::Heun)], second)?;
    let lower = s.boolean("lower-order-final", false)?;
    let third = if order < 3 { Third::Published } else { s.choice("difference", &DIFFERENCE, "published")? };
    Ok(Multistep::new(form, order, second, third).map_err(|e| s.wrap(e))?.lower_final(lower))
}

fn unipc(s: &Section) -> Result<Box<dyn Method>> {
    let variants = [
        ("bh1", Variant::Bh1),
        ("bh2", Variant::Bh2),
        ("vary-coeff", Variant::VaryCoeff),
        ("exact", Variant::Exact),
    ];
    let order = s.integer("order", 2, 1..=6)? as usize;
    let form = s.choice("prediction", &[("data", Form::Data), ("noise", Form::Noise)], "data")?;
    let (variant, corrector) = (s.choice("variant", &variants, "bh2")?, s.boolean("corrector", true)?);
    let lower = s.boolean("lower-order-final", false)?;
    Ok(Box::new(UniPc::new(form, order, variant, corrector).map_err(|e| s.wrap(e))?.lower_final(lower)))
}

fn deis(s: &Section) -> Result<Box<dyn Method>> {
    let forms = ["tab", "rho-ab", "rho-heun", "rho-kutta", "rho-rk4"].map(|name| (name, name));
    Ok(match s.choice("form", &forms, "tab")? {
        "rho-heun" => Box::new(InSigma::tableau(RungeKutta::HEUN)),
        "rho-kutta" => Box::new(InSigma::tableau(RungeKutta::KUTTA)),
        "rho-rk4" => Box::new(InSigma::tableau(RungeKutta::RK4)),
        form => {
            let degree = s.integer("degree", 3, 0..=3)? as usize;
            if form == "tab" {
                Box::new(DeisTab::new(degree).map_err(|e| s.wrap(e))?)
            } else {
                Box::new(InSigma::multistep(degree + 1, Adams::Exact).map_err(|e| s.wrap(e))?)
            }
        }
    })
}

pub(super) const DIFFERENCE: [(&str, Third); 2] = [("published", Third::Published), ("exact", Third::Exact)];
