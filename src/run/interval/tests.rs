//! Tests of intervals: quantiles from tables, ends by hand, and how often they hold the truth.

use super::*;
use tweedie_solvers::Key;

/// Student's 97.5 % quantiles with 1, 2 and 4 degrees of freedom, from tables.
const QUANTILES: [(&[f64], f64); 3] =
    [(&[1.0, 3.0], 12.706_204_7), (&[1.0, 2.0, 3.0], 4.302_652_7), (&[1.0, 2.0, 3.0, 4.0, 5.0], 2.776_445_1)];

/// s² = 2, 1 and 2.5: ends on the three scales, by hand.
#[test]
fn intervals_are_students() {
    for ((values, t), s) in QUANTILES.into_iter().zip([2f64.sqrt(), 1.0, 2.5f64.sqrt()]) {
        let n = values.len() as f64;
        let half = t * s / n.sqrt();
        let near = |got: f64, want: f64| assert!((got / want - 1.0).abs() < 1e-6, "{got} {want}");
        let (mean, ends) = interval(values, Range::Real);
        near(mean, f64::midpoint(1.0, values[values.len() - 1]));
        let (low, high) = ends.unwrap();
        near(mean - low, half);
        near(high - mean, half);
        let (low, high) = interval(values, Range::Positive).1.unwrap();
        near((mean / low).ln(), half / mean);
        near((high / mean).ln(), half / mean);
        near(reach(values, Range::Real).unwrap() - mean, half * (n + 1.0).sqrt());
        near((reach(values, Range::Positive).unwrap() / mean).ln(), half * (n + 1.0).sqrt() / mean);
        // Of a tenth of the values: a mean of m/10, a deviation of s/10.
        let tenths: Vec<f64> = values.iter().map(|v| v / 10.0).collect();
        let (m, ends) = interval(&tenths, Range::Fraction);
        let logit = |p: f64| (p / (1.0 - p)).ln();
        near(logit(ends.unwrap().1) - logit(m), half / 10.0 / (m * (1.0 - m)));
        near(logit(m) - logit(ends.unwrap().0), half / 10.0 / (m * (1.0 - m)));
    }
    assert_eq!(interval(&[2.0], Range::Positive), (2.0, None));
    assert_eq!(reach(&[2.0], Range::Positive), None);
}

/// Two seeds that differ by a factor of six, and the edges of each range.
#[test]
fn intervals_stay_in_their_range() {
    let (low, high) = interval(&[0.19, 1.16], Range::Positive).1.unwrap();
    assert!(0.0 < low && low < 0.01 && high > 10.0, "{low} {high}");
    let (low, high) = interval(&[0.02, 0.4], Range::Fraction).1.unwrap();
    assert!(0.0 < low && high < 1.0, "{low} {high}");
    for range in [Range::Real, Range::Positive, Range::Fraction] {
        assert_eq!(interval(&[0.0; 3], range), (0.0, Some((0.0, 0.0))));
        assert_eq!(interval(&[1.0; 3], range), (1.0, Some((1.0, 1.0))));
        assert_eq!(interval(&[1.0, f64::NAN, 2.0], range).1, None);
        assert_eq!(interval(&[1.0, f64::INFINITY], range).1, None);
    }
}

/// Positive values of law N(1, c²), truncated: of 4000 intervals 95 % hold the mean, to the binomial's 4.5 deviations (false-alarm rate
/// 7e-6 each) and half a percent for what the delta method leaves out.
#[test]
fn intervals_hold_the_mean() {
    for (n, spread) in [(3, 0.1), (3, 0.25), (5, 0.1), (5, 0.25), (10, 0.25)] {
        let values = Key::root(n).branch("coverage").normals(0, 0, 4000, n as usize);
        let sets: Vec<Vec<f64>> = values
            .chunks(n as usize)
            .map(|z| z.iter().map(|z| (1.0 + spread * z).max(0.01)).collect())
            .collect();
        let held = sets.iter().filter(|set| {
            let (low, high) = interval(set, Range::Positive).1.unwrap();
            (low..=high).contains(&1.0)
        });
        let share = held.count() as f64 / 4000.0;
        assert!((share - 0.95).abs() < 0.0205, "{n} seeds, spread {spread}: {share}");
    }
}

/// By hand: variances 1 and 4 of three each, ν = 2·25/17, t₀.₉₇₅(2.9412) = 3.2185 (scipy), half 3.2185 √(5/3). With one more value of
/// the second, of variance 8/3: v = ⅓, w = ⅔, ν = 1/(1/18 + 4/27) = 54/11, t₀.₉₇₅(4.9091) = 2.5866 (between the tables' 2.7764 at 4 and
/// 2.5706 at 5).
#[test]
fn welchs_interval() {
    let half = welch(&[1.0, 2.0, 3.0], &[5.0, 3.0, 1.0]).unwrap();
    assert!((half - 3.2185 * (5.0f64 / 3.0).sqrt()).abs() < 2e-3, "{half}");
    let half = welch(&[1.0, 2.0, 3.0], &[5.0, 3.0, 1.0, 3.0]).unwrap();
    assert!((half - 2.5866).abs() < 2e-3, "{half}");
    assert_eq!(welch(&[1.0; 3], &[2.0; 3]), Some(0.0));
    assert_eq!(welch(&[1.0], &[2.0, 3.0]), None);
}

/// Differences at the quantiles of the tables have p = 0.05; n = 5 and t = 8.610 has 0.001, and t = 17.3957 (closed
/// form) the 0.05/780 of forty methods.
#[test]
fn p_values_are_students() {
    for (values, t) in QUANTILES {
        let (mean, s) = moments(values);
        let shift = t * s.unwrap() / (values.len() as f64).sqrt() - mean;
        let moved: Vec<f64> = values.iter().map(|v| 7.0 + v + shift).collect();
        let p = p_value(&moved, &vec![7.0; values.len()]);
        assert!((p / 0.05 - 1.0).abs() < 1e-6, "{p}");
        assert_eq!(p, p_value(&vec![7.0; values.len()], &moved));
    }
    let at = |t: f64| {
        let shift = t * 2.5f64.sqrt() / 5f64.sqrt();
        p_value(&[-2.0, -1.0, 0.0, 1.0, 2.0].map(|v| v + shift), &[0.0; 5])
    };
    assert!((at(8.610_301_6) / 0.001 - 1.0).abs() < 1e-6, "{}", at(8.610_301_6));
    assert!((at(17.395_705_6) * 780.0 / 0.05 - 1.0).abs() < 1e-6);
}

/// What agrees is not told apart, nor is what differs by rounding; a constant difference is no certainty.
#[test]
fn p_values_without_spread() {
    assert_eq!(p_value(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 1.0);
    assert_eq!(p_value(&[1.0 + 1e-8, 2.0 + 2e-8, 3.0 + 3e-8], &[1.0, 2.0, 3.0]), 1.0);
    assert_eq!(p_value(&[0.25; 3], &[0.125; 3]), 0.25);
    assert_eq!(p_value(&[0.25; 10], &[0.125; 10]), 1.0 / 512.0);
    assert_eq!(p_value(&[1.0], &[2.0]), 1.0);
}
