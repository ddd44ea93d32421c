//! At which noise levels the loss is taken, and how they are weighted.

use serde::{Deserialize, Serialize};
use tweedie_solvers::Key;
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::sde::{LinearSde, Span};

use crate::net::MlpConfig;

/// w on |ε_θ − ε|², the squared error of the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// σ² on the score (Song et al. 2021): w = 1.
    Noise,
    /// g² on the score (Song, Durkan, Murray & Ermon 2021, eq. 6): w = g²/σ².
    Likelihood,
    /// EDM's (Karras et al. 2022, table 1), under which the preconditioned F has weight 1 at every noise level.
    Edm,
}

impl Weighting {
    /// All of them, with the names that users type.
    pub const NAMES: [(&'static str, Self); 3] =
        [("noise", Self::Noise), ("likelihood", Self::Likelihood), ("edm", Self::Edm)];
}

/// How times are drawn; always stratified over the batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeLaw {
    /// Uniform on [ε, T].
    Uniform,
    /// ln(σ/α) ~ N(mean, deviation²), clamped to the span (Karras et al. 2022, table 1).
    LogNormal {
        /// P_mean.
        mean: f64,
        /// P_std.
        deviation: f64,
    },
    /// Density ∝ g²/σ², for the likelihood weighting (Song, Durkan, Murray & Ermon 2021, §5.1). As d ln(α/σ)/dt = −g²/2σ² for every
    /// linear SDE, that is ln(α/σ) uniform.
    Importance,
    /// The noise level as a network is told it, ln √(σ²/α² + s²), logistic about ln σ_d − 1.5 with scale 1 and cut to the span: like EDM's
    /// law, densest where samples take shape, but relative to the data, heavier towards both ends, and never far below s, the finest
    /// structure that the network resolves. Every level has the weight that the weighting gives it.
    Level,
}

/// How far, in ln σ, the middle of [`TimeLaw::Level`] lies below the data's deviation.
const MIDDLE: f64 = 1.5;

/// `count` times for step `step`: the i-th quantile is (u + i)/count mod 1 with one uniform u, and the factor by which the loss of
/// each is divided: under `Importance` that makes its expectation the uniform one; `LogNormal` is a weighting of its own, with factor 1.
pub fn draw_times(
    law: TimeLaw,
    sde: &dyn LinearSde,
    (span, net): (Span, &MlpConfig),
    key: &Key,
    step: u64,
    count: usize,
) -> Vec<(f64, f64)> {
    let offset = key.uniforms(step, 0, 1)[0];
    let (first, last) = (sde.kernel(span.start).log_snr(), sde.kernel(span.end).log_snr());
    let (finest, middle) = (net.finest, net.sigma_data.ln() - MIDDLE);
    // The logistic law below the ends of the span.
    let below = [span.start, span.end].map(|t| {
        let level = sde.kernel(t).ratio().hypot(finest).ln();
        1.0 / (1.0 + (middle - level).exp())
    });
    let one = |i: usize| {
        let u = (offset + i as f64) / count as f64;
        match law {
            TimeLaw::Uniform => (span.start + u * (span.end - span.start), 1.0),
            TimeLaw::LogNormal { mean, deviation } => {
                let level = mean + deviation * normal_quantile(u);
                (sde.time_at((-level).clamp(last, first)).clamp(span.start, span.end), 1.0)
            }
            TimeLaw::Level => {
                let within = below[0] + u * (below[1] - below[0]);
                // √(e^(2l) − s²) without cancellation near the lower end.
                let level = middle + (within / (1.0 - within)).ln();
                let ratio = level.exp() * (-(2.0 * (finest.ln() - level)).exp_m1()).sqrt();
                let level = (-ratio.ln()).clamp(last, first);
                (sde.time_at(level).clamp(span.start, span.end), 1.0)
            }
            TimeLaw::Importance => {
                let t = sde.time_at(last + u * (first - last)).clamp(span.start, span.end);
                // The density of t relative to the uniform one: g²/2σ² (T − ε)/(λ_ε − λ_T).
                let (g, sigma) = (sde.diffusion(t), sde.kernel(t).sigma);
                (t, 0.5 * (g / sigma).powi(2) * (span.end - span.start) / (first - last))
            }
        }
    };
    (0..count).map(one).collect()
}

/// w(t) on the squared error of the noise.
pub fn weight(weighting: Weighting, sde: &dyn LinearSde, t: f64, at: Kernel, sigma_data: f64) -> f64 {
    match weighting {
        Weighting::Noise => 1.0,
        Weighting::Likelihood => (sde.diffusion(t) / at.sigma).powi(2),
        Weighting::Edm => {
            let (_, c) = at.read(at.row(Target::Edm { sigma_data, finest: 0.0 }), at.row(Target::Noise));
            1.0 / (c * c)
        }
    }
}

/// Φ⁻¹(u) for 0 ≤ u < 1, by Newton steps on Φ from the logistic approximation; u is kept 1e-12 away from the ends.
fn normal_quantile(u: f64) -> f64 {
    let u = u.clamp(1e-12, 1.0 - 1e-12);
    let mut z = (u / (1.0 - u)).ln() / 1.702;
    for _ in 0..50 {
        let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        let step = (0.5 * statrs::function::erf::erfc(-z / std::f64::consts::SQRT_2) - u) / density;
        z -= step.clamp(-0.5, 0.5);
        if step.abs() < 1e-13 {
            break;
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::sde::{SubVp, Use, Ve, Vp};

    #[test]
    fn quantiles_of_the_normal() {
        for (u, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.001, -3.090_232_306_167_813),
            (1e-9, -5.997_807_015_007_686),
        ] {
            assert!((normal_quantile(u) - z).abs() < 1e-9, "{u}");
        }
    }

    /// ∫ g²/σ² dt over [1e-5, 1], published to eleven digits, is the mean of w/density under importance, exactly: a constant.
    #[test]
    fn importance_times_flatten_the_likelihood_weight() {
        let sdes: [(Box<dyn LinearSde>, f64); 3] = [
            (Box::new(Vp::default()), 23.864472365),
            (Box::new(SubVp::default()), 37.678945732),
            (Box::new(Ve::default()), 17.034386383 * (1.0 - 1e-5)),
        ];
        for (sde, total) in sdes {
            let span = sde.span(Use::Training);
            for (t, density) in
                draw_times(TimeLaw::Importance, &*sde, (span, &net(0.0)), &Key::root(1), 0, 64)
            {
                let w = weight(Weighting::Likelihood, &*sde, t, sde.kernel(t), 1.0);
                let integral = w / density * (span.end - span.start);
                assert!((integral / total - 1.0).abs() < 1e-9, "{sde:?} {t} {integral}");
            }
        }
    }

    #[test]
    fn times_are_stratified_and_lie_in_the_span() {
        let (vp, key) = (Vp::default(), Key::root(2));
        let span = vp.span(Use::Training);
        let uniform = draw_times(TimeLaw::Uniform, &vp, (span, &net(0.0)), &key, 5, 10);
        for (i, (t, density)) in uniform.iter().enumerate() {
            let u = (t - span.start) / (span.end - span.start) * 10.0;
            assert!(u >= i as f64 && u < i as f64 + 1.0 && *density == 1.0);
        }
        let law = TimeLaw::LogNormal { mean: -1.2, deviation: 1.2 };
        let levels: Vec<f64> = draw_times(law, &vp, (span, &net(0.0)), &key, 5, 2_000)
            .iter()
            .map(|(t, _)| -vp.kernel(*t).log_snr())
            .collect();
        let mean = levels.iter().sum::<f64>() / 2_000.0;
        let spread = (levels.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 2_000.0).sqrt();
        assert!((mean + 1.2).abs() < 5e-3 && (spread - 1.2).abs() < 1e-2, "{mean} {spread}");
    }

    fn net(finest: f64) -> MlpConfig {
        MlpConfig { finest, sigma_data: 0.5, ..MlpConfig::reference(2) }
    }

    /// The share below a level is that of the logistic law about ln 0.5 − 1.5, between its shares below the ends; by hand, half of all
    /// lie below σ/α = 0.5 e^(−1.5) = 0.1116 where the span is wide on both sides.
    #[test]
    fn levels_are_logistic_about_the_data() {
        let (sub_vp, key) = (SubVp::default(), Key::root(2));
        let span = sub_vp.span(Use::Training);
        for finest in [0.0, 0.015] {
            let share = |level: f64| 1.0 / (1.0 + (0.5f64.ln() - 1.5 - level).exp());
            let level = |t: f64| sub_vp.kernel(t).ratio().hypot(finest).ln();
            let (low, high) = (share(level(span.start)), share(level(span.end)));
            let drawn = draw_times(TimeLaw::Level, &sub_vp, (span, &net(finest)), &key, 3, 1000);
            for (i, (t, density)) in drawn.iter().enumerate() {
                let u = (share(level(*t)) - low) / (high - low) * 1000.0;
                assert!(u > i as f64 - 1e-4 && u < i as f64 + 1.0 + 1e-4, "{finest} {i} {t} {u}");
                assert!(*density == 1.0 && (span.start..=span.end).contains(t));
            }
            if finest == 0.0 {
                let half = sub_vp.kernel(drawn[500].0).ratio();
                assert!((half / 0.1116 - 1.0).abs() < 0.01, "{half}");
            }
        }
    }

    /// EDM's λ(σ) c_out² = 1 at α = 1, with λ(σ) = (σ² + σ_d²)/(σ σ_d)² on the denoiser's error, which is σ² times the noise's.
    #[test]
    fn edm_weight_is_the_papers() {
        let (ve, sigma_data): (Ve, f64) = (Ve::default(), 0.5);
        for sigma in [0.02f64, 0.5, 30.0] {
            let at = Kernel { alpha: 1.0, sigma };
            let paper = (sigma * sigma + sigma_data * sigma_data) / (sigma * sigma_data).powi(2);
            assert!(
                (weight(Weighting::Edm, &ve, 0.5, at, sigma_data) / (paper * sigma * sigma) - 1.0).abs()
                    < 1e-12
            );
            assert_eq!(weight(Weighting::Noise, &ve, 0.5, at, sigma_data), 1.0);
        }
    }
}
