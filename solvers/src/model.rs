//! A score model: a network or a closed form that is told x and the kernel (α, σ), never the time.

use std::any::Any;
use std::cell::Cell;

use candle_core::{DType, Storage, Tensor, WithDType};

use crate::kernel::{Kernel, Row, Target};
use crate::{Error, Result};

/// A model of the noised data at any kernel.
///
/// `at` holds one kernel for the whole batch, or one for each row. A wrapper (counting, guidance, freezing) is a `ScoreModel`
/// around a `ScoreModel`.
pub trait ScoreModel: Send + Sync {
    /// The dimension D of the points.
    fn dim(&self) -> usize;

    /// What [`raw`](Self::raw) returns.
    fn target(&self) -> Target;

    /// The prediction for x of shape (B, D), of the same shape, dtype and device.
    ///
    /// # Errors
    /// If x is not (B, D), or `at` holds neither 1 nor B kernels.
    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor>;

    /// The prediction together with its directional derivatives J·v along each tangent v of shape (B, D).
    ///
    /// # Errors
    /// As [`raw`](Self::raw); and for a model that offers no derivative, which is the default.
    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let _ = (x, tangents, at);
        Err(Error::Unsupported("this model offers no derivative, which the likelihood needs".into()))
    }

    /// log p_t(x) in nats for every row, (B, 1), where the density is known. Not counted as an evaluation.
    ///
    /// # Errors
    /// As [`raw`](Self::raw); and for a model whose density is not known, which is the default.
    fn log_densities(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        let _ = (x, at);
        let what = "a Metropolis test needs a model whose density is known, such as model = \"exact\"";
        Err(Error::Unsupported(what.into()))
    }

    /// Whether a row's numbers depend on nothing but the row and its kernel, to the last bit: neither on its companions, nor on how many there
    /// are, nor on whether all share a kernel. Products of candle's matrices do not promise that, so the default is `false`; a sampler of
    /// reproducible rows asks such a model through [`Blocks`](crate::blocks::Blocks).
    fn rows_apart(&self) -> bool {
        false
    }

    /// The relative rounding error of the answers for x of a dtype: the dtype's own, or that of what the model computes in. Below it no
    /// tolerance has a meaning.
    fn rounding(&self, dtype: DType) -> f64 {
        rounding(dtype)
    }

    /// About how many numbers are alive at once for each row while the model is asked: what a batch needs of a card's memory.
    fn room(&self) -> usize {
        16 * self.dim()
    }

    /// The noised law at a kernel as a list of Gaussians, if it is one and the model predicts the noise.
    fn components(&self, at: Kernel) -> Option<Components> {
        let _ = at;
        None
    }

    /// The model itself, for what knows a faster way through one of its kind; wrappers and most models say nothing.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }
}

/// The distance from 1 to the next number of a dtype.
pub fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        _ => f64::from(f32::EPSILON),
    }
}

/// A mixture of Gaussians Σ w N(μ, C) at a kernel, in f32: ε̂ = σ Σ r C⁻¹ (x − μ) with responsibilities r.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// σ of the kernel.
    pub sigma: f32,
    /// The axes Q of each Gaussian, D × D row-major with axes in columns, the same at every kernel; `None` where all are the identity.
    pub axes: Option<Vec<f32>>,
    /// For each Gaussian D numbers Qᵀμ, D numbers 1/C in its axes, and log w − ½ log det C but for a constant.
    pub numbers: Vec<f32>,
}

/// What a model said about x, with what is needed to read it as any other quantity.
#[derive(Clone, Debug)]
pub struct Prediction {
    x: Tensor,
    raw: Tensor,
    target: Target,
    at: Vec<Kernel>,
}

impl Prediction {
    /// Asks `model` about x (B, D) at one kernel, or at one for each row.
    ///
    /// # Errors
    /// Those of the model.
    pub fn of(model: &dyn ScoreModel, x: &Tensor, at: &[Kernel]) -> Result<Self> {
        Ok(Self { x: x.clone(), raw: model.raw(x, at)?, target: model.target(), at: at.to_vec() })
    }

    /// The same without the graph that it came from.
    #[must_use]
    pub fn detach(self) -> Self {
        Self { x: self.x.detach(), raw: self.raw.detach(), ..self }
    }

