//! Forward diffusions. [`Sde`] is any drift and diffusion; [`LinearSde`] adds what a linear drift gives in closed form:
//! the Gaussian kernel x_t | x₀ ~ N(α x₀, σ² I), its derivatives, log-SNR and the inverse, the time span, the prior.
//!
//! Data live at t = 0, noise at t = T. All times and coefficients are f64.

mod edm;
mod sub_vp;
mod ve;
mod vp;
mod vp_cosine;

use std::fmt::Debug;

use candle_core::Tensor;

pub use edm::Edm;
pub use sub_vp::SubVp;
pub use ve::Ve;
pub use vp::Vp;
pub use vp_cosine::VpCosine;

use crate::kernel::{Kernel, Row};
use crate::{Error, Result};

/// A diffusion dx = f(x, t) dt + g(t) dw.
pub trait Sde: Send + Sync {
    /// f(x, t) for x of shape (B, D), in units of x per time.
    ///
    /// # Errors
    /// If a tensor operation or a model fails.
    fn drift(&self, x: &Tensor, t: f64) -> Result<Tensor>;

    /// g(t), in units of x per √time.
    fn diffusion(&self, t: f64) -> f64;
}

/// A diffusion with drift a(t) x, and so with a Gaussian kernel.
pub trait LinearSde: Sde + Debug {
    /// a(t) = d ln α/dt, per time.
    fn rate(&self, t: f64) -> f64;

    /// α(t) and σ(t).
    fn kernel(&self, t: f64) -> Kernel;

    /// The time at which ln(α/σ) has this value; decreasing.
    fn time_at(&self, log_snr: f64) -> f64;

    /// The times [ε, T] of a use.
    fn span(&self, of: Use) -> Span;

    /// (α̇, σ̇) = (a α, a σ + g²/2σ), which is also the row of the probability-flow velocity (Song et al. 2021, eq. 13).
    fn kernel_rate(&self, t: f64) -> Row {
        self.reverse(t, 0.0)
    }

    /// The row of the reverse-time drift with noise level λ: a x − ½ (1+λ²) g² ∇log p_t, that is
    /// (a α, a σ + (1+λ²) g²/2σ). λ = 1 is Anderson's reverse SDE, λ = 0 the probability flow.
    fn reverse(&self, t: f64, lambda: f64) -> Row {
        let (a, g, k) = (self.rate(t), self.diffusion(t), self.kernel(t));
        Row { data: a * k.alpha, noise: a * k.sigma + 0.5 * (1.0 + lambda * lambda) * g * g / k.sigma }
    }

    /// The exact forward transition from time s to t > s: x_t = A x_s + √V z with A = α_t/α_s, V = σ_t² − A² σ_s².
    fn transition(&self, s: f64, t: f64) -> (f64, f64) {
        let (k, l) = (self.kernel(s), self.kernel(t));
        let a = l.alpha / k.alpha;
        // V/σ_t² = 1 − e^(2(λ_t − λ_s)), without cancellation for short steps.
        (a, -l.sigma * l.sigma * (2.0 * (l.log_snr() - k.log_snr())).exp_m1())
    }

    /// The standard deviation of the prior N(0, σ(T)² I).
    fn prior(&self) -> f64 {
        self.kernel(self.span(Use::Sampling).end).sigma
    }
}

/// What a time span is for: the papers stop at different ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Drawing samples.
    Sampling,
    /// Log-densities and encoding.
    Likelihood,
    /// Training.
    Training,
}

/// The times from ε, where samplers stop, to T, where they start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// ε > 0.
    pub start: f64,
    /// T > ε.
    pub end: f64,
}

impl Span {
    /// A span.
    ///
    /// # Errors
    /// If ε is not in (0, T).
    pub fn new(epsilon: f64, end: f64) -> Result<Self> {
        if epsilon > 0.0 && epsilon < end {
            Ok(Self { start: epsilon, end })
        } else {
            Err(Error::parameter("epsilon", epsilon, format!("lie above 0 and below T = {end}")))
        }
    }
}

/// ε of likelihood and training for the VP family (Song et al. 2021, appendix C).
pub(crate) const FINE: f64 = 1e-5;

/// α at T is e^(−(β_min + β_max)/4), which f64 holds up to 2800.
const MOST_BETA: f64 = 2500.0;

