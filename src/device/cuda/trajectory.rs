//! Whole trajectories.

use candle_core::cuda::cudarc::driver::sys::CUdevice_attribute;
use candle_core::cuda::cudarc::driver::{CudaView, PushKernelArg};
use candle_core::{DType, Device, Tensor};
use tweedie_solvers::{Error, Result};

use super::{card, failed, kernel, launch_config, shared_memory, tensor, with_numbers};
use crate::device::{Trajectory, Weights};

pub(super) const SOURCE: &str = include_str!("../kernels/trajectory.cu");

pub(in crate::device) fn trajectory(of: &Trajectory<'_>, x: &Tensor) -> Result<Option<Tensor>> {
    let Device::Cuda(device) = x.device() else { return Ok(None) };
    let Weights { dim, width, depth, .. } = *of.weights;
    let (rows, columns) = x.dims2()?;
    if x.dtype() != DType::F32 || columns != dim || u32::try_from(rows * dim).is_err() {
        return Ok(None);
    }
    let multiprocessors = card(device, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
    let Some(tall) = of.tall(rows, multiprocessors, shared_memory(device)?) else { return Ok(None) };
    // What the kernel trusts.
    let questions = of.scales.len();
    let (operations, terms) = (of.ops.len() / 4, of.term_slots.len());
    let known = of.ops.chunks(4).all(|op| {
        let (from, to) = (op[2] as usize, op[2] as usize + op[3] as usize);
        (op[1] as usize) < of.slots
            && match op[0] {
                0 => to <= terms,
                1 => from < of.slots && (op[3] as usize) < questions,
                _ => true,
            }
    });
    let slots = of.term_slots.iter().all(|&slot| (slot as usize) < of.slots) && of.end < of.slots;
    if !(known && slots && of.term_by.len() == terms && of.e.dims() == [questions, width])
        || of.weights.list.dims() != [of.weights.count()]
    {
        return Err(Error::Solve("a tape or a network that contradicts itself".into()));
    }
    let defined = [("WIDTH", width), ("TALL", tall), ("DIM", dim), ("DEPTH", depth)];
    let function = kernel(device, "trajectory", SOURCE, &defined)?;
    // A block's weights stay where they are while it goes on to other rows.
    let count = rows.div_ceil(of.rows(tall)).clamp(1, multiprocessors.max(1));
    let config = launch_config(&function, count, of.shared(tall))?;
    let stream = device.cuda_stream();
    let scales = device.clone_htod(&of.scales)?;
    let ops = device.clone_htod(&of.ops)?;
    // A list of nothing has no place on a card.
    let term_slots = device.clone_htod(&[&of.term_slots[..], &[0]].concat())?;
    let term_by = device.clone_htod(&[&of.term_by[..], &[0.0]].concat())?;
    let key = device.clone_htod(&of.key)?;
    let launch = |weights: CudaView<'_, f32>, e: CudaView<'_, f32>, start: CudaView<'_, f32>| {
        let mut x = stream.clone_dtod(&start).map_err(|e| failed("copying the start", e))?;
        let (operations, rows, end) = (operations as u32, rows as u32, of.end as u32);
        let mut launch = stream.launch_builder(&function);
        launch.arg(&weights).arg(&scales).arg(&e).arg(&ops).arg(&operations).arg(&term_slots).arg(&term_by);
        launch.arg(&key).arg(&of.first).arg(&mut x).arg(&rows).arg(&end);
        // SAFETY: all lists have the lengths that are checked above, x holds rows × dim numbers, and the block has the shared memory that
        // the kernel divides.
        unsafe { launch.launch(config) }.map_err(|e| failed("a trajectory", e))?;
        Ok(x)
    };
    let x = x.contiguous()?;
    let end = with_numbers(&of.weights.list, |weights| {
        with_numbers(&of.e, |e| with_numbers(&x, |start| launch(weights, e, start)))
    })?;
    Ok(end.flatten().flatten().map(|numbers| tensor(numbers, (rows, dim), device)))
}
