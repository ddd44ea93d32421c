//! Langevin dynamics on normals: x ← x + δ s + √(2δ) z on N(0, v) is a chain with gain 1 − δ/v and noise √(2δ), and so with the stationary
//! variance v/(1 − δ/2v). Steps that do not depend on x are read off as affine maps; the batch rule is sampled.

use candle_core::{Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::{Grid, Step};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::method::{AnnealedLangevin, Langevin, Norm, PredictorCorrector, ReverseDiffusion, Rule};
use tweedie_solvers::noise::Stream;
use tweedie_solvers::sde::{LinearSde, Vp};

use super::affine::{Affine, gaussian};
use super::{Job, Row, near};
use crate::error::Result;

/// Where the chains run.
const TIME: f64 = 0.3;

pub(super) fn jobs() -> Vec<Job> {
    vec![Box::new(affine), Box::new(pair), Box::new(batch), Box::new(metropolis)]
}

/// The stationary variance G²/(1 − A²) of one step of the annealed method, which works at the end of its step.
fn affine() -> Result<Vec<Row>> {
    let vp = Vp::default();
    let model = gaussian()?;
    let k = vp.kernel(TIME);
    let v = k.deviation(0.5).powi(2);
    let grid = Grid::new(vec![0.4, TIME])?;
    let mut rows = Vec::new();
    let rules = [
        ("step-size = 0.05", Rule::Fixed(0.05), 0.05),
        ("step-size = 0.4", Rule::Fixed(0.4), 0.4),
        ("snr = 0.16", Rule::Snr { snr: 0.16, norm: Norm::Kernel }, 2.0 * (0.16 * k.sigma).powi(2)),
        ("snr = 0.5", Rule::Snr { snr: 0.5, norm: Norm::Kernel }, 2.0 * (0.5 * k.sigma).powi(2)),
    ];
    for (name, rule, delta) in rules {
        let method = AnnealedLangevin(Langevin::new(rule, 1)?);
        let map = Affine::of(Problem { sde: &vp, model: &model }, &method, &grid)?;
        let noise: f64 = map.noise.iter().map(|g| g * g).sum();
        let variance = noise / (1.0 - map.gain * map.gain);
        rows.push(near(
            format!("{name}: stationary variance"),
            v / (1.0 - delta / (2.0 * v)),
            variance,
            1e-12,
        ));
        let mean = map.offset / (1.0 - map.gain);
        rows.push(near(format!("{name}: stationary mean"), k.alpha, mean, 1e-12));
    }
    Ok(rows)
}

/// One step of predictor–corrector with two corrections: mean and deviation by hand. The predictor is reverse-diffusion,
/// x_s = (2 − A) x_t + V ∇log p_t(x_t) + √V z (Song et al. 2021, eq. 46, with the exact transition A, V).
fn pair() -> Result<Vec<Row>> {
    let (vp, model) = (Vp::default(), gaussian()?);
    let (from, to) = (0.4, TIME);
    let delta = 2.0 * (0.2 * vp.kernel(to).sigma).powi(2);
    let corrector = Langevin::new(Rule::Snr { snr: 0.2, norm: Norm::Kernel }, 2)?;
    let method = PredictorCorrector::new(Box::new(ReverseDiffusion), corrector)?;
    let map = Affine::of(Problem { sde: &vp, model: &model }, &method, &Grid::new(vec![from, to])?)?;
    let moments = |t: f64| (vp.kernel(t).alpha, vp.kernel(t).deviation(0.5).powi(2));
    let ((m, v), (n, w), (a, u)) = (moments(from), moments(to), vp.transition(to, from));
    let (mut mean, mut variance) = ((2.0 - a) * m, (2.0 - a - u / v).powi(2) * v + u);
    for _ in 0..2 {
        (mean, variance) =
            (mean + delta * (n - mean) / w, (1.0 - delta / w).powi(2) * variance + 2.0 * delta);
    }
    let got = map.carry((m, v.sqrt()));
    Ok(vec![
        near("one predictor–corrector step: mean", mean, got.0, 1e-12),
        near("one predictor–corrector step: deviation", variance.sqrt(), got.1, 1e-12),
    ])
}

/// The paper's batch rule on N(0, I): variance 1 + r². 100 000 coordinates; five standard errors, √(2/n) each.
fn batch() -> Result<Vec<Row>> {
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 1.0)?);
    let (rows, key) = (50_000, Key::root(11));
    let one = |snr: f64| -> Result<Row> {
        let langevin = Langevin::new(Rule::Snr { snr, norm: Norm::Batch }, 1)?;
        let mut x = Tensor::from_vec(key.normals(0, 0, rows, 2), (rows, 2), &Device::Cpu)?;
        for index in 0..(4.0 / (snr * snr)) as usize {
            let step = Step { index, of: usize::MAX, from: TIME, to: TIME };
            x = langevin.correct(Problem { sde: &vp, model: &model }, &x, step, &Stream::new(&key, 0))?;
        }
        let variance = x.sqr()?.mean_all()?.to_scalar::<f64>()?;
        let five = 5.0 * (2.0 / (2.0 * rows as f64)).sqrt() * (1.0 + snr * snr);
        Ok(near(format!("batch rule, snr = {snr}: stationary variance"), 1.0 + snr * snr, variance, five))
    };
    [0.16, 0.5].map(one).into_iter().collect()
}

/// With Metropolis tests the law is p_t itself at a step size at which the plain chain has twice its variance: mean and variance of 40 000
/// chains of two modes after 40 steps from a start of 1.3 times the deviation, within five standard errors, a false-alarm rate below 3e-6.
fn metropolis() -> Result<Vec<Row>> {
    let (vp, rows, key) = (Vp::default(), 40_000, Key::root(13));
    let model = Mixture::isotropic(vec![0.7, 0.3], vec![vec![0.5], vec![-1.0]], 0.4)?;
    let k = vp.kernel(TIME);
    let (mean, spread) =
        (0.05 * k.alpha, (1.5f64 * 1.5 * 0.21 * k.alpha * k.alpha + k.deviation(0.4).powi(2)).sqrt());
    let delta = spread * spread;
    let langevin = Langevin::new(Rule::Fixed(delta), 1)?.metropolis()?;
    let mut x =
        Tensor::from_vec(key.normals(0, 0, rows, 1), (rows, 1), &Device::Cpu)?.affine(1.3 * spread, mean)?;
    for index in 0..40 {
        let step = Step { index, of: 40, from: TIME, to: TIME };
        x = langevin.correct(Problem { sde: &vp, model: &model }, &x, step, &Stream::new(&key, 0))?;
    }
    let got = x.mean_all()?.to_scalar::<f64>()?;
    let variance = (x - got)?.sqr()?.mean_all()?.to_scalar::<f64>()?;
    let five = 5.0 / (rows as f64).sqrt();
    Ok(vec![
        near("Metropolis, step-size = variance: stationary mean", mean, got, five * spread),
        near(
            "Metropolis, step-size = variance: stationary variance",
            delta,
            variance,
            five * 2f64.sqrt() * delta,
        ),
    ])
}