    /// The quantity whose row at each kernel is `want`: c_x · x + c_raw · raw, with coefficients made on the host.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn read(&self, want: impl Fn(Kernel) -> Row) -> Result<Tensor> {
        self.read_rows(self.at.iter().map(|&k| want(k)))
    }

    /// The quantity with the given rows, one for each kernel.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn read_rows(&self, rows: impl Iterator<Item = Row>) -> Result<Tensor> {
        let known = self.at.iter().map(|&k| (k, k.row(self.target)));
        let (cx, cr): (Vec<f64>, Vec<f64>) =
            known.zip(rows).map(|((k, raw), want)| k.read(raw, want)).unzip();
        combine(&self.x, &self.raw, &cx, &cr)
    }

    /// The score ∇log p_t(x).
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn score(&self) -> Result<Tensor> {
        self.read(|k| k.row(Target::Score))
    }

    /// The denoised point E[x₀ | x], Tweedie's formula.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn denoised(&self) -> Result<Tensor> {
        self.read(|k| k.row(Target::Data))
    }

    /// The noise ε̂ = −σ ∇log p_t(x).
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn noise(&self) -> Result<Tensor> {
        self.read(|k| k.row(Target::Noise))
    }
}

/// c_x · x + c_raw · raw.
fn combine(x: &Tensor, raw: &Tensor, cx: &[f64], cr: &[f64]) -> Result<Tensor> {
    Ok((scale(x, cx)? + scale(raw, cr)?)?)
}

/// x times one number for the whole batch, or one for each row.
pub fn scale(x: &Tensor, by: &[f64]) -> Result<Tensor> {
    match by {
        [one] => Ok((x * *one)?),
        rows => Ok(x.broadcast_mul(&column(rows, x)?)?),
    }
}

/// Host numbers as a (len, 1) tensor of the dtype and on the device of `like`.
pub fn column(values: &[f64], like: &Tensor) -> Result<Tensor> {
    tensor(values.to_vec(), (values.len(), 1), like)
}

/// Host numbers as a tensor of the dtype and on the device of `like`.
pub fn tensor(values: Vec<f64>, shape: impl Into<candle_core::Shape>, like: &Tensor) -> Result<Tensor> {
    let shape = shape.into();
    Ok(match like.dtype() {
        DType::F32 => {
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            Tensor::from_vec(values, shape, like.device())?
        }
        dtype => Tensor::from_vec(values, shape, like.device())?.to_dtype(dtype)?,
    })
}

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// The numbers of a tensor, row-major, in f64: the one place of this crate that reads a device, and waits for it.
///
/// # Errors
/// If the tensor cannot be read.
#[expect(clippy::disallowed_methods, reason = "counted; what a step needs of it is for tests to say")]
pub fn read(x: &Tensor) -> Result<Vec<f64>> {
    READS.set(READS.get() + 1);
    Ok(x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}

/// The same, by rows, of a tensor (B, W).
///
/// # Errors
/// If it is not (B, W), or cannot be read.
pub fn read_rows(x: &Tensor) -> Result<Vec<Vec<f64>>> {
    let width = x.dims2()?.1;
    Ok(read(x)?.chunks_exact(width.max(1)).map(<[f64]>::to_vec).collect())
}

/// How often this thread has called [`read`].
pub fn reads() -> u64 {
    READS.get()
}

/// The numbers of a tensor on the CPU, row-major, as f32.
///
/// # Errors
/// If it lies elsewhere.
pub fn host(x: &Tensor) -> Result<Vec<f32>> {
    numbers(&x.to_dtype(DType::F32)?)
}

/// The same as f64.
///
/// # Errors
/// If it lies elsewhere.
pub fn host_f64(x: &Tensor) -> Result<Vec<f64>> {
    numbers(&x.to_dtype(DType::F64)?)
}

fn numbers<T: WithDType>(x: &Tensor) -> Result<Vec<T>> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return Err(Error::Unsupported("this form of the model runs on the CPU only".into()));
    };
    let (from, to) = layout.contiguous_offsets().unwrap_or((0, 0));
    Ok(storage.as_slice::<T>()?[from..to].to_vec())
}

/// B of an x that must be (B, dim), with 1 or B kernels.
///
/// # Errors
/// If the shape or the number of kernels does not fit.
pub fn check(x: &Tensor, dim: usize, at: &[Kernel]) -> Result<usize> {
    let (rows, columns) = x.dims2()?;
    if columns != dim {
        return Err(Error::shape("x", format!("(B, {dim})"), x.dims()));
    }
    if at.is_empty() || (at.len() != 1 && at.len() != rows) {
        return Err(Error::shape("the list of kernels", format!("1 or {rows}"), at.len()));
    }
    Ok(rows)
}
