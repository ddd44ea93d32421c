//! The fraction of samples where the data have next to no density.
//!
//! n⁻¹ #{i: log p₀(xᵢ) < ℓ}, with the exact density p₀ of the data and ℓ the 0.1 % quantile of log p₀(Y), Y ~ p₀ (a minimum volume
//! set, Polonik 1997), taken as the 20th smallest over 20 000 draws under a fixed key, the same for all measurements. For equal laws
//! the expectation is 0.001, up to the 22 % that this ℓ is off by; where the density is constant on its support, as on the
//! checkerboard, the value is the fraction outside the support and the floor is 0. A few hundred samples often have a floor of 0
//! elsewhere too: they expect less than one point off.

use tweedie_solvers::Result;

use super::{Known, Metric, Prospect, Range, check, count};
use crate::points::Points;

/// The fraction of samples off the support, `off-support`: from 0 to 1. Needs the density; of the reference only the dimension counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffSupport;

impl Metric for OffSupport {
    fn measure(&self, samples: &Points, reference: &Points, known: &Known) -> Result<f64> {
        check(samples, reference, 1)?;
        let density = known.density()?;
        let least = density.least();
        let off = samples.rows().filter(|x| density.log(x) < least).count();
        Ok(off as f64 / samples.len() as f64)
    }

    fn range(&self) -> Range {
        Range::Fraction
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 1, "samples")?;
        prospect.known.density().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::close;
    use super::*;
    use crate::data::{Checkerboard, Data, GaussianMixture, TwoMoons};
    use tweedie_solvers::Key;
    use tweedie_solvers::exact::Mixture;

    /// On boards of any side, none of 50 000 draws is off, and of a lattice of 96 × 96 points over [−3 s, 3 s]² those outside of the
    /// squares are: the board is 4/9 of it, half full, so 7/9.
    #[test]
    fn boards_are_counted_exactly() -> Result<()> {
        for scale in [2.0, 0.7, 1.1] {
            let data = Checkerboard::new(scale)?;
            let known = Known::of(&data);
            let draws = data.sample(&Key::root(3), 0, 50_000);
            assert_eq!(OffSupport.measure(&draws, &draws, &known)?, 0.0);
            let at = |i: usize| scale * (-3.0 + (i as f64 + 0.5) / 16.0);
            let lattice = (0..96).flat_map(|i| (0..96).flat_map(move |j| [at(i), at(j)])).collect();
            close(OffSupport.measure(&Points::new(2, lattice), &draws, &known)?, 7.0 / 9.0, 1e-15);
        }
        Ok(())
    }

    /// N(0, 1): samples at ±3.0 and 0 are on the support |z| ≤ 3.29 ± 0.06, one at −3.8 is off it.
    #[test]
    fn a_normal_by_hand() -> Result<()> {
        let known = Known::of(&GaussianMixture(Mixture::gaussian(vec![0.0], 1.0)?));
        let samples = Points::new(1, vec![-3.0, 0.0, -3.8, 3.0]);
        close(OffSupport.measure(&samples, &samples, &known)?, 0.25, 1e-15);
        Ok(())
    }

    /// Draws of two moons: the expectation is 0.001 with deviation 0.00022 of the quantile and 0.00014 of 50 000 draws; 5 of
    /// √(0.00022² + 0.00014²) = 0.00026 give a false-alarm rate below 1e-5.
    #[test]
    fn the_floor_is_a_thousandth() -> Result<()> {
        let data = TwoMoons::default();
        let draws = data.sample(&Key::root(3), 0, 50_000);
        let value = OffSupport.measure(&draws, &draws, &Known::of(&data))?;
        close(value, 0.001, 0.0013);
        assert!(value > 0.0);
        Ok(())
    }
}
