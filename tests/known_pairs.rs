//! Every metric on pairs of laws whose distance is known: what docs/metrics.md says is what they say, and none is blind to what it ought
//! to see.

#[path = "../benches/known_pairs.rs"]
mod script;

use rayon::prelude::*;
use script::{DIMENSIONS, PAIRS, Pair, cell, metrics, said};
use tweedie::metrics::Known;

/// The classifiers train in f32, which rounds by the CPU's vectors, and take minutes: accuracies against those of Bayes are held where
/// they are made.
const APART: [&str; 2] = ["c2st", "… neighbours"];

/// The cells of the page: dimension, samples, metric, text.
fn page() -> Vec<(usize, String, String, String)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let mut found = Vec::new();
    for section in text.split("\n### d = ").skip(1) {
        let mut lines = section.lines();
        let dim: usize = lines.next().unwrap().parse().unwrap();
        let mut rows = lines.skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|'));
        let cells =
            |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
        let head = cells(rows.next().unwrap());
        for row in rows.skip(1).map(cells) {
            found.extend(
                head.iter().zip(&row).skip(3).map(|(m, c)| (dim, row[0].clone(), m.clone(), c.clone())),
            );
        }
    }
    found
}

/// The plane, and a row of one dimension and of ten: fifty take minutes without optimisation.
#[test]
fn the_page_is_what_the_metrics_say() {
    let page = page();
    let plane = PAIRS.into_iter().map(|(pair, _)| (2, pair));
    let others = [(1, Pair::ModeLost), (10, Pair::Narrower)];
    let rows: Vec<(usize, Pair)> = plane.chain(others).collect();
    let compared = rows.par_iter().map(|&(dim, pair)| {
        let (known, name) = (Known::of(&pair.data(dim)), pair.name());
        let mine = || metrics().into_iter().filter(|(metric, _)| !APART.contains(metric));
        for (metric, it) in mine() {
            let of =
                |(d, n, m, _): &&(usize, String, String, String)| (*d, &**n, &**m) == (dim, name, metric);
            let (.., shown) = page.iter().find(of).unwrap_or_else(|| panic!("no {metric} of {name}, {dim}"));
            assert_eq!(*shown, cell(said(&*it, pair, dim, &known)), "{metric} of {name}, d = {dim}");
        }
        mine().count()
    });
    assert_eq!((page.len(), compared.sum::<usize>()), (270, 72));
}

/// Distances see every difference in the dimensions where a thousand points show it, classifiers too; the others see what they are for.
#[test]
fn none_is_blind_to_what_it_ought_to_see() {
    let seen = |metric: &str, dim: usize, name: &str| {
        let of = |(d, n, m, _): &&(usize, String, String, String)| (*d, &**n, &**m) == (dim, name, metric);
        page().iter().find(of).map(|(.., cell)| cell.starts_with("**")).unwrap()
    };
    for dim in DIMENSIONS {
        for (pair, name) in PAIRS.into_iter().filter(|(pair, _)| pair.exists(dim)) {
            for metric in ["c2st", "sliced-w2", "mmd"] {
                assert!(seen(metric, dim, name), "{metric}, {name}, {dim}");
            }
            // One plane of 50 coordinates is turned: W₂ moves little, and distances between points less.
            assert!(seen("energy", dim, name) || (dim, pair) == (50, Pair::Rotated), "{name}, {dim}");
            // The floor of W₂ rises with the dimension, and a narrower law is nearer to any draw than another draw is.
            assert_eq!(seen("w2", dim, name), dim <= 2 || pair != Pair::Narrower, "{name}, {dim}");
            assert_eq!(seen("mode-weights", dim, name), matches!(pair, Pair::ModeLost | Pair::WrongWeights));
            if dim <= 2 {
                assert!(seen("kl", dim, name), "{name}, {dim}");
            }
            if pair == Pair::ModeLost {
                assert!(seen("mode-coverage", dim, name));
            }
            if matches!(pair, Pair::Wider | Pair::HeavierTails | Pair::Rotated) {
                assert!(seen("off-support", dim, name), "{name}, {dim}");
            }
            let plain = matches!(
                pair,
                Pair::Wider | Pair::Narrower | Pair::Shifted | Pair::HeavierTails | Pair::Rotated
            );
            assert!(!plain || seen("… neighbours", dim, name), "{name}, {dim}");
        }
    }
}

/// The oracles of the page: Bayes' accuracies of a shift and of a scale (closed forms), and W₂ by draws, which one dimension has exactly.
#[test]
fn the_oracles_agree_with_draws() {
    use tweedie::metrics::{Metric, SlicedW2};
    use tweedie::solvers::Key;
    assert!((Pair::Shifted.bayes(50) - 0.691_462).abs() < 1e-6);
    // ½ + ½ (F(r) − F(r/2.25)) with F = 1 − e^(−x/2) and r = 2 ln 2.25/(1 − 1/2.25).
    let r = 2.0 * f64::ln(2.25) / (1.0 - 1.0 / 2.25);
    let plane = 0.5 + 0.5 * ((-0.5 * r / 2.25).exp() - (-0.5 * r).exp());
    assert!((Pair::Wider.bayes(2) - plane).abs() < 1e-9 && (Pair::Narrower.bayes(2) - plane).abs() < 1e-9);
    // Half the mass of the lost mode is its share of TV; what weights differ by, of theirs: modes six deviations apart overlap by 0.0013.
    for (pair, tv) in [(Pair::ModeLost, 0.25), (Pair::WrongWeights, 0.2)] {
        assert!((pair.bayes(10) - 0.5 - 0.5 * tv).abs() < 1e-3, "{pair:?}");
    }
    let many = 400_000;
    for pair in [Pair::HeavierTails, Pair::ModeLost, Pair::WrongWeights] {
        let samples = pair.samples(&Key::root(1), 1, many);
        let data = tweedie::data::Data::sample(&pair.data(1), &Key::root(2), 0, many);
        let found = SlicedW2::default().measure(&samples, &data, &Known::default()).unwrap();
        assert!((found / pair.w2(1) - 1.0).abs() < 0.03, "{pair:?}: {found} {}", pair.w2(1));
    }
    // The radial oracle in the plane, where Student's radius has the law 1 − (1 + r²)^(−3/2).
    let normal = |q: f64| 1.0 - (-0.5 * q).exp();
    let student = |q: f64| 1.0 - (1.0 + q).powf(-1.5);
    let cells = (0..400_000).map(|i| f64::from(i) * 1e-3);
    let tv: f64 = cells.map(|q| (normal(q + 1e-3) - normal(q) - student(q + 1e-3) + student(q)).abs()).sum();
    assert!((Pair::HeavierTails.bayes(2) - 0.5 - 0.25 * tv).abs() < 1e-4);
}
