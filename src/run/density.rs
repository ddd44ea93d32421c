//! Log-densities in pieces, in the coordinates of the user.

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::model::tensor;
use tweedie_solvers::{Key, Result};

use super::draw::{apart, each, piece};
use crate::data::Standardise;
use crate::points::Points;

/// Log-densities of points.
#[derive(Clone, Debug)]
pub struct Densities {
    /// Nats, one for each point.
    pub log_p: Vec<f64>,
    /// Standard errors over the probes, where there are two or more; `None` at points whose probes are all equal up to sign.
    pub standard_error: Option<Vec<Option<f64>>>,
    /// Evaluations for each point.
    pub evals: Vec<f64>,
}

impl Densities {
    /// The standard error of the mean of log p over the probes, from those of the points. s²/k is unbiased over all draws of the probes, those
    /// that coincide, where it is 0, among them; where all of them do, nothing is known.
    pub fn pooled_error(&self) -> Option<f64> {
        let errors = self.standard_error.as_ref()?;
        let square: f64 = errors.iter().flatten().map(|e| e * e).sum();
        errors.iter().any(Option::is_some).then(|| square.sqrt() / errors.len() as f64)
    }
}

/// log p of the points through a flow, with the Jacobian of the standardisation taken off.
///
/// # Errors
/// Those of the method and the model.
pub fn densities(
    flow: Flow<'_>,
    divergence: Divergence,
    points: &Points,
    standardise: Option<&Standardise>,
    key: &Key,
    device: &Device,
) -> Result<Densities> {
    let _turn = crate::device::turn(device);
    // A point's density does not depend on how many follow it.
    let blocks = apart(flow.problem.model, device)?;
    let flow = match &blocks {
        Some(model) => Flow { problem: Problem { model, ..flow.problem }, ..flow },
        None => flow,
    };
    let shift = standardise.map_or(0.0, Standardise::log_jacobian);
    let inner = standardise.map_or_else(|| points.clone(), |s| s.apply(points));
    let count = points.len();
    // The points, their tangents, and the stages of a method.
    let row = 8 * (2 + points.dim()) * (flow.problem.model.room() + 32);
    let piece = piece(flow.method.couples_batch(), count, row, device)?;
    let starts: Vec<usize> = (0..count).step_by(piece.max(1)).collect();
    let like = Tensor::zeros((1, 1), DType::F64, device)?;
    let run = |&first: &usize| {
        let rows = piece.min(count - first);
        let x = tensor(inner.slice(first, first + rows).values().to_vec(), (rows, points.dim()), &like)?;
        flow.log_density(&x, divergence, key, first as u64)
    };
    let pieces = each(&starts, device, run)?;
    let mut out = Densities { log_p: Vec::new(), standard_error: None, evals: Vec::new() };
    for found in pieces {
        out.log_p.extend(found.log_p.iter().map(|p| p + shift));
        out.evals.extend(&found.evals);
        if let Some(errors) = found.standard_error {
            out.standard_error.get_or_insert_default().extend(&errors);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::Densities;

    /// √(3² + 4²)/4: a point whose error is not known counts with 0, and none where none is known.
    #[test]
    fn errors_are_pooled() {
        let of = |errors: Option<Vec<Option<f64>>>| {
            Densities { log_p: vec![], standard_error: errors, evals: vec![] }.pooled_error()
        };
        assert_eq!(of(Some(vec![Some(3.0), None, None, Some(4.0)])), Some(1.25));
        assert_eq!((of(Some(vec![None; 3])), of(None)), (None, None));
    }
}
