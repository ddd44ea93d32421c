//! The order of convergence of every registered method that declares one, with ε = 1e-2. Deterministic methods: from the distances between N, 2N
//! and 4N steps on two skew modes. Methods with noise: of the law, from the error at 2N and 4N steps on Gaussian data, and of the path, from
//! the distances between N, 2N and 4N steps on one Brownian path; nothing is sampled in these. One check more samples paths of a mixture.
//! Methods that choose their own steps are held to the flow's closed form instead.

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Karras, Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::integrate::{Finish, Sampler, integrate};
use tweedie_solvers::method::{Method, Order};
use tweedie_solvers::noise::{self, Brownian, Stream};
use tweedie_solvers::sde::{LinearSde, Span, SubVp, Ve, Vp};

use super::affine::{Affine, distance, gaussian, law};
use super::scores::skew;
use super::{Job, Row, near, section, zero};
use crate::error::{Error, Result};
use crate::recipe::Section;
use crate::registry::METHODS;

const SPAN: Span = Span { start: 1e-2, end: 1.0 };
const WITHIN: f64 = 0.1;

/// Options that change the order, or how it is reached.
const OPTIONS: &[(&str, &str)] = &[
    ("euler-maruyama", "lambda = 0.5"),
    ("ddim", "eta = 1.0"),
    ("ddim", "eta = 0.5"),
    ("dpm-solver-3m", "difference = \"exact\""),
    ("dpmpp-3m", "difference = \"exact\""),
    ("dpmpp-2m", "second = \"heun\""),
    ("dpmpp-2m-sde", "second = \"heun\""),
    ("dpmpp-2m-sde", "eta = 0.5"),
    ("dpmpp-3m-sde", "difference = \"exact\""),
    ("unipc", "order = 1"),
    ("unipc", "order = 3"),
    ("unipc", "variant = \"bh1\""),
    ("unipc", "variant = \"vary-coeff\""),
    ("unipc", "variant = \"exact\", prediction = \"noise\""),
    ("unipc", "corrector = false"),
    ("dpmpp-sde", "eta = 0.5"),
    ("dpmpp-sde", "eta = 0.0, r = 0.7"),
    ("dpmpp-2s-ancestral", "eta = 0.5"),
    ("edm-sde", "inner = \"dpm-2\""),
    ("sa-solver", "predictor = 2, corrector = 2, few-steps = true"),
    ("sa-solver", "predictor = 2, corrector = 0"),
    ("sa-solver", "predictor = 1, corrector = 2, tau = 0.5"),
    ("sa-solver", "tau = 0.0, lower-order-final = false"),
    ("sa-solver", "predictor = 1, corrector = 0"),
    ("sa-solver", "predictor = 1, corrector = 4, tau = 0.0, lower-order-final = false"),
    ("sa-solver", "predictor = 4, corrector = 2, tau = 0.0, lower-order-final = false"),
    ("er-sde", "order = 1"),
    ("er-sde", "order = 2"),
    ("er-sde", "difference = \"exact\", noise-scale = \"ode\""),
    ("er-sde", "noise-scale = \"ode\""),
    ("sra1", "lambda = 0.5"),
    ("shark", "lambda = 0.5"),
    ("sra1", "lambda = 0.0"),
    ("shark", "lambda = 0.0"),
    ("lms", "order = 1"),
    ("lms", "order = 2"),
    ("lms", "order = 3"),
    ("ipndm", "order = 1"),
    ("ipndm-v", "weights = \"diff-sampler\""),
    ("ipndm-v", "weights = \"diff-sampler\", order = 3"),
    ("deis", "degree = 1"),
    ("deis", "degree = 2"),
    ("deis", "form = \"rho-heun\""),
    ("deis", "form = \"rho-kutta\""),
    ("deis", "form = \"rho-rk4\""),
    ("res", "order = 3"),
];

/// Methods that show their order at many steps only: polynomials in t near ε, and weights that err by the unevenness of the steps.
const LATE: [&str; 2] = ["DeisTab", "DiffSampler"];

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = vec![Box::new(sampled)];
    let plain = METHODS.names().map(|name| (name, ""));
    for (name, options) in plain.chain(OPTIONS.iter().copied()) {
        for sde in ["vp", "ve", "sub-vp"] {
            jobs.push(Box::new(move || of(name, options, sde)));
        }
    }
    jobs
}

/// The SDEs of these checks; VE ends at 2, for at 50 the steps that show the order are many.
fn sde(name: &str) -> Result<Box<dyn LinearSde>> {
    Ok(match name {
        "vp" => Box::new(Vp::default()),
        "ve" => Box::new(Ve::new(0.01, 2.0, 1e-5)?),
        _ => Box::new(SubVp::default()),
    })
}

