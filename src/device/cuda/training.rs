//! Updates of a network.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::cuda::cudarc::driver::{CudaFunction, CudaSlice, PushKernelArg};
use candle_core::{CudaDevice, Device};
use tweedie_solvers::{Error, Result};

use super::{failed, kernel, launch_config, shared_memory};
use crate::device::training::{ROWS, TILES_ROOM};
use crate::device::{Shape, THREADS};

pub(super) const SOURCE: &str = include_str!("../kernels/training.cu");
pub(super) const KERNELS: [&str; 3] = ["rows_gradient", "weights_gradient", "adam"];

/// A training run on a card.
pub struct Training {
    shape: Shape,
    device: CudaDevice,
    kernels: [CudaFunction; 3],
    frequencies: CudaSlice<f32>,
    layers: CudaSlice<u32>,
    tiles: CudaSlice<u32>,
    moving: Mutex<Moving>,
}

/// What updates change.
struct Moving {
    /// Weights, their average, first and second moments.
    state: [CudaSlice<f32>; 4],
    transposed: CudaSlice<f32>,
    gradient: CudaSlice<f32>,
    squares: CudaSlice<f64>,
    room: Option<Room>,
}

/// Room for what the layers are given and their gradients, for some number of rows.
struct Room {
    rows: usize,
    inputs: CudaSlice<f32>,
    deltas: CudaSlice<f32>,
    losses: CudaSlice<f64>,
}

impl fmt::Debug for Training {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Training").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Training {
    /// A run at a state: weights, their average, first and second moments, packed. `None` if the device has no kernels, or a block too little
    /// memory.
    pub fn new(
        shape: Shape,
        frequencies: &[f32],
        state: &[Vec<f32>; 4],
        device: &Device,
    ) -> Result<Option<Self>> {
        let Device::Cuda(device) = device else { return Ok(None) };
        if shape.shared() > shared_memory(device)? {
            return Ok(None);
        }
        if state.iter().any(|list| list.len() != shape.count()) || frequencies.len() != shape.embedding / 2 {
            return Err(Error::Solve("a state that is not of its network's shape".into()));
        }
        let [rows, weights, adam] = KERNELS.map(|name| kernel(device, name, SOURCE, &shape.defined()));
        let up = |list: &[f32]| device.clone_htod(list);
        let [w, average, first, second] = state;
        let tiles = shape.tile_list();
        let moving = Moving {
            state: [up(w)?, up(average)?, up(first)?, up(second)?],
            // A list of nothing has no place on a card.
            transposed: up(&[shape.transposed(w), vec![0.0]].concat())?,
            gradient: device.alloc_zeros(shape.count())?,
            squares: device.alloc_zeros(tiles.len() / 3)?,
            room: None,
        };
        Ok(Some(Self {
            kernels: [rows?, weights?, adam?],
            frequencies: up(frequencies)?,
            layers: device.clone_htod(&shape.layer_list())?,
            tiles: device.clone_htod(&tiles)?,
            moving: Mutex::new(moving),
            device: device.clone(),
            shape,
        }))
    }

    /// The gradient for rows of [`Shape::goal`] numbers; then, with a plan and a clip, an update. The loss before it.
    fn run(&self, moving: &mut Moving, goals: &[f32], update: Option<([f32; 10], f64)>) -> Result<f64> {
        let rows = goals.len() / self.shape.goal();
        if rows == 0 || goals.len() != rows * self.shape.goal() {
            return Err(Error::Solve("goals that are not of their network's shape".into()));
        }
        let (device, stream) = (&self.device, self.device.cuda_stream());
        let [rows_gradient, weights_gradient, adam] = &self.kernels;
        let (inputs, deltas) = self.shape.columns();
        let (blocks, tiles) = (rows.div_ceil(ROWS), self.tiles.len() / 3);
        let Moving { state: [weights, average, first, second], transposed, gradient, squares, room } = moving;
        let room = match room {
            Some(room) if room.rows == rows => room,
            other => other.insert(Room {
                rows,
                inputs: device.alloc_zeros(rows * inputs)?,
                deltas: device.alloc_zeros(rows * deltas)?,
                losses: device.alloc_zeros(blocks)?,
            }),
        };
        let goals = device.clone_htod(goals)?;
        let (all, blocks_all, tiles_all) = (rows as u32, blocks as u32, tiles as u32);
        // SAFETY, of all three: every list has the length that the shape says, which is what the kernels go by, since `new` and the lines above
        // have made them so, and the blocks have the memory that the kernels divide.
        let mut launch = stream.launch_builder(rows_gradient);
        launch.arg(&*weights).arg(&*transposed).arg(&self.frequencies).arg(&goals);
        launch.arg(&mut room.inputs).arg(&mut room.deltas).arg(&mut room.losses).arg(&all);
        let config = launch_config(device, rows_gradient, blocks, self.shape.shared())?;
        unsafe { launch.launch(config) }.map_err(|e| failed("a gradient", e))?;
        let mut launch = stream.launch_builder(weights_gradient);
        launch.arg(&self.layers).arg(&self.tiles).arg(&room.inputs).arg(&room.deltas);
        launch.arg(&mut *gradient).arg(&mut *squares).arg(&all);
        let config = launch_config(device, weights_gradient, tiles, TILES_ROOM)?;
        unsafe { launch.launch(config) }.map_err(|e| failed("a gradient", e))?;
        if let Some((plan, clip)) = update {
            let (plan, count) = (device.clone_htod(&plan)?, self.shape.count() as u32);
            let mut launch = stream.launch_builder(adam);
            launch.arg(weights).arg(transposed).arg(first).arg(second).arg(average).arg(&*gradient);
            launch.arg(&*squares).arg(&tiles_all).arg(&room.losses).arg(&blocks_all).arg(&plan).arg(&clip);
            launch.arg(&count);
            let config = launch_config(device, adam, self.shape.count().div_ceil(THREADS), TILES_ROOM)?;
            unsafe { launch.launch(config) }.map_err(|e| failed("an update", e))?;
        }
        Ok(device.clone_dtoh(&room.losses)?.iter().sum())
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gradient for rows of [`Shape::goal`] numbers, packed, and the loss.
    pub fn gradient(&self, goals: &[f32]) -> Result<(Vec<f32>, f64)> {
        let mut moving = self.moving();
        let loss = self.run(&mut moving, goals, None)?;
        Ok((self.device.clone_dtoh(&moving.gradient)?, loss))
    }

    /// An update by Adam's plan, with gradients of a norm above `clip` scaled down to it, 0 for none; the loss before it.
    pub fn step(&self, goals: &[f32], plan: [f32; 10], clip: f64) -> Result<f64> {
        self.run(&mut self.moving(), goals, Some((plan, clip)))
    }

    /// Weights, their average, first and second moments, packed.
    pub fn state(&self) -> Result<[Vec<f32>; 4]> {
        let moving = self.moving();
        let [a, b, c, d] = &moving.state;
        let down = |list: &CudaSlice<f32>| self.device.clone_dtoh(list);
        Ok([down(a)?, down(b)?, down(c)?, down(d)?])
    }
}
