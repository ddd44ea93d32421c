//! What makes a drift, a diffusion and a kernel one SDE, for every registered one: derivatives by differences, inverses, composition.

use tweedie_solvers::sde::Use;

use super::{Job, sdes, slope, zero};

pub(super) fn jobs() -> Vec<Job> {
    vec![Box::new(|| {
        let mut rows = Vec::new();
        for (name, sde) in sdes()? {
            let span = sde.span(Use::Training);
            let ratio = span.end / span.start;
            let times: Vec<f64> =
                (0..60).map(|i| span.start * ratio.powf((f64::from(i) + 0.5) / 60.0)).collect();
            let each = |f: &dyn Fn(f64) -> f64| times.iter().map(|&t| f(t)).collect::<Vec<_>>();
            let apart = |got: f64, want: f64| (got - want) / want.abs().max(1e-3);
            rows.extend([
                zero(
                    format!("{name}: dα/dt = a α, relatively"),
                    each(&|t| {
                        let rate = sde.rate(t) * sde.kernel(t).alpha;
                        apart(slope(|t| sde.kernel(t).alpha, t, 4e-3 * t), rate)
                    }),
                    3e-7,
                ),
                zero(
                    format!("{name}: dσ²/dt = 2 a σ² + g², relatively"),
                    each(&|t| {
                        let want = 2.0 * sde.rate(t) * sde.kernel(t).sigma.powi(2) + sde.diffusion(t).powi(2);
                        apart(slope(|t| sde.kernel(t).sigma.powi(2), t, 4e-3 * t), want)
                    }),
                    3e-7,
                ),
                zero(
                    format!("{name}: d ln(α/σ)/dt = −g²/2σ², relatively"),
                    each(&|t| {
                        let want = -0.5 * (sde.diffusion(t) / sde.kernel(t).sigma).powi(2);
                        apart(slope(|t| sde.kernel(t).log_snr(), t, 4e-3 * t), want)
                    }),
                    3e-7,
                ),
                zero(
                    format!("{name}: the time of ln(α/σ) is its inverse, relatively"),
                    each(&|t| sde.time_at(sde.kernel(t).log_snr()) / t - 1.0),
                    1e-9,
                ),
                zero(
                    format!("{name}: transitions compose"),
                    each(&|t| {
                        let (s, end) = (span.start, span.end);
                        let ((a, v), (b, w), (c, u)) =
                            (sde.transition(s, t), sde.transition(t, end), sde.transition(s, end));
                        ((a * b / c - 1.0).abs()).max(((b * b * v + w) / u - 1.0).abs())
                    }),
                    1e-10,
                ),
                zero(
                    format!("{name}: a transition from the data is the kernel"),
                    each(&|t| {
                        let (k, s) = (sde.kernel(t), sde.kernel(span.start));
                        let (a, v) = sde.transition(span.start, t);
                        let sigma = ((a * s.sigma).powi(2) + v).sqrt();
                        ((a * s.alpha / k.alpha - 1.0).abs()).max((sigma / k.sigma - 1.0).abs())
                    }),
                    1e-10,
                ),
            ]);
        }
        Ok(rows)
    })]
}
