//! What the ends of a span decide: whether noised data are the prior at T, what is left of the noise at ε, and whether noise reaches from
//! one mode to another.

use toml::{Table, Value};
use tweedie_solvers::Result;
use tweedie_solvers::sde::{LinearSde, Span, Use};

use super::{Law, Plan, law, short};
use crate::recipe::{Named, Section};
use crate::registry::SDES;

/// KL(p_T ‖ prior) in nats beyond which samples start from another law than the noised data's.
const START: f64 = 0.01;

/// The most noise at ε, as a fraction of the narrowest deviation: it widens a mode by √(1 + ¼), 12 %.
const BLUR: f64 = 0.5;

/// What costs least where the data are far from deviation 1: nothing else changes, and samples come back in their own units.
const CURE: &str = "set standardise = true in the data";

/// The spans of the grids, each once: all but explicit ones have the SDE's.
pub(super) fn spans(sde: &dyn LinearSde, plan: Plan<'_>) -> Result<Vec<Span>> {
    let mut out = Vec::new();
    for grid in plan.grids {
        let mut span = sde.span(Use::Sampling);
        if let Some(steps) = grid.it.fixed_steps() {
            let made = grid.it.grid(sde, span, steps)?;
            span = Span { start: made.last(), end: made.first() };
        }
        if !out.contains(&span) {
            out.push(span);
        }
    }
    Ok(out)
}

/// (α/σ)² at t.
fn ratio(sde: &dyn LinearSde, t: f64) -> f64 {
    (2.0 * sde.kernel(t).log_snr()).exp()
}

/// The noised data at T are not the prior.
pub(super) fn prior(law: &Law, sde: &Named<dyn LinearSde>, end: f64) -> Option<String> {
    let nats = law.divergence(ratio(&*sde.it, end));
    if nats <= START {
        return None;
    }
    let whole = sde.it.span(Use::Sampling).end;
    let change = if end < whole {
        format!("start the grid at t = {}", short(whole))
    } else if law.cured(|law| law.divergence(ratio(&*sde.it, end)) <= START) {
        CURE.into()
    } else {
        let good = |sde: &dyn LinearSde| law.divergence(ratio(sde, sde.span(Use::Sampling).end)) <= START;
        let found = remedy(sde, &["sigma-max", "beta-max"], RAISE, good);
        found.unwrap_or_else(|| "bring the data nearer to mean 0 and deviation 1".into())
    };
    Some(format!(
        "at t = {}, where samplers start, the data with noise are {} nats or more from the prior N(0, {}² I), above {START}; {change}",
        short(end),
        short(nats),
        short(sde.it.kernel(end).sigma)
    ))
}

/// What is left of the noise at ε widens the narrowest mode.
pub(super) fn blur(law: &Law, sde: &Named<dyn LinearSde>, start: f64) -> Option<String> {
    let narrowest = law.narrowest.or(law.least)?;
    let left = |sde: &dyn LinearSde, t| (-sde.kernel(t).log_snr()).exp();
    let noise = left(&*sde.it, start);
    if noise <= BLUR * narrowest {
        return None;
    }
    let whole = sde.it.span(Use::Sampling).start;
    let change = if start > whole {
        format!("end the grid at t = {}", short(whole))
    } else if law.cured(|law| law.narrowest.or(law.least).is_some_and(|s| noise <= BLUR * s)) {
        CURE.into()
    } else {
        let good = |sde: &dyn LinearSde| left(sde, sde.span(Use::Sampling).start) <= BLUR * narrowest;
        let found = remedy(sde, &["epsilon", "sigma-min"], 1.0 / RAISE, good);
        found.unwrap_or_else(|| "take another SDE".into())
    };
    Some(format!(
        "ε = {} adds noise {} to {} of deviation {}, above half of it; {change}",
        short(start),
        short(noise),
        if law.narrowest.is_some() { "modes" } else { "a coordinate" },
        short(narrowest)
    ))
}

/// Where α = 1, σ(T) is below the largest distance between points (Song & Ermon 2020, technique 1): noise of this size does not
/// carry a sample from one mode to another.
pub(super) fn reach(law: &Law, sde: &Named<dyn LinearSde>, end: f64) -> Option<String> {
    let k = sde.it.kernel(end);
    if k.alpha != 1.0 || k.sigma >= law.extent {
        return None;
    }
    let whole = sde.it.span(Use::Sampling).end;
    let change = if end < whole && sde.it.kernel(whole).sigma >= law.extent {
        format!("start the grid at t = {}", short(whole))
    } else if law.cured(|law| k.sigma >= law.extent) {
        CURE.into()
    } else {
        let found = remedy(sde, &["sigma-max"], RAISE, |sde| sde.prior() >= law.extent);
        found.unwrap_or_else(|| "scale the data down".into())
    };
    Some(format!(
        "σ = {} at t = {}, where samplers start, is below {}, the largest distance between {} points; {change}",
        short(k.sigma),
        short(end),
        short(law.extent),
        law::PAIRED
    ))
}

/// The factor between one try of an option and the next.
const RAISE: f64 = 1.1;

/// A sentence's end that names an option of the SDE and a value, to two digits, at which all is `good`: the first of the options that
/// has one, and its value nearest to the present one up to 10 %.
fn remedy(
    sde: &Named<dyn LinearSde>,
    options: &[&str],
    factor: f64,
    good: impl Fn(&dyn LinearSde) -> bool,
) -> Option<String> {
    options.iter().find_map(|&option| {
        let now = sde.table.get(option)?;
        let mut value = now.as_float().or_else(|| now.as_integer().map(|n| n as f64))?;
        let mut table: Table = sde.table.clone();
        // 1.1²⁰⁰ = 2e8: beyond that the option does not help.
        let found = (0..200).find_map(|_| {
            let unit = 10f64.powf((value * factor).log10().floor() - 1.0);
            let digits = value * factor / unit;
            // What is two digits up to rounding stays.
            value = unit * if factor > 1.0 { (digits - 1e-9).ceil() } else { (digits + 1e-9).floor() };
            table.insert(option.to_owned(), Value::Float(value));
            let made = SDES.build(&Section::new("", "sde", table.clone())).ok()?;
            good(&*made).then_some(value)
        })?;
        let more = if factor > 1.0 { "more" } else { "less" };
        Some(format!("set {option} to {} or {more}", short(found)))
    })
}
