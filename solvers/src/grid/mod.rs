//! Where the time nodes are placed: a [`Spacing`] makes the N+1 nodes of N steps on any SDE. No method knows which it was, and all but
//! [`Optimised`] look at no model.
//!
//! Every grid starts at T and ends at ε exactly, whatever the rounding of its formula.

mod cosine;
mod explicit;
mod exponential;
mod karras;
mod optimised;
mod quadratic;
mod uniform_log_snr;
mod uniform_t;

use std::fmt::Debug;

use candle_core::Device;

pub use cosine::Cosine;
pub use explicit::Explicit;
pub use exponential::Exponential;
pub use karras::Karras;
pub use optimised::Optimised;
pub use quadratic::Quadratic;
pub use uniform_log_snr::UniformLogSnr;
pub use uniform_t::UniformT;

use crate::clock::Grid;
use crate::model::ScoreModel;
use crate::sde::{LinearSde, Span, Use};
use crate::{Error, Result};

/// A rule that places N+1 nodes between T and ε.
pub trait Spacing: Send + Sync + Debug {
    /// The nodes of `steps` ≥ 1 steps from `span.end` down to `span.start`.
    ///
    /// # Errors
    /// If `steps` is 0, or the rule cannot be met.
    fn grid(&self, sde: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid>;

    /// The number of steps, where the rule fixes it.
    fn fixed_steps(&self) -> Option<usize> {
        None
    }

    /// Whether the rule looks at a model: then [`grid`](Self::grid) is an error before [`fit`](Self::fit).
    fn needs_model(&self) -> bool {
        false
    }

    /// The rule made for a model under an SDE, for grids of this span; `None` where the rule looks at none, which is the default.
    ///
    /// # Errors
    /// Those of the model; and if it offers no derivative, or is not finite.
    fn fit(
        &self,
        sde: &dyn LinearSde,
        model: &dyn ScoreModel,
        span: Span,
        device: &Device,
    ) -> Result<Option<Box<dyn Spacing>>> {
        let _ = (sde, model, span, device);
        Ok(None)
    }
}

/// The spacing that is taken where none is named: that of a method's source, which an SDE may overrule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultGrid {
    /// Equal steps of t (Song et al. 2021).
    UniformT,
    /// Equal steps of ln(α/σ) (Lu et al. 2022a).
    UniformLogSnr,
    /// Karras et al. 2022, eq. 5 with ρ = 7.
    Karras,
    /// Equal steps of √t (Zhang & Chen 2023).
    Quadratic,
}

impl DefaultGrid {
    /// The spacing under an SDE. Where t is σ itself, as in EDM, equal steps of t or √t put nearly all nodes where there is only noise:
    /// there it is Karras' for every method. Where α = 1 and t is not σ, t is its logarithm (VE), and √t is no quantity of a paper: equal
    /// steps of the log-SNR take its place.
    pub fn under(self, sde: &dyn LinearSde) -> Self {
        let span = sde.span(Use::Sampling);
        let ends = [span.start, span.end].map(|t| (t, sde.kernel(t)));
        if ends.iter().any(|(_, k)| k.alpha != 1.0) {
            return self;
        }
        if ends.iter().all(|(t, k)| k.sigma == *t) {
            return Self::Karras;
        }
        if self == Self::Quadratic { Self::UniformLogSnr } else { self }
    }
}

/// More steps than anyone takes: beyond it a grid would fill the memory.
const MOST_STEPS: usize = 1_000_000;

