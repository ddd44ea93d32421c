//! What is to be said after a run of which nothing stands out from the floor.

use super::listed;
use crate::recipe::Recipe;
use crate::run::floor::{LEAST_SEEDS, Standing};
use crate::run::record::{DATA, Summary};

/// The sentences about what a run measured, where no mean of two or more is told apart from the floor: more samples where all are at
/// it, more seeds where their intervals are too wide for that.
pub fn indistinct(recipe: &Recipe, summary: &[Summary]) -> Vec<String> {
    let mut out = Vec::new();
    for (data, _) in &recipe.data {
        for sde in &recipe.sdes {
            let [mut flat, mut wide, mut few] = [const { Vec::new() }; 3];
            for metric in recipe.metrics.iter().map(|m| &m.label) {
                let mine = |r: &&Summary| {
                    r.data == data.label && r.sde == sde.label && r.metric == *metric && r.method != DATA
                };
                let rows: Vec<&Summary> = summary.iter().filter(mine).collect();
                let all = |good: fn(&Summary) -> bool| rows.len() > 1 && rows.iter().all(|r| good(r));
                let near = |r: &Summary| r.floor_reach.is_some_and(|reach| r.mean <= reach);
                if all(Summary::at_floor) {
                    flat.push(metric.clone());
                } else if all(|r| {
                    matches!(r.against_floor, Some(Standing::At | Standing::Below | Standing::Unclear))
                }) {
                    wide.push(metric.clone());
                } else if all(near) && rows.iter().any(|r| r.against_floor == Some(Standing::TooFewSeeds)) {
                    few.push(metric.clone());
                }
            }
            let place = format!("{}, {}", data.label, sde.label);
            let (n, seeds) = (recipe.samples, recipe.seeds.len());
            if !flat.is_empty() {
                out.push(format!(
                    "{place}: every mean is at the floor or below it, so {n} samples cannot tell the methods apart by {}; raise samples above {n}",
                    listed(&flat)
                ));
            }
            if !wide.is_empty() {
                out.push(format!(
                    "{place}: no mean is above the floor for certain, but intervals over {seeds} seeds are too wide to say that all are at it, by \
                     {}; give more seeds than {seeds}",
                    listed(&wide)
                ));
            }
            if !few.is_empty() {
                let few_seeds =
                    if seeds == 1 { "1 seed is".to_owned() } else { format!("{seeds} seeds are") };
                out.push(format!(
                    "{place}: every mean is near the floor, but {few_seeds} too few to tell the methods from it, or apart, by {}; give \
                     {LEAST_SEEDS} seeds or more",
                    listed(&few)
                ));
            }
        }
    }
    out
}
