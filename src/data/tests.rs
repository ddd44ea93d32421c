//! What holds for every data set.

use super::*;

/// Two points of the plane agree to rounding.
pub(super) fn assert_near(got: [f64; 2], want: [f64; 2]) {
    assert!((got[0] - want[0]).hypot(got[1] - want[1]) < 1e-12, "{got:?} {want:?}");
}

fn all() -> Vec<(&'static str, Box<dyn Data>)> {
    let mixture = Mixture::new(
        vec![3.0, 1.0],
        vec![vec![1.0, 0.0], vec![-1.0, 2.0]],
        &[vec![vec![0.5, 0.2], vec![0.2, 0.3]], vec![vec![0.2, 0.0], vec![0.0, 0.4]]],
    );
    let own = Points::new(2, (0..20).map(f64::from).collect());
    vec![
        ("two-moons", Box::new(TwoMoons::default())),
        (
            "eight-gaussians",
            Box::new(EightGaussians::new(EightGaussians::RADIUS, EightGaussians::DEVIATION).unwrap()),
        ),
        ("twenty-five-gaussians", Box::new(TwentyFiveGaussians::new(2.0, 0.05).unwrap())),
        ("checkerboard", Box::new(Checkerboard::default())),
        ("swiss-roll", Box::new(SwissRoll::default())),
        ("two-spirals", Box::new(TwoSpirals::default())),
        ("circles", Box::new(Circles::default())),
        ("rings", Box::new(Rings::default())),
        ("pinwheel", Box::new(Pinwheel::default())),
        ("s-curve", Box::new(SCurve::default())),
        ("ring", Box::new(Ring::default())),
        ("mixture", Box::new(GaussianMixture(mixture.unwrap()))),
        ("points", Box::new(Empirical::new(own, "own.npy").unwrap())),
    ]
}

#[test]
fn a_point_depends_on_its_number_alone() {
    for (name, data) in all() {
        let key = Key::root(4);
        let many = data.sample(&key, 0, 300);
        assert_eq!(data.sample(&key, 0, 30), many.slice(0, 30), "{name}");
        assert_eq!(data.sample(&key, 120, 30), many.slice(120, 150), "{name}");
        assert!(many.values().iter().all(|v| v.is_finite()) && many.len() == 300 && many.dim() == data.dim());
        assert_ne!(data.sample(&Key::root(5), 0, 300), many, "{name}");
        assert!(data.sample(&key, 7, 0).is_empty());
        // Neighbours are drawn apart: of the ten rows of `points` 30 of 299 pairs are equal, ± 10 standard errors of 5.2.
        assert!((1..300).filter(|i| many.row(*i) == many.row(i - 1)).count() < 82, "{name}");
    }
}

/// Thickness, the least eigenvalue 0.4 − √0.05 of the mixture's covariances, a side 2 over √12; nothing for points.
#[test]
fn narrowest_deviations() {
    let wanted = [
        ("two-moons", 0.1),
        ("eight-gaussians", EightGaussians::DEVIATION),
        ("twenty-five-gaussians", 0.05),
        ("checkerboard", 0.577_350_269_19),
        ("swiss-roll", 0.2),
        ("circles", 0.08),
        ("pinwheel", 0.2),
        ("mixture", (0.4 - 0.05f64.sqrt()).sqrt()),
        ("points", f64::NAN),
    ];
    for (name, s) in wanted {
        let got = all().into_iter().find(|(n, _)| *n == name).unwrap().1.narrowest();
        assert!(got.map_or(s.is_nan(), |got| (got - s).abs() < 1e-10), "{name} {got:?}");
    }
}

