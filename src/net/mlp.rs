//! The reference score network, a multilayer perceptron with Gaussian Fourier features (Tancik et al. 2020; Song et al. 2021) of
//! the noise level added at every layer:
//!
//! ```text
//! c = ¼ ln √(σ²/α² + s²),   e = SiLU(W_e [sin 2πfc, cos 2πfc] + b_e)
//! h = SiLU(W_i x/S + b_i + e),   then depth times   h = SiLU(W h + b + e),   F = W_o h + b_o
//! ```
//!
//! with fixed frequencies f ~ N(0, scale²) and S = √(α² σ_d² + σ²), the deviation of x, so that the input has unit variance at
//! every noise level, and s the finest structure that the network resolves. It is told the kernel (α, σ), never the time: one network
//! serves every SDE in the range it was trained on. Below s the network is told one level, and its output F is read as s times
//! a score ([`Target::Edm`]): a score of smooth data changes no more there, and what a network learned of it at σ ≈ s α holds down to σ = 0,
//! where its targets would be all noise.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::Linear;
use serde::{Deserialize, Serialize};
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::model::{self, ScoreModel};
use tweedie_solvers::{Error, Key, Result};

/// What the network's output F is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prediction {
    /// The noise ε.
    Noise,
    /// The data x₀.
    Data,
    /// v = α ε − σ x₀.
    V,
    /// The score itself.
    Score,
    /// EDM's preconditioned F: x₀ = c_skip x + c_out F.
    Edm,
}

impl Prediction {
    /// All of them, with the names that users type.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("noise", Self::Noise),
        ("data", Self::Data),
        ("v", Self::V),
        ("score", Self::Score),
        ("edm", Self::Edm),
    ];
}

/// The shape of a network and how its output is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// D, the dimension of the points.
    pub dim: usize,
    /// H, the width of the hidden layers.
    pub width: usize,
    /// How many H → H layers.
    pub depth: usize,
    /// E, the number of Fourier features, even.
    pub embedding: usize,
    /// The standard deviation of the frequencies.
    pub scale: f64,
    /// What the output is.
    pub prediction: Prediction,
    /// σ_d, the standard deviation of the data per coordinate.
    pub sigma_data: f64,
    /// s, the finest structure of the data per coordinate that the network resolves, 0 or above; 0 for networks that were
    /// saved before there was such a number.
    #[serde(default)]
    pub finest: f64,
}

impl MlpConfig {
    /// The network of the published benchmarks: H = 128, three hidden layers, E = 64; 58 498 parameters in the plane.
    pub fn reference(dim: usize) -> Self {
        Self {
            dim,
            width: 128,
            depth: 3,
            embedding: 64,
            scale: 1.0,
            prediction: Prediction::Edm,
            sigma_data: 1.0,
            finest: 0.0,
        }
    }

    /// The configuration, if its numbers lie in their domains.
    ///
    /// # Errors
    /// If one does not.
    pub fn checked(self) -> Result<Self> {
        for (name, value) in [("dim", self.dim), ("width", self.width)] {
            if value == 0 {
                return Err(Error::parameter(name, value, "be 1 or more"));
            }
        }
        if self.embedding == 0 || !self.embedding.is_multiple_of(2) {
            return Err(Error::parameter("embedding", self.embedding, "be an even number, 2 or more"));
        }
        for (name, value) in [("fourier-scale", self.scale), ("sigma-data", self.sigma_data)] {
            tweedie_solvers::error::positive(name, value)?;
        }
        Ok(self)
    }

    /// How the output is read.
    pub(crate) fn target(&self) -> Target {
        match self.prediction {
            Prediction::Noise => Target::Noise,
            Prediction::Data => Target::Data,
            Prediction::V => Target::Velocity,
            Prediction::Score => Target::Score,
            Prediction::Edm => Target::Edm { sigma_data: self.sigma_data, finest: self.finest },
        }
    }

    /// c = ¼ ln √(σ²/α² + s²): the noise level as the network is told it.
    pub(crate) fn level(&self, k: Kernel) -> f64 {
        0.25 * k.ratio().hypot(self.finest).ln()
    }

