//! Tests of groups: how often methods that are equal are told apart, and that methods that are not, are.

use super::*;
use crate::metrics::Range;
use crate::run::record::{Label, summarise};
use tweedie_solvers::Key;

/// A recipe of `k` methods with a budget that each of them fits.
fn recipe(k: usize, seeds: usize) -> Recipe {
    let etas: Vec<String> = (0..k).map(|i| format!("{:.3}", i as f64 / 1000.0)).collect();
    let seed: Vec<String> = (0..seeds).map(|s| s.to_string()).collect();
    let text = format!(
        "model = \"exact\"\nmethod = {{ name = \"ddim\", eta = [{}] }}\nevals = 9\nmetrics = [\"w2\"]\nseed = [{}]\n",
        etas.join(", "),
        seed.join(", ")
    );
    Recipe::build("t".into(), "t.toml", text.parse().unwrap()).unwrap()
}

/// The ranking of values, method by method, each over the seeds.
fn rank(recipe: &Recipe, values: &[Vec<f64>]) -> Vec<Ranked> {
    let mut records = Vec::new();
    for (method, values) in recipe.methods.iter().zip(values) {
        for (&seed, &value) in recipe.seeds.iter().zip(values) {
            let label = Label {
                data: recipe.data[0].0.label.clone(),
                sde: recipe.sdes[0].label.clone(),
                method: method.label.clone(),
                grid: "karras".into(),
                steps: Some(9),
                evals: 9.0,
                ..Label::data(seed)
            };
            records.push(label.record("w2", value));
        }
    }
    ranking(recipe, &records, &summarise(&records, &|_| Range::Positive), &|_| 0.0)
}

/// The groups in the order of the recipe's methods.
fn groups_of(recipe: &Recipe, ranked: &[Ranked]) -> Vec<Option<usize>> {
    let group = |label: &str| ranked.iter().find(|r| r.method == label).unwrap().group;
    recipe.methods.iter().map(|m| group(&m.label)).collect()
}

/// Values of law N(mean of the method, s²), of which a share `shared` of the variance is the seed's and the same for all methods, as for
/// samplers of the same starts; s is 0.1 of the mean, and for every second method times `uneven`.
fn draws(means: &[f64], seeds: usize, (shared, uneven): (f64, f64), key: &Key) -> Vec<Vec<f64>> {
    let (own, common) =
        (key.child(0).normals(0, 0, means.len(), seeds), key.child(1).normals(0, 0, 1, seeds));
    let row = |(i, mean): (usize, &f64)| {
        let s = 0.1 * if i % 2 == 1 { uneven } else { 1.0 };
        let of = |seed: usize| {
            mean + s * (shared.sqrt() * common[seed] + (1.0 - shared).sqrt() * own[i * seeds + seed])
        };
        (0..seeds).map(of).collect()
    };
    means.iter().enumerate().map(row).collect()
}

/// Equal methods: the share of rankings with one outside the first group is at most 5 %, whatever the number of methods and seeds, what they
/// share, and how their spreads differ. 4.5 deviations of the binomial at 5 % are allowed, false-alarm rate 4e-6 for each of the 27 cases
/// if the rate were 5 %. Of two methods it is the test's own, so that a laxer or a stricter level would show.
#[test]
fn equal_methods_are_in_one_group() {
    for (k, tables) in [(2, 3000), (10, 1000), (40, 300)] {
        for seeds in [3, 5, 10] {
            let recipe = recipe(k, seeds);
            for (number, shape) in [(0.0, 1.0), (0.9, 1.0), (0.5, 5.0)].into_iter().enumerate() {
                let key = Key::root((100 * k + seeds) as u64).branch("equal").child(number as u64);
                let split = (0..tables).filter(|&i| {
                    let ranked = rank(&recipe, &draws(&vec![10.0; k], seeds, shape, &key.child(i)));
                    assert_eq!(ranked[0].comparisons, k * (k - 1) / 2);
                    ranked.iter().any(|r| r.group != Some(1))
                });
                let (found, tables) = (split.count() as f64, tables as f64);
                let margin = 4.5 * (0.05 * 0.95 / tables).sqrt();
                assert!(found / tables < 0.05 + margin, "{k} methods, {seeds} seeds, {shape:?}: {found}");
                assert!(k > 2 || found / tables > 0.05 - margin, "{seeds} seeds, {shape:?}: {found}");
            }
        }
    }
}

