//! What is said of samples that are copies of training points.

use super::short;
use crate::data::Empirical;
use crate::recipe::{ModelSpec, Recipe};
use crate::run::memorisation::{DEVIATIONS, MEMORISATION};
use crate::run::record::Record;

/// Deviations above 0 beyond which points are remembered: chance does that once in 30 000 runs.
const REMEMBERED: f64 = 4.0;

/// The sentences about samples that lie nearer to training rows than to held-out ones: of each data set and SDE, the run where that is most
/// sure.
pub fn remembered(recipe: &Recipe, records: &[Record]) -> Vec<String> {
    let mut out = Vec::new();
    for (data, _) in &recipe.data {
        if data.it.own().and_then(Empirical::kept).is_none() {
            continue;
        }
        for sde in &recipe.sdes {
            let mine = records.iter().filter(|r| r.metric == MEMORISATION);
            let mine = mine.filter(|r| r.data == data.label && r.sde == sde.label);
            let sure = |r: &Record| {
                let mut all = records.iter().filter(|o| o.metric == DEVIATIONS && o.seed == r.seed);
                let at = |o: &&Record| {
                    (&o.data, &o.sde, &o.method, &o.grid, o.steps)
                        == (&r.data, &r.sde, &r.method, &r.grid, r.steps)
                };
                all.find(at).map_or(f64::NEG_INFINITY, |o| o.value)
            };
            let Some(most) = mine.max_by(|a, b| sure(a).total_cmp(&sure(b))) else { continue };
            let deviations = sure(most);
            // Not a number where nothing was finite.
            if deviations.is_nan() || deviations <= REMEMBERED {
                continue;
            }
            let steps = most.steps.map_or_else(String::new, |n| format!(" at {n} steps"));
            let change = match recipe.model {
                ModelSpec::Exact => "that is what the exact score of points does; it is no model of new ones",
                _ => "take more points, fewer train.steps or a smaller network",
            };
            out.push(format!(
                "{}, {}: samples of {}{steps} lie nearer to training rows than to held-out ones, memorisation {} where 0 is none and 1 is \
                 copies ({} deviations above 0): the model gives back rows that it was made from, unless the held-out rows follow another \
                 law; {change}",
                data.label,
                sde.label,
                most.method,
                short(most.value),
                short(deviations)
            ));
        }
    }
    out
}