    /// Names and shapes of the weights, in the order in which they are kept everywhere.
    pub fn layout(&self) -> Vec<(String, Vec<usize>)> {
        let (d, h, e) = (self.dim, self.width, self.embedding);
        let mut layers = vec![("embed".to_owned(), e, h), ("input".to_owned(), d, h)];
        layers.extend((0..self.depth).map(|i| (format!("hidden.{i}"), h, h)));
        layers.push(("output".to_owned(), h, d));
        let two = layers.into_iter().flat_map(|(name, from, to)| {
            [(format!("{name}.weight"), vec![to, from]), (format!("{name}.bias"), vec![to])]
        });
        two.collect()
    }
}

/// A network: frequencies, and weights in the order of [`MlpConfig::layout`].
#[derive(Clone, Debug)]
pub struct Mlp {
    config: MlpConfig,
    frequencies: Tensor,
    layers: Vec<Linear>,
}

impl Mlp {
    /// Fresh weights, uniform in ±1/√fan_in (PyTorch's default), and frequencies, from a key.
    ///
    /// # Errors
    /// If a tensor cannot be made on the device.
    pub fn fresh(config: &MlpConfig, key: &Key, device: &Device) -> Result<(Vec<Tensor>, Tensor)> {
        let key = key.branch("weights");
        let mut fan_in = 1;
        let weights = config.layout().into_iter().enumerate().map(|(i, (_, shape))| {
            if shape.len() == 2 {
                fan_in = shape[1];
            }
            let bound = 1.0 / (fan_in as f64).sqrt();
            let count: usize = shape.iter().product();
            let values =
                key.uniforms(i as u64, 0, count).into_iter().map(|u| (bound * (2.0 * u - 1.0)) as f32);
            Ok(Tensor::from_vec(values.collect::<Vec<_>>(), shape, device)?)
        });
        let weights = weights.collect::<Result<_>>()?;
        let half = config.embedding / 2;
        let frequencies = key.branch("frequencies").normals(0, 0, 1, half);
        let frequencies = frequencies.into_iter().map(|z| (z * config.scale) as f32).collect();
        Ok((weights, Tensor::from_vec(frequencies, (1, half), device)?))
    }

    /// A network of given weights; trainable ones stay trainable.
    ///
    /// # Errors
    /// If a weight has not the shape that the configuration asks for.
    pub fn new(config: MlpConfig, weights: &[Tensor], frequencies: &Tensor) -> Result<Self> {
        let layout = config.layout();
        if layout.len() != weights.len() {
            return Err(Error::shape("the list of weights", layout.len(), weights.len()));
        }
        for ((name, shape), weight) in layout.iter().zip(weights) {
            if weight.dims() != shape {
                return Err(Error::shape(name.clone(), shape, weight.dims()));
            }
        }
        if frequencies.dims() != [1, config.embedding / 2] {
            return Err(Error::shape("frequencies", [1, config.embedding / 2], frequencies.dims()));
        }
        let layers =
            weights.chunks(2).map(|pair| Linear::new(pair[0].clone(), Some(pair[1].clone()))).collect();
        Ok(Self { config, frequencies: frequencies.clone(), layers })
    }

    /// The configuration.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// Frequencies and weights, on the host.
    pub(super) fn host(&self) -> Result<(Vec<f32>, Vec<Vec<f32>>)> {
        let read = |t: &Tensor| Ok(t.flatten_all()?.to_vec1()?);
        let weights = self.layers.iter().flat_map(|l| [Some(l.weight()), l.bias()]).flatten().map(read);
        Ok((read(&self.frequencies)?, weights.collect::<Result<_>>()?))
    }

