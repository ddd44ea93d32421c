//! Gaussian mixtures: `eight-gaussians`, `twenty-five-gaussians`, and `mixture` with weights, means and covariances given.
//!
//! `eight-gaussians` follows FFJORD: modes at radius 4/√2 with deviation 0.5/√2, entropy 2.8319 nats. `twenty-five-gaussians` is the 5 × 5
//! grid with spacing 2 and deviation 0.05, entropy 0.0653 nats.

use tweedie_solvers::exact::Mixture;
use tweedie_solvers::{Key, Result, error};

use super::Data;
use crate::points::Points;

/// A mixture of Gaussians, of any dimension.
#[derive(Clone, Debug)]
pub struct GaussianMixture(pub Mixture);

/// Eight modes on a circle.
///
/// # Errors
/// If the radius or the deviation is not a finite number above 0.
pub fn eight_gaussians(radius: f64, deviation: f64) -> Result<GaussianMixture> {
    error::positive("radius", radius)?;
    let angle = |k: u32| std::f64::consts::TAU * f64::from(k) / 8.0;
    let means = (0..8).map(|k| vec![radius * angle(k).cos(), radius * angle(k).sin()]).collect();
    Ok(GaussianMixture(Mixture::isotropic(vec![1.0; 8], means, deviation)?))
}

/// A 5 × 5 grid of modes.
///
/// # Errors
/// If the spacing or the deviation is not a finite number above 0.
pub fn twenty_five_gaussians(spacing: f64, deviation: f64) -> Result<GaussianMixture> {
    error::positive("spacing", spacing)?;
    let place = |i: u32| spacing * (f64::from(i) - 2.0);
    let means = (0..25).map(|k| vec![place(k % 5), place(k / 5)]).collect();
    Ok(GaussianMixture(Mixture::isotropic(vec![1.0; 25], means, deviation)?))
}

impl Data for GaussianMixture {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn sample(&self, key: &Key, first: u64, count: usize) -> Points {
        Points::new(self.dim(), self.0.sample(key, first, count))
    }

    fn mixture(&self) -> Option<&Mixture> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::kernel::Kernel;

    /// Entropies by a fine grid against published values (FFJORD's with its rounded √2, which moves the sixth digit).
    #[test]
    fn entropies_are_the_published_ones() {
        let entropy = |m: &Mixture, half: f64, n: i32| {
            let h = 2.0 * half / f64::from(n);
            let at = |i: i32| -half + (f64::from(i) + 0.5) * h;
            let term = |i: i32, j: i32| {
                let log_p = m.log_density(&[at(i), at(j)], Kernel { alpha: 1.0, sigma: 0.0 });
                -log_p.exp() * log_p * h * h
            };
            (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| term(i, j)).sum::<f64>()
        };
        let eight = eight_gaussians(4.0 / 1.414, 0.5 / 1.414).unwrap();
        let got = entropy(&eight.0, 5.0, 160);
        assert!((got - 2.8318804).abs() < 1e-6, "{got}");
        // One mode of the grid is far from the others: ln 25 + the entropy of one.
        let grid = twenty_five_gaussians(2.0, 0.05).unwrap();
        let one = 25f64.ln() + 1.0 + (std::f64::consts::TAU * 0.0025).ln();
        assert!(
            (one - 0.0652883).abs() < 1e-7
                && grid.0.means()[24] == [4.0, 4.0]
                && grid.0.covs()[3][0] == 0.05 * 0.05
        );
        assert!(eight_gaussians(-1.0, 0.1).is_err() && twenty_five_gaussians(1.0, 0.0).is_err());
    }
}
