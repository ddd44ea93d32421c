//! What the kernels of whole trajectories (`trajectory.cu`, `mixture.cu`) are given: a tape, and a network or an exact score, as flat lists; and
//! where they fit.

use candle_core::Tensor;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::noise::Stream;
use tweedie_solvers::tape::{Op, Tape};

/// Threads of a block.
pub const THREADS: usize = 256;

/// Hidden layers of this width at most fit into a block's shared memory.
const WIDEST: usize = 128;

/// Rows for each thread at most: more do not fit into its registers.
pub(super) const TALLEST: usize = 7;

/// The most coordinates that a row may have, around a network and around an exact score.
const DIMS: usize = 4;
const MIXED_DIMS: usize = 16;

/// The most numbers that an exact score may have over all questions: 256 MB.
const LARGEST: usize = 1 << 26;

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

/// A tape, the stream of its normals, and how many rows go through it.
pub type Run<'a> = (&'a Tape, Option<&'a Stream>, usize);

/// A run in the lists.
#[derive(Clone, Debug)]
struct Placed {
    rows: usize,
    /// The first of them in the list of points.
    row: usize,
    /// The place of its operations, and how many there are.
    op: usize,
    ops: usize,
    /// The slot of the end.
    end: usize,
    /// The number of the first sample, and the key of the normals.
    first: u64,
    key: [u32; 8],
}

/// Tapes as flat lists, with what their normals come from: one run after the other in the list of points.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Four words for each operation: its kind, the slot that it writes, and two more.
    pub ops: Vec<u32>,
    /// The slots of all sums, one after the other.
    pub term_slots: Vec<u32>,
    /// And their coefficients.
    pub term_by: Vec<f64>,
    /// The kernels of all questions.
    pub questions: Vec<Kernel>,
    /// How many slots there are.
    pub slots: usize,
    /// The longest first, so that no block is left alone with one.
    runs: Vec<Placed>,
}

impl Program {
    /// `None` if one of the runs asks for normals that are not of a stream.
    pub fn new(of: &[Run<'_>]) -> Option<Self> {
        let mut new = Self::default();
        let (mut row, mut before) = (0, None::<&Tape>);
        for &(tape, stream, rows) in of {
            if stream.is_none() && tape.draws() {
                return None;
            }
            // Runs of one tape, such as those of several seeds, come one after the other.
            if !before.is_some_and(|before| std::ptr::eq(before, tape)) {
                new.extend(tape);
            }
            let ops = tape.ops.len();
            let (key, first) = stream.map_or(([0; 8], 0), |s| (s.key().words(), s.first()));
            new.runs.push(Placed { rows, row, op: new.ops.len() / 4 - ops, ops, end: tape.end, first, key });
            (row, before) = (row + rows, Some(tape));
        }
        new.runs.sort_by_key(|run| std::cmp::Reverse(run.ops));
        Some(new)
    }

    fn extend(&mut self, tape: &Tape) {
        self.slots = self.slots.max(tape.slots);
        for op in &tape.ops {
            let [kind, a, b] = match op {
                Op::Sum { terms, .. } => {
                    let first = self.term_slots.len() as u32;
                    self.term_slots.extend(terms.iter().map(|t| t.0 as u32));
                    self.term_by.extend(terms.iter().map(|t| t.1));
                    [0, first, terms.len() as u32]
                }
                Op::Ask { from, at, .. } => {
                    self.questions.push(*at);
                    [1, *from as u32, self.questions.len() as u32 - 1]
                }
                Op::Normal { step, draw, .. } => {
                    let address = Stream::address(*step, *draw);
                    [2, address as u32, (address >> 32) as u32]
                }
            };
            self.ops.extend([kind, op.into() as u32, a, b]);
        }
    }

    /// The rows of all runs.
    pub fn rows(&self) -> usize {
        self.runs.iter().map(|run| run.rows).sum()
    }

    /// The runs as the kernels read them, and the number of tiles, for tiles of `tile` rows.
    pub fn run_list(&self, tile: usize) -> (Vec<u32>, u32) {
        let (mut list, mut tiles) = (Vec::with_capacity(16 * (self.runs.len() + 1)), 0);
        for run in &self.runs {
            list.extend([tiles, run.row, run.rows, run.op, run.ops, run.end].map(|n| n as u32));
            list.extend([run.first as u32, (run.first >> 32) as u32]);
            list.extend(run.key);
            tiles += run.rows.div_ceil(tile);
        }
        list.extend([tiles as u32; 16]);
        (list, tiles as u32)
    }

    /// Operations of the busiest of `blocks` blocks, which take every so manieth tile: the first, as the longest come first.
    pub fn busiest(&self, tile: usize, blocks: usize) -> usize {
        let (mut next, mut end, mut total) = (0, 0, 0);
        for run in &self.runs {
            end += run.rows.div_ceil(tile);
            let own = (end - next.min(end)).div_ceil(blocks);
            (next, total) = (next + own * blocks, total + own * run.ops);
        }
        total
    }

    /// Whether every number in the lists is of something that is there: what a kernel trusts.
    pub fn holds(&self) -> bool {
        let terms = self.term_slots.len();
        let known = |op: &[u32]| {
            let [kind, into, a, b] = [op[0], op[1], op[2], op[3]].map(|n| n as usize);
            let reads = match kind {
                0 => a + b <= terms,
                1 => a < self.slots && b < self.questions.len(),
                _ => true,
            };
            reads && into < self.slots
        };
        let (ops, rest) = self.ops.as_chunks::<4>();
        let within = |run: &Placed| run.op + run.ops <= ops.len() && run.end < self.slots;
        rest.is_empty()
            && ops.iter().all(|op| known(op))
            && self.term_slots.iter().all(|&slot| (slot as usize) < self.slots)
            && self.term_by.len() == terms
            && self.runs.iter().all(within)
    }
}

/// One launch around a network.
#[derive(Clone, Debug)]
pub struct Trajectory<'a> {
    /// The tapes.
    pub program: Program,
    /// The network.
    pub weights: &'a Weights,
    /// What the network adds to each of its layers, for each question: (questions, width).
    pub e: Tensor,
    /// What the points are multiplied by, 1/S, for each question.
    pub scales: Vec<f32>,
}

