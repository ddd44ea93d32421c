//! Steps of the reverse SDE, and Langevin dynamics.

use tweedie_solvers::method::{
    Ancestral, AnnealedLangevin, EulerMaruyama, Langevin, Method, Norm, PredictorCorrector, ReverseDiffusion,
    Rule,
};

use super::super::{Entry, Family};
use super::METHODS;
use crate::error::Result;
use crate::recipe::Section;

pub(super) const REVERSE: Family<dyn Method> = Family {
    name: "reverse SDE",
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
    ],
};

fn predictor_corrector(s: &Section) -> Result<Box<dyn Method>> {
    let predictor = s.nested("predictor", "reverse-diffusion")?;
    let (name, predictor) = (predictor.label(), METHODS.build(&predictor)?);
    let made = PredictorCorrector::new(predictor, langevin(s)?);
    Ok(Box::new(made.map_err(|e| s.wrap_choice(e, "predictor", &name))?))
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
    let metropolis = s.boolean("metropolis", false)?;
    let plain = Langevin::new(rule, corrections).map_err(|e| s.wrap(e))?;
    if metropolis { plain.metropolis().map_err(|e| s.wrap(e)) } else { Ok(plain) }
}
