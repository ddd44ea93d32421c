//! Fast samplers with noise.

use tweedie_solvers::method::{
    AncestralSteps, Churn, Ddim, ErSde, Form, InSigma, Method, NoiseScale, Restart, RungeKutta, UniPc,
};

use super::super::{Entry, Family};
use super::METHODS;
use super::multistep::{DIFFERENCE, multistep};
use crate::error::Result;
use crate::recipe::Section;

pub(super) const STOCHASTIC: Family<dyn Method> = Family {
    name: "stochastic",
    entries: &[
        Entry {
            name: "euler-ancestral",
            about: "Euler in σ/α with ancestral noise level eta (k-diffusion); DDIM's formula",
            build: |s| Ok(Box::new(Ddim::new(s.number("eta", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "dpmpp-2s-ancestral",
            about: "DPM-Solver++(2S) to a lower level, then noise (k-diffusion)",
            build: |s| Ok(Box::new(AncestralSteps::after(s.number("eta", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "dpmpp-sde",
            about: "DPM-Solver++(2S) with noise in both stages (k-diffusion)",
            build: |s| {
                let (eta, r) = (s.number("eta", 1.0)?, s.number("r", 0.5)?);
                Ok(Box::new(AncestralSteps::within(eta, r).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "dpmpp-2m-sde",
            about: "DPM-Solver++(2M) on the reverse SDE with noise level √eta",
            build: |s| noisy_multistep(s, 2, "midpoint"),
        },
        Entry {
            name: "dpmpp-3m-sde",
            about: "DPM-Solver++(3M) on the reverse SDE with noise level √eta",
            build: |s| noisy_multistep(s, 3, "heun"),
        },
        Entry { name: "edm-sde", about: "EDM's stochastic sampler: churn, then Heun in σ/α", build: churn },
        Entry {
            name: "sa-solver",
            about: "SA-Solver, multistep predictor and corrector with noise level tau",
            build: sa_solver,
        },
        Entry { name: "er-sde", about: "ER-SDE with a noise scale function", build: er_sde },
        Entry { name: "restart", about: "restarts around any method without noise", build: restart },
    ],
};

fn noisy_multistep(s: &Section, order: usize, second: &str) -> Result<Box<dyn Method>> {
    let plain = multistep(s, Form::Data, order, second)?;
    Ok(Box::new(plain.noisy(s.number("eta", 1.0)?).map_err(|e| s.wrap(e))?))
}

fn churn(s: &Section) -> Result<Box<dyn Method>> {
    let rules =
        [("heun", InSigma::HEUN), ("euler", InSigma::tableau(RungeKutta::EULER)), ("dpm-2", InSigma::DPM2)];
    let inner = s.choice("inner", &rules, "heun")?;
    let range = (s.number("s-tmin", 0.0)?, s.number("s-tmax", f64::INFINITY)?);
    let (churn, noise) = (s.number("s-churn", 40.0)?, s.number("s-noise", 1.0)?);
    Ok(Box::new(Churn::new(inner, churn, range, noise).map_err(|e| s.wrap(e))?))
}

fn sa_solver(s: &Section) -> Result<Box<dyn Method>> {
    let predictor = s.integer("predictor", 3, 1..=4)? as usize;
    let corrector = s.integer("corrector", 4, 0..=4)? as usize;
    let range = (s.number("tau-from", 0.0)?, s.number("tau-to", f64::INFINITY)?);
    let (tau, few) = (s.number("tau", 1.0)?, s.boolean("few-steps", false)?);
    let lower = s.boolean("lower-order-final", true)?;
    let method = UniPc::sa(predictor, corrector, few, tau, range).map_err(|e| s.wrap(e))?;
    Ok(Box::new(method.lower_final(lower)))
}

fn er_sde(s: &Section) -> Result<Box<dyn Method>> {
    let scales = [
        ("ode", NoiseScale::Ode),
        ("sde", NoiseScale::Sde),
        ("sde-1", NoiseScale::Sde1),
        ("sde-2", NoiseScale::Sde2),
        ("sde-3", NoiseScale::Sde3),
        ("sde-4", NoiseScale::Sde4),
        ("sde-5", NoiseScale::Sde5),
    ];
    let order = s.integer("order", 3, 1..=3)? as usize;
    let scale = s.choice("noise-scale", &scales, "sde-5")?;
    let third = s.choice("difference", &DIFFERENCE, "published")?;
    Ok(Box::new(ErSde::new(order, scale, third).map_err(|e| s.wrap(e))?))
}

fn restart(s: &Section) -> Result<Box<dyn Method>> {
    let inner = s.nested("inner", "edm-heun")?;
    let (name, inner) = (inner.label(), METHODS.build(&inner)?);
    let range = (s.number("sigma-min", 0.06)?, s.number("sigma-max", 0.3)?);
    let times = s.integer("restarts", 2, 0..=1000)? as usize;
    let steps = s.integer("restart-steps", 2, 1..=1000)? as usize;
    Ok(Box::new(Restart::new(inner, range, times, steps).map_err(|e| s.wrap_choice(e, "inner", &name))?))
}
