//! Methods that are one another under other names or options: end points of 16 paths of two skew modes, from the same starts and the same
//! normals, must agree to rounding.

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::grid::{Karras, Spacing, UniformT};
use tweedie_solvers::integrate::integrate;
use tweedie_solvers::method::Method;
use tweedie_solvers::noise::{self, Stream};
use tweedie_solvers::sde::{LinearSde, Use};

use super::scores::skew;
use super::{Job, Row, sde, zero};
use crate::error::{Error, Result};
use crate::recipe::{Section, named};
use crate::registry::METHODS;

/// What must be the same on every SDE, as a name and its options.
const ALIKE: &[[(&str, &str); 2]] = &[
    [("ancestral", ""), ("ddim", "eta = 1.0")],
    [("ancestral", ""), ("euler-ancestral", "")],
    // SDE-DPM-Solver++(1), by two roads.
    [("ancestral", ""), ("sa-solver", "predictor = 1, corrector = 0")],
    [("ancestral", ""), ("er-sde", "order = 1, noise-scale = \"sde\"")],
    [("ddim", ""), ("lms", "order = 1")],
    [("ddim", ""), ("ipndm", "order = 1")],
    [("ddim", ""), ("deis", "degree = 0")],
    // DPM-Solver of order 1, for noise and for data.
    [("ddim", ""), ("unipc", "order = 1, corrector = false, prediction = \"noise\"")],
    [("ddim", ""), ("unipc", "order = 1, corrector = false")],
    [("ddim", ""), ("er-sde", "order = 1, noise-scale = \"ode\"")],
    [("dpm-2", ""), ("dpm-solver-2s", "")],
    [("lms", ""), ("ipndm-v", "")],
    [("lms", ""), ("deis", "form = \"rho-ab\"")],
    [("edm-heun", ""), ("deis", "form = \"rho-heun\"")],
    [("unipc", "order = 2, variant = \"bh2\", corrector = false"), ("dpmpp-2m", "")],
    // Without noise.
    [("euler", ""), ("euler-maruyama", "lambda = 0.0")],
    [("heun", ""), ("stochastic-heun", "lambda = 0.0")],
    [("ddim", ""), ("euler-ancestral", "eta = 0.0")],
    [("dpmpp-2s", ""), ("dpmpp-2s-ancestral", "eta = 0.0")],
    [("dpmpp-2s", ""), ("dpmpp-sde", "eta = 0.0")],
    [("dpmpp-2m", ""), ("dpmpp-2m-sde", "eta = 0.0")],
    [("dpmpp-2m", "second = \"heun\""), ("dpmpp-2m-sde", "eta = 0.0, second = \"heun\"")],
    [("dpmpp-3m", "second = \"heun\""), ("dpmpp-3m-sde", "eta = 0.0")],
    [("edm-heun", ""), ("edm-sde", "s-churn = 0.0")],
    [("dpm-2", ""), ("edm-sde", "s-churn = 0.0, inner = \"dpm-2\"")],
    [("edm-heun", ""), ("restart", "restarts = 0")],
    [("unipc", "order = 3, variant = \"exact\""), ("sa-solver", "tau = 0.0, lower-order-final = false")],
];

/// What must be the same where α = 1 and σ = t, on equal steps of t.
const ON_EDM: &[[(&str, &str); 2]] = &[
    [("euler", ""), ("lms", "order = 1")],
    [("euler", ""), ("ddim", "")],
    [("heun", ""), ("edm-heun", "")],
    [("rk4", ""), ("deis", "form = \"rho-rk4\"")],
    [("lms", ""), ("ipndm", "")],
    [("lms", ""), ("ipndm-v", "weights = \"diff-sampler\", order = 3")],
    [("lms", ""), ("deis", "")],
];

/// What must be the same in two steps.
const IN_TWO: &[[(&str, &str); 2]] = &[
    [("ddim", ""), ("dpmpp-2m", "lower-order-final = true")],
    [("ddim", ""), ("unipc", "corrector = false, lower-order-final = true")],
    [("ancestral", ""), ("dpmpp-2m-sde", "lower-order-final = true")],
];

