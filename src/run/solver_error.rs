//! What log-densities owe to the solver of the flow: the first points solved again, more finely, and compared one by one.
//!
//! A method that chooses its own steps gets tolerances a hundredth of its own; of one of fixed steps every step is halved, which leaves a
//! quarter of the error at order 2. What remains of the error is small beside the difference, so that this is nearly the error itself.

use candle_core::{DType, Device, Tensor};
use toml::Value;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::method::Method;
use tweedie_solvers::model::tensor;
use tweedie_solvers::{Key, Result};

use crate::data::Standardise;
use crate::points::Points;
use crate::recipe::{Named, Section};
use crate::registry::METHODS;

/// The mean of log p, solved more finely, less log p as it was solved: what is to be taken from the NLL.
pub const SOLVER_ERROR: &str = "nll-solver-error";
/// The largest difference at a point.
pub const SOLVER_ERROR_LARGEST: &str = "nll-solver-error-largest";

/// Points that are solved again.
pub const AGAIN: usize = 50;

/// The factor of the tolerances.
const TIGHTER: f64 = 0.01;

/// How log-densities were solved.
#[derive(Clone, Copy, Debug)]
pub struct Solved<'a> {
    /// The flow.
    pub flow: Flow<'a>,
    /// Its method, with the options that it was made from.
    pub method: &'a Named<dyn Method>,
    /// The trace.
    pub divergence: Divergence,
    /// The key of the probes.
    pub key: &'a Key,
}

/// The solver's part of log-densities, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SolverError {
    /// How many points were solved again.
    pub points: usize,
    /// The mean difference, finer less as it was.
    pub mean: f64,
    /// The largest difference.
    pub largest: f64,
}

/// The solver's part of the log-densities of points, by the first of them. `None` where there is no finer solver of the kind: a method
/// without tolerances that chooses its own steps, tolerances that cannot be tightened, or densities that are not finite.
///
/// # Errors
/// Those of the model.
pub fn solver_error(
    solved: &Solved<'_>,
    points: &Points,
    (standardise, log_p): (Option<&Standardise>, &[f64]),
    device: &Device,
) -> Result<Option<SolverError>> {
    let flow = solved.flow;
    let (finer, grid);
    let again = if flow.method.adaptive() {
        let mut table = solved.method.table.clone();
        for key in ["rtol", "atol"] {
            let Some(Value::Float(tolerance)) = table.get_mut(key) else { return Ok(None) };
            *tolerance *= TIGHTER;
        }
        let Ok(made) = METHODS.build(&Section::new("", "method", table)) else { return Ok(None) };
        finer = made;
        let Some(method) = finer.ode() else { return Ok(None) };
        Flow { method, ..flow }
    } else {
        grid = halved(flow.grid)?;
        Flow { grid: &grid, ..flow }
    };
    let rows = AGAIN.min(points.len());
    let inner = standardise.map_or_else(|| points.clone(), |s| s.apply(points));
    let like = Tensor::zeros((1, 1), DType::F64, device)?;
    let x = tensor(inner.cycle(0, rows).values().to_vec(), (rows, points.dim()), &like)?;
    let _turn = crate::device::turn(device);
    let found = again.log_density(&x, solved.divergence, solved.key, 0)?;
    let shift = standardise.map_or(0.0, Standardise::log_jacobian);
    let off: Vec<f64> = found.log_p.iter().zip(log_p).map(|(fine, p)| fine + shift - p).collect();
    let mean = off.iter().sum::<f64>() / rows as f64;
    let largest = off.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    Ok(mean.is_finite().then_some(SolverError { points: rows, mean, largest }))
}

/// Every step in two.
fn halved(grid: &Grid) -> Result<Grid> {
    let middles = grid.steps().flat_map(|step| [step.from, 0.5 * (step.from + step.to)]);
    Grid::new(middles.chain([grid.last()]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::one;
    use tweedie_solvers::dynamics::Problem;
    use tweedie_solvers::exact::Mixture;
    use tweedie_solvers::grid::{Spacing, UniformLogSnr};
    use tweedie_solvers::sde::{LinearSde, Use, Vp};

    /// Against a solve at 1e-11, of loose adaptive and of coarse fixed steps: within 10 % for one, within the quarter that halving leaves
    /// for the other; behind a map too, and with probes.
    #[test]
    fn it_is_the_error_against_a_reference() {
        let (vp, device) = (Vp::default(), Device::Cpu);
        let means = vec![vec![-1.0, 0.3], vec![1.2, 0.0]];
        let model = Mixture::isotropic(vec![0.4, 0.6], means, 0.2).unwrap();
        let problem = Problem { sde: &vp, model: &model };
        let points = Points::new(2, (0..60).map(|i| f64::from(i % 13) * 0.17 - 1.0).collect());
        let span = vp.span(Use::Likelihood);
        let ends = Grid::new(vec![span.end, span.start]).unwrap();
        let nodes = UniformLogSnr.grid(&vp, span, 60).unwrap();
        let map = Standardise { mean: vec![0.1, -0.2], deviation: vec![1.5, 0.8], constant: vec![] };
        let key = Key::root(3);
        let law = tweedie_solvers::likelihood::Probe::Rademacher;
        for (text, grid, within) in
            [("name = 'rk45'\nrtol = 1e-3\natol = 1e-3", &ends, 0.1), ("name = 'heun'", &nodes, 0.3)]
        {
            let section = Section::new("t", "method", text.parse().unwrap());
            let method = one(&section, |s| METHODS.build(s)).unwrap();
            let tight = tweedie_solvers::method::Rk45::new(1e-11, 1e-11).unwrap();
            for (standardise, divergence) in [
                (None, Divergence::Exact),
                (Some(&map), Divergence::Exact),
                (None, Divergence::Hutchinson { probes: 2, law }),
            ] {
                let flow = Flow { problem, method: method.it.ode().unwrap(), grid };
                let solve = |flow: Flow<'_>| {
                    crate::run::densities(flow, divergence, &points, standardise, &key, &device)
                        .unwrap()
                        .log_p
                };
                let (rough, fine) = (solve(flow), solve(Flow { method: &tight, grid: &ends, ..flow }));
                let off: Vec<f64> = fine.iter().zip(&rough).map(|(a, b)| a - b).collect();
                let solved = Solved { flow, method: &method, divergence, key: &key };
                let got = solver_error(&solved, &points, (standardise, &rough), &device).unwrap().unwrap();
                let largest = off.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
                assert!(largest > 1e-4 && got.points == 30, "{text} {largest}");
                assert!((got.largest / largest - 1.0).abs() < within, "{text} {got:?} {largest}");
                let mean = off.iter().sum::<f64>() / 30.0;
                assert!((got.mean - mean).abs() < within * largest, "{text} {got:?} {mean}");
            }
        }
    }
}
