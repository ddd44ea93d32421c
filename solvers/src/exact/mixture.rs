//! The Gaussian mixture p₀ = Σ_k w_k N(μ_k, Σ_k) and everything about its noised law in closed form:
//!
//! p_t = Σ_k w_k N(α μ_k, C_k),  C_k = α² Σ_k + σ² I,   ∇log p_t(x) = −Σ_k r_k(x) C_k⁻¹ (x − α μ_k),
//!
//! with responsibilities r_k ∝ w_k N(x; α μ_k, C_k) by log-sum-exp. In the eigenbasis Σ_k = Q_k Λ_k Q_kᵀ every C_k is diagonal
//! at every kernel, so that nothing is inverted. The model predicts the noise ε̂ = −σ ∇log p_t, which stays finite as σ → 0.

mod fused;
mod rows;

use candle_core::{D, DType, Tensor};
use nalgebra::{DMatrix, SymmetricEigen};
use pulp::Arch;

use super::{Exact, log_sum_exp, mass};
use crate::kernel::{Kernel, Target};
use crate::model::{self, Components, ScoreModel};
use crate::{Error, Key, Result};
use fused::Fused;
use rows::Rows;

/// A mixture of K Gaussians in D dimensions, with full covariances.
#[derive(Clone, Debug)]
pub struct Mixture {
    dim: usize,
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covs: Vec<Vec<f64>>,
    /// Per component: eigenvalues Λ_k, and eigenvectors Q_k as a row-major D×D matrix with vectors in columns.
    variances: Vec<Vec<f64>>,
    axes: Vec<Vec<f64>>,
    /// Q_kᵀ μ_k, K·D numbers.
    centres: Vec<f64>,
    /// Whether every Q_k is the identity.
    plain: bool,
}