    /// F for x (B, D) in f32, at one kernel or at one for each row.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        let e = self.embed(at)?;
        let mut h = self.scaled(x, at)?;
        for layer in &self.layers[1..self.layers.len() - 1] {
            h = linear(layer, &h)?.broadcast_add(&e)?.silu()?;
        }
        linear(&self.layers[self.layers.len() - 1], &h)
    }

    /// F and its derivatives along tangents, by the chain rule layer by layer; SiLU'(z) = s + z s (1 − s), s = sigmoid(z).
    fn forward_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let e = self.embed(at)?;
        let mut h = self.scaled(x, at)?;
        let mut moved: Vec<Tensor> = tangents.iter().map(|u| self.scaled(u, at)).collect::<Result<_>>()?;
        for layer in &self.layers[1..self.layers.len() - 1] {
            let z = linear(layer, &h)?.broadcast_add(&e)?;
            h = z.silu()?;
            let p = candle_nn::ops::sigmoid(&z)?;
            let slope = (&p + (&h * (1.0 - &p)?)?)?;
            for u in &mut moved {
                *u = (u.matmul(&layer.weight().t()?)? * &slope)?;
            }
        }
        let output = &self.layers[self.layers.len() - 1];
        let moved = moved.iter().map(|u| Ok(u.matmul(&output.weight().t()?)?)).collect::<Result<_>>()?;
        Ok((linear(output, &h)?, moved))
    }

    /// e: (1, H), or (B, H) for a kernel per row.
    pub(super) fn embed(&self, at: &[Kernel]) -> Result<Tensor> {
        let levels: Vec<f64> = at.iter().map(|&k| self.config.level(k)).collect();
        let turns = model::column(&levels, &self.frequencies)?.broadcast_mul(&self.frequencies)?;
        // Whole turns are taken off while that is exact.
        let phase = ((&turns - turns.round()?)? * std::f64::consts::TAU)?;
        let features = Tensor::cat(&[phase.sin()?, phase.cos()?], D::Minus1)?;
        Ok(linear(&self.layers[0], &features)?.silu()?)
    }

    /// x/S.
    fn scaled(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        let by: Vec<f64> = at.iter().map(|&k| self.inverse_deviation(k)).collect();
        model::scale(x, &by)
    }

    /// 1/S.
    pub(super) fn inverse_deviation(&self, k: Kernel) -> f64 {
        1.0 / k.deviation(self.config.sigma_data)
    }
}

