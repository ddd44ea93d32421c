//! The tables of a recipe that hold numbers rather than choices: `[model]`, `[train]` and `[likelihood]`, with their defaults.

use std::path::PathBuf;

use toml::Value;
use tweedie_solvers::likelihood::{Divergence, Probe};
use tweedie_solvers::method::Method;

use super::{DecomposeSpec, Distance, Figures, LikelihoodSpec, ModelSpec, Named, Section, StrongSpec, one};
use crate::error::{Error, Result, suggest};
use crate::net::{MlpConfig, Prediction};
use crate::registry::{GRIDS, METHODS};
use crate::train::{AdamConfig, TimeLaw, TrainConfig, Weighting};

/// s of the default network over σ_d.
const FINEST: f64 = 0.03;

pub(super) fn model(s: &Section) -> Result<ModelSpec> {
    let kind = s.choice("name", &[("mlp", 0), ("exact", 1), ("saved", 2)], "mlp")?;
    let spec = match kind {
        0 => {
            let plain = MlpConfig::reference(2);
            let sigma_data = s.optional("sigma-data", "the data's")?;
            let prediction = s.choice("prediction", &Prediction::NAMES, "edm")?;
            let finest = if prediction == Prediction::Edm {
                let finest = s.number("finest", FINEST)?;
                if !(0.0..=1.0).contains(&finest) {
                    return Err(s.broken("finest", finest, "lie from 0 to 1, in units of sigma-data"));
                }
                finest
            } else {
                s.excluded(&["finest"], "be left out unless prediction = \"edm\"")?;
                0.0
            };
            let config = MlpConfig {
                dim: 2,
                width: s.integer("width", plain.width as u64, 1..=16_384)? as usize,
                depth: s.integer("depth", plain.depth as u64, 0..=256)? as usize,
                embedding: s.integer("embedding", plain.embedding as u64, 2..=16_384)? as usize,
                scale: s.number("fourier-scale", plain.scale)?,
                prediction,
                sigma_data: sigma_data.unwrap_or(1.0),
                finest,
            };
            ModelSpec::Mlp { config: config.checked().map_err(|e| s.wrap(e))?, sigma_data }
        }
        1 => ModelSpec::Exact,
        _ => {
            let path = s.text("path", "")?;
            if path.is_empty() {
                return Err(s.missing("path"));
            }
            ModelSpec::Saved(PathBuf::from(path))
        }
    };
    s.finish()?;
    Ok(spec)
}

/// `[train]` for a network whose output is read so.
pub(super) fn train(s: &Section, prediction: Prediction) -> Result<TrainConfig> {
    let adam = AdamConfig::default();
    // Where the network is asked is where it is trained: its own levels, under every SDE. The likelihood weighting grows without bound
    // towards the data, so that its times must be drawn in proportion.
    let plain = if prediction == Prediction::Edm { "edm" } else { "noise" };
    let weighting = s.choice("weighting", &Weighting::NAMES, plain)?;
    let law = if weighting == Weighting::Likelihood { "importance" } else { "level" };
    let times =
        s.choice("times", &[("uniform", 0), ("log-normal", 1), ("importance", 2), ("level", 3)], law)?;
    if times != 1 {
        s.excluded(&["times-mean", "times-deviation"], "be left out unless times = \"log-normal\"")?;
    }
    let within = |key: &'static str, value: f64, ok: bool, rule: &str| {
        if ok { Ok(value) } else { Err(s.broken(key, value, rule)) }
    };
    let unit = |key: &'static str, default: f64| {
        let v = s.number(key, default)?;
        within(key, v, (0.0..1.0).contains(&v), "lie in [0, 1)")
    };
    let above = |key: &'static str, default: f64| {
        let v = s.number(key, default)?;
        within(key, v, v.is_finite() && v > 0.0, "be a finite number above 0")
    };
    let not_below = |key: &'static str, default: f64| {
        let v = s.number(key, default)?;
        within(key, v, v.is_finite() && v >= 0.0, "be a finite number, 0 or above")
    };
    let config = TrainConfig {
        steps: s.integer("steps", 6000, 1..=u64::MAX)?,
        batch: s.integer("batch", 256, 1..=10_000_000)? as usize,
        rate: above("rate", 6e-3)?,
        warmup: s.integer("warmup", 100, 0..=u64::MAX)?,
        cosine: s.choice("schedule", &[("cosine", true), ("constant", false)], "cosine")?,
        ema: unit("ema", 0.999)?,
        weighting,
        times: match times {
            0 => TimeLaw::Uniform,
            1 => TimeLaw::LogNormal {
                mean: s.number("times-mean", -1.2)?,
                deviation: above("times-deviation", 1.2)?,
            },
            2 => TimeLaw::Importance,
            _ => TimeLaw::Level,
        },
        adam: AdamConfig {
            beta1: unit("beta1", adam.beta1)?,
            beta2: unit("beta2", adam.beta2)?,
            epsilon: above("adam-epsilon", adam.epsilon)?,
            weight_decay: not_below("weight-decay", adam.weight_decay)?,
            clip: not_below("clip", adam.clip)?,
        },
        seed: s.integer("seed", 0, 0..=u64::MAX)?,
    };
    s.finish()?;
    Ok(config)
}

