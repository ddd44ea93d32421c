//! The kernels on a CUDA card: compiled at the first use, loaded once for each device, launched on candle's stream. Beside `main`, the only
//! place with `unsafe` in it.
//!
//! A launch is sound if the kernel reads and writes inside what it is given. Each function therefore checks all lengths that the kernel's
//! loops rest on, and hands over slices of candle's and its own making, which cudarc keeps alive and in order until the kernel is done; the
//! tests run the same kernels on the CPU.
#![expect(unsafe_code, reason = "kernels are launched")]

mod training;
mod trajectory;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use candle_core::cuda::cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute_enum};
use candle_core::cuda::cudarc::driver::{CudaFunction, CudaSlice, CudaView, LaunchConfig, PushKernelArg};
use candle_core::cuda::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Device, Shape, Storage, Tensor};
use tweedie_solvers::{Error, Key, Result};

pub use training::Training;
pub(super) use trajectory::{mixture, trajectory};

use super::THREADS;

const WORDS: &str = include_str!("../kernels/cuda.cuh");
const TAPE: &str = include_str!("../kernels/tape.cuh");
const RANDOM: &str = include_str!("../kernels/random.cuh");
const ELEMENTWISE: &str = include_str!("../kernels/elementwise.cu");

/// Blocks of a launch that goes over its numbers in strides.
const BLOCKS: u32 = 4096;

fn failed(what: &str, error: impl std::fmt::Debug) -> Error {
    Error::Solve(format!("{what} on the CUDA card failed: {error:?}"))
}

/// A kernel's source as PTX for cards of a compute capability.
fn compile(name: &str, source: &str, defined: &[(&str, usize)], card: (i32, i32)) -> Result<String> {
    let source = source.replace("#include \"tape.cuh\"", TAPE).replace("#include \"random.cuh\"", RANDOM);
    let source = format!("{WORDS}{source}");
    let mut options = vec![format!("--gpu-architecture=compute_{}{}", card.0, card.1)];
    options.extend(defined.iter().map(|(name, value)| format!("-D{name}={value}")));
    let options = CompileOptions { options, name: Some(format!("{name}.cu")), ..CompileOptions::default() };
    let ptx = compile_ptx_with_opts(source, options).map_err(|e| failed(&format!("compiling {name}"), e))?;
    Ok(ptx.to_src())
}

/// A kernel; its source is compiled for the card at the first use.
fn kernel(device: &CudaDevice, name: &str, source: &str, defined: &[(&str, usize)]) -> Result<CudaFunction> {
    /// PTX by what it was made of.
    static COMPILED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let stream = device.cuda_stream();
    let card = stream.context().compute_capability().map_err(|e| failed("a question to the driver", e))?;
    let module = format!("{name} {defined:?} {card:?}");
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if !compiled.contains_key(&module) {
        compiled.insert(module.clone(), compile(name, source, defined, card)?);
    }
    Ok(device.get_or_load_custom_func(name, &module, &compiled[&module])?.into_cuda_function())
}

/// The numbers of a tensor that lies on the card in f32, row-major; `None` for another.
fn with_numbers<T>(x: &Tensor, then: impl FnOnce(CudaView<'_, f32>) -> Result<T>) -> Result<Option<T>> {
    let (storage, layout) = x.storage_and_layout();
    let (Storage::Cuda(storage), Some((from, to))) = (&*storage, layout.contiguous_offsets()) else {
        return Ok(None);
    };
    if x.dtype() != DType::F32 {
        return Ok(None);
    }
    then(storage.as_cuda_slice::<f32>()?.slice(from..to)).map(Some)
}

fn tensor(numbers: CudaSlice<f32>, shape: impl Into<Shape>, device: &CudaDevice) -> Tensor {
    let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(numbers, device.clone()));
    Tensor::from_storage(storage, shape, BackpropOp::none(), false)
}

/// What the driver says about the card.
fn card(device: &CudaDevice, what: CUdevice_attribute) -> Result<usize> {
    let stream = device.cuda_stream();
    stream.context().attribute(what).map(|n| n as usize).map_err(|e| failed("a question to the driver", e))
}

/// Bytes of shared memory that a block may have.
fn shared_memory(device: &CudaDevice) -> Result<usize> {
    card(device, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
}

/// A launch of blocks that each have some shared memory.
fn launch_config(
    device: &CudaDevice,
    function: &CudaFunction,
    blocks: usize,
    shared: usize,
) -> Result<LaunchConfig> {
    // All that there is: threads share the function, and one that set what it needs would take from others what they do.
    let limit = CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    let all = shared_memory(device)? as i32;
    function.set_attribute(limit, all).map_err(|e| failed("asking for shared memory", e))?;
    Ok(LaunchConfig {
        grid_dim: (blocks as u32, 1, 1),
        block_dim: (THREADS as u32, 1, 1),
        shared_mem_bytes: shared as u32,
    })
}

fn strided(count: usize) -> LaunchConfig {
    let blocks = (count.div_ceil(THREADS) as u32).clamp(1, BLOCKS);
    LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 }
}

