//! The shelf of samplers, by family.

use tweedie_solvers::method::{
    Adams, Additive, Ancestral, AncestralSteps, AnnealedLangevin, Churn, Coupling, Ddim, DeisTab, Dopri,
    DopriOrder, ErSde, EulerMaruyama, Flow, Form, InSigma, Langevin, Method, Multistep, NoiseScale, Norm,
    PredictorCorrector, Restart, ReverseDiffusion, Rk45, Rule, RungeKutta, Second, SingleStep, Third, UniPc,
    Variant,
};

use super::{Entry, Shelf};
use crate::error::Result;
use crate::recipe::Section;

/// Samplers.
pub const METHODS: Shelf<dyn Method> = Shelf {
    what: "method",
    elsewhere: &[],
    entries: &[
        Entry {
            name: "euler-maruyama",
            about: "Euler–Maruyama on the reverse SDE with noise level lambda",
            build: |s| Ok(Box::new(EulerMaruyama::new(s.number("lambda", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "reverse-diffusion",
            about: "reverse-diffusion predictor of the score-SDE paper",
            build: |_| Ok(Box::new(ReverseDiffusion)),
        },
        Entry {
            name: "ancestral",
            about: "ancestral sampling (DDPM, SMLD), posterior variance",
            build: |_| Ok(Box::new(Ancestral)),
        },
        Entry {
            name: "predictor-corrector",
            about: "any predictor, then Langevin corrections at every node",
            build: predictor_corrector,
        },
        Entry {
            name: "langevin",
            about: "annealed Langevin dynamics alone (NCSN)",
            build: |s| Ok(Box::new(AnnealedLangevin(langevin(s)?))),
        },
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
        Entry { name: "edm-sde", about: "EDM's stochastic sampler: churn, then Heun in σ/α", build: churn },
        Entry {
            name: "sa-solver",
            about: "SA-Solver, multistep predictor and corrector with noise level tau",
            build: sa_solver,
        },
        Entry { name: "er-sde", about: "ER-SDE with a noise scale function", build: er_sde },
        Entry { name: "restart", about: "restarts around any method without noise", build: restart },
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
        Entry { name: "unipc", about: "UniPC, multistep predictor and corrector", build: unipc },
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
        Entry { name: "deis", about: "DEIS: tAB in t, ρAB and ρRK in σ/α", build: deis },
        Entry {
            name: "rk45",
            about: "adaptive Dormand–Prince on the flow, steps per sample, any device",
            build: |s| {
                let (rtol, atol) = tolerances(s)?;
                Ok(Box::new(Flow(Rk45::new(rtol, atol).map_err(|e| s.wrap(e))?)))
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

fn single_step(s: &Section, form: Form, order: usize) -> Result<Box<dyn Method>> {
    Ok(Box::new(SingleStep::new(form, order).map_err(|e| s.wrap(e))?))
}

fn adams(s: &Section, weights: Adams) -> Result<Box<dyn Method>> {
    let order = s.integer("order", 4, 1..=4)? as usize;
    Ok(Box::new(InSigma::multistep(order, weights).map_err(|e| s.wrap(e))?))
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

fn multistep(s: &Section, form: Form, order: usize, second: &str) -> Result<Multistep> {
    let second = s.choice("second", &[("midpoint", Second::Midpoint), ("heun", Second::Heun)], second)?;
    let lower = s.boolean("lower-order-final", false)?;
    let third = if order < 3 { Third::Published } else { s.choice("difference", &DIFFERENCE, "published")? };
    Ok(Multistep::new(form, order, second, third).map_err(|e| s.wrap(e))?.lower_final(lower))
}

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
    let lower = s.boolean("lower-order-final", false)?;
    let method = UniPc::sa(predictor, corrector, few, tau, range).map_err(|e| s.wrap(e))?;
    Ok(Box::new(method.lower_final(lower)))
}

const DIFFERENCE: [(&str, Third); 2] = [("published", Third::Published), ("exact", Third::Exact)];

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
    let inner = METHODS.build(&s.nested("inner", "edm-heun")?)?;
    let range = (s.number("sigma-min", 0.06)?, s.number("sigma-max", 0.3)?);
    let times = s.integer("restarts", 2, 0..=1000)? as usize;
    let steps = s.integer("restart-steps", 2, 1..=1000)? as usize;
    Ok(Box::new(Restart::new(inner, range, times, steps).map_err(|e| s.wrap(e))?))
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

fn predictor_corrector(s: &Section) -> Result<Box<dyn Method>> {
    let predictor = METHODS.build(&s.nested("predictor", "reverse-diffusion")?)?;
    Ok(Box::new(PredictorCorrector::new(predictor, langevin(s)?).map_err(|e| s.wrap(e))?))
}

fn tolerances(s: &Section) -> Result<(f64, f64)> {
    Ok((s.number("rtol", 1e-5)?, s.number("atol", 1e-5)?))
}

fn dopri(s: &Section, order: DopriOrder) -> Result<Box<dyn Method>> {
    let (rtol, atol) = tolerances(s)?;
    let coupling =
        s.choice("coupling", &[("sample", Coupling::Sample), ("batch", Coupling::Batch)], "sample")?;
    Ok(Box::new(Flow(Dopri::new(order, rtol, atol, coupling).map_err(|e| s.wrap(e))?)))
}

fn langevin(s: &Section) -> Result<Langevin> {
    let rule = match s.optional("step-size", "set by snr")? {
        Some(size) => {
            s.excluded(&["snr", "norm"], "be left out where step-size is given")?;
            Rule::Fixed(size)
        }
        None => {
            let names = [("kernel", Norm::Kernel), ("batch", Norm::Batch), ("sample", Norm::Sample)];
            Rule::Snr { snr: s.number("snr", 0.16)?, norm: s.choice("norm", &names, "kernel")? }
        }
    };
    let corrections = s.integer("corrections", 1, 1..=10_000)? as usize;
    Langevin::new(rule, corrections).map_err(|e| s.wrap(e))
}
