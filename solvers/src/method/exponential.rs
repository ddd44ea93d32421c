//! Exponential integrators, the common part: in λ = ln(α/σ) the flow's linear part is solved exactly, and what is left is an integral of the
//! prediction alone,
//!
//! data:  x_s = (σ_s/σ_t) x_t + α_s ∫ e^(λ − λ_s) x̂₀ dλ    (Lu et al. 2022b, eq. 8)
//! noise:  x_s = (α_s/α_t) x_t − σ_s ∫ e^(λ_s − λ) ε̂ dλ    (Lu et al. 2022a, eq. 3.4)
//!
//! over λ_t … λ_s, h = λ_s − λ_t. With derivatives m⁽ᵏ⁾ of the prediction at λ_t both are  keep x_t + scale Σ_k h^(k+1) φ_(k+1)(∓h) m⁽ᵏ⁾,
//! φ_k(z) = ∫₀¹ e^((1−θ)z) θ^(k−1)/(k−1)! dθ  (Hochbruck & Ostermann 2010, eq. 2.10). Nothing but α, σ and λ of the SDE enters, so VE, VP and
//! sub-VP are one case.

use candle_core::Tensor;

use crate::Result;
use crate::dynamics::Problem;
use crate::kernel::{Kernel, Target};

/// Which prediction is integrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// x̂₀, as in DPM-Solver++.
    Data,
    /// ε̂, as in DPM-Solver.
    Noise,
}

impl Form {
    /// The prediction for x at one time.
    pub(super) fn predict(self, problem: Problem<'_>, x: &Tensor, t: f64) -> Result<Tensor> {
        let target = match self {
            Self::Data => Target::Data,
            Self::Noise => Target::Noise,
        };
        problem.predict(x, &[t])?.read(|k| k.row(target))
    }
}

/// One interval of λ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leap {
    /// The factor of x.
    pub(super) keep: f64,
    /// The factor of all predictions.
    pub(super) scale: f64,
    /// h.
    pub(super) h: f64,
    /// The argument of φ: −h for data, h for noise.
    z: f64,
}

impl Leap {
    /// From one kernel to another.
    pub(super) fn new(form: Form, from: Kernel, to: Kernel) -> Self {
        let h = to.log_snr() - from.log_snr();
        match form {
            Form::Data => Self { keep: to.sigma / from.sigma, scale: to.alpha, h, z: -h },
            Form::Noise => Self { keep: to.alpha / from.alpha, scale: -to.sigma, h, z: h },
        }
    }

    /// |z|, which is h without noise.
    pub(super) fn length(&self) -> f64 {
        self.z.abs()
    }

    /// h φ_k, times the factor of predictions.
    pub(super) fn weight(&self, k: u32) -> f64 {
        self.scale * self.z.abs() * phi(k, self.z)
    }

    /// The same interval for the data prediction of the reverse SDE with noise level √η: drift and noise shrink x by e^(−ηh) more, and the
    /// prediction enters by (1 + η) h in the place of h.
    pub(super) fn noisy(form: Form, from: Kernel, to: Kernel, eta: f64) -> Self {
        let plain = Self::new(form, from, to);
        Self { keep: plain.keep * (-eta * plain.h).exp(), z: plain.z * (1.0 + eta), ..plain }
    }
}

/// φ_k(z), k ≥ 1: by its series where |z| ≤ 1, by φ_(k+1) = (φ_k − 1/k!)/z from φ₁ = (e^z − 1)/z elsewhere.
pub(super) fn phi(k: u32, z: f64) -> f64 {
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    if z.abs() <= 1.0 {
        // Σ zⁿ/(n + k)!: the 18th term is below 1e-16 of the first.
        let mut term = 1.0 / factorial(k);
        let mut sum = term;
        for n in 1..20 {
            term *= z / f64::from(n + k);
            sum += term;
        }
        return sum;
    }
    (1..k).fold(z.exp_m1() / z, |value, j| (value - 1.0 / factorial(j)) / z)
}

/// c x + Σ w_i m_i, over the weights that are not 0.
pub(super) fn combine<'a>(
    x: &Tensor,
    c: f64,
    parts: impl IntoIterator<Item = (f64, &'a Tensor)>,
) -> Result<Tensor> {
    let mut sum = (x * c)?;
    for (w, m) in parts.into_iter().filter(|(w, _)| *w != 0.0) {
        sum = (sum + (m * w)?)?;
    }
    Ok(sum)
}

/// Positive points and weights of Gauss–Legendre with eight points on [−1, 1].
const GAUSS: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

/// Points and weights of ∫ over λ from a to b: eight Gauss points to each half unit.
pub(super) fn gauss(a: f64, b: f64, mut take: impl FnMut(f64, f64)) {
    let panels = ((b - a).abs() / 0.5).ceil().max(1.0);
    let half = 0.5 * (b - a) / panels;
    for panel in 0..panels as usize {
        let middle = a + half * (2 * panel + 1) as f64;
        for (point, weight) in GAUSS {
            take(middle - half * point, weight * half);
            take(middle + half * point, weight * half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the integral by Simpson's rule, on both sides of the switch.
    #[test]
    fn phi_is_its_integral() {
        for z in [-9.0, -1.0001, -0.9999, -1e-3, 0.0, 1e-9, 0.7, 1.0001, 5.0] {
            for k in 1..6u32 {
                let n = 2000;
                let factorial: f64 = (1..k).map(f64::from).product();
                let f = |i: i32| {
                    let theta = f64::from(i) / f64::from(n);
                    ((1.0 - theta) * z).exp() * theta.powi(k as i32 - 1) / factorial
                };
                let inner = (1..n).map(|i| f64::from(2 + 2 * (i % 2)) * f(i)).sum::<f64>();
                let want = (f(0) + inner + f(n)) / f64::from(3 * n);
                assert!((phi(k, z) / want - 1.0).abs() < 1e-9, "φ_{k}({z}) = {} {want}", phi(k, z));
            }
        }
    }
}
