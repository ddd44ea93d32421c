//! Squared maximum mean discrepancy, unbiased (Gretton, Borgwardt, Rasch, Schölkopf & Smola 2012, eq. 3).
//!
//! MMD²(μ, ν) = E k(X, X′) + E k(Y, Y′) − 2 E k(X, Y) with the kernel
//!
//! k(x, y) = B⁻¹ ∑_b exp(−|x − y|²/(2h_b²)),
//!
//! the mean over B bandwidths h₁ … h_B. Its U-statistic, which leaves out the pairs of a point with itself, is
//!
//! 1/(n(n − 1)) ∑_{i≠j} k(xᵢ, xⱼ) + 1/(m(m − 1)) ∑_{i≠j} k(yᵢ, yⱼ) − 2/(nm) ∑ᵢⱼ k(xᵢ, yⱼ).
//!
//! The value is that estimate: *squared*, and never clamped, so that for equal laws it scatters around 0 and
//! about half of the values are slightly negative.
//!
//! Without explicit bandwidths they are ¼, ½, 1, 2 and 4 times the median of |yᵢ − yⱼ|, i < j, over the
//! reference or, where it has more than 1000 points, over the 1000 of them at rows ⌊i·m/1000⌋. Scores are
//! comparable only when their bandwidths are, so this kernel depends on the reference alone.

use tweedie_solvers::lanes::exp_f64;
use tweedie_solvers::{Error, Result};

use super::pairs::{BLOCK, OfSquares, mean_between, mean_within};
use super::{Known, Metric, Prospect, check, count, finite, squared_distance};
use crate::points::Points;

const MEDIAN_POINTS: usize = 1000;
const MULTIPLES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// Squared MMD with a mean of Gaussian kernels, unbiased, `mmd`; needs 2 points or more in each set, which
/// may differ in size. The default takes its bandwidths from the reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mmd {
    bandwidths: Option<Vec<f64>>,
}

impl Mmd {
    /// The kernel with these bandwidths h, each from 1e-150 to 1e150; `None` takes them from the reference.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the list is empty or a bandwidth is out of its domain.
    pub fn new(bandwidths: Option<Vec<f64>>) -> Result<Self> {
        let list = bandwidths.as_deref().unwrap_or(&MULTIPLES);
        if list.is_empty() {
            return Err(Error::parameter("bandwidths", "[]", "name one bandwidth or more"));
        }
        match list.iter().find(|&&h| !in_domain(h)) {
            Some(h) => Err(Error::parameter("bandwidths", h, "be from 1e-150 to 1e150")),
            None => Ok(Self { bandwidths }),
        }
    }
}

impl Metric for Mmd {
    fn measure(&self, samples: &Points, reference: &Points, _known: &Known) -> Result<f64> {
        check(samples, reference, 2)?;
        let bandwidths = match &self.bandwidths {
            Some(list) => list.clone(),
            None => default_bandwidths(reference)?,
        };
        let kernel = Kernels { factors: bandwidths.iter().map(|h| -0.5 / (h * h)).collect() };
        let within = [samples, reference].map(|set| mean_within(set, &kernel));
        finite(within[0] + within[1] - 2.0 * mean_between(samples, reference, &kernel))
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 2, "samples")?;
        if self.bandwidths.is_none() {
            for reference in &mut *prospect.references {
                default_bandwidths(&reference)?;
            }
        }
        Ok(())
    }
}

/// The mean of e^(f |x − y|²) over the factors f = −1/(2h²).
struct Kernels {
    factors: Vec<f64>,
}

impl OfSquares for Kernels {
    #[inline(always)]
    fn apply(&self, squares: &mut [f64]) {
        let mut room = [0.0; BLOCK];
        let sums = &mut room[..squares.len()];
        for factor in &self.factors {
            for (sum, square) in sums.iter_mut().zip(&*squares) {
                *sum += exp_f64(factor * square);
            }
        }
        let count = self.factors.len() as f64;
        for (square, sum) in squares.iter_mut().zip(sums) {
            *square = *sum / count;
        }
    }
}

fn in_domain(bandwidth: f64) -> bool {
    (1e-150..=1e150).contains(&bandwidth)
}

/// The multiples of the median distance, where they are bandwidths.
fn default_bandwidths(reference: &Points) -> Result<Vec<f64>> {
    let median = median_distance(reference);
    let bandwidths: Vec<f64> = MULTIPLES.iter().map(|m| m * median).collect();
    if bandwidths.iter().all(|&h| in_domain(h)) {
        Ok(bandwidths)
    } else {
        Err(Error::Unsupported(format!(
            "the median distance of the reference points is {median}, from which mmd can take no bandwidths; give some, as in \
             {{ name = \"mmd\", bandwidths = [0.5, 1.0] }}"
        )))
    }
}