impl Mixture {
    /// A mixture from its weights (above 0, brought to sum 1), means (K × D) and covariances (K × D × D).
    ///
    /// # Errors
    /// If the lists are empty or of unequal length, a weight is not above 0, or a covariance is not symmetric and positive definite.
    pub fn new(weights: Vec<f64>, means: Vec<Vec<f64>>, covs: &[Vec<Vec<f64>>]) -> Result<Self> {
        let count = weights.len();
        let dim = means.first().map_or(0, Vec::len);
        if count == 0 || means.len() != count || covs.len() != count {
            let got = format!("{count}, {} and {}", means.len(), covs.len());
            return Err(Error::parameter(
                "weights, means and covs",
                got,
                "be three lists of one length, 1 or more",
            ));
        }
        if let Some(w) = weights.iter().find(|w| !w.is_finite() || **w <= 0.0) {
            return Err(Error::parameter("weights", w, "hold finite numbers above 0"));
        }
        let total: f64 = weights.iter().sum();
        let weights = weights.into_iter().map(|w| w / total).collect();
        let (mut variances, mut axes, mut flat) = (Vec::new(), Vec::new(), Vec::new());
        for (mean, cov) in means.iter().zip(covs) {
            if dim == 0 || mean.len() != dim || mean.iter().any(|m| !m.is_finite()) {
                return Err(Error::parameter(
                    "means",
                    format!("{mean:?}"),
                    "be finite points of one dimension, 1 or more",
                ));
            }
            let values: Vec<f64> = cov.iter().flatten().copied().collect();
            if cov.len() != dim
                || cov.iter().any(|row| row.len() != dim)
                || values.iter().any(|v| !v.is_finite())
            {
                return Err(Error::parameter(
                    "covs",
                    format!("{cov:?}"),
                    format!("be finite {dim} × {dim} matrices"),
                ));
            }
            let matrix = DMatrix::from_row_slice(dim, dim, &values);
            let scale = matrix.amax();
            let eigen = SymmetricEigen::new(matrix.clone());
            if (&matrix - matrix.transpose()).amax() > 1e-12 * scale
                || eigen.eigenvalues.iter().any(|v| *v <= 1e-14 * scale)
            {
                return Err(Error::parameter(
                    "covs",
                    format!("{cov:?}"),
                    "be symmetric and positive definite",
                ));
            }
            variances.push(eigen.eigenvalues.iter().copied().collect());
            axes.push(
                eigen.eigenvectors.row_iter().flat_map(|r| r.iter().copied().collect::<Vec<_>>()).collect(),
            );
            flat.push(values);
        }
        let identity =
            |axes: &Vec<f64>| (0..dim * dim).all(|i| axes[i] == f64::from(u8::from(i / dim == i % dim)));
        let plain = axes.iter().all(identity);
        let centre = |(mean, q): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            (0..dim).map(|j| (0..dim).map(|i| mean[i] * q[i * dim + j]).sum()).collect()
        };
        let centres = means.iter().zip(&axes).flat_map(centre).collect();
        Ok(Self { dim, weights, means, covs: flat, variances, axes, centres, plain })
    }

    /// One Gaussian N(mean, deviation² I).
    ///
    /// # Errors
    /// If the mean is empty or not finite, or the deviation is not above 0.
    pub fn gaussian(mean: Vec<f64>, deviation: f64) -> Result<Self> {
        Self::isotropic(vec![1.0], vec![mean], deviation)
    }

    /// Components of one deviation: Σ_k = deviation² I.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn isotropic(weights: Vec<f64>, means: Vec<Vec<f64>>, deviation: f64) -> Result<Self> {
        crate::error::positive("deviation", deviation)?;
        let dim = means.first().map_or(0, Vec::len);
        let cov: Vec<Vec<f64>> = (0..dim)
            .map(|i| (0..dim).map(|j| if i == j { deviation * deviation } else { 0.0 }).collect())
            .collect();
        let covs = vec![cov; means.len()];
        Self::new(weights, means, &covs)
    }

    /// The dimension D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The K weights, which sum to 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The K means.
    pub fn means(&self) -> &[Vec<f64>] {
        &self.means
    }

    /// The K covariances, each row-major D × D.
    pub fn covs(&self) -> &[Vec<f64>] {
        &self.covs
    }

    /// The least standard deviation of any component along any direction.
    pub fn narrowest(&self) -> f64 {
        self.variances.iter().flatten().copied().fold(f64::INFINITY, f64::min).sqrt()
    }

    /// Points `first .. first + count`, row-major: point i depends on the key and on i alone.
    pub fn sample(&self, key: &Key, first: u64, count: usize) -> Vec<f64> {
        let picks = key.branch("component").uniforms(0, first, count);
        let normals = key.branch("normal").normals(0, first, count, self.dim);
        let mut out = Vec::with_capacity(count * self.dim);
        for (pick, z) in picks.iter().zip(normals.chunks_exact(self.dim)) {
            let mut below = 0.0;
            let k = self.weights.iter().position(|w| {
                below += w;
                *pick < below
            });
            let k = k.unwrap_or(self.weights.len() - 1);
            for i in 0..self.dim {
                let moved = (0..self.dim)
                    .map(|j| self.axes[k][i * self.dim + j] * self.variances[k][j].sqrt() * z[j]);
                out.push(self.means[k][i] + moved.sum::<f64>());
            }
        }
        out
    }

    /// Per component: log w_k N(x; α μ_k, C_k) and C_k⁻¹ (x − α μ_k).
    fn log_joint(&self, x: &[f64], at: Kernel) -> (Vec<f64>, Vec<Vec<f64>>) {
        let d = self.dim;
        let parts = (0..self.weights.len()).map(|k| {
            let mut logit = self.weights[k].ln() - 0.5 * d as f64 * std::f64::consts::TAU.ln();
            let mut pull = vec![0.0; d];
            for j in 0..d {
                let y: f64 =
                    (0..d).map(|i| (x[i] - at.alpha * self.means[k][i]) * self.axes[k][i * d + j]).sum();
                let v = at.alpha * at.alpha * self.variances[k][j] + at.sigma * at.sigma;
                logit -= 0.5 * (y * y / v + v.ln());
                (0..d).for_each(|i| pull[i] += self.axes[k][i * d + j] * y / v);
            }
            (logit, pull)
        });
        parts.unzip()
    }

    /// Per kernel and component axis (kernels × K·D): 1/C in the eigenbasis; per kernel and component: log w_k − ½ Σ ln C.
    fn spectra(&self, at: &[Kernel]) -> (Vec<f64>, Vec<f64>) {
        let count = at.len() * self.weights.len();
        let (mut precisions, mut biases) = (Vec::with_capacity(count * self.dim), Vec::with_capacity(count));
        for k in at {
            for (w, lambda) in self.weights.iter().zip(&self.variances) {
                let mut bias = w.ln();
                for l in lambda {
                    let c = k.alpha * k.alpha * l + k.sigma * k.sigma;
                    precisions.push(1.0 / c);
                    bias -= 0.5 * c.ln();
                }
                biases.push(bias);
            }
        }
        (precisions, biases)
    }

    fn tensors(&self, x: &Tensor, at: &[Kernel]) -> Result<Parts> {
        let rows = model::check(x, self.dim, at)?;
        let (count, d) = (self.weights.len(), self.dim);
        let (precisions, biases) = self.spectra(at);
        let precision = model::tensor(precisions, (at.len(), count * d), x)?;
        let bias = model::tensor(biases, (at.len(), count), x)?;
        // Q: (D, K·D), columns are the axes of all components; means in their own eigenbasis: (1, K·D).
        let mut q = vec![0.0; d * count * d];
        for k in 0..count {
            for (i, j) in (0..d).flat_map(|i| (0..d).map(move |j| (i, j))) {
                q[i * count * d + k * d + j] = self.axes[k][i * d + j];
            }
        }
        let q = model::tensor(q, (d, count * d), x)?;
        let alphas: Vec<f64> = at.iter().map(|k| k.alpha).collect();
        let centre = model::tensor(self.centres.clone(), (1, count * d), x)?;
        let centre = if at.len() == 1 {
            (centre * alphas[0])?
        } else {
            model::column(&alphas, x)?.broadcast_mul(&centre)?
        };
        let y = x.matmul(&q)?.broadcast_sub(&centre)?;
        let pull = y.broadcast_mul(&precision)?;
        let energy = (&y * &pull)?.reshape((rows, count, d))?.sum(D::Minus1)?;
        let logits = (energy * -0.5)?.broadcast_add(&bias)?;
        let top = logits.max_keepdim(1)?;
        let weights = logits.broadcast_sub(&top)?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(1)?)?;
        Ok(Parts { rows, q, precision, pull, weights })
    }

    /// The noised law: for each Gaussian D numbers α Qᵀμ, D numbers 1/C in its axes, and log w − ½ log det C but for a constant.
    fn numbers(&self, at: Kernel) -> Vec<f64> {
        let d = self.dim;
        let (precisions, biases) = self.spectra(&[at]);
        let mut numbers = Vec::with_capacity(biases.len() * (2 * d + 1));
        for (k, bias) in biases.into_iter().enumerate() {
            numbers.extend(self.centres[k * d..][..d].iter().map(|c| at.alpha * c));
            numbers.extend(&precisions[k * d..][..d]);
            numbers.push(bias);
        }
        numbers
    }

    /// The same in f32, with the axes and σ.
    fn law(&self, at: Kernel) -> Components {
        let numbers = self.numbers(at).into_iter().map(|v| v as f32).collect();
        let axes = (!self.plain).then(|| self.axes.iter().flatten().map(|v| *v as f32).collect());
        Components { sigma: at.sigma as f32, axes, numbers }
    }

    /// The prediction and its derivatives on the host, in f64.
    fn on_host(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        model::check(x, self.dim, at)?;
        let moved = tangents.iter().map(model::host_f64).collect::<Result<Vec<_>>>()?;
        let rows = Rows { mixture: self, x: &model::host_f64(x)?, tangents: &moved, at };
        let found = Arch::new().dispatch(rows).into_iter().map(|values| model::tensor(values, x.shape(), x));
        let mut found = found.collect::<Result<Vec<_>>>()?.into_iter();
        let value = found.next().ok_or_else(|| Error::Solve("a mixture without a value".into()))?;
        Ok((value, found.collect()))
    }

    /// Σ_k w_k Q_k p_k for weights (B, K) and values (B, K·D) in the eigenbases.
    fn combine(&self, parts: &Parts, weights: &Tensor, values: &Tensor) -> Result<Tensor> {
        let (count, d) = (self.weights.len(), self.dim);
        let spread = weights.reshape((parts.rows, count, 1))?;
        let values = values.reshape((parts.rows, count, d))?.broadcast_mul(&spread)?;
        Ok(values.reshape((parts.rows, count * d))?.matmul(&parts.q.t()?)?)
    }
}

