//! Exact laws of every registered data set: scores against numerical gradients, tensors against the host, masses, entropies, and values
//! that were computed outside this crate.

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::model::{Prediction, tensor};
use tweedie_solvers::sde::{LinearSde, Vp};

use super::{Job, Row, near, section, slope, zero};
use crate::data::{
    Checkerboard, Data, EightGaussians, Empirical, GaussianMixture, Ring, TwentyFiveGaussians, TwoMoons,
};
use crate::error::Result;
use crate::points::Points;
use crate::registry::DATA;

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = vec![Box::new(values), Box::new(entropies)];
    for name in DATA.names() {
        jobs.push(Box::new(move || of(name)));
    }
    jobs
}

/// Kernels from nearly clean to nearly noise.
const LEVELS: [(f64, f64); 6] =
    [(1.0, 0.01), (0.999, 0.05), (0.95, 0.3), (0.6, 0.8), (0.1, 0.995), (1.0, 50.0)];

/// A data set with its defaults; what must be given is given here.
fn data(name: &str) -> Result<Box<dyn Data>> {
    Ok(match name {
        "mixture" => Box::new(GaussianMixture(skew()?)),
        "points" => Box::new(Empirical::new(Points::new(2, (0..20).map(f64::from).collect()), "numbers")?),
        _ => DATA.build(&section(name))?,
    })
}

/// Two skew modes of unequal weight.
pub(super) fn skew() -> Result<Mixture> {
    let covs = [vec![vec![0.5, 0.2], vec![0.2, 0.3]], vec![vec![0.2, 0.0], vec![0.0, 0.4]]];
    Ok(Mixture::new(vec![3.0, 1.0], vec![vec![1.0, 0.0], vec![-1.0, 2.0]], &covs)?)
}

/// Draws of p_t at one kernel.
fn noised(data: &dyn Data, at: Kernel, count: usize) -> Points {
    let noise = Key::root(12).normals(0, 0, count, data.dim());
    let clean = data.sample(&Key::root(11), 0, count);
    let values = clean.values().iter().zip(noise).map(|(x, z)| at.alpha * x + at.sigma * z);
    Points::new(data.dim(), values.collect())
}