/// N+1 nodes from `node(i/N)` for i = 0 … N, with the two ends put in place exactly.
fn nodes(span: Span, steps: usize, node: impl Fn(f64) -> f64) -> Result<Grid> {
    if steps == 0 {
        return Err(Error::parameter("steps", 0, "be 1 or more"));
    }
    if steps > MOST_STEPS {
        return Err(Error::parameter("steps", steps, format!("be {MOST_STEPS} or less")));
    }
    let inner = (1..steps).map(|i| node(i as f64 / steps as f64));
    Grid::new(std::iter::once(span.end).chain(inner).chain([span.start]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Step;
    use crate::sde::{Edm, SubVp, Ve, Vp, VpCosine};

    #[test]
    fn every_grid_runs_from_end_to_start_on_every_sde() {
        let sdes: [Box<dyn LinearSde>; 5] = [
            Box::new(Vp::default()),
            Box::new(VpCosine::default()),
            Box::new(Ve::default()),
            Box::new(SubVp::default()),
            Box::new(Edm::default()),
        ];
        let grids: [Box<dyn Spacing>; 6] = [
            Box::new(Exponential::new(2.0).unwrap()),
            Box::new(Cosine),
            Box::new(UniformT),
            Box::new(UniformLogSnr),
            Box::new(Karras::new(7.0).unwrap()),
            Box::new(Quadratic),
        ];
        for sde in &sdes {
            for of in [Use::Sampling, Use::Likelihood] {
                let span = sde.span(of);
                for grid in &grids {
                    for steps in [1, 2, 7, 1000] {
                        let g = grid.grid(&**sde, span, steps).unwrap();
                        assert_eq!((g.len(), g.first(), g.last()), (steps, span.end, span.start));
                        let total: f64 = g.steps().map(Step::dt).sum();
                        assert!((total - (span.start - span.end)).abs() < 1e-12 * span.end);
                    }
                    assert!(grid.grid(&**sde, span, 0).is_err());
                }
            }
        }
    }

    /// EDM's is Karras' whatever the method; a VE whose σ happens to end at T = 1 is none.
    #[test]
    fn defaults_under_sdes() {
        use DefaultGrid::{Karras, Quadratic, UniformLogSnr, UniformT};
        let all = [UniformT, UniformLogSnr, Karras, Quadratic];
        let ve = [UniformT, UniformLogSnr, Karras, UniformLogSnr];
        let vps: [Box<dyn LinearSde>; 3] =
            [Box::new(Vp::default()), Box::new(SubVp::default()), Box::new(VpCosine::default())];
        for sde in &vps {
            assert_eq!(all.map(|grid| grid.under(&**sde)), all);
        }
        for sde in [Ve::default(), Ve::new(0.01, 1.0, 1e-5).unwrap()] {
            assert_eq!(all.map(|grid| grid.under(&sde)), ve);
        }
        assert_eq!(all.map(|grid| grid.under(&Edm::new(0.02, 5.0).unwrap())), [Karras; 4]);
    }

    /// The spacing that gives each its name, at the middle node of two steps.
    #[test]
    fn middle_nodes() {
        let (vp, span) = (Vp::default(), Span { start: 1e-3, end: 1.0 });
        let middle = |s: &dyn Spacing| s.grid(&vp, span, 2).unwrap().times()[1];
        assert!((middle(&UniformT) - 0.5005).abs() < 1e-15);
        assert!((middle(&Quadratic) - (0.5 * (1.0 + 1e-3f64.sqrt())).powi(2)).abs() < 1e-15);
        let half = |t: f64| vp.kernel(t).log_snr();
        assert!((half(middle(&UniformLogSnr)) - 0.5 * (half(1.0) + half(1e-3))).abs() < 1e-12);
        let (first, last) = (half(1.0), half(1e-3));
        let poly = middle(&Exponential::new(2.0).unwrap());
        assert!((half(poly) - (last + 0.25 * (first - last))).abs() < 1e-12);
        assert!((middle(&Exponential::new(1.0).unwrap()) - middle(&UniformLogSnr)).abs() < 1e-12);
        let angle = |t: f64| (-half(t)).exp().atan();
        assert!((angle(middle(&Cosine)) - 0.5 * (angle(1.0) + angle(1e-3))).abs() < 1e-12);
        let ratio = |t: f64, rho: f64| (-half(t) / rho).exp();
        let karras = middle(&Karras::new(3.0).unwrap());
        assert!((ratio(karras, 3.0) - 0.5 * (ratio(1.0, 3.0) + ratio(1e-3, 3.0))).abs() < 1e-12);
    }

    /// The 18 noise levels of EDM (σ 0.002–80, ρ = 7).
    #[test]
    fn karras_golden_values() {
        let golden = [
            80.0, 57.585985, 40.785574, 28.374585, 19.352453, 12.910082, 8.400935, 5.315195, 3.256822,
            1.923340, 1.088171, 0.585348, 0.296442, 0.139516, 0.059947, 0.022935, 0.007528, 0.002,
        ];
        let edm = Edm::default();
        let grid = Karras::new(7.0).unwrap().grid(&edm, edm.span(Use::Sampling), 17).unwrap();
        for (got, want) in grid.times().iter().zip(golden) {
            assert!((got - want).abs() < 6e-7, "{got} {want}");
        }
        // Neither a small ρ nor a large one, where the nodes tend to equal steps of log-SNR, runs out of numbers.
        let vp = Vp::default();
        let nodes = |rho: f64| Karras::new(rho).unwrap().grid(&vp, vp.span(Use::Sampling), 4).unwrap();
        let even = UniformLogSnr.grid(&vp, vp.span(Use::Sampling), 4).unwrap();
        assert!(nodes(0.1).times()[3] > 0.5);
        assert!(nodes(1e9).times().iter().zip(even.times()).all(|(a, b)| (a - b).abs() < 1e-8));
        assert!(Exponential::new(0.0).is_err());
        assert!(Karras::new(0.0).is_err() && Karras::new(f64::NAN).is_err());
    }

    #[test]
    fn explicit_times_are_kept_and_checked() {
        let (vp, span) = (Vp::default(), Span { start: 1e-3, end: 1.0 });
        let list = Explicit::new(vec![1.0, 0.3, 0.01]).unwrap();
        assert_eq!(list.grid(&vp, span, 2).unwrap().times(), [1.0, 0.3, 0.01]);
        assert_eq!(list.fixed_steps(), Some(2));
        assert!(list.grid(&vp, span, 3).is_err());
        assert!(Explicit::new(vec![1.5, 0.3]).unwrap().grid(&vp, span, 1).is_err());
        for times in [vec![1.0], vec![0.1, 0.5], vec![1.0, 0.0]] {
            assert!(Explicit::new(times).is_err());
        }
    }
}