fn of(name: &'static str, options: &str, sde_name: &str) -> Result<Vec<Row>> {
    let mut table = section(name).table().clone();
    let more: toml::Table =
        format!("of = {{ {options} }}").parse().map_err(|e| Error::Run(format!("{options}: {e}")))?;
    table.extend(more.into_iter().filter_map(|(_, v)| v.try_into::<toml::Table>().ok()).flatten());
    let section = Section::new("verify", "", table);
    let (method, sde) = (METHODS.build(&section)?, sde(sde_name)?);
    if name == "adaptive-sde" {
        return on_paths(sde_name, &*sde);
    }
    if method.adaptive() {
        return adaptive(name, sde_name, &*sde);
    }
    let (order, strong) = match method.order() {
        Order::Deterministic(order) => (order, None),
        Order::Stochastic { weak, strong } => (weak, Some(strong)),
        Order::None => return Ok(vec![]),
    };
    let mut rows = Vec::new();
    // In equal steps of t the order of a law shows at far more steps than these.
    let karras = Karras::new(7.0)?;
    let uneven: &dyn Spacing = if strong.is_some() { &karras } else { &UniformT };
    for spacing in [uneven, &UniformLogSnr] {
        let place = format!("{} on {sde_name}, {spacing:?}", section.label());
        let Some(strong) = strong else {
            let slope = deterministic(&*method, &*sde, spacing, order)?;
            rows.push(near(format!("{place}: order"), f64::from(order), slope, WITHIN));
            continue;
        };
        let [weak, path] = stochastic(&*method, &*sde, spacing, order > 1 || sde_name == "ve")?;
        rows.push(near(format!("{place}: weak order"), f64::from(order), weak, WITHIN));
        if let Some(strong) = strong {
            // Where drifts are affine, the term that holds a method of order 1.5 back vanishes.
            let strong = if strong > 1.0 { 2.0 } else { strong };
            rows.push(near(format!("{place}: strong order"), strong, path, WITHIN));
        }
    }
    Ok(rows)
}

/// log₂ |x_N − x_2N|/|x_2N − x_4N| over 16 paths of two skew modes.
fn deterministic(method: &dyn Method, sde: &dyn LinearSde, spacing: &dyn Spacing, order: u8) -> Result<f64> {
    let model = skew()?;
    let sigma = sde.kernel(SPAN.end).sigma;
    let end = |n: usize| -> Result<Tensor> {
        let grid = graded(&spacing.grid(sde, SPAN, n)?)?;
        let x = noise::prior(&Key::root(0), sigma, (0, 16, 2), (&Device::Cpu, DType::F64))?;
        let mut stepper = method.stepper(Problem { sde, model: &model })?;
        Ok(integrate(&mut *stepper, x, &grid, &Stream::new(&Key::root(0), 0), &mut ())?)
    };
    let debug = format!("{method:?}");
    let late = LATE.iter().any(|name| debug.contains(name));
    let n = match order {
        _ if late => 4096,
        1 => 512,
        // What takes parabolas for order 2 begins like order 3.
        2 if debug.contains("order: 3") => 2048,
        2 => 1024,
        3 => 1024,
        _ => 800,
    };
    let (coarse, fine, finest) = (end(n)?, end(2 * n)?, end(4 * n)?);
    Ok((apart(&coarse, &fine)? / apart(&fine, &finest)?).log2())
}

/// The grid with its first step cut into thirteen, of which the first is 1/4096 of it and the others double: multistep methods start with low
/// orders, and a start this short leaves the order of the method itself.
fn graded(grid: &Grid) -> Result<Grid> {
    let [first, second] = [grid.times()[0], grid.times()[1]];
    let cut = (1..=12).rev().map(|j| first + (second - first) * 0.5f64.powi(j));
    Ok(Grid::new(std::iter::once(first).chain(cut).chain(grid.times()[1..].iter().copied()).collect())?)
}

/// Orders of the law and of the path on N(1, 0.5²), where samplers are affine; `late` where they show at many steps only.
fn stochastic(
    method: &dyn Method,
    sde: &dyn LinearSde,
    spacing: &dyn Spacing,
    late: bool,
) -> Result<[f64; 2]> {
    let model = gaussian()?;
    let runs = |n: usize| Affine::of(Problem { sde, model: &model }, method, &spacing.grid(sde, SPAN, n)?);
    let n = if late { 512 } else { 256 };
    let (coarse, fine, finest) = (runs(n)?, runs(2 * n)?, runs(4 * n)?);
    let (start, target) = (law(sde, SPAN.end), law(sde, SPAN.start));
    let error = |map: &Affine| distance(map.carry(start), target);
    let weak = (error(&fine) / error(&finest)).log2();
    Ok([weak, (coarse.apart(&fine, start) / fine.apart(&finest, start)).log2()])
}

