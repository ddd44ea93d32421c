//! SiLU(z) = z/(1 + e^(−z)) and its derivative s + z s (1 − s), s = 1/(1 + e^(−z)), for f32 on the CPU as one pass over memory in a
//! form that compilers vectorise; elsewhere candle's own operations. candle's CPU kernels call a scalar exponential per element.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor};

/// SiLU(z), differentiable.
pub(super) fn silu(z: &Tensor) -> Result<Tensor> {
    if fast(z) { z.apply_op1(Silu) } else { z.silu() }
}

/// SiLU'(z) · u, elementwise; not differentiable.
pub(super) fn silu_slope(z: &Tensor, u: &Tensor) -> Result<Tensor> {
    if fast(z) && fast(u) {
        return z.apply_op2_no_bwd(u, &Slope);
    }
    let s = candle_nn::ops::sigmoid(z)?;
    let h = (z * &s)?;
    u * ((&s + &h)? - (&h * &s)?)?
}

fn fast(z: &Tensor) -> bool {
    z.device().is_cpu() && z.dtype() == DType::F32 && z.is_contiguous()
}

struct Silu;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let z = values(storage, layout)?;
        let out: Vec<f32> = z.iter().map(|&z| z * sigmoid(z)).collect();
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, z: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        silu_slope(z, &gradient.contiguous()?).map(Some)
    }
}

struct Slope;

impl CustomOp2 for Slope {
    fn name(&self) -> &'static str {
        "silu-slope"
    }

    fn cpu_fwd(
        &self,
        z: &CpuStorage,
        at: &Layout,
        u: &CpuStorage,
        by: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (z, u) = (values(z, at)?, values(u, by)?);
        let slope = |(&z, &u): (&f32, &f32)| {
            let s = sigmoid(z);
            u * (s + z * s * (1.0 - s))
        };
        Ok((CpuStorage::F32(z.iter().zip(u).map(slope).collect()), at.shape().clone()))
    }
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (from, to) =
        layout.contiguous_offsets().ok_or_else(|| candle_core::Error::msg("silu needs contiguous values"))?;
    Ok(&storage.as_slice::<f32>()?[from..to])
}

fn sigmoid(z: f32) -> f32 {
    1.0 / (1.0 + exp(-z))
}

/// eˣ to 2 units in the last place, without branches or calls: x = n ln 2 + r, |r| ≤ ½ ln 2, a polynomial in r, and n into the
/// exponent's bits. Saturates outside [−87, 88]; NaN stays NaN.
fn exp(x: f32) -> f32 {
    /// 1.5 · 2²³: adding it rounds to an integer, whose bits are then the low ones.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, so that r is exact.
    let r = (x - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_65;
    let p = p * r + 0.5;
    let e = p * r * r + r + 1.0;
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127).wrapping_shl(23));
    e * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn exponential_to_two_units() {
        for i in -87_000..=88_000 {
            let x = i as f32 / 1000.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) / want - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "{x}");
        }
        assert!(exp(f32::NAN).is_nan() && exp(-1e9) < 2e-38 && exp(f32::INFINITY) > 1e38);
    }

    /// Value, gradient and slope against candle's own SiLU, large and tiny inputs included.
    #[test]
    fn agrees_with_candle() {
        let z: Vec<f32> = (-400..400).map(|i| i as f32 / 20.0).chain([1e-20, -1e-20, 80.0, -80.0]).collect();
        let var = Var::new(z.as_slice(), &Device::Cpu).unwrap();
        let host = |t: &Tensor| -> Vec<f32> { t.to_vec1().unwrap() };
        let (ours, theirs) = (silu(&var).unwrap(), var.silu().unwrap());
        let weights = Tensor::arange(0f32, z.len() as f32, &Device::Cpu).unwrap();
        let gradient = |y: &Tensor| {
            let loss = (y * &weights).unwrap().sum_all().unwrap();
            host(loss.backward().unwrap().get(&var).unwrap())
        };
        let slope = host(&silu_slope(&var, &weights).unwrap());
        let pairs = host(&ours).into_iter().zip(host(&theirs));
        // Gradients are multiplied by weights up to 804, and so is their rounding.
        let gradients =
            gradient(&ours).into_iter().zip(gradient(&theirs)).chain(gradient(&ours).into_iter().zip(slope));
        assert_eq!(host(&silu(&Tensor::new(&[1e30f32, -1e30], &Device::Cpu).unwrap()).unwrap())[0], 1e30);
        for (a, b, scale) in pairs.map(|(a, b)| (a, b, 1.0)).chain(gradients.map(|(a, b)| (a, b, 804.0))) {
            assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0) + 3e-8 * scale, "{a} {b}");
        }
        assert!(host(&silu(&Tensor::new(&[f32::NAN], &Device::Cpu).unwrap()).unwrap())[0].is_nan());
    }
}
