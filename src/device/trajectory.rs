//! What the kernel of whole trajectories (`trajectory.cu`) is given: a tape and a network as flat lists, and where they fit.

use candle_core::Tensor;
use tweedie_solvers::Result;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::noise::Stream;
use tweedie_solvers::tape::{Op, Tape};

/// Threads of a block.
pub const THREADS: usize = 256;

/// Hidden layers of this width at most fit into a block's shared memory.
const WIDEST: usize = 128;

/// Rows for each thread at most: more do not fit into its registers.
pub(super) const TALLEST: usize = 7;

/// The most coordinates that a row may have.
const DIMS: usize = 4;

/// The weights of a multilayer perceptron as the kernel reads them.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The dimension of the points.
    pub dim: usize,
    /// The width of the layers as they are stored, 64 or 128; what a network has not is 0.
    pub width: usize,
    /// How many layers lead from the width to the width.
    pub depth: usize,
    /// One list: hidden matrices (from × to), input matrix (dim × width), biases of the input and the hidden layers, output matrix
    /// (dim × width), output bias.
    pub list: Tensor,
}

impl Weights {
    /// The width at which layers are stored; `None` for what is too large for the kernel.
    pub fn stored(dim: usize, width: usize) -> Option<usize> {
        (dim <= DIMS && width <= WIDEST).then(|| width.next_multiple_of(64))
    }

    /// How many numbers the list holds.
    pub fn count(&self) -> usize {
        let Self { dim, width, depth, .. } = *self;
        depth * width * width + (2 * dim + depth + 1) * width + dim
    }
}

/// One launch.
#[derive(Clone, Debug)]
pub struct Trajectory<'a> {
    /// The network.
    pub weights: &'a Weights,
    /// What the network adds to each of its layers, for each question: (questions, width).
    pub e: Tensor,
    /// What the points are divided by, 1/S, for each question.
    pub scales: Vec<f32>,
    /// Four words for each operation: its kind, the slot that it writes, and two more.
    pub ops: Vec<u32>,
    /// The slots of all sums, one after the other.
    pub term_slots: Vec<u32>,
    /// And their coefficients.
    pub term_by: Vec<f64>,
    /// The key of the normals.
    pub key: [u32; 8],
    /// The number of the first sample.
    pub first: u64,
    /// How many slots there are.
    pub slots: usize,
    /// The slot of the end.
    pub end: usize,
}

/// The kernels of all questions of a tape, in order.
pub fn questions(tape: &Tape) -> Vec<Kernel> {
    let ask = |op: &Op| if let Op::Ask { at, .. } = op { Some(*at) } else { None };
    tape.ops.iter().filter_map(ask).collect()
}

impl<'a> Trajectory<'a> {
    /// A tape around a network; `None` if it wants normals that are not of a stream.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn new(
        weights: &'a Weights,
        (e, scales): (Tensor, Vec<f32>),
        tape: &Tape,
        stream: Option<&Stream>,
    ) -> Result<Option<Self>> {
        let mut new = Self {
            weights,
            e,
            scales,
            ops: Vec::new(),
            term_slots: Vec::new(),
            term_by: Vec::new(),
            key: stream.map_or([0; 8], |s| s.key().words()),
            first: stream.map_or(0, Stream::first),
            slots: tape.slots,
            end: tape.end,
        };
        let mut question = 0;
        for op in &tape.ops {
            let [kind, a, b] = match op {
                Op::Sum { terms, .. } => {
                    let first = new.term_slots.len() as u32;
                    new.term_slots.extend(terms.iter().map(|t| t.0 as u32));
                    new.term_by.extend(terms.iter().map(|t| t.1));
                    [0, first, terms.len() as u32]
                }
                Op::Ask { from, .. } => {
                    question += 1;
                    [1, *from as u32, question - 1]
                }
                Op::Normal { .. } if stream.is_none() => return Ok(None),
                Op::Normal { step, draw, .. } => {
                    let address = Stream::address(*step, *draw);
                    [2, address as u32, (address >> 32) as u32]
                }
            };
            new.ops.extend([kind, op.into() as u32, a, b]);
        }
        Ok(Some(new))
    }

    /// Rows of a block whose threads take `tall` rows each.
    pub fn rows(&self, tall: usize) -> usize {
        4 * THREADS / self.weights.width * tall
    }

    /// Bytes of shared memory of such a block.
    pub fn shared(&self, tall: usize) -> usize {
        let Weights { dim, width, .. } = *self.weights;
        let activations = self.rows(tall) * (width + 4);
        4 * (self.weights.count().next_multiple_of(4) + activations + self.slots * self.rows(tall) * dim)
    }

    /// The rows for each thread with which `rows` rows should take the least time on a card of so many multiprocessors, of which each has
    /// so many bytes of shared memory for a block; `None` if no block fits. Reading a weight takes as long as half a row's work or so.
    pub fn tall(&self, rows: usize, multiprocessors: usize, memory: usize) -> Option<usize> {
        let waves = |tall: usize| rows.div_ceil(self.rows(tall)).div_ceil(multiprocessors.max(1));
        (1..=TALLEST)
            .filter(|&tall| self.shared(tall) <= memory)
            .min_by_key(|&tall| waves(tall) * (2 * tall + 3))
    }
}
