//! `mixture`: a Gaussian mixture of any dimension with weights, means and covariances given; and the entropy of mixtures.

use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::{Key, Result};

use super::Data;
use crate::points::Points;

/// A mixture of Gaussians as a data set.
#[derive(Clone, Debug)]
pub struct GaussianMixture(pub Mixture);

impl Data for GaussianMixture {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        Points::new(self.0.dim(), self.0.sample(key, first, count))
    }

    fn exact(&self) -> Result<Box<dyn Exact>> {
        Ok(Box::new(self.0.clone()))
    }

    fn mixture(&self) -> Option<&Mixture> {
        Some(&self.0)
    }
}

/// How far the trapezoidal rule reaches in standard deviations, its step where all deviations are equal, and its largest number
/// of terms over all components.
const REACH: f64 = 8.5;
const STEP: f64 = 0.25;
const TERMS: f64 = 1e8;

/// −∫ p ln p in nats for one or two dimensions, as −Σ_k w_k E ln p(μ_k + L_k z), L_k L_kᵀ = Σ_k, z ~ N(0, I): the trapezoidal rule in z
/// with steps that resolve the narrowest component from within the widest axis of component k. `None` in more dimensions, or where
/// one component is so much narrower than another that this takes more than 1e8 terms.
pub(super) fn entropy(mixture: &Mixture) -> Option<f64> {
    let dim = mixture.dim();
    if dim > 2 {
        return None;
    }
    // [[a, 0], [b, c]] = L, and the smallest and the largest deviation; a line is a plane with the second coordinate unused.
    let shapes = mixture.covs().iter().map(|cov| {
        let (xx, xy, yy) = if dim == 1 { (cov[0], 0.0, cov[0]) } else { (cov[0], cov[1], cov[3]) };
        let (middle, spread) = (0.5 * (xx + yy), (0.5 * (xx - yy)).hypot(xy));
        let (a, largest) = (xx.sqrt(), middle + spread);
        let determinant = xx * yy - xy * xy;
        ([a, xy / a, determinant.sqrt() / a], (determinant / largest).sqrt(), largest.sqrt())
    });
    let shapes: Vec<_> = shapes.collect();
    let narrowest = shapes.iter().map(|s| s.1).fold(f64::INFINITY, f64::min);
    let counts: Vec<f64> = shapes.iter().map(|s| (REACH * s.2 / (STEP * narrowest)).ceil()).collect();
    let terms: f64 = counts.iter().map(|n| (2.0 * n + 1.0).powi(dim as i32) * shapes.len() as f64).sum();
    if terms.is_nan() || terms > TERMS {
        return None;
    }
    let clean = Kernel { alpha: 1.0, sigma: 0.0 };
    let mut total = 0.0;
    for (k, ([a, b, c], ..)) in shapes.into_iter().enumerate() {
        let (mean, n, h) = (&mixture.means()[k], counts[k] as i32, REACH / counts[k]);
        let line: Vec<(f64, f64)> = (-n..=n)
            .map(|i| {
                (
                    f64::from(i) * h,
                    (-0.5 * (f64::from(i) * h).powi(2)).exp() * h / std::f64::consts::TAU.sqrt(),
                )
            })
            .collect();
        for (z, p) in &line {
            let value = |w: f64| match dim {
                1 => mixture.log_density(&[mean[0] + a * z], clean),
                _ => mixture.log_density(&[mean[0] + a * z, mean[1] + b * z + c * w], clean),
            };
            let inner = if dim == 1 { value(0.0) } else { line.iter().map(|(w, q)| q * value(*w)).sum() };
            total -= mixture.weights()[k] * p * inner;
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One skew Gaussian, 1 + ln 2π + ½ ln det, a line of two far modes, ½ ln 2πe + the entropy of the weights, and a skew mixture
    /// against a fine plain grid of the plane.
    #[test]
    fn entropies_are_exact() {
        let entropy = |w: Vec<f64>, m: Vec<Vec<f64>>, c: &[Vec<Vec<f64>>]| {
            entropy(&Mixture::new(w, m, c).unwrap()).unwrap()
        };
        let skew = vec![vec![4.0, 1.5], vec![1.5, 0.7]];
        let one = entropy(vec![1.0], vec![vec![3.0, -1.0]], std::slice::from_ref(&skew));
        assert!((one - 1.0 - std::f64::consts::TAU.ln() - 0.5 * 0.55f64.ln()).abs() < 1e-10);
        let line = entropy(vec![1.0, 3.0], vec![vec![0.0], vec![100.0]], &[vec![vec![1.0]], vec![vec![4.0]]]);
        let gauss = 0.5 * (1.0 + std::f64::consts::TAU.ln());
        assert!((line - gauss - 0.75 * 2f64.ln() + 0.25 * 0.25f64.ln() + 0.75 * 0.75f64.ln()).abs() < 1e-10);
        let mixture = Mixture::new(
            vec![0.5, 0.3, 0.2],
            vec![vec![-1.0, 0.5], vec![1.2, -0.4], vec![0.3, 1.6]],
            &[skew, vec![vec![0.3, -0.2], vec![-0.2, 0.9]], vec![vec![0.5, 0.0], vec![0.0, 0.25]]],
        );
        let mixture = mixture.unwrap();
        let (h, clean) = (0.08, Kernel { alpha: 1.0, sigma: 0.0 });
        let cells = (-230..230).flat_map(|i| (-120..120).map(move |j| [f64::from(i) * h, f64::from(j) * h]));
        let grid: f64 = cells.map(|x| mixture.log_density(&x, clean)).map(|l| -l.exp() * l * h * h).sum();
        let got = super::entropy(&mixture).unwrap();
        assert!((got - grid).abs() < 1e-7, "{got} {grid}");
        assert!(super::entropy(&Mixture::gaussian(vec![0.0; 3], 1.0).unwrap()).is_none());
        let uneven = [vec![vec![1.0, 0.0], vec![0.0, 1.0]], vec![vec![1e-8, 0.0], vec![0.0, 1e-8]]];
        assert!(
            super::entropy(&Mixture::new(vec![1.0; 2], vec![vec![0.0; 2]; 2], &uneven).unwrap()).is_none()
        );
    }
}
