//! Whole trajectories.

use candle_core::cuda::cudarc::driver::sys::CUdevice_attribute;
use candle_core::cuda::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{CudaDevice, DType, Device, Tensor};
use tweedie_solvers::{Error, Result};

use super::{card, failed, kernel, launch_config, shared_memory, tensor, with_numbers};
use crate::device::{MixtureTrajectory, Played, Program, THREADS, Trajectory, Weights};

pub(super) const SOURCE: &str = include_str!("../kernels/trajectory.cu");
pub(super) const MIXTURE: &str = include_str!("../kernels/mixture.cu");

fn multiprocessors(device: &CudaDevice) -> Result<usize> {
    Ok(card(device, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1))
}

/// The card of points in f32 that are the rows of a program.
fn place<'a>(x: &'a Tensor, dim: usize, program: &Program) -> Result<Option<&'a CudaDevice>> {
    let rows = program.rows();
    let fits = x.dtype() == DType::F32 && x.dims2()? == (rows, dim) && u32::try_from(rows * dim).is_ok();
    Ok(match x.device() {
        Device::Cuda(device) if fits => Some(device),
        _ => None,
    })
}

fn contradiction() -> Error {
    Error::Solve("a tape and a model that contradict each other".into())
}

/// Tapes on the card.
struct Loaded {
    ops: CudaSlice<u32>,
    term_slots: CudaSlice<u32>,
    term_by: CudaSlice<f64>,
    runs: CudaSlice<u32>,
    tiles: u32,
}

impl Loaded {
    fn new(program: &Program, tile: usize, device: &CudaDevice) -> Result<Self> {
        if !program.holds() {
            return Err(contradiction());
        }
        let (runs, tiles) = program.run_list(tile);
        Ok(Self {
            ops: device.clone_htod(&program.ops)?,
            // A list of nothing has no place on a card.
            term_slots: device.clone_htod(&[&program.term_slots[..], &[0]].concat())?,
            term_by: device.clone_htod(&[&program.term_by[..], &[0.0]].concat())?,
            runs: device.clone_htod(&runs)?,
            tiles,
        })
    }
}

/// What a launch left.
fn played(
    left: Option<(CudaSlice<f32>, CudaSlice<u32>)>,
    shape: (usize, usize),
    device: &CudaDevice,
) -> Result<Option<Played>> {
    let Some((numbers, asked)) = left else { return Ok(None) };
    let asked = device.clone_dtoh(&asked)?;
    Ok(Some(Played { end: tensor(numbers, shape, device), asked }))
}

pub(in crate::device) fn trajectory(of: &Trajectory<'_>, x: &Tensor) -> Result<Option<Played>> {
    let Weights { dim, width, depth, .. } = *of.weights;
    let program = &of.program;
    let Some(device) = place(x, dim, program)? else { return Ok(None) };
    let multiprocessors = multiprocessors(device)?;
    let Some(tall) = of.tall(multiprocessors, shared_memory(device)?) else { return Ok(None) };
    let questions = program.questions.len();
    if of.scales.len() != questions
        || of.e.dims() != [questions, width]
        || of.weights.list.dims() != [of.weights.count()]
    {
        return Err(contradiction());
    }
    let tapes = Loaded::new(program, of.rows(tall), device)?;
    let defined = [("WIDTH", width), ("TALL", tall), ("DIM", dim), ("DEPTH", depth)];
    let function = kernel(device, "trajectory", SOURCE, &defined)?;
    // A block's weights stay where they are while it goes on to other rows.
    let blocks = (tapes.tiles as usize).clamp(1, multiprocessors);
    let config = launch_config(device, &function, blocks, of.shared(tall))?;
    let stream = device.cuda_stream();
    let scales = device.clone_htod(&of.scales)?;
    let launch = |weights: CudaView<'_, f32>, e: CudaView<'_, f32>, start: CudaView<'_, f32>| {
        let mut x = stream.clone_dtod(&start).map_err(|e| failed("copying the start", e))?;
        let mut asked = device.clone_htod(&vec![0u32; program.rows()])?;
        let mut launch = stream.launch_builder(&function);
        launch.arg(&weights).arg(&scales).arg(&e).arg(&tapes.ops).arg(&tapes.term_slots).arg(&tapes.term_by);
        launch.arg(&tapes.runs).arg(&tapes.tiles).arg(&mut x).arg(&mut asked);
        // SAFETY: all lists have the lengths that are checked above, x and asked hold the rows of all runs, and the block has the shared memory that
        // the kernel divides.
        unsafe { launch.launch(config) }.map_err(|e| failed("a trajectory", e))?;
        Ok((x, asked))
    };
    let x = x.contiguous()?;
    let end = with_numbers(&of.weights.list, |weights| {
        with_numbers(&of.e, |e| with_numbers(&x, |start| launch(weights, e, start)))
    })?;
    played(end.flatten().flatten(), (program.rows(), dim), device)
}

pub(in crate::device) fn mixture(of: &MixtureTrajectory, x: &Tensor) -> Result<Option<Played>> {
    let (dim, program) = (of.dim, &of.program);
    let Some(device) = place(x, dim, program)? else { return Ok(None) };
    if of.shared() > shared_memory(device)? {
        return Ok(None);
    }
    let questions = program.questions.len();
    // The Gaussians of each question, of which there are some, come one after the other, and each has its axes.
    let counts = || of.starts.windows(2).map(|pair| (pair[1] as usize).checked_sub(pair[0] as usize));
    let most = counts().max().flatten().unwrap_or(0);
    if (of.starts.len(), of.sigmas.len()) != (questions + 1, questions)
        || counts().any(|count| count.is_none_or(|n| n == 0))
        || of.starts.last().map(|&n| n as usize * (2 * dim + 1)) != Some(of.components.len())
        || !(of.axes.is_empty() || of.axes.len() >= most * dim * dim)
    {
        return Err(contradiction());
    }
    let tapes = Loaded::new(program, THREADS, device)?;
    let function = kernel(device, "mixture", MIXTURE, &of.defined())?;
    let config = launch_config(device, &function, tapes.tiles.max(1) as usize, of.shared())?;
    let stream = device.cuda_stream();
    let axes = device.clone_htod(&[&of.axes[..], &[0.0]].concat())?;
    let components = device.clone_htod(&of.components)?;
    let starts = device.clone_htod(&of.starts)?;
    let sigmas = device.clone_htod(&of.sigmas)?;
    let x = x.contiguous()?;
    let end = with_numbers(&x, |start| {
        let mut x = stream.clone_dtod(&start).map_err(|e| failed("copying the start", e))?;
        let mut asked = device.clone_htod(&vec![0u32; program.rows()])?;
        let mut launch = stream.launch_builder(&function);
        launch.arg(&axes).arg(&components).arg(&starts).arg(&sigmas);
        launch.arg(&tapes.ops).arg(&tapes.term_slots).arg(&tapes.term_by);
        launch.arg(&tapes.runs).arg(&tapes.tiles).arg(&mut x).arg(&mut asked);
        // SAFETY: as above.
        unsafe { launch.launch(config) }.map_err(|e| failed("a trajectory", e))?;
        Ok((x, asked))
    })?;
    played(end, (program.rows(), dim), device)
}