impl Mixture {
    /// The same on tensors, for cards. With ℓ̇_k = −pullᵀu and ṙ_k = r_k (ℓ̇_k − Σ r ℓ̇):
    /// d/du Σ r_k Q_k pull_k = Σ ṙ_k Q_k pull_k + Σ r_k Q_k C_k⁻¹ Q_kᵀ u.
    fn on_tensors(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let parts = self.tensors(x, at)?;
        let sigmas: Vec<f64> = at.iter().map(|k| k.sigma).collect();
        let (count, d) = (self.weights.len(), self.dim);
        let value = model::scale(&self.combine(&parts, &parts.weights, &parts.pull)?, &sigmas)?;
        let derivatives = tangents.iter().map(|u| {
            let u = u.matmul(&parts.q)?;
            let slope = (&parts.pull * &u)?.reshape((parts.rows, count, d))?.sum(D::Minus1)?.neg()?;
            let mean = (&parts.weights * &slope)?.sum_keepdim(1)?;
            let moved = (&parts.weights * slope.broadcast_sub(&mean)?)?;
            let bent = self.combine(&parts, &moved, &parts.pull)?;
            let straight = self.combine(&parts, &parts.weights, &u.broadcast_mul(&parts.precision)?)?;
            model::scale(&(bent + straight)?, &sigmas)
        });
        let derivatives = derivatives.collect::<Result<_>>()?;
        Ok((value, derivatives))
    }
}