/// The median distance of two different rows among at most 1000, evenly spaced; the mean of the two middle
/// ones where their number is even.
fn median_distance(points: &Points) -> f64 {
    let rows = points.len().min(MEDIAN_POINTS);
    let row = |i: usize| points.row(i * points.len() / rows);
    let pairs = (0..rows).flat_map(|i| (0..i).map(move |j| (i, j)));
    let mut distances: Vec<f64> = pairs.map(|(i, j)| squared_distance(row(i), row(j)).sqrt()).collect();
    let half = distances.len() / 2;
    let even = distances.len().is_multiple_of(2);
    let (below, &mut middle, _) = distances.select_nth_unstable_by(half, f64::total_cmp);
    if even { 0.5 * (below.iter().copied().fold(0.0, f64::max) + middle) } else { middle }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{close, map, normal};
    use super::*;

    fn naive(x: &Points, y: &Points, bandwidths: &[f64]) -> f64 {
        let kernel = |a: &[f64], b: &[f64]| {
            let square: f64 = (0..a.len()).map(|k| (a[k] - b[k]).powi(2)).sum();
            bandwidths.iter().map(|h| (-square / (2.0 * h.powi(2))).exp()).sum::<f64>()
                / bandwidths.len() as f64
        };
        let all = |a: &Points, b: &Points| {
            a.rows().map(|p| b.rows().map(|q| kernel(p, q)).sum::<f64>()).sum::<f64>()
        };
        let (n, m) = (x.len() as f64, y.len() as f64);
        (all(x, x) - n) / (n * (n - 1.0)) + (all(y, y) - m) / (m * (m - 1.0)) - 2.0 * all(x, y) / (n * m)
    }

    #[test]
    fn agrees_with_the_double_loop() -> Result<()> {
        for (n, m, dim) in [(2, 2, 1), (2, 3, 2), (31, 17, 2), (17, 31, 2), (40, 40, 5)] {
            let (x, y) = (normal("x", n, dim, 1.0), normal("y", m, dim, 2.0));
            for bandwidths in [vec![0.7], vec![0.3, 1.0, 5.0]] {
                let metric = Mmd::new(Some(bandwidths.clone()))?;
                close(metric.measure(&x, &y, &Known::default())?, naive(&x, &y, &bandwidths), 1e-14);
                close(metric.measure(&y, &x, &Known::default())?, naive(&x, &y, &bandwidths), 1e-14);
            }
            let mut distances = vec![];
            for i in 0..m {
                distances.extend((0..i).map(|j| naive_distance(y.row(i), y.row(j))));
            }
            distances.sort_by(f64::total_cmp);
            let count = distances.len();
            let h = (distances[count / 2] + distances[(count - 1) / 2]) / 2.0;
            let expected = naive(&x, &y, &[h / 4.0, h / 2.0, h, h * 2.0, h * 4.0]);
            close(Mmd::default().measure(&x, &y, &Known::default())?, expected, 1e-14);
        }
        Ok(())
    }

    fn naive_distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(p, q)| (p - q).powi(2)).sum::<f64>().sqrt()
    }

    /// 2500 points on a line of step 1: the rows 0, 2, 5, 7, … span the line evenly, so that half of the
    /// distances are below (1 − 1/√2)·2500 up to 2.
    #[test]
    fn median_of_many_points() {
        let line = Points::new(1, (0..2500).map(f64::from).collect());
        close(median_distance(&line), (1.0 - 0.5f64.sqrt()) * 2500.0, 2.0);
        assert_eq!(median_distance(&line.slice(0, 2)), 1.0);
        assert_eq!(median_distance(&line.slice(0, 4)), 1.5);
    }

    /// X ~ N(μ, a²I), Y ~ N(0, b²I) in d dimensions: E exp(−|X − Y|²/2h²) = (h²/(h² + a² + b²))^{d/2}
    /// exp(−|μ|²/2(h² + a² + b²)). The mean of 40 independent estimates lies within 6 of its estimated
    /// standard errors: false-alarm rate below 1e-6 each (Student, 39 degrees of freedom).
    #[test]
    fn normals_in_closed_form() -> Result<()> {
        for (shift, a, b, dim) in
            [(1.5, 1.0, 0.5, 1), (0.8, 1.0, 2.0, 2), (0.0, 1.0, 1.0, 2), (0.5, 0.7, 1.0, 3)]
        {
            let bandwidths = [0.5, 2.0];
            let (x, y) = (normal("x", 8000, dim, a), normal("y", 6000, dim, b));
            let metric = Mmd::new(Some(bandwidths.to_vec()))?;
            let estimates = (0..40)
                .map(|r| {
                    let x = map(&x.slice(200 * r, 200 * (r + 1)), |_, v| v + shift);
                    metric.measure(&x, &y.slice(150 * r, 150 * (r + 1)), &Known::default())
                })
                .collect::<Result<Vec<_>>>()?;
            let mean = estimates.iter().sum::<f64>() / 40.0;
            let variance = estimates.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 39.0;
            let expected = |h: f64| {
                let kernel = |variance: f64, square: f64| {
                    let total = h * h + variance;
                    (h * h / total).powf(dim as f64 / 2.0) * (-square / (2.0 * total)).exp()
                };
                let square = dim as f64 * shift * shift;
                kernel(2.0 * a * a, 0.0) + kernel(2.0 * b * b, 0.0) - 2.0 * kernel(a * a + b * b, square)
            };
            let expected = bandwidths.iter().map(|&h| expected(h)).sum::<f64>() / 2.0;
            close(mean, expected, 6.0 * (variance / 40.0).sqrt());
        }
        Ok(())
    }

    #[test]
    fn bandwidths_have_a_domain() {
        let refusal = |list: &[f64]| Mmd::new(Some(list.to_vec())).map_err(|e| e.to_string());
        let wanted = |value: &str, rule: &str| Err(format!("bandwidths = {value}, but it must {rule}"));
        assert_eq!(refusal(&[]), wanted("[]", "name one bandwidth or more"));
        assert_eq!(refusal(&[1.0, 0.0]), wanted("0", "be from 1e-150 to 1e150"));
        assert_eq!(refusal(&[f64::NAN]), wanted("NaN", "be from 1e-150 to 1e150"));
        assert_eq!(Mmd::new(None).ok(), Some(Mmd::default()));
        let same = Points::new(2, vec![3.0; 8]);
        let error = Mmd::default()
            .measure(&normal("x", 5, 2, 1.0), &same, &Known::default())
            .map_err(|e| e.to_string());
        let sentence = "the median distance of the reference points is 0, from which mmd can take no bandwidths; give some";
        assert!(error.expect_err("no bandwidths").starts_with(sentence));
    }
}