/// ∫₀ᵗ β of the linear schedule β(t) = β_min + t (β_max − β_min), shared by VP and sub-VP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LinearBeta {
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl LinearBeta {
    pub(crate) fn new(min: f64, max: f64) -> Result<Self> {
        crate::error::positive("beta-min", min)?;
        if !max.is_finite() || max <= min {
            return Err(Error::parameter("beta-max", max, format!("exceed beta-min = {min}")));
        }
        if min + max > MOST_BETA {
            let rule = format!("keep beta-min + beta-max ≤ {MOST_BETA}: beyond it α at T is 0 in f64");
            return Err(Error::parameter("beta-max", max, rule));
        }
        Ok(Self { min, max })
    }

    /// β(t).
    pub(crate) fn at(self, t: f64) -> f64 {
        self.min + t * (self.max - self.min)
    }

    /// B(t) = ∫₀ᵗ β.
    pub(crate) fn integral(self, t: f64) -> f64 {
        t * (self.min + 0.5 * t * (self.max - self.min))
    }

    /// t of B, by the root that does not cancel.
    pub(crate) fn inverse(self, b: f64) -> f64 {
        2.0 * b / (self.min + (self.min * self.min + 2.0 * b * (self.max - self.min)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Box<dyn LinearSde>> {
        vec![
            Box::new(Vp::default()),
            Box::new(Vp::new(0.3, 7.0, 0.01).unwrap()),
            Box::new(VpCosine::default()),
            Box::new(Ve::default()),
            Box::new(SubVp::default()),
            Box::new(Edm::default()),
        ]
    }

    fn times(sde: &dyn LinearSde) -> Vec<f64> {
        let span = sde.span(Use::Training);
        let ratio = span.end / span.start;
        (0..60).map(|i| span.start * ratio.powf(f64::from(i) / 59.0)).collect()
    }

    /// α̇ = a α and d(σ²)/dt = g² + 2 a σ², by central differences: a wrong constant anywhere fails.
    #[test]
    fn drift_and_diffusion_belong_to_the_kernel() {
        for sde in all() {
            for t in times(&*sde) {
                let h = 1e-4 * t;
                let (up, down, k) = (sde.kernel(t + h), sde.kernel(t - h), sde.kernel(t));
                let rate = sde.kernel_rate(t);
                let alpha = (up.alpha - down.alpha) / (2.0 * h);
                assert!((alpha - sde.rate(t) * k.alpha).abs() < 1e-6 * (1.0 + alpha.abs()), "{sde:?} {t}");
                assert!((alpha - rate.data).abs() < 1e-6 * (1.0 + alpha.abs()));
                let sigma = (up.sigma - down.sigma) / (2.0 * h);
                assert!((sigma - rate.noise).abs() < 1e-6 * sigma.abs().max(1e-3), "{sde:?} {t} {sigma}");
                let variance = (up.sigma.powi(2) - down.sigma.powi(2)) / (2.0 * h);
                let wanted = sde.diffusion(t).powi(2) + 2.0 * sde.rate(t) * k.sigma.powi(2);
                assert!((variance - wanted).abs() < 1e-6 * wanted.abs().max(1e-3), "{sde:?} {t}");
            }
        }
    }

    #[test]
    fn log_snr_falls_and_time_at_inverts_it() {
        for sde in all() {
            let times = times(&*sde);
            for pair in times.windows(2) {
                assert!(sde.kernel(pair[1]).log_snr() < sde.kernel(pair[0]).log_snr());
            }
            for t in times {
                let back = sde.time_at(sde.kernel(t).log_snr());
                assert!((back - t).abs() < 1e-9 * t, "{sde:?}: {t} came back as {back}");
            }
        }
    }

    /// Two transitions make one: A and V compose, from any s.
    #[test]
    fn transitions_compose() {
        for sde in all() {
            let (span, s) = (sde.span(Use::Sampling), sde.span(Use::Sampling).start);
            let (m, t) = (0.3 * span.end, 0.8 * span.end);
            let ((a1, v1), (a2, v2), (a, v)) =
                (sde.transition(s, m), sde.transition(m, t), sde.transition(s, t));
            assert!((a1 * a2 - a).abs() < 1e-12 * a);
            assert!((a2 * a2 * v1 + v2 - v).abs() < 1e-10 * v);
        }
    }

    #[test]
    fn the_reverse_row_adds_the_score() {
        let sde = Vp::default();
        let (t, lambda) = (0.4, 0.7);
        let (flow, reverse, k) = (sde.reverse(t, 0.0), sde.reverse(t, lambda), sde.kernel(t));
        // −½ λ² g² · score, with score = −ε/σ.
        let g2 = sde.diffusion(t).powi(2);
        assert_eq!(flow.data, reverse.data);
        assert!((reverse.noise - flow.noise - 0.5 * lambda * lambda * g2 / k.sigma).abs() < 1e-12);
    }

    /// ε of sampling and of likelihood and training, and T: Song et al. 2021, appendix C; Karras et al. 2022, table 1 for EDM.
    #[test]
    fn spans_are_the_papers() {
        let wanted = [
            (1e-3, 1e-5, 1.0),
            (1e-2, 1e-5, 1.0),
            (1e-3, 1e-5, 0.9946),
            (1e-5, 1e-5, 1.0),
            (1e-3, 1e-5, 1.0),
        ];
        for (sde, (sampling, fine, end)) in all().iter().zip(wanted) {
            assert_eq!(sde.span(Use::Sampling), Span { start: sampling, end }, "{sde:?}");
            for of in [Use::Likelihood, Use::Training] {
                assert_eq!(sde.span(of), Span { start: fine, end }, "{sde:?}");
            }
        }
        let edm = Edm::default();
        assert_eq!(edm.span(Use::Sampling), Span { start: 0.002, end: 80.0 });
    }

    #[test]
    fn epsilon_must_lie_inside() {
        for epsilon in [0.0, -1.0, 1.0, 2.0, f64::NAN] {
            assert!(Vp::new(0.1, 20.0, epsilon).is_err());
            assert!(Ve::new(0.01, 50.0, epsilon).is_err());
            assert!(SubVp::new(0.1, 20.0, epsilon).is_err());
        }
        assert!(VpCosine::new(0.008, 0.9946).is_err() && Edm::new(0.002, 0.001).is_err());
        assert!(Vp::new(0.1, 2499.9, 1e-3).is_ok() && SubVp::new(0.1, 2500.0, 1e-2).is_err());
        assert!(Vp::new(-0.1, 20.0, 1e-3).is_err() && Vp::new(0.1, 0.1, 1e-3).is_err());
        assert!(Ve::new(0.0, 50.0, 1e-5).is_err() && Ve::new(1.0, 0.5, 1e-5).is_err());
    }
}