/// Some methods are better: those that are equal among the best and among the rest stay together in 95 % of the rankings, though others
/// are told apart. 600 rankings, margin and false-alarm rate as above.
#[test]
fn equal_methods_stay_together_among_others() {
    let means = [1.0, 1.0, 1.0, 30.0, 30.0, 30.0, 30.0, 30.0];
    let recipe = recipe(means.len(), 5);
    let (mut split, mut found) = (0, 0);
    for i in 0..600 {
        let key = Key::root(8).branch("among others").child(i);
        let groups = groups_of(&recipe, &rank(&recipe, &draws(&means, 5, (0.5, 1.0), &key)));
        let one = |of: &[Option<usize>]| of.iter().all(|g| *g == of[0]);
        split += usize::from(!(one(&groups[..3]) && one(&groups[3..])));
        found += usize::from(groups[3..].iter().all(|g| *g != Some(1)));
    }
    assert!(split as f64 / 600.0 < 0.05 + 4.5 * (0.05 * 0.95 / 600.0f64).sqrt(), "{split}");
    assert!(found > 590, "{found}");
}

/// Each group starts at its own best: 1, 2 and 3 times the error are three groups, a wide one belongs where its mean is, diverged ones to
/// none, and two seeds make no groups.
#[test]
fn groups_begin_at_their_best() {
    let three = recipe(6, 5);
    let row = |mean: f64, by: f64| [0.01, -0.01, 0.02, -0.02, 0.0].map(|e| mean + by * e).to_vec();
    let values = [
        row(2.0, 0.7),
        row(1.0, 1.0),
        row(1.05, 30.0),
        row(3.0, -1.0),
        row(1.001, -1.0),
        vec![1.0, f64::NAN, 1.0, 1.0, 1.0],
    ];
    let ranked = rank(&three, &values);
    assert_eq!(groups_of(&three, &ranked), [Some(2), Some(1), Some(1), Some(3), Some(1), None]);
    assert!(ranked.iter().all(|r| r.comparisons == 10));
    assert!(ranked.iter().zip(&ranked[1..4]).all(|(a, b)| a.group <= b.group));
    assert_eq!((ranked[0].mean, ranked[0].pareto, ranked[1].pareto), (1.0, true, false));
    let few = recipe(2, 2);
    let ranked = rank(&few, &[vec![1.0, 1.001], vec![9.0, 9.001]]);
    assert_eq!((groups_of(&few, &ranked), ranked[0].comparisons), (vec![None, None], 0));
}

/// At the floor nothing is told apart, and the cheaper is as good.
#[test]
fn the_floor_is_one_group() {
    let recipe = recipe(3, 5);
    let label = |method: &str, evals: f64, seed| Label {
        data: recipe.data[0].0.label.clone(),
        sde: if method == DATA { String::new() } else { recipe.sdes[0].label.clone() },
        method: method.into(),
        steps: Some(evals as usize),
        evals,
        ..Label::data(seed)
    };
    let names: Vec<&str> = recipe.methods.iter().map(|m| m.label.as_str()).collect();
    let noise = [0.02, -0.02, 0.04, -0.04, 0.0];
    let mut records = Vec::new();
    for (seed, z) in noise.iter().enumerate() {
        let seed = seed as u64;
        records.push(label(DATA, 0.0, seed).record("w2", 1.0 + z));
        records.push(label(names[0], 8.0, seed).record("w2", 1.0 + 0.5 * z));
        records.push(label(names[1], 9.0, seed).record("w2", 0.99 + 0.51 * z));
        records.push(label(names[2], 7.0, seed).record("w2", 2.0 + z));
    }
    let summary = summarise(&records, &|_| Range::Positive);
    let ranked = ranking(&recipe, &records, &summary, &|_| 0.0);
    assert_eq!(groups_of(&recipe, &ranked), [Some(1), Some(1), Some(2)]);
    // Without a floor the same two are told apart: their differences are 0.01 ± 0.0003.
    records.retain(|r| r.method != DATA);
    let summary = summarise(&records, &|_| Range::Positive);
    assert_eq!(
        groups_of(&recipe, &ranking(&recipe, &records, &summary, &|_| 0.0)),
        [Some(2), Some(1), Some(3)]
    );
    let front = |ranked: &[Ranked]| -> Vec<bool> {
        names.iter().map(|name| ranked.iter().find(|r| r.method == *name).unwrap().pareto).collect()
    };
    assert_eq!(front(&ranked), [true, false, true]);
}
