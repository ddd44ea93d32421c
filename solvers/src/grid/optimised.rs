//! `optimised`: the nodes for which the local errors of the steps, carried to ε, add up to the least, measured on the model itself.
//!
//! The idea is that of GITS (Chen et al. 2024, §3.3): one fine trajectory of the flow shows what every longer step would cost, and
//! dynamic programming picks the N steps that cost least together. In y = x/α and r = σ/α the flow is dy/dr = ε̂(y, r), and from node i
//! to node j, with h = r_j − r_i, a step of order 1 (Euler's in r, which is DDIM's) or 2 (Heun's in r, which is EDM's) errs by
//!
//! e_ij = J_j (ŷ_ij − y_j),  ŷ_ij = y_i + h ε̂_i  or  y_i + ½ h (ε̂_i + ε̂(y_i + h ε̂_i, r_j)),  cost_ij = √E|e_ij|².
//!
//! J_j = ∂y_ε/∂y_j carries the error to the end, so that what the flow contracts costs little; GITS has a constant in its place.

use candle_core::{DType, Device, Tensor};
use nalgebra::DMatrix;

use super::{Spacing, UniformLogSnr, nodes};
use crate::clock::Grid;
use crate::kernel::{Kernel, Target};
use crate::model::{self, Prediction, ScoreModel, read_rows};
use crate::sde::{LinearSde, Span};
use crate::{Error, Key, Result, noise};

/// Steps of the fine trajectory, equal in ln(α/σ): its nodes are the candidates.
const CANDIDATES: usize = 128;

/// The most steps that are optimised; more of them divide these evenly in ln(α/σ), as Align Your Steps (Sabour et al. 2024) does.
const MOST: usize = 64;

/// Trajectories over which errors are averaged.
const PATHS: usize = 64;

/// The optimised grid, before it has seen a model: [`fit`](Spacing::fit) shows it one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimised {
    order: u8,
}

impl Optimised {
    /// For steps of order 1 or 2.
    ///
    /// # Errors
    /// If the order is another.
    pub fn new(order: u8) -> Result<Self> {
        if order == 1 || order == 2 {
            Ok(Self { order })
        } else {
            Err(Error::parameter("order", order, "be 1 or 2"))
        }
    }
}

impl Spacing for Optimised {
    fn grid(&self, _: &dyn LinearSde, _: Span, _: usize) -> Result<Grid> {
        let what = "the optimised grid is made for a model: call fit, and take the grid of its result";
        Err(Error::Unsupported(what.into()))
    }

    fn needs_model(&self) -> bool {
        true
    }

    fn fit(
        &self,
        sde: &dyn LinearSde,
        model: &dyn ScoreModel,
        span: Span,
        device: &Device,
    ) -> Result<Option<Box<dyn Spacing>>> {
        let times = UniformLogSnr.grid(sde, span, CANDIDATES)?.times().to_vec();
        let cost = Flow { sde, model }.costs(&times, self.order, device)?;
        Ok(Some(Box::new(Fitted { span, times, before: cheapest(&cost, MOST) })))
    }
}

/// The optimised grid of one model.
#[derive(Debug)]
struct Fitted {
    span: Span,
    /// The candidates, from noise to data.
    times: Vec<f64>,
    /// For n steps that end at candidate j, the candidate before it.
    before: Vec<Vec<usize>>,
}

impl Spacing for Fitted {
    fn grid(&self, sde: &dyn LinearSde, span: Span, steps: usize) -> Result<Grid> {
        if span != self.span {
            let rule = format!("be the one it was fitted to, {:?}", self.span);
            return Err(Error::parameter("span", format!("{span:?}"), rule));
        }
        let count = steps.clamp(1, MOST);
        let mut chosen = vec![self.times.len() - 1];
        for n in (1..=count).rev() {
            chosen.push(self.before[n][chosen[count - n]]);
        }
        let times: Vec<f64> = chosen.iter().rev().map(|&i| self.times[i]).collect();
        if steps == count {
            return Grid::new(times);
        }
        nodes(span, steps, |u| {
            let at = (u * count as f64).min(count as f64 - 1e-9);
            let (i, part) = (at as usize, at.fract());
            let (from, to) = (sde.kernel(times[i]).log_snr(), sde.kernel(times[i + 1]).log_snr());
            sde.time_at(from + part * (to - from))
        })
    }
}

/// For n = 0 … `most` steps that end at j, the node before j on the path from 0 whose costs add up to the least.
fn cheapest(cost: &[Vec<f64>], most: usize) -> Vec<Vec<usize>> {
    let count = cost.len();
    let mut least = vec![f64::INFINITY; count];
    least[0] = 0.0;
    let mut before = vec![vec![0; count]];
    for _ in 0..most {
        let through = |i: usize, j: usize| least[i] + cost[i][j];
        let last: Vec<usize> = (0..count)
            .map(|j| (0..j).min_by(|&a, &b| through(a, j).total_cmp(&through(b, j))).unwrap_or(0))
            .collect();
        least = (0..count).map(|j| through(last[j], j)).collect();
        before.push(last);
    }
    before
}

/// dy/dr = ε̂(y, r).
#[derive(Clone, Copy)]
struct Flow<'a> {
    sde: &'a dyn LinearSde,
    model: &'a dyn ScoreModel,
}

/// A fine trajectory.
struct Path {
    kernels: Vec<Kernel>,
    /// y and ε̂ at every node, (PATHS, D).
    y: Vec<Tensor>,
    noise: Vec<Tensor>,
    /// J at every node for every path.
    jacobians: Vec<Vec<DMatrix<f64>>>,
}