pub(super) fn sum(terms: &[(&Tensor, f64)]) -> Result<Option<Tensor>> {
    let Some(Device::Cuda(device)) = terms.first().map(|(x, _)| x.device()) else { return Ok(None) };
    let shape = terms[0].0.shape();
    let f32s = |x: &Tensor| x.dtype() == DType::F32 && x.is_contiguous() && x.shape() == shape;
    if !terms.iter().all(|(x, _)| f32s(x) && x.device().same_device(terms[0].0.device())) {
        return Ok(None);
    }
    let count = shape.elem_count();
    let function = kernel(device, "weighted_sum", ELEMENTWISE, &[])?;
    let stream = device.cuda_stream();
    // SAFETY: every number is written by the first launch, which has `more` = 0, before anything reads it.
    let mut out = unsafe { device.alloc::<f32>(count) }?;
    for (part, terms) in terms.chunks(8).enumerate() {
        let guards: Vec<_> = terms.iter().map(|(x, _)| x.storage_and_layout()).collect();
        let slices = guards.iter().map(|(storage, layout)| match &**storage {
            Storage::Cuda(storage) => {
                let from = layout.start_offset();
                Ok(storage.as_cuda_slice::<f32>()?.slice(from..from + count))
            }
            _ => Err(Error::Unsupported("a sum over tensors of two devices".into())),
        });
        let slices = slices.collect::<Result<Vec<_>>>()?;
        let (all, used, more) = (count as u64, terms.len() as u32, u32::from(part > 0));
        let by: [f64; 8] = std::array::from_fn(|i| terms.get(i).map_or(0.0, |t| t.1));
        let mut launch = stream.launch_builder(&function);
        launch.arg(&mut out).arg(&all).arg(&used).arg(&more);
        for i in 0..8 {
            launch.arg(slices.get(i).unwrap_or(&slices[0]));
        }
        for by in &by {
            launch.arg(by);
        }
        // SAFETY: `out` and every x hold `count` numbers, and the kernel reads `used` ≤ 8 lists of them, below `count`.
        unsafe { launch.launch(strided(count)) }.map_err(|e| failed("a sum", e))?;
    }
    Ok(Some(tensor(out, shape, device)))
}

pub(super) fn normals(
    key: &Key,
    address: u64,
    (first, rows, dim): (u64, usize, usize),
    device: &Device,
) -> Result<Option<Tensor>> {
    let Device::Cuda(device) = device else { return Ok(None) };
    let function = kernel(device, "standard_normals", ELEMENTWISE, &[])?;
    let stream = device.cuda_stream();
    // SAFETY: the kernel writes every number.
    let mut out = unsafe { device.alloc::<f32>(rows * dim) }?;
    let key = device.clone_htod(&key.words())?;
    let (all, width) = (rows as u64, dim as u32);
    let mut launch = stream.launch_builder(&function);
    launch.arg(&mut out).arg(&all).arg(&width).arg(&key).arg(&address).arg(&first);
    // SAFETY: `out` holds rows × dim numbers, of which each thread writes some, and `key` 8 words.
    unsafe { launch.launch(strided(rows * dim.div_ceil(2))) }.map_err(|e| failed("drawing normals", e))?;
    Ok(Some(tensor(out, (rows, dim), device)))
}

/// Bytes of memory that are free on a card.
pub(super) fn free(device: &Device) -> Option<usize> {
    let Device::Cuda(device) = device else { return None };
    device.cuda_stream().context().mem_get_info().ok().map(|(free, _)| free)
}

#[cfg(test)]
mod tests {
    use super::super::trajectory::TALLEST;
    use super::*;

    /// All sources compile, for the cards of several generations; this needs the compiler's library, not a card.
    #[test]
    fn kernels_compile() {
        let compiled = |name: &str, source: &str, defined: &[(&str, usize)], card| {
            assert!(compile(name, source, defined, card).unwrap().contains(name));
        };
        for card in [(7, 5), (8, 0), (9, 0)] {
            for name in ["weighted_sum", "standard_normals"] {
                compiled(name, ELEMENTWISE, &[], card);
            }
            for (dim, axes) in [(1, 0), (2, 1), (16, 1)] {
                compiled("mixture", trajectory::MIXTURE, &[("DIM", dim), ("AXES", axes)], card);
            }
            for (width, dim, depth) in [(64, 2, 3), (128, 1, 0), (128, 4, 3)] {
                for tall in 1..=TALLEST {
                    let defined = [("WIDTH", width), ("TALL", tall), ("DIM", dim), ("DEPTH", depth)];
                    compiled("trajectory", trajectory::SOURCE, &defined, card);
                }
                let defined = [("WIDTH", 4 * width), ("DIM", 7 * dim), ("DEPTH", depth), ("EMBEDDING", 34)];
                for name in training::KERNELS {
                    compiled(name, training::SOURCE, &defined, card);
                }
            }
        }
    }
}
