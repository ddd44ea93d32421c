//! Printed values of the schedules, computed outside this crate, and integrals of g²/σ² that are known.

use tweedie_solvers::sde::LinearSde;

use super::{Job, near, sde};

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Box::new(|| {
            let vp = sde("vp")?;
            let rows = VP.iter().flat_map(|&(t, alpha, sigma, log_snr)| {
                let k = vp.kernel(t);
                [
                    near(format!("vp α({t})"), alpha, k.alpha, digits(alpha, 10)),
                    near(format!("vp σ({t})"), sigma, k.sigma, digits(sigma, 10)),
                    near(format!("vp ln(α/σ)({t})"), log_snr, k.log_snr(), digits(log_snr, 8)),
                ]
            });
            Ok(rows.collect())
        }),
        Box::new(|| {
            let (sub, ve, cosine, edm) = (sde("sub-vp")?, sde("ve")?, sde("vp-cosine")?, sde("edm")?);
            let mut rows = vec![
                near("sub-vp α(0.5)", 0.2811828808, sub.kernel(0.5).alpha, 5e-11),
                near("sub-vp σ(0.001)", 1.0994396e-4, sub.kernel(1e-3).sigma, 5e-12),
                near("sub-vp σ(0.00001)", 1.0009945e-6, sub.kernel(1e-5).sigma, 5e-14),
                near("ve σ(0.5)", 0.5f64.sqrt(), ve.kernel(0.5).sigma, 1e-14),
                near("ve g(0)", 0.0412727, ve.diffusion(0.0), 5e-8),
                near("ve g(1)", 206.363674, ve.diffusion(1.0), 5e-7),
                near("edm σ(80)", 80.0, edm.kernel(80.0).sigma, 0.0),
                near("edm g(2)", 2.0, edm.diffusion(2.0), 1e-15),
            ];
            for (t, alpha, sigma, beta) in COSINE {
                let (k, g) = (cosine.kernel(t), cosine.diffusion(t));
                rows.extend([
                    near(format!("vp-cosine α({t})"), alpha, k.alpha, 1e-14),
                    near(format!("vp-cosine σ({t})"), sigma, k.sigma, 1e-13),
                    near(format!("vp-cosine β({t})"), beta, g * g, 1e-12),
                ]);
            }
            Ok(rows)
        }),
        Box::new(|| {
            let rows = [("vp", 23.864472365), ("sub-vp", 37.678945732), ("ve", 17.034386383 * (1.0 - 1e-5))]
                .map(|(name, want)| {
                    Ok(near(format!("{name} ∫ g²/σ² dt on [1e-5, 1]"), want, snr_weight(&*sde(name)?), 5e-9))
                });
            rows.into_iter().collect()
        }),
    ]
}

/// Half a unit of the n-th digit.
fn digits(value: f64, n: i32) -> f64 {
    0.501 * 10f64.powf(value.abs().log10().floor() + 1.0 - f64::from(n))
}

/// ∫ g²/σ² dt over [1e-5, 1] by Simpson's rule in ln t.
fn snr_weight(sde: &dyn LinearSde) -> f64 {
    let (low, n) = (1e-5f64.ln(), 4000);
    let h = -low / f64::from(n);
    let term = |i: i32| {
        let t = (low + h * f64::from(i)).exp();
        let weight = if i == 0 || i == n { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
        weight * t * (sde.diffusion(t) / sde.kernel(t).sigma).powi(2)
    };
    (0..=n).map(term).sum::<f64>() * h / 3.0
}

/// t, α, σ, ln(α/σ) for β from 0.1 to 20.
const VP: [(f64, f64, f64, f64); 7] = [
    (1.0, 0.006571586495, 0.9999784069, -5.0249784),
    (0.5, 0.2811828808, 0.9596542021, -1.2275677),
    (0.1, 0.9467217988, 0.3220525355, 1.0782906),
    (1e-2, 0.9990029973, 0.04464315524, 3.1080568),
    (1e-3, 0.9999450265, 0.01048541634, 4.5577149),
    (1e-4, 0.9999949503, 0.003177963027, 5.7515098),
    (1e-5, 0.9999994995, 0.001000497126, 6.9072578),
];

/// t, α, σ, β of the cosine schedule with offset 0.008.
const COSINE: [(f64, f64, f64, f64); 4] = [
    (0.001, 0.999979357674536, 0.006425280135666, 0.0437139117777),
    (0.1, 0.985947634062768, 0.167054670350849, 0.5295417270859),
    (0.5, 0.702740058941169, 0.711446701840245, 3.1557578609752),
    (0.9, 0.155215089923905, 0.987880699204066, 19.8378445383405),
];