struct Parts {
    rows: usize,
    q: Tensor,
    precision: Tensor,
    pull: Tensor,
    weights: Tensor,
}

impl ScoreModel for Mixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn target(&self) -> Target {
        Target::Noise
    }

    /// Lists of K·D numbers, and of K.
    fn room(&self) -> usize {
        6 * self.weights.len() * (self.dim + 1)
    }

    fn components(&self, at: Kernel) -> Option<Components> {
        Some(self.law(at))
    }

    fn rows_apart(&self) -> bool {
        true
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        if x.device().is_cpu() && x.dtype() == DType::F32 {
            model::check(x, self.dim, at)?;
            let values = Arch::new().dispatch(Fused::new(self, &model::host(x)?, at));
            return Ok(Tensor::from_vec(values, x.shape(), x.device())?);
        }
        Ok(self.raw_jvp(x, &[], at)?.0)
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        if x.device().is_cpu() { self.on_host(x, tangents, at) } else { self.on_tensors(x, tangents, at) }
    }

    fn log_densities(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        super::log_densities(self, x, at)
    }
}

impl Exact for Mixture {
    fn log_density(&self, x: &[f64], at: Kernel) -> f64 {
        log_sum_exp(self.log_joint(x, at).0.into_iter())
    }

    fn score(&self, x: &[f64], at: Kernel) -> Vec<f64> {
        let (logits, pulls) = self.log_joint(x, at);
        let total = log_sum_exp(logits.iter().copied());
        let mut out = vec![0.0; self.dim];
        for (logit, pull) in logits.iter().zip(&pulls) {
            let r = (logit - total).exp();
            out.iter_mut().zip(pull).for_each(|(o, p)| *o -= r * p);
        }
        out
    }

    /// Up to two dimensions.
    fn mass(&self, low: &[f64], high: &[f64]) -> Option<f64> {
        let parts = self.means.iter().zip(&self.covs).zip(&self.weights);
        parts.map(|((mean, cov), w)| Some(w * mass::gaussian(mean, cov, low, high)?)).sum()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests read on the host")]
mod tests;
