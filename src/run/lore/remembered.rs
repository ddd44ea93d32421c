//! What is said of samples that are copies of training points.

use super::short;
use crate::data::Empirical;
use crate::recipe::{ModelSpec, Recipe};
use crate::run::memorisation::{MEMORISATION, score};
use crate::run::record::Record;

/// Deviations above ½ beyond which points are remembered: chance does that once in 30 000 runs.
const REMEMBERED: f64 = 4.0;

/// The sentences about samples that are nearer to training points than held-out points are: of each
/// data set and SDE, the run where that is most sure.
pub fn remembered(recipe: &Recipe, records: &[Record]) -> Vec<String> {
    let mut out = Vec::new();
    for (data, _) in &recipe.data {
        let Some(kept) = data.it.own().and_then(Empirical::kept) else { continue };
        for sde in &recipe.sdes {
            let mine = records.iter().filter(|r| r.metric == MEMORISATION);
            let mine = mine.filter(|r| r.data == data.label && r.sde == sde.label);
            let Some(most) = mine.max_by(|a, b| a.value.total_cmp(&b.value)) else { continue };
            let score = score(most.value, recipe.samples, kept.len());
            if score <= REMEMBERED {
                continue;
            }
            let steps = most.steps.map_or_else(String::new, |n| format!(" at {n} steps"));
            let change = match recipe.model {
                ModelSpec::Exact => "that is what the exact score of points does; it is no model of new ones",
                _ => "take more points, fewer train.steps or a smaller network",
            };
            out.push(format!(
                "{}, {}: samples of {}{steps} are nearer to the training points than the held-out points are in {} of pairs, where 0.5 is no \
                 memory ({} deviations above it), so the model gives back points that it was made from; {change}",
                data.label,
                sde.label,
                most.method,
                short(most.value),
                short(score)
            ));
        }
    }
    out
}