/// An adaptive method at tolerances 1e-9 on the flow of N(1, 0.5²): x_ε = m_ε + (x_T − m_T) s_ε/s_T.
fn adaptive(name: &'static str, sde_name: &str, sde: &dyn LinearSde) -> Result<Vec<Row>> {
    let mut table = section(name).table().clone();
    table.extend(["rtol", "atol"].map(|key| (key.to_owned(), toml::Value::Float(1e-9))));
    let (method, model) = (METHODS.build(&Section::new("verify", "", table))?, gaussian()?);
    let grid = Grid::new(vec![SPAN.end, SPAN.start])?;
    let ((m, s), (mean, deviation)) = (law(sde, SPAN.end), law(sde, SPAN.start));
    let starts: Vec<f64> = (-4..=4).map(|k| m + s * f64::from(k)).collect();
    let x = Tensor::from_vec(starts, (9, 1), &Device::Cpu)?;
    let mut stepper = method.stepper(Problem { sde, model: &model })?;
    let end = integrate(&mut *stepper, x, &grid, &Stream::new(&Key::root(0), 0), &mut ())?;
    let end: Vec<f64> = end.flatten_all()?.to_vec1()?;
    let gaps = end.iter().zip(-4..=4).map(|(x, k)| x - mean - deviation * f64::from(k));
    Ok(vec![zero(format!("{name} on {sde_name} at rtol 1e-9: end points"), gaps, 1e-6)])
}

/// `adaptive-sde` on N(1, 0.5²): 1000 samples, seed 0, of which the mean and the deviation must be those of p_ε within 4 standard errors (and the
/// tolerance's own error), a false-alarm rate below 2e-4 for each SDE; and against 1024 steps of `sra1` on the same paths, where smaller
/// tolerances must come closer.
fn on_paths(sde_name: &str, sde: &dyn LinearSde) -> Result<Vec<Row>> {
    let (model, key, rows) = (gaussian()?, Key::root(0), 1000);
    let problem = Problem { sde, model: &model };
    let (mean, deviation) = law(sde, SPAN.end);
    let end = |name: &str, options: &str, rows: usize, steps: usize| -> Result<Tensor> {
        let mut table = section(name).table().clone();
        table.extend(options.parse::<toml::Table>().map_err(|e| Error::Run(e.to_string()))?);
        let method = METHODS.build(&Section::new("verify", "", table))?;
        let grid = UniformLogSnr.grid(sde, SPAN, steps)?;
        let x = (noise::prior(&key, deviation, (0, rows, 1), (&Device::Cpu, DType::F64))? + mean)?;
        let mut stepper = method.stepper(problem)?;
        Ok(integrate(&mut *stepper, x, &grid, &Brownian::new(&key, 0, SPAN.end), &mut ())?)
    };
    let place = |what: &str| format!("adaptive-sde on {sde_name}: {what}");
    let (loose, tight) = ("rtol = 1e-2\natol = 1e-2", "rtol = 2e-3\natol = 2e-3");
    let x: Vec<f64> = end("adaptive-sde", loose, rows, 1)?.flatten_all()?.to_vec1()?;
    let n = rows as f64;
    let got = x.iter().sum::<f64>() / n;
    let spread = (x.iter().map(|x| (x - got).powi(2)).sum::<f64>() / n).sqrt();
    let (mean, deviation) = law(sde, SPAN.start);
    let error = 4.0 * deviation / n.sqrt() + 5e-3;
    let fine = end("sra1", "", 100, 1024)?;
    let far = |options| Ok::<_, Error>(apart(&end("adaptive-sde", options, 100, 1)?, &fine)? / 10.0);
    let (loose, tight) = (far(loose)?, far(tight)?);
    Ok(vec![
        near(place("mean of 1000 samples"), mean, got, error),
        near(place("deviation of 1000 samples"), deviation, spread, error),
        near(place("distance from a fine solution on the same paths, rtol 2e-3"), 0.0, tight, 2e-2),
        near(place("that distance over the one at rtol 1e-2"), 0.0, tight / loose, 0.7),
    ])
}

/// Strong orders on Brownian paths of three modes, where drifts are not affine: from the distances between N, 2N and 4N steps of 1000 samples,
/// seed 0.
fn sampled() -> Result<Vec<Row>> {
    let vp = Vp::default();
    let model = Mixture::isotropic(vec![0.5, 0.3, 0.2], vec![vec![1.0], vec![-1.0], vec![0.0]], 0.5)?;
    let (key, rows) = (Key::root(0), 1000);
    let mut out = Vec::new();
    for (name, steps, order) in [("euler-maruyama", 128, 1.0), ("sra1", 128, 1.5), ("shark", 128, 1.5)] {
        let method = METHODS.build(&section(name))?;
        let end = |steps: usize| -> Result<Tensor> {
            let grid = UniformLogSnr.grid(&vp, SPAN, steps)?;
            let problem = Problem { sde: &vp, model: &model };
            let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Stop };
            let x = noise::prior(&key, 1.0, (0, rows, 1), (&Device::Cpu, DType::F64))?;
            Ok(sampler.run(x, &Brownian::new(&key, 0, SPAN.end), &mut ())?.x)
        };
        let (coarse, fine, finest) = (end(steps)?, end(2 * steps)?, end(4 * steps)?);
        let slope = (apart(&coarse, &fine)? / apart(&fine, &finest)?).log2();
        out.push(near(format!("{name} on vp, Brownian paths of a mixture: strong"), order, slope, WITHIN));
    }
    Ok(out)
}

/// √Σ (a − b)².
fn apart(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok((a - b)?.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
}
