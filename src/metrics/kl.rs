//! Kullback–Leibler divergence of the data from the samples on a grid, in nats.
//!
//! KL(p ‖ q̂) = ∑ᵢ pᵢ ln(pᵢ/q̂ᵢ) over the cells of a grid and one more for all that lies outside, K in all. The grid spans, on each axis,
//! the least to the largest of 20 000 draws of the data in `cells` equal parts. The pᵢ are the exact probabilities of the cells, to
//! 1e-8, and q̂ᵢ = (nᵢ + ½)/(n + K/2) are the frequencies of n samples with half a count added to each cell, so that none is 0
//! (Krichevsky & Trofimov 1981).
//!
//! Two biases stay. The value is too small by what differs inside of cells: it is at most KL(p ‖ q), and smaller the coarser the grid. And
//! noise adds to it: for equal laws (K − 1)/2n on average when n ≫ K, and less than that below. A thousand samples of a law that fills
//! half of 32 × 32 cells have a floor of 0.4 nats, a hundred thousand one of 0.005.

use tweedie_solvers::exact::Exact;
use tweedie_solvers::{Error, Result};

use super::{Known, Metric, Prospect, Range, check, count};
use crate::points::Points;

const MOST_CELLS: usize = 1000;

/// KL(data ‖ samples) on a grid, `kl`, in nats, 0 or more. Needs the density of the data, in one or two dimensions; of the reference only
/// the dimension counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kl {
    cells: usize,
}

impl Default for Kl {
    /// 32 cells per axis.
    fn default() -> Self {
        Self { cells: 32 }
    }
}

impl Kl {
    /// The largest dimension.
    pub const MOST_DIMENSIONS: usize = 2;

    /// A grid of `cells` per axis, from 2 to 1000.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `cells` is out of its domain.
    pub fn new(cells: usize) -> Result<Self> {
        if (2..=MOST_CELLS).contains(&cells) {
            Ok(Self { cells })
        } else {
            Err(Error::parameter("cells", cells, format!("be from 2 to {MOST_CELLS}")))
        }
    }
}

impl Metric for Kl {
    fn measure(&self, samples: &Points, reference: &Points, known: &Known) -> Result<f64> {
        check(samples, reference, 1)?;
        Ok(known.density()?.cells(self.cells)?.divergence(samples))
    }

    fn range(&self) -> Range {
        Range::Positive
    }

    fn foresee(&self, prospect: &mut Prospect<'_>) -> Result<()> {
        count(prospect.count, 1, "samples")?;
        // One cell tells whether there are any.
        prospect.known.density()?.cells(1).map(|_| ())
    }
}

/// A grid, and the probabilities of its cells.
#[derive(Debug)]
pub(super) struct Cells {
    /// Per axis, the rising edges.
    edges: Vec<Vec<f64>>,
    /// pᵢ, the last axis fastest; then that of the outside.
    probabilities: Vec<f64>,
}