/// The laws of a probe, as users type them.
pub const PROBES: [(&str, Probe); 2] = [("rademacher", Probe::Rademacher), ("gaussian", Probe::Gaussian)];

pub(super) fn likelihood(s: &Section) -> Result<LikelihoodSpec> {
    let method = one(&s.nested("method", "rk45")?, |s| METHODS.build(s))?;
    if method.it.ode().is_none() {
        return Err(s.broken(
            "method",
            &method.label,
            "solve the probability flow: euler, heun, rk4, rk45, dopri5 or dop853",
        ));
    }
    let exact = s.choice("divergence", &[("exact", true), ("hutchinson", false)], "exact")?;
    let divergence = if exact {
        s.excluded(&["probe", "probes"], "be left out unless divergence = \"hutchinson\"")?;
        Divergence::Exact
    } else {
        let law = s.choice("probe", &PROBES, "rademacher")?;
        Divergence::Hutchinson { probes: s.integer("probes", 8, 1..=10_000)? as usize, law }
    };
    let spec = LikelihoodSpec {
        method,
        grid: one(&s.nested("grid", "uniform-log-snr")?, |s| GRIDS.build(s))?,
        steps: s.integer("steps", 100, 1..=1_000_000)? as usize,
        divergence,
        points: s.integer("points", 500, 2..=100_000_000)? as usize,
        flow_kl: s.boolean("flow-kl", false)?,
    };
    s.finish()?;
    Ok(spec)
}

/// How distances are named.
const DISTANCES: [(&str, Distance); 2] = [("pairs", Distance::Pairs), ("w2", Distance::W2)];

fn reference_steps(s: &Section) -> Result<usize> {
    Ok(s.integer("reference-steps", 2000, 2..=10_000_000)? as usize)
}

pub(super) fn strong(s: &Section) -> Result<StrongSpec> {
    let spec = StrongSpec { reference_steps: reference_steps(s)? };
    s.finish()?;
    Ok(spec)
}

pub(super) fn decompose(s: &Section) -> Result<DecomposeSpec> {
    let spec = DecomposeSpec {
        distance: s.choice("distance", &DISTANCES, "pairs")?,
        reference_steps: reference_steps(s)?,
        samples: s.integer("samples", 500, 2..=10_000)? as usize,
    };
    s.finish()?;
    Ok(spec)
}

/// The label of the method that others are compared with.
pub(super) fn paired(s: &Section, methods: &[Named<dyn Method>]) -> Result<String> {
    let baseline = s.text("baseline", "")?;
    if baseline.is_empty() {
        return Err(s.missing("baseline"));
    }
    let labels = methods.iter().map(|m| m.label.as_str());
    if labels.clone().all(|label| label != baseline) {
        let known = suggest(&baseline, labels);
        return Err(Error::Input(format!(
            "{}: paired.baseline = \"{baseline}\" is none of this recipe's methods; {known}",
            s.file()
        )));
    }
    s.finish()?;
    Ok(baseline)
}

/// `figures`: a boolean, or which ones.
pub(super) fn figures(top: &Section) -> Result<Figures> {
    if matches!(top.table().get("figures"), Some(Value::String(_))) {
        let names = [("all", Figures::All), ("quality", Figures::Quality), ("none", Figures::None)];
        return top.choice("figures", &names, "all");
    }
    Ok(if top.boolean("figures", true)? { Figures::All } else { Figures::None })
}
