//! Accuracies against those of Bayes.

use super::*;
use crate::metrics::tests::{close, map, normal};

fn network(x: &Points, y: &Points) -> f64 {
    C2st::Network.measure(x, y, &Known::default()).expect("an accuracy")
}

/// n points of N(shift e₁, scale² I).
fn gaussian(label: &str, n: usize, dim: usize, scale: f64, shift: f64) -> Points {
    map(&normal(label, n, dim, scale), |k, v| if k == 0 { v + shift } else { v })
}

/// N(0, I) against others whose Bayes accuracy is known: Φ(½) = 0.691 for a shift by 1 in any dimension; of a deviation of 1.5 ½ + ½ (F(r)
/// − F(r/1.5²)) with the law F of χ²_d and r = d ln 1.5²/(1 − 1.5⁻²): 0.645 in the plane, 0.813 in 10 dimensions and 0.897 in 20.
/// Accuracies of 2000 points have deviations below 0.012 and lie at most four of them above; below they lie by what 800 points do not teach.
#[test]
fn accuracies_come_near_to_those_of_bayes() {
    let n = 1000;
    for (dim, scale, shift, bayes, lost) in [
        (1, 1.0, 1.0, 0.691, 0.05),
        (2, 1.0, 1.0, 0.691, 0.05),
        (10, 1.0, 1.0, 0.691, 0.06),
        (2, 1.5, 0.0, 0.645, 0.05),
        (10, 1.5, 0.0, 0.813, 0.06),
        (20, 1.5, 0.0, 0.897, 0.09),
        (10, 1.0 / 1.5, 0.0, 0.813, 0.06),
    ] {
        let value = network(&gaussian("x", n, dim, scale, shift), &normal("y", n, dim, 1.0));
        assert!(value > bayes - lost && value < bayes + 0.048, "{dim} {scale} {shift}: {value}");
    }
}

/// Equal laws: the mean of 30 accuracies of 200 points each is ½ up to 5 of its standard errors, whose deviations are at most ½/√100 if folds
/// were one: 0.046, false-alarm rate below 1e-6.
#[test]
fn equal_laws_are_even() {
    let (x, y) = (normal("x", 3000, 2, 1.0), normal("y", 3000, 2, 1.0));
    let part = |p: &Points, i: usize| p.slice(100 * i, 100 * i + 100);
    let mean = (0..30).map(|i| network(&part(&x, i), &part(&y, i))).sum::<f64>() / 30.0;
    close(mean, 0.5, 0.046);
}

/// One sample at 10⁶ hides nothing of the others, neither does a coordinate that is constant, and units do not matter.
#[test]
fn scales_and_outliers_do_not_matter() {
    let (x, y) = (normal("x", 500, 10, 1.5), normal("y", 500, 10, 1.0));
    let plain = network(&x, &y);
    let mut far = x.clone().values().to_vec();
    far[..10].fill(1e6);
    assert!(network(&Points::new(10, far), &y) > plain - 0.03);
    let units = |p: &Points| map(p, |k, v| v * 4f64.powi(k as i32 * 3 - 15));
    assert_eq!(network(&units(&x), &units(&y)), plain);
    let wider = |p: &Points| Points::new(11, p.rows().flat_map(|r| [r, &[7.0]].concat()).collect());
    assert!(network(&wider(&x), &wider(&y)) > plain - 0.04);
    let constant = Points::new(2, vec![3.0; 40]);
    assert_eq!(network(&constant, &constant), 0.5);
}

/// Both class accuracies are given; those of neighbours on wider samples cancel in the mean, and the value is not theirs.
#[test]
fn both_classes_are_given() -> Result<()> {
    let (x, y, known) = (normal("x", 500, 20, 1.5), normal("y", 500, 20, 1.0), Known::default());
    let of = |metric: C2st| metric.detailed(&x, &y, &known);
    let found = of(C2st::Network)?;
    let [("samples", samples), ("data", data)] = found.parts[..] else { panic!("{found:?}") };
    close(found.value, 0.5 * (samples + data), 1e-15);
    assert!(found.remark.is_none() && found.value > 0.75, "{found:?}");
    let found = of(C2st::neighbours(5)?)?;
    let [("samples", samples), ("data", data)] = found.parts[..] else { panic!("{found:?}") };
    assert!(samples + data < 1.2 && found.value > 0.8, "{found:?}");
    close(found.value, 0.5 + 0.5 * (data - samples), 1e-15);
    let remark = found.remark.expect("a remark");
    assert!(remark.contains("% of the samples") && remark.contains("classifier = \"network\""), "{remark}");
    // A shift has nothing lopsided.
    let found =
        C2st::neighbours(5)?.detailed(&gaussian("x", 500, 2, 1.0, 1.0), &normal("y", 500, 2, 1.0), &known)?;
    assert!(found.remark.is_none() && found.value > 0.6, "{found:?}");
    Ok(())
}

#[test]
fn neighbours_have_a_domain() {
    for bad in [0, 2, 10_001] {
        let error = C2st::neighbours(bad).expect_err("out of the domain").to_string();
        assert_eq!(error, format!("neighbours = {bad}, but it must be odd and from 1 to 9999"));
    }
    assert_eq!(C2st::neighbours(5).ok(), Some(C2st::Neighbours(5)));
}