impl Cells {
    /// `count` cells per axis from the least to the largest of the draws.
    pub(super) fn over(law: &dyn Exact, draws: &Points, count: usize) -> Result<Self> {
        let edges = (0..draws.dim()).map(|axis| {
            let values = || draws.rows().map(|row| row[axis]);
            let (low, high) =
                (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
            (0..=count).map(|i| low + (high - low) * i as f64 / count as f64).collect()
        });
        Self::new(law, edges.collect())
    }

    fn new(law: &dyn Exact, edges: Vec<Vec<f64>>) -> Result<Self> {
        let dim = edges.len();
        if dim > Kl::MOST_DIMENSIONS {
            let sentence = format!("kl takes data of one or two dimensions, but there are {dim}");
            return Err(Error::Unsupported(sentence));
        }
        let missing =
            || Error::Unsupported("kl needs the probabilities of boxes, which this law lacks".into());
        let mut probabilities = Vec::new();
        let total: usize = edges.iter().map(|e| e.len() - 1).product();
        for cell in 0..total {
            let (mut rest, mut low, mut high) = (cell, vec![], vec![]);
            for axis in edges.iter().rev() {
                let i = rest % (axis.len() - 1);
                rest /= axis.len() - 1;
                low.insert(0, axis[i]);
                high.insert(0, axis[i + 1]);
            }
            probabilities.push(law.mass(&low, &high).ok_or_else(missing)?);
        }
        let outside = 1.0 - probabilities.iter().sum::<f64>();
        probabilities.push(outside.max(0.0));
        Ok(Self { edges, probabilities })
    }

    /// The number of the cell that holds a point.
    fn cell(&self, x: &[f64]) -> usize {
        let mut cell = 0;
        for (edges, v) in self.edges.iter().zip(x) {
            let i = edges.partition_point(|edge| edge <= v);
            if i == 0 || i == edges.len() {
                return self.probabilities.len() - 1;
            }
            cell = cell * (edges.len() - 1) + i - 1;
        }
        cell
    }

    /// ∑ᵢ pᵢ ln(pᵢ/q̂ᵢ).
    fn divergence(&self, samples: &Points) -> f64 {
        let mut counts = vec![0.5; self.probabilities.len()];
        samples.rows().for_each(|x| counts[self.cell(x)] += 1.0);
        let total = samples.len() as f64 + 0.5 * counts.len() as f64;
        let some = self.probabilities.iter().zip(&counts).filter(|(p, _)| **p > 0.0);
        some.map(|(p, count)| p * (p * total / count).ln()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::close;
    use super::*;
    use crate::data::{Checkerboard, Data, GaussianMixture, Rings};
    use statrs::distribution::{ContinuousCDF, Normal};
    use tweedie_solvers::Key;
    use tweedie_solvers::exact::{Boxes, Mixture};

    /// Uniform on [0, 4) × [0, 1), four cells of ¼ and four that are empty: with two samples in the first, one each in the second, in the empty
    /// one above it and outside, q̂ = (2½, 1½, ½, ½)/9½ on the first four, K = 9.
    #[test]
    fn by_hand() -> Result<()> {
        let law = Boxes::new(vec![1.0], vec![vec![0.0, 0.0]], vec![vec![4.0, 1.0]])?;
        let cells = Cells::new(&law, vec![vec![0.0, 1.0, 2.0, 3.0, 4.0], vec![0.0, 1.0, 2.0]])?;
        assert_eq!(cells.probabilities, [0.25, 0.0, 0.25, 0.0, 0.25, 0.0, 0.25, 0.0, 0.0]);
        let samples = Points::new(2, vec![0.0, 0.0, 0.9, 0.9, 1.0, 0.5, 1.5, 1.0, 3.0, 2.0]);
        assert_eq!(samples.rows().map(|x| cells.cell(x)).collect::<Vec<_>>(), [0, 0, 2, 3, 8]);
        let wanted: f64 = [2.5, 1.5, 0.5, 0.5].iter().map(|c| 0.25 * (0.25 * 9.5 / c as &f64).ln()).sum();
        close(cells.divergence(&samples), wanted, 1e-15);
        Ok(())
    }

    /// N(0, 1) from N(m, s²): KL = ln s + (1 + m²)/2s² − ½. A million samples at the quantiles (i + ½)/n leave no noise but the halves; the
    /// bounds are for 64 cells of width 0.12, which see about (1 − h²/12s²…) of it, 1 %, and the tails beyond the largest draws, 0.001.
    #[test]
    fn normals_in_closed_form() -> Result<()> {
        let known = Known::of(&GaussianMixture(Mixture::gaussian(vec![0.0], 1.0)?));
        for (m, s) in [(0.5, 1.0), (0.0, 1.5), (-1.0, 1.2), (0.0, 1.0)] {
            let law = Normal::new(m, s).expect("a normal");
            let n = 1_000_000;
            let samples = (0..n).map(|i| law.inverse_cdf((f64::from(i) + 0.5) / f64::from(n))).collect();
            let samples = Points::new(1, samples);
            let exact = f64::ln(s) + (1.0 + m * m) / (2.0 * s * s) - 0.5;
            close(Kl::new(64)?.measure(&samples, &samples, &known)?, exact, 0.01 * exact + 0.001);
        }
        Ok(())
    }

    /// The probabilities of a board of 31 cells per axis, which squares cut, and of rings are the frequencies of 200 000 draws: Pearson's
    /// statistic over the cells that expect 5 or more lies within 5 √(2 ν) of its degrees of freedom ν, false-alarm rate below 1e-5 each.
    #[test]
    fn cells_hold_their_share() -> Result<()> {
        let n = 200_000;
        for data in [Box::new(Checkerboard::new(1.3)?) as Box<dyn Data>, Box::new(Rings::default())] {
            let known = Known::of(&*data);
            let cells = known.density()?.cells(31)?;
            let mut counts = vec![0.0; 31 * 31 + 1];
            data.sample(&Key::root(4), 0, n).rows().for_each(|x| counts[cells.cell(x)] += 1.0);
            let expected = cells.probabilities.iter().map(|p| p * n as f64);
            let full: Vec<(f64, f64)> = expected.zip(counts).filter(|(e, _)| *e >= 5.0).collect();
            let statistic: f64 = full.iter().map(|(e, c)| (c - e) * (c - e) / e).sum();
            let degrees = full.len() as f64 - 1.0;
            close(statistic, degrees, 5.0 * (2.0 * degrees).sqrt());
            assert!(degrees > 400.0);
            close(cells.probabilities.iter().sum(), 1.0, 1e-12);
        }
        Ok(())
    }

    /// The floor is (K − 1)/2n for n ≫ K, half of the cells being empty, and 0.4 for n < K. 2n KL is χ² of 511 degrees of freedom and 513 more,
    /// deviation 32 of 1024 or 3 %: 5 of it and 4 % for higher orders give a false-alarm rate below 1e-6. The mean of five draws of 1000 has
    /// a deviation of at most 32/2000/√5 = 0.0072, and 5 of them are 0.036.
    #[test]
    fn the_floor_is_the_bias() -> Result<()> {
        let data = Checkerboard::default();
        let known = Known::of(&data);
        let mean = |n: usize, draws: u64| -> Result<f64> {
            let values = (0..draws).map(|seed| {
                let samples = data.sample(&Key::root(seed), 0, n);
                Kl::default().measure(&samples, &samples, &known)
            });
            Ok(values.sum::<Result<f64>>()? / draws as f64)
        };
        let large = 1024.0 / 400_000.0;
        close(mean(200_000, 1)?, large, 0.2 * large);
        close(mean(1000, 5)?, 0.39, 0.036);
        Ok(())
    }

    #[test]
    fn what_it_cannot_take() -> Result<()> {
        for bad in [0, 1, 1001] {
            let error = Kl::new(bad).expect_err("out of the domain").to_string();
            assert_eq!(error, format!("cells = {bad}, but it must be from 2 to 1000"));
        }
        let known = Known::of(&GaussianMixture(Mixture::gaussian(vec![0.0; 3], 1.0)?));
        let x = Points::new(3, vec![0.0; 3]);
        let error = Kl::default().measure(&x, &x, &known).expect_err("three dimensions").to_string();
        assert!(error.ends_with("kl takes data of one or two dimensions, but there are 3"), "{error}");
        let nothing = Kl::default().measure(&x, &x, &Known::default()).expect_err("no density").to_string();
        assert!(nothing.ends_with("needs the density of the data, which this data set lacks"), "{nothing}");
        Ok(())
    }
}
