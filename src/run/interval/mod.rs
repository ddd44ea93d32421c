//! Means over seeds: their intervals, how far one more value may reach, and differences of two means.
//!
//! An interval of a mean m is taken on a scale g on which it cannot leave the range of the metric, by the delta method: with n values of
//! deviation s, g⁻¹(g(m) ± t g′(m) s/√n), where g is the identity for any number, ln where values are above 0, and the logit where they
//! are fractions; t = t₀.₉₇₅(n − 1) is Student's. Of a positive metric that is m e^(±t s/(m√n)), which is m ± t s/√n where s is small
//! against m, and never below 0.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::metrics::Range;

/// Differences below this share of what is compared are rounding: f32 has 6e-8 for each operation.
pub(super) const ROUNDING: f64 = 1e-6;

/// The mean, and its 95 % interval for two values or more that are finite.
pub(super) fn interval(values: &[f64], range: Range) -> (f64, Option<(f64, f64)>) {
    let n = values.len() as f64;
    let (mean, deviation) = moments(values);
    (mean, deviation.map(|s| about(mean, student(n - 1.0) * s / n.sqrt(), range)))
}

/// The upper end of the 95 % interval in which one more value lies: as the interval of the mean, with √(1 + 1/n) in the place of 1/√n.
/// None for fewer than two values or one that is not finite.
pub(super) fn reach(values: &[f64], range: Range) -> Option<f64> {
    let n = values.len() as f64;
    let (mean, deviation) = moments(values);
    deviation.map(|s| about(mean, student(n - 1.0) * s * (1.0 + 1.0 / n).sqrt(), range).1)
}

/// m ± h carried to the scale of the range and back. A mean on the edge of its range has no such scale: it keeps m ± h.
fn about(mean: f64, half: f64, range: Range) -> (f64, f64) {
    match range {
        _ if half == 0.0 => (mean, mean),
        Range::Positive if mean > 0.0 => (mean * (-half / mean).exp(), mean * (half / mean).exp()),
        Range::Fraction if 0.0 < mean && mean < 1.0 => {
            let odds = mean / (1.0 - mean);
            let share = |log: f64| odds / (odds + (-log).exp());
            let log = half / (mean * (1.0 - mean));
            (share(-log), share(log))
        }
        _ => (mean - half, mean + half),
    }
}

/// The mean; not a number for none.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean; and √(Σ(v − m)²/(n − 1)) for two values or more, if it is finite.
fn moments(values: &[f64]) -> (f64, Option<f64>) {
    let mean = mean(values);
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0);
    (mean, Some(square.sqrt()).filter(|s| values.len() > 1 && s.is_finite()))
}

/// The 97.5 % quantile of Student's law.
fn student(freedom: f64) -> f64 {
    quantile(freedom, 0.975)
}

/// A quantile of Student's law.
pub(super) fn quantile(freedom: f64, share: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| t.inverse_cdf(share))
}

/// Half the width of the 95 % interval of the difference of the means of independent values, t₀.₉₇₅(ν) √(v + w), with the variances
/// v = s²/n and w of the two means and Welch's ν = (v + w)²/(v²/(n − 1) + w²/(m − 1)). None unless both have two finite values or more.
pub(super) fn welch(a: &[f64], b: &[f64]) -> Option<f64> {
    let variance = |values: &[f64]| Some(moments(values).1?.powi(2) / values.len() as f64);
    let (v, w) = (variance(a)?, variance(b)?);
    if v + w == 0.0 {
        return Some(0.0);
    }
    let freedom = |values: &[f64]| values.len() as f64 - 1.0;
    let freedom = (v + w).powi(2) / (v * v / freedom(a) + w * w / freedom(b));
    Some(student(freedom) * (v + w).sqrt())
}

/// Whether two means are one number up to rounding.
pub(super) fn equal(a: f64, b: f64) -> bool {
    (a - b).abs() <= ROUNDING * a.abs().max(b.abs())
}

/// The p-value of Student's test, two-sided, that values measured in pairs have the same mean: 2 P(T > |d̄| √n/s) for the differences d,
/// n − 1 degrees of freedom. 1 where means agree up to rounding or there are fewer than two pairs. Differences that are all the same
/// number, as counts can be, have no spread to be compared with: they get that of the sign test, 2^(1−n).
pub(super) fn p_value(a: &[f64], b: &[f64]) -> f64 {
    let differences: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    let n = differences.len() as f64;
    let (mean, Some(s)) = moments(&differences) else { return 1.0 };
    if equal(self::mean(a), self::mean(b)) {
        return 1.0;
    }
    if s <= ROUNDING * mean.abs() {
        return (1.0 - n).exp2();
    }
    StudentsT::new(0.0, 1.0, n - 1.0).map_or(1.0, |t| 2.0 * t.sf(mean.abs() * n.sqrt() / s))
}

#[cfg(test)]
mod tests;