/// The same around an exact score: the noised law at each question, as Gaussians.
#[derive(Clone, Debug)]
pub struct MixtureTrajectory {
    /// The tapes.
    pub program: Program,
    /// The dimension of the points.
    pub dim: usize,
    /// The Gaussians' axes, if they have some: dim × dim for each, the same for all questions.
    pub axes: Vec<f32>,
    /// For each question and Gaussian its centre and precisions in its axes, and what else its logarithm has.
    pub components: Vec<f32>,
    /// Where the Gaussians of each question begin, and where the last end.
    pub starts: Vec<u32>,
    /// σ of each question.
    pub sigmas: Vec<f32>,
}

impl MixtureTrajectory {
    /// `None` if the model is no mixture at some question, or a large one, or is never asked.
    pub fn new(model: &dyn ScoreModel, program: Program) -> Option<Self> {
        let dim = model.dim();
        if dim > MIXED_DIMS {
            return None;
        }
        let (mut components, mut starts, mut sigmas) = (Vec::new(), vec![0], Vec::new());
        let mut axes = None;
        for &at in &program.questions {
            let own = model.components(at)?;
            components.extend(&own.numbers);
            starts.push((components.len() / (2 * dim + 1)) as u32);
            sigmas.push(own.sigma);
            axes = Some(own.axes);
            if components.len() > LARGEST {
                return None;
            }
        }
        let axes = axes?.unwrap_or_default();
        Some(Self { program, dim, axes, components, starts, sigmas })
    }

    /// What is defined for the kernel.
    pub fn defined(&self) -> [(&'static str, usize); 2] {
        [("DIM", self.dim), ("AXES", usize::from(!self.axes.is_empty()))]
    }

    /// Bytes of shared memory of a block.
    pub fn shared(&self) -> usize {
        4 * THREADS * self.program.slots * self.dim
    }
}

impl Trajectory<'_> {
    /// Rows of a block whose threads take `tall` rows each.
    pub fn rows(&self, tall: usize) -> usize {
        4 * THREADS / self.weights.width * tall
    }

    /// Bytes of shared memory of such a block.
    pub fn shared(&self, tall: usize) -> usize {
        let Weights { dim, width, .. } = *self.weights;
        let activations = self.rows(tall) * (width + 4);
        4 * (self.weights.count().next_multiple_of(4)
            + activations
            + self.program.slots * self.rows(tall) * dim)
    }

    /// The rows for each thread with which the launch should take the least time on a card of so many multiprocessors, of which each has
    /// so many bytes of shared memory for a block; `None` if no block fits. Reading a weight takes as long as half a row's work or so.
    pub fn tall(&self, multiprocessors: usize, memory: usize) -> Option<usize> {
        let busiest = |tall: usize| self.program.busiest(self.rows(tall), multiprocessors.max(1));
        (1..=TALLEST)
            .filter(|&tall| self.shared(tall) <= memory)
            .min_by_key(|&tall| busiest(tall) * (2 * tall + 3))
    }
}