impl Flow<'_> {
    /// ε̂ at y, with one kernel for all rows or one for each.
    fn noise(self, y: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        let alphas: Vec<f64> = at.iter().map(|k| k.alpha).collect();
        Ok(Prediction::of(self.model, &model::scale(y, &alphas)?, at)?.noise()?.detach())
    }

    /// ∂ε̂/∂y for every row.
    fn slope(self, y: &Tensor, k: Kernel) -> Result<Vec<DMatrix<f64>>> {
        let (rows, dim) = y.dims2()?;
        let (own, raw) = k.read(k.row(self.model.target()), k.row(Target::Noise));
        let axes = (0..dim).map(|i| {
            let axis = (0..dim).map(|j| f64::from(u8::from(i == j))).collect();
            Ok((model::tensor(axis, (1, dim), y)?.broadcast_as((rows, dim))?.contiguous()? * k.alpha)?)
        });
        let axes = axes.collect::<Result<Vec<Tensor>>>()?;
        let (_, along) = self.model.raw_jvp(&(y * k.alpha)?, &axes, &[k])?;
        let columns = axes.iter().zip(&along).map(|(u, v)| read_rows(&((u * own)? + (v * raw)?)?));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok((0..rows).map(|s| DMatrix::from_fn(dim, dim, |i, j| columns[j][s][i])).collect())
    }

    /// Heun's method with two steps between candidates, and from node to node the same for the Jacobian.
    fn path(self, times: &[f64], device: &Device) -> Result<Path> {
        let kernels: Vec<Kernel> = times.iter().map(|&t| self.sde.kernel(t)).collect();
        let top = kernels[0];
        let start = noise::prior(
            &Key::root(0).branch("grid"),
            top.ratio(),
            (0, PATHS, self.model.dim()),
            (device, DType::F64),
        )?;
        let mut noise = vec![self.noise(&start, &[top])?];
        let mut y = vec![start];
        for pair in kernels.windows(2) {
            let middle = self.sde.kernel(self.sde.time_at(0.5 * (pair[0].log_snr() + pair[1].log_snr())));
            let (mut here, mut slope) = (y[y.len() - 1].clone(), noise[noise.len() - 1].clone());
            for (from, to) in [(pair[0], middle), (middle, pair[1])] {
                let h = to.ratio() - from.ratio();
                let there = self.noise(&(&here + (&slope * h)?)?, &[to])?;
                here = (&here + ((&slope + there)? * (0.5 * h))?)?;
                slope = self.noise(&here, &[to])?;
            }
            y.push(here);
            noise.push(slope);
        }
        let slopes = y.iter().zip(&kernels).map(|(y, &k)| self.slope(y, k)).collect::<Result<Vec<_>>>()?;
        let one = DMatrix::identity(self.model.dim(), self.model.dim());
        let mut jacobians = vec![vec![one.clone(); PATHS]];
        for i in (1..kernels.len()).rev() {
            let h = kernels[i].ratio() - kernels[i - 1].ratio();
            let onward = &jacobians[jacobians.len() - 1];
            let own = slopes[i - 1].iter().zip(&slopes[i]).zip(onward);
            let one = &one;
            let carried =
                own.map(|((from, to), onward)| onward * (one + (from + to * (one + from * h)) * (0.5 * h)));
            let carried = carried.collect();
            jacobians.push(carried);
        }
        jacobians.reverse();
        Ok(Path { kernels, y, noise, jacobians })
    }

    /// cost_ij for i < j.
    fn costs(self, times: &[f64], order: u8, device: &Device) -> Result<Vec<Vec<f64>>> {
        let path = self.path(times, device)?;
        let mut cost = vec![vec![f64::INFINITY; times.len()]; times.len()];
        for (i, row) in cost.iter_mut().enumerate().take(times.len() - 1) {
            self.errors(&path, i, order, &mut row[i + 1..])?;
            if row[i + 1..].iter().any(|c| !c.is_finite()) {
                let what = "the model is not finite along its flow: no grid can be fitted to it";
                return Err(Error::Unsupported(what.into()));
            }
        }
        Ok(cost)
    }

    /// The costs of the steps from node i to each later one.
    fn errors(self, path: &Path, i: usize, order: u8, into: &mut [f64]) -> Result<()> {
        let later = &path.kernels[i + 1..];
        let (y, noise) = (&path.y[i], &path.noise[i]);
        let lengths: Vec<f64> = later.iter().map(|k| k.ratio() - path.kernels[i].ratio()).collect();
        let straight = lengths.iter().map(|&h| Ok((y + (noise * h)?)?)).collect::<Result<Vec<Tensor>>>()?;
        let ends = if order == 1 {
            straight
        } else {
            // All the later nodes in one batch.
            let each: Vec<Kernel> = later.iter().flat_map(|&k| std::iter::repeat_n(k, PATHS)).collect();
            let there = self.noise(&Tensor::cat(&straight, 0)?, &each)?;
            let ends = lengths.iter().enumerate().map(|(n, &h)| {
                let there = there.narrow(0, n * PATHS, PATHS)?;
                Ok((y + ((noise + there)? * (0.5 * h))?)?)
            });
            ends.collect::<Result<_>>()?
        };
        for (n, end) in ends.iter().enumerate() {
            let errors = read_rows(&(end - &path.y[i + 1 + n])?)?;
            let carried = errors.into_iter().zip(&path.jacobians[i + 1 + n]);
            let squares: f64 =
                carried.map(|(e, j)| (j * nalgebra::DVector::from_vec(e)).norm_squared()).sum();
            into[n] = (squares / PATHS as f64).sqrt();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