/// E x₁, E x₂ and E|x|² in closed form, against 100 000 points within 5 standard errors as measured: 39 bounds, false-alarm rate of
/// all below 3e-5.
#[test]
fn moments() {
    use std::f64::consts::PI;
    let n = 100_000;
    // Swiss roll: E t cos t and E t sin t over [a, b] from the antiderivatives cos t + t sin t and sin t − t cos t; E t² from t³/3.
    let (a, b): (f64, f64) = (1.5 * PI, 4.5 * PI);
    let cosine = (b.cos() + b * b.sin() - a.cos() - a * a.sin()) / (b - a) / 5.0;
    let sine = (b.sin() - b * b.cos() - a.sin() + a * a.cos()) / (b - a) / 5.0;
    let roll = (b.powi(3) - a.powi(3)) / (b - a) / 75.0;
    let wanted = [
        // Moons: E|(cos, sin)|² = 1, E|(1 − cos, ½ − sin)|² = 2¼ − 2/π (E sin = 2/π, E cos = 0).
        ("two-moons", [0.5, 0.25], 0.5 + 0.5 * (2.25 - 2.0 / PI) + 2.0 * 0.01),
        ("eight-gaussians", [0.0, 0.0], 8.0 + 2.0 * 0.125),
        ("twenty-five-gaussians", [0.0, 0.0], 16.0 + 2.0 * 0.0025),
        // Each coordinate alone is uniform on [−4, 4].
        ("checkerboard", [0.0, 0.0], 2.0 * 16.0 / 3.0),
        ("swiss-roll", [cosine, sine], roll + 2.0 * 0.04),
        // E (3π√u/3)² = π²/2.
        ("two-spirals", [0.0, 0.0], PI * PI / 2.0 + 2.0 * 0.01),
        ("circles", [0.0, 0.0], 0.5 * (1.0 + 0.25) + 2.0 * 0.0064),
        ("rings", [0.0, 0.0], 0.25 * 9.0 * (1.0 + 0.5625 + 0.25 + 0.0625) + 2.0 * 0.0064),
        ("pinwheel", [0.0, 0.0], 4.0 * (1.0 + 0.09 + 0.01)),
        // E (2 − 2 cos t) with E cos = sin(3π/2)/(3π/2).
        ("s-curve", [0.0, 0.0], 2.0 + 4.0 / (3.0 * PI) + 2.0 * 0.01),
        ("ring", [0.0, 0.0], 1.0 + 2.0 * 0.01),
        ("mixture", [0.5, 0.5], 0.75 * (1.0 + 0.8) + 0.25 * (5.0 + 0.6)),
        // Rows (2k, 2k + 1), k = 0 … 9: E(4k² + (2k + 1)²) = 8·28.5 + 4·4.5 + 1.
        ("points", [9.0, 10.0], 247.0),
    ];
    for ((name, data), (label, mean, square)) in all().into_iter().zip(wanted) {
        assert_eq!(name, label);
        let points = data.sample(&Key::root(1), 0, n);
        let check = |want: f64, f: &dyn Fn(&[f64]) -> f64| {
            let average = points.rows().map(f).sum::<f64>() / n as f64;
            let variance = points.rows().map(|p| (f(p) - average).powi(2)).sum::<f64>() / n as f64;
            assert!((average - want).abs() < 5.0 * (variance / n as f64).sqrt(), "{name}: {average} {want}");
        };
        check(mean[0], &|p| p[0]);
        check(mean[1], &|p| p[1]);
        check(square, &|p| p[0] * p[0] + p[1] * p[1]);
    }
}

/// The first point of each set under one key never changes from one version to the next.
#[test]
fn values_are_stable() {
    let key = Key::root(0).branch("stability");
    let first = |(name, data): &(&str, Box<dyn Data>)| {
        let p = data.sample(&key, 0, 1);
        format!("{name} {:.12} {:.12}", p.row(0)[0], p.row(0)[1])
    };
    assert_eq!(all().iter().map(first).collect::<Vec<_>>(), STABLE);
}

/// Entropies at the defaults in nats, within half of the last digit: closed forms, or computed outside this crate by numpy (plain sums
/// over 40 000 points of each arc, or over a grid of steps s/8).
#[test]
fn entropies_at_the_defaults() {
    for ((name, data), want) in all().into_iter().zip(ENTROPIES) {
        let got = data.entropy();
        assert_eq!(got.is_some(), want.is_some(), "{name}");
        assert!(got.zip(want).is_none_or(|(g, w)| (g - w).abs() < 6e-8), "{name} {got:?} {want:?}");
    }
}

const STABLE: [&str; 13] = [
    "two-moons 0.684827389252 -0.481181186998",
    "eight-gaussians -2.716189845408 0.406281562043",
    "twenty-five-gaussians 2.015872748264 0.057456889518",
    "checkerboard 3.970698848136 2.035468965022",
    "swiss-roll -0.942664251560 1.331028844219",
    "two-spirals 1.864308271867 0.639940068872",
    "circles -0.395281688658 0.275551026279",
    "rings -1.789280606681 1.333505191898",
    "pinwheel -1.709406938628 -0.132200753919",
    "s-curve -0.952023451649 1.260686820475",
    "ring -0.792816164684 0.571143246910",
    "mixture 0.959517057353 0.542344079860",
    "points 10.000000000000 11.000000000000",
];

const ENTROPIES: [Option<f64>; 13] = [
    Some(1.0075848),
    Some(2.8315784),
    Some(0.0652883),
    Some(3.4657359),
    Some(2.6696462),
    Some(2.5406179),
    Some(1.0709111),
    Some(2.6231828),
    Some(2.5392716),
    Some(1.3764378),
    Some(0.9516983),
    Some(2.2518674),
    None,
];