/// ε̂ = −σ ∇log p_t of points by tensors of a dtype.
fn on_tensors(exact: &dyn Exact, points: &Points, at: Kernel, dtype: DType) -> Result<Vec<f64>> {
    let x = tensor(
        points.values().to_vec(),
        (points.len(), points.dim()),
        &Tensor::zeros((1, 1), dtype, &Device::Cpu)?,
    )?;
    Ok(Prediction::of(exact, &x, &[at])?.noise()?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// 100 points at six kernels. Differences are in units of 1/σ, or of the score where that is larger.
fn of(name: &'static str) -> Result<Vec<Row>> {
    let data = data(name)?;
    let (exact, dim) = (data.exact()?, data.dim());
    let (mut gradient, mut double, mut single) = (vec![], vec![], vec![]);
    for (alpha, sigma) in LEVELS {
        let at = Kernel { alpha, sigma };
        let points = noised(&*data, at, 100);
        let tensors = [DType::F64, DType::F32].map(|dtype| on_tensors(&*exact, &points, at, dtype));
        let [f64s, f32s] = tensors;
        let (f64s, f32s) = (f64s?, f32s?);
        for (row, x) in points.rows().enumerate() {
            let score = exact.score(x, at);
            let size = score.iter().map(|s| s.abs()).fold(1.0 / sigma, f64::max);
            for (i, s) in score.iter().enumerate() {
                let along = |value: f64| {
                    let mut x = x.to_vec();
                    x[i] = value;
                    exact.log_density(&x, at)
                };
                gradient.push((slope(along, x[i], 1e-3 * sigma) - s) / size);
                double.push((f64s[row * dim + i] / sigma + s) / size);
                single.push((f32s[row * dim + i] / sigma + s) / size);
            }
        }
    }
    let mut rows = vec![
        zero(format!("{name}: score is the gradient of log p"), gradient, 1e-6),
        zero(format!("{name}: score on f64 tensors is the host's"), double, 1e-9),
        zero(format!("{name}: score on f32 tensors is the host's"), single, 5e-3),
        far(name, &*data, &*exact),
    ];
    for (alpha, sigma) in [(0.95, 0.3), (0.1, 0.995)] {
        let at = Kernel { alpha, sigma };
        rows.push(near(
            format!("{name}: ∫ p at α = {alpha}, σ = {sigma}"),
            1.0,
            mass(&*data, &*exact, at),
            1e-6,
        ));
    }
    Ok(rows)
}

/// ∫ p_t by the midpoint rule with steps σ/2 on a box that reaches 2 + 6σ beyond the data.
fn mass(data: &dyn Data, exact: &dyn Exact, at: Kernel) -> f64 {
    let points = data.sample(&Key::root(11), 0, 5000);
    let (reach, h) = (2.0 + 6.0 * at.sigma, 0.5 * at.sigma);
    let line = |axis: usize| -> Vec<f64> {
        let values = || points.rows().map(move |p| at.alpha * p[axis]);
        let low = values().fold(f64::INFINITY, f64::min) - reach;
        let high = values().fold(f64::NEG_INFINITY, f64::max) + reach;
        (0..((high - low) / h) as usize).map(|i| low + (i as f64 + 0.5) * h).collect()
    };
    let (xs, ys) = (line(0), line(1));
    let value = |x: f64| ys.iter().map(|y| exact.log_density(&[x, *y], at).exp()).sum::<f64>();
    xs.iter().map(|x| value(*x)).sum::<f64>() * h * h
}

/// How many of 40 log-densities and scores, from 1000 units away and at σ = 1e-5, are not finite.
fn far(name: &str, data: &dyn Data, exact: &dyn Exact) -> Row {
    let mut broken = 0;
    for (row, sigma) in [(0, 1e-5), (1, 1e-5), (2, 0.1), (3, 1.0), (4, 50.0)] {
        let at = Kernel { alpha: 1.0, sigma };
        let point = data.sample(&Key::root(9), row, 1);
        for shift in [0.0, 3.0, -1000.0, 1000.0] {
            let x: Vec<f64> = point.values().iter().map(|v| v + shift).collect();
            let finite =
                exact.log_density(&x, at).is_finite() && exact.score(&x, at).iter().all(|s| s.is_finite());
            let tensors = on_tensors(exact, &Points::new(x.len(), x), at, DType::F64);
            broken += u32::from(!finite) + u32::from(!tensors.is_ok_and(|v| v.iter().all(|e| e.is_finite())));
        }
    }
    near(format!("{name}: values that are not finite, far away and at σ = 1e-5"), 0.0, f64::from(broken), 0.0)
}

/// When, the kernel then, where, log p and the score.
type Place = (&'static str, Kernel, [f64; 2], f64, Option<[f64; 2]>);

/// log p_t and the score of eight modes on a ring of radius 2, deviation 0.2.
fn values() -> Result<Vec<Row>> {
    let (vp, ring) = (Vp::default(), EightGaussians::new(2.0, 0.2)?);
    let exact = ring.exact()?;
    let clean = Kernel { alpha: 1.0, sigma: 0.0 };
    let ve = |sigma| Kernel { alpha: 1.0, sigma };
    let places: [Place; 11] = [
        ("t = 0", clean, [0.0, 0.0], -48.61900124, None),
        ("t = 0", clean, [2.0, 1.0], -7.130107897, Some([-14.61075819, 10.27349057])),
        ("t = 0", clean, [-1.0, 2.5], -16.07291623, Some([17.16493191, -15.74539147])),
        ("vp t = 0.1", vp.kernel(0.1), [2.0, 1.0], -3.749038969, Some([-4.094577148, 0.8770989595])),
        ("vp t = 0.1", vp.kernel(0.1), [-1.0, 2.5], -6.311435011, Some([3.178138368, -5.997295476])),
        ("vp t = 0.5", vp.kernel(0.5), [2.0, 1.0], -4.21712192, Some([-1.859580761, -0.9297869863])),
        ("vp t = 0.5", vp.kernel(0.5), [0.0, 0.0], -1.930056222, None),
        ("vp t = 1", vp.kernel(1.0), [2.0, 1.0], -4.337809697, Some([-1.999910181, -0.9999550907])),
        ("ve σ = 0.1", ve(0.1), [2.0, 1.0], -6.060996523, Some([-11.62497973, 8.065183717])),
        ("ve σ = 1", ve(1.0), [2.0, 1.0], -3.520391834, Some([-0.426194281, -0.2076038982])),
        ("ve σ = 10", ve(10.0), [2.0, 1.0], -6.487929642, Some([-0.01959242281, -0.009796211407])),
    ];
    let mut rows = Vec::new();
    let digit = |value: f64| 0.51 * 10f64.powf(value.abs().log10().floor() - 8.0).max(1e-9);
    for (name, at, x, log_p, score) in places {
        let place = format!("eight modes, {name}, ({}, {})", x[0], x[1]);
        rows.push(near(format!("{place}: log p"), log_p, exact.log_density(&x, at), digit(log_p)));
        let got = exact.score(&x, at);
        for (i, want) in score.into_iter().flatten().enumerate() {
            rows.push(near(format!("{place}: score {}", i + 1), want, got[i], digit(want)));
        }
    }
    Ok(rows)
}

/// Entropies in nats, to their printed digits.
fn entropies() -> Result<Vec<Row>> {
    let wide = EightGaussians::new(5.0, 0.1f64.powf(0.25))?;
    let published = EightGaussians::new(4.0 / 1.414, 0.5 / 1.414)?;
    let sets: [(&str, Box<dyn Data>, f64); 11] = [
        ("N(0, I₂)", Box::new(GaussianMixture(Mixture::gaussian(vec![0.0; 2], 1.0)?)), 2.8378770664),
        ("checkerboard of side 1", Box::new(Checkerboard::new(1.0)?), 2.0794415),
        ("checkerboard of side 2", Box::new(Checkerboard::new(2.0)?), 3.4657359),
        ("checkerboard of side 1/0.45", Box::new(Checkerboard::new(1.0 / 0.45)?), 3.6764569),
        ("eight Gaussians at 4/1.414, deviation 0.5/1.414", Box::new(published), 2.8318804),
        ("eight Gaussians at 5, variance √0.1", Box::new(wide), 3.7640903),
        ("twenty-five Gaussians", Box::new(TwentyFiveGaussians::new(2.0, 0.05)?), 0.0652883),
        ("two moons, noise 0.1", Box::new(TwoMoons::new(0.1)?), 1.0075848),
        ("two moons, noise 0.2", Box::new(TwoMoons::new(0.2)?), 1.6774762),
        ("ring of radius 1, noise 0.1", Box::new(Ring::new(1.0, 0.1)?), 0.9516983),
        ("ring of radius 1, noise 0.05", Box::new(Ring::new(1.0, 0.05)?), 0.2604564),
    ];
    let row = |(name, data, want): (&str, Box<dyn Data>, f64)| {
        let got = data.entropy().unwrap_or(f64::NAN);
        near(format!("entropy of {name}"), want, got, if want == 2.8378770664 { 6e-11 } else { 1.1e-7 })
    };
    Ok(sets.into_iter().map(row).collect())
}
