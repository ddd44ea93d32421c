//! What the numbers of a run mean, in the sentences that its tables end with and in the notes of its pictures.

use super::layout::wrap;
use crate::metrics::Range;
use crate::recipe::{ModelSpec, Recipe};
use crate::run::Ranked;
use crate::run::holm::{LEVEL, first_step};

/// What the intervals of a run span: `over 3 sampling seeds of one trained network`, `over 3 seeds` of an exact score, `one seed, no
/// intervals`.
pub fn span(recipe: &Recipe) -> String {
    let network = match recipe.model {
        ModelSpec::Mlp { .. } => " of one trained network",
        ModelSpec::Saved(_) => " of one saved network",
        ModelSpec::Exact => "",
    };
    match (recipe.seeds.len(), network) {
        (0 | 1, "") => "one seed, no intervals".to_owned(),
        (0 | 1, _) => format!("one sampling seed{network}, no intervals"),
        (n, "") => format!("over {n} seeds"),
        (n, _) => format!("over {n} sampling seeds{network}"),
    }
}

/// What is not in the intervals, as a sentence's end; empty for exact scores.
fn left_out(recipe: &Recipe) -> String {
    match recipe.model {
        ModelSpec::Mlp { .. } => format!(
            "; the spread between trainings is not in them: each network was trained once, with train.seed = {}",
            recipe.train.seed
        ),
        ModelSpec::Saved(_) => "; the spread between trainings is not in them".to_owned(),
        ModelSpec::Exact => String::new(),
    }
}

/// The sentences under the tables.
pub fn footer(recipe: &Recipe, ranking: &[Ranked]) -> String {
    let mut out = Vec::new();
    let several = recipe.seeds.len() > 1;
    if several {
        out.push(format!("Intervals are 95 % for the mean {}{}.", span(recipe), left_out(recipe)));
        let bounded = |m: &&crate::recipe::Named<dyn crate::metrics::Metric>| m.it.range() != Range::Real;
        if recipe.metrics.first().filter(bounded).is_some() {
            out.push(
                "Those of distances are taken in the logarithm, those of fractions in the logit.".into(),
            );
        }
    } else {
        out.push(format!("These are values of {}{}.", span(recipe), left_out(recipe)));
    }
    let kept =
        recipe.data.iter().filter(|(data, _)| data.it.own().is_some_and(|own| own.kept().is_some())).count();
    out.push(match kept {
        0 => "The floor is the same metric between two fresh draws of the data.".into(),
        all if all == recipe.data.len() => "The floor is the same metric between training rows and held-out rows.".into(),
        _ => "The floor is the same metric between two fresh draws of the data, of a file's points between training rows and held-out rows.".into(),
    });
    let most = ranking.iter().filter(|r| r.group.is_some()).map(|r| r.comparisons).max();
    if let Some(most) = most {
        let (level, seeds) = (100.0 * (1.0 - LEVEL), recipe.seeds.len());
        out.push(format!(
            "(1) marks the best mean and what is not told apart from it, (2) the best of the rest and what is not told apart from that, and so \
             on. The test is Student's, paired by seed and corrected for all pairs of methods of a column (Holm): of columns of equal methods \
             {level:.0} % have one group. It survives {most} comparisons at most, for which {seeds} seeds ask of a difference that it be \
             {:.1} times its deviation from seed to seed{}. Groups hold for each column, not for all of them together. Pareto fronts are of \
             means, tested against nothing.",
            first_step(most, seeds),
            if first_step(most, seeds) > 3.0 { "; more seeds ask for less" } else { "" },
        ));
    } else if !ranking.is_empty() {
        out.push("Groups need three seeds; a Pareto front is one of means, tested against nothing.".into());
    }
    out.push(
        "Evaluations are of the model per sample, counted at the model. docs/statistics.md says more.".into(),
    );
    wrap(&out.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(text: &str) -> Recipe {
        Recipe::build("t".into(), "t.toml", text.parse().unwrap()).unwrap()
    }

    /// A network's intervals are said to be of one network; of an exact score no network is named.
    #[test]
    fn intervals_say_what_they_span() {
        let text = |model: &str, seed: &str| {
            let recipe = recipe(&format!("model = {model}\nseed = {seed}\nsteps = 5\n[train]\nseed = 7\n"));
            (span(&recipe), footer(&recipe, &[]).replace('\n', " "))
        };
        let (short, long) = text("\"mlp\"", "[0, 1, 2]");
        assert_eq!(short, "over 3 sampling seeds of one trained network");
        assert!(
            long.contains(&short)
                && long.contains("between trainings is not in them")
                && long.contains("train.seed = 7")
        );
        let (short, long) = text("\"mlp\"", "0");
        assert_eq!(short, "one sampling seed of one trained network, no intervals");
        assert!(long.contains("between trainings") && !long.contains("95 %"));
        let exact = recipe("model = \"exact\"\nseed = [0, 1]\nsteps = 5\n");
        assert_eq!(span(&exact), "over 2 seeds");
        let long = footer(&exact, &[]);
        assert!(!long.contains("network") && !long.contains("train") && long.contains("logarithm"), "{long}");
        assert!(long.lines().all(|l| l.chars().count() <= 80));
    }
}