/// W x + b for rows x.
fn linear(layer: &Linear, x: &Tensor) -> Result<Tensor> {
    let y = x.matmul(&layer.weight().t()?)?;
    Ok(match layer.bias() {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

impl ScoreModel for Mlp {
    fn dim(&self) -> usize {
        self.config.dim
    }

    fn target(&self) -> Target {
        self.config.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        model::check(x, self.config.dim, at)?;
        Ok(self.forward(&x.to_dtype(DType::F32)?, at)?.to_dtype(x.dtype())?)
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        model::check(x, self.config.dim, at)?;
        let dtype = x.dtype();
        let tangents: Vec<Tensor> =
            tangents.iter().map(|u| u.to_dtype(DType::F32)).collect::<candle_core::Result<_>>()?;
        let (value, slopes) = self.forward_jvp(&x.to_dtype(DType::F32)?, &tangents, at)?;
        let slopes = slopes.iter().map(|s| s.to_dtype(dtype)).collect::<candle_core::Result<_>>()?;
        Ok((value.to_dtype(dtype)?, slopes))
    }

    /// Whatever the dtype of x, it computes in f32.
    fn rounding(&self, _: DType) -> f64 {
        f64::from(f32::EPSILON)
    }

    /// A layer before and after its activation, and what lies between.
    fn room(&self) -> usize {
        5 * self.config.width + 2 * self.config.embedding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(config: MlpConfig) -> Mlp {
        let (weights, frequencies) = Mlp::fresh(&config, &Key::root(3), &Device::Cpu).unwrap();
        Mlp::new(config, &weights, &frequencies).unwrap()
    }

    #[test]
    fn the_reference_network_has_its_published_size() {
        let count: usize =
            MlpConfig::reference(2).layout().iter().map(|(_, s)| s.iter().product::<usize>()).sum();
        assert_eq!(count, 58_498);
    }

    /// F by hand for a tiny network, in f64, straight from the header's formulae.
    #[test]
    fn forward_is_the_formula() {
        let config = MlpConfig {
            width: 3,
            depth: 1,
            embedding: 2,
            sigma_data: 0.7,
            finest: 0.3,
            ..MlpConfig::reference(2)
        };
        let (weights, frequencies) = Mlp::fresh(&config, &Key::root(9), &Device::Cpu).unwrap();
        let host = |t: &Tensor| -> Vec<f64> {
            t.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
        };
        let w: Vec<Vec<f64>> = weights.iter().map(host).collect();
        let f = host(&frequencies)[0];
        let (x, k) = ([0.4, -1.1], Kernel { alpha: 0.8, sigma: 0.5 });
        let act = |z: f64| z / (1.0 + (-z).exp());
        let linear = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
            b.iter()
                .enumerate()
                .map(|(i, b)| b + x.iter().enumerate().map(|(j, v)| w[i * x.len() + j] * v).sum::<f64>())
                .collect()
        };
        let phase = std::f64::consts::TAU * f * 0.125 * ((0.5f64 / 0.8).powi(2) + 0.09).ln();
        let e: Vec<f64> = linear(&w[0], &w[1], &[phase.sin(), phase.cos()]).into_iter().map(act).collect();
        let s = (0.64f64 * 0.49 + 0.25).sqrt();
        let add = |z: Vec<f64>| -> Vec<f64> { z.iter().zip(&e).map(|(z, e)| act(z + e)).collect() };
        let h = add(linear(&w[2], &w[3], &[x[0] / s, x[1] / s]));
        let h = add(linear(&w[4], &w[5], &h));
        let want = linear(&w[6], &w[7], &h);
        let net = Mlp::new(config, &weights, &frequencies).unwrap();
        let got: Vec<Vec<f64>> =
            net.raw(&Tensor::new(&[x], &Device::Cpu).unwrap(), &[k]).unwrap().to_vec2().unwrap();
        for (g, w) in got[0].iter().zip(want) {
            assert!((g - w).abs() < 1e-6, "{g} {w}");
        }
    }

    /// Derivatives against central differences of the f32 network (steps of 0.02: rounding and truncation both below 1e-4), with one
    /// kernel and with one per row; the value is the same as without derivatives.
    #[test]
    fn jvp_is_the_derivative() {
        let net = net(MlpConfig::reference(3));
        let x = Tensor::new(&[[0.3f64, -0.6, 1.0], [1.4, 0.2, -0.5]], &Device::Cpu).unwrap();
        // Fresh weights give small slopes, so tangents are long.
        let u = Tensor::new(&[[5f64, -10.0, 3.0], [7.0, 1.0, 9.0]], &Device::Cpu).unwrap();
        let kernels = [Kernel { alpha: 0.9, sigma: 0.4 }, Kernel { alpha: 0.3, sigma: 1.2 }];
        for at in [&kernels[..1], &kernels[..]] {
            let (value, slopes) = net.raw_jvp(&x, std::slice::from_ref(&u), at).unwrap();
            let gap = |a: &Tensor, b: &Tensor| -> f64 {
                (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
            };
            assert!(gap(&value, &net.raw(&x, at).unwrap()) < 1e-6);
            let h = 2e-3;
            let up = net.raw(&(&x + (&u * h).unwrap()).unwrap(), at).unwrap();
            let down = net.raw(&(&x - (&u * h).unwrap()).unwrap(), at).unwrap();
            let slope = ((up - down).unwrap() / (2.0 * h)).unwrap();
            assert!(gap(&slopes[0], &slope) < 2e-4, "{}", gap(&slopes[0], &slope));
            let size: f64 = slope.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
            assert!(size > 0.05, "the bound must mean something: {size}");
        }
    }

    #[test]
    fn one_kernel_is_the_same_as_one_per_row() {
        let net = net(MlpConfig::reference(2));
        let x = Tensor::new(&[[0.3f32, -0.6], [1.4, 0.2]], &Device::Cpu).unwrap();
        let k = Kernel { alpha: 0.9, sigma: 0.4 };
        let a: Vec<Vec<f32>> = net.raw(&x, &[k]).unwrap().to_vec2().unwrap();
        let b: Vec<Vec<f32>> = net.raw(&x, &[k, k]).unwrap().to_vec2().unwrap();
        for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
            assert!((a - b).abs() < 1e-6);
        }
        assert!(
            net.raw(&x, &[k, k, k]).is_err()
                && net.raw(&x.t().unwrap().narrow(0, 0, 1).unwrap().contiguous().unwrap(), &[k]).is_ok()
        );
        assert!(MlpConfig { embedding: 3, ..MlpConfig::reference(2) }.checked().is_err());
    }
}