pub(super) fn jobs() -> Vec<Job> {
    let mut jobs: Vec<Job> = vec![Box::new(by_hand)];
    for sde in ["vp", "ve", "sub-vp"] {
        for (pairs, steps) in [(ALIKE, 7), (IN_TWO, 2)] {
            jobs.push(Box::new(move || same(pairs, sde, &Karras::new(7.0)?, steps)));
        }
    }
    jobs.push(Box::new(|| same(&ON_EDM[..5], "edm", &UniformT, 7)));
    // Polynomials of degree 3 in t, which are those in σ; and weights that agree where steps are equal.
    jobs.push(Box::new(|| same(&ON_EDM[6..], "edm", &Karras::new(7.0)?, 7)));
    jobs.push(Box::new(|| {
        let pairs = [[("lms", "order = 3"), ON_EDM[5][1]]];
        same(&pairs, "edm", &UniformT, 7)
    }));
    jobs
}

fn method((name, options): (&str, &str)) -> Result<(String, Box<dyn Method>)> {
    let mut table = named(name);
    let more: toml::Table =
        format!("of = {{ {options} }}").parse().map_err(|e| Error::Run(format!("{options}: {e}")))?;
    table.extend(more.into_iter().filter_map(|(_, v)| v.try_into::<toml::Table>().ok()).flatten());
    let section = Section::new("verify", "", table);
    let built = METHODS.build(&section)?;
    Ok((section.label(), built))
}

/// Where 16 paths end.
fn end(method: &dyn Method, sde: &dyn LinearSde, spacing: &dyn Spacing, steps: usize) -> Result<Tensor> {
    let model = skew()?;
    let span = sde.span(Use::Sampling);
    let grid = spacing.grid(sde, span, steps)?;
    let x = noise::prior(&Key::root(0), sde.kernel(span.end).sigma, (0, 16, 2), (&Device::Cpu, DType::F64))?;
    let mut stepper = method.stepper(Problem { sde, model: &model })?;
    Ok(integrate(&mut *stepper, x, &grid, &Stream::new(&Key::root(0), 0), &mut ())?)
}

fn same(pairs: &[[(&str, &str); 2]], on: &str, spacing: &dyn Spacing, steps: usize) -> Result<Vec<Row>> {
    let sde = sde(on)?;
    let one = |[a, b]: &[(&str, &str); 2]| -> Result<Row> {
        let ((a, first), (b, second)) = (method(*a)?, method(*b)?);
        let ends = [first, second].map(|m| end(&*m, &*sde, spacing, steps));
        let [x, y] = ends;
        let gaps: Vec<f64> = (x? - y?)?.flatten_all()?.to_vec1()?;
        Ok(zero(format!("{a} is {b} on {on}, {steps} steps"), gaps, 1e-12))
    };
    pairs.iter().map(one).collect()
}

/// `sra1` and `shark` without noise are Runge–Kutta methods of two stages, at c = ¾ and ⅚ with the weight 1/2c.
fn by_hand() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for on in ["vp", "ve", "sub-vp"] {
        let (sde, model) = (sde(on)?, skew()?);
        let problem = Problem { sde: &*sde, model: &model };
        let step = Step { index: 0, of: 1, from: 0.6, to: 0.5 };
        let velocity = |x: &Tensor, t: f64| problem.predict(x, &[t])?.read(|_| sde.kernel_rate(t));
        for (name, c) in [("sra1", 0.75), ("shark", 5.0 / 6.0)] {
            let (_, method) = method((name, "lambda = 0.0"))?;
            let x = noise::prior(&Key::root(0), 1.0, (0, 16, 2), (&Device::Cpu, DType::F64))?;
            let first = velocity(&x, step.from)?;
            let ahead = (&x + (&first * (c * step.dt()))?)?;
            let second = velocity(&ahead, step.from + c * step.dt())?;
            let share = 0.5 / c;
            let want = ((&x + (first * ((1.0 - share) * step.dt()))?)? + (second * (share * step.dt()))?)?;
            let got = method.stepper(problem)?.step(&x, step, &Stream::new(&Key::root(0), 0))?;
            let gaps: Vec<f64> = (got - want)?.flatten_all()?.to_vec1()?;
            rows.push(zero(
                format!("{name}(lambda=0) is its Runge–Kutta method on {on}, one step"),
                gaps,
                1e-12,
            ));
        }
    }
    Ok(rows)
}
