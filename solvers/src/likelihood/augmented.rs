//! The flow with its divergence as further columns: the state is [x (D), integrals (k), probes (k·D)].
//!
//! Probes ride along as columns that never change, so that an adaptive method may reorder or drop rows and each keeps its own.

use candle_core::{D, DType, Tensor};

use super::{Divergence, Probe, axis};
use crate::dynamics::{At, Ode, Problem};
use crate::{Error, Key, Result, model};

#[derive(Clone, Copy)]
pub(super) struct Augmented<'a> {
    problem: Problem<'a>,
    divergence: Divergence,
}

impl<'a> Augmented<'a> {
    pub(super) fn new(problem: Problem<'a>, divergence: Divergence) -> Result<Self> {
        if let Divergence::Hutchinson { probes: 0, .. } = divergence {
            return Err(Error::parameter("probes", 0, "be 1 or more"));
        }
        Ok(Self { problem, divergence })
    }

    /// How many columns hold an integral: one, or one for each probe.
    pub(super) fn integrals(&self) -> usize {
        match self.divergence {
            Divergence::Exact => 1,
            Divergence::Hutchinson { probes, .. } => probes,
        }
    }

    /// For each row of a state, whether two of its probes differ beyond their sign. In one dimension the trace of a sign is exact, and there is
    /// nothing to tell apart.
    pub(super) fn told_apart(&self, state: &Tensor) -> Result<Vec<bool>> {
        let (rows, width) = state.dims2()?;
        let (dim, k) = (self.problem.model.dim(), self.integrals());
        let first = dim + k;
        if dim == 1 || width == first {
            return Ok(vec![true; rows]);
        }
        let probes = model::read_rows(&state.narrow(1, first, width - first)?)?;
        let differ = |a: &[f64], b: &[f64]| a != b && a.iter().zip(b).any(|(a, b)| *a != -b);
        let told = |row: &Vec<f64>| row.chunks(dim).any(|probe| differ(probe, &row[..dim]));
        Ok(probes.iter().map(told).collect())
    }

    /// The state at ε.
    pub(super) fn start(&self, x: &Tensor, key: &Key, first: u64) -> Result<Tensor> {
        let (rows, dim) = x.dims2()?;
        let zeros = Tensor::zeros((rows, self.integrals()), x.dtype(), x.device())?;
        let mut parts = vec![x.clone(), zeros];
        if let Divergence::Hutchinson { probes, law } = self.divergence {
            let key = key.branch("probes");
            for probe in 0..probes as u64 {
                let values = match law {
                    Probe::Rademacher => key.signs(probe, first, rows, dim),
                    Probe::Gaussian => key.normals(probe, first, rows, dim),
                };
                parts.push(model::tensor(values, (rows, dim), x)?);
            }
        }
        Ok(Tensor::cat(&parts, 1)?)
    }
}

impl Ode for Augmented<'_> {
    fn velocity(&self, state: &Tensor, At { t, .. }: At<'_>) -> Result<Tensor> {
        let (rows, width) = state.dims2()?;
        let (dim, k) = (self.problem.model.dim(), self.integrals());
        let x = state.narrow(1, 0, dim)?.contiguous()?;
        let at: Vec<_> = t.iter().map(|&t| self.problem.sde.kernel(t)).collect();
        let directions: Vec<Tensor> = match self.divergence {
            Divergence::Exact => (0..dim).map(|i| axis(i, rows, dim, state)).collect::<Result<_>>()?,
            Divergence::Hutchinson { .. } => (0..k)
                .map(|i| Ok(state.narrow(1, dim + k + i * dim, dim)?.contiguous()?))
                .collect::<Result<_>>()?,
        };
        let (raw, slopes) = self.problem.model.raw_jvp(&x, &directions, &at)?;
        let (raw, slopes): (_, Vec<Tensor>) = (raw.detach(), slopes.iter().map(Tensor::detach).collect());
        let target = self.problem.model.target();
        let known = at.iter().zip(t).map(|(&k, &t)| k.read(k.row(target), self.problem.sde.kernel_rate(t)));
        let (cx, cr): (Vec<f64>, Vec<f64>) = known.unzip();
        let velocity = (model::scale(&x, &cx)? + model::scale(&raw, &cr)?)?;
        let along = directions.iter().zip(&slopes).map(|(u, slope)| Ok((u * slope)?.sum_keepdim(D::Minus1)?));
        let mut traces = Tensor::cat(&along.collect::<Result<Vec<Tensor>>>()?, 1)?;
        if self.divergence == Divergence::Exact {
            traces = traces.sum_keepdim(D::Minus1)?;
        }
        // ∇·v = c_x D + c_r tr ∂r/∂x.
        let own: Vec<f64> = cx.iter().map(|c| c * dim as f64).collect();
        let divergence = model::scale(&traces, &cr)?.broadcast_add(&model::column(&own, state)?)?;
        let mut parts = vec![velocity, divergence];
        if width > dim + k {
            parts.push(Tensor::zeros((rows, width - dim - k), state.dtype(), state.device())?);
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.problem.model.rounding(dtype)
    }

    fn controlled(&self, _: usize) -> usize {
        self.problem.model.dim() + self.integrals()
    }
}
