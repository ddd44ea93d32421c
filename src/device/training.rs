//! Where the weights of a multilayer perceptron lie for the kernels that train it (`training.cu`), and what is launched.

/// Rows of a block.
pub const ROWS: usize = 8;

/// Bytes of shared memory of a block of weights: two tiles, or a number for each thread.
#[cfg(feature = "cuda")]
pub(super) const TILES_ROOM: usize = 4 * 2 * TILE * (TILE + 1);

/// Weights of a block are TILE × TILE.
const TILE: usize = 32;

/// The widest layers, and the most coordinates, that a block has room for.
const WIDEST: usize = 512;
const DIMS: usize = 64;

/// The shape of a network. All its weights are one list: each layer a matrix of (inputs + 1) × outputs whose last row is the bias, in the order
/// embedding, input, hidden, output. Gradients, moments and averages are lists of the same shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// D.
    pub dim: usize,
    /// H.
    pub own: usize,
    /// H as it is stored, with zeros after the network's own.
    pub width: usize,
    /// Hidden layers.
    pub depth: usize,
    /// E.
    pub embedding: usize,
}

/// A layer in that list, and in the lists of what all layers are given and of the gradients by what they give.
#[derive(Clone, Copy, Debug)]
struct Layer {
    inner: usize,
    outer: usize,
    /// Without the padding.
    own: (usize, usize),
    place: usize,
    inputs: usize,
    deltas: usize,
}

impl Shape {
    /// `None` for what is too large for the kernels.
    pub fn new(dim: usize, own: usize, depth: usize, embedding: usize) -> Option<Self> {
        let shape = Self { dim, own, width: own.next_power_of_two().max(32), depth, embedding };
        (own <= WIDEST && dim <= DIMS).then_some(shape)
    }

    fn layers(&self) -> Vec<Layer> {
        let Self { dim, own, width, depth, embedding } = *self;
        let mut sizes = vec![(embedding, width, (embedding, own)), (dim, width, (dim, own))];
        sizes.extend(vec![(width, width, (own, own)); depth]);
        sizes.push((width, dim, (own, dim)));
        let (mut place, mut inputs, mut deltas) = (0, 0, 0);
        let layer = |(inner, outer, own)| {
            let layer = Layer { inner, outer, own, place, inputs, deltas };
            (place, inputs, deltas) = (place + (inner + 1) * outer, inputs + inner, deltas + outer);
            layer
        };
        sizes.into_iter().map(layer).collect()
    }

    /// Five numbers for each layer, as the kernel reads them.
    pub fn layer_list(&self) -> Vec<u32> {
        let five = |l: Layer| [l.inner, l.outer, l.place, l.inputs, l.deltas].map(|n| n as u32);
        self.layers().into_iter().flat_map(five).collect()
    }

    /// Three numbers for each block of weights: its layer, its first input and its first output.
    pub fn tile_list(&self) -> Vec<u32> {
        let mut tiles = Vec::new();
        for (i, layer) in self.layers().into_iter().enumerate() {
            for from in (0..=layer.inner).step_by(TILE) {
                for to in (0..layer.outer).step_by(TILE) {
                    tiles.extend([i, from, to].map(|n| n as u32));
                }
            }
        }
        tiles
    }

    /// How many numbers the list holds.
    pub fn count(&self) -> usize {
        self.layers().iter().map(|l| (l.inner + 1) * l.outer).sum()
    }

    /// Numbers that all layers are given for each row, and that they give.
    pub fn columns(&self) -> (usize, usize) {
        self.layers().iter().fold((0, 0), |(inputs, deltas), l| (inputs + l.inner, deltas + l.outer))
    }

    /// Numbers that are told about each row: x, the goal, the root of its weight, the level and 1/S.
    pub fn goal(&self) -> usize {
        2 * self.dim + 3
    }

    /// Bytes of shared memory of a block of rows.
    pub fn shared(&self) -> usize {
        let parts = 8 * 4 * 256;
        let tiles = self.width.max(self.embedding) + (self.depth + 3) * self.width + 2 * self.dim;
        4 * (parts + ROWS * tiles)
    }

    /// What is defined for the kernels.
    pub fn defined(&self) -> [(&'static str, usize); 4] {
        [("WIDTH", self.width), ("DIM", self.dim), ("DEPTH", self.depth), ("EMBEDDING", self.embedding)]
    }

    /// The list of weights that come by layers, matrices (outputs × inputs) and biases by turns.
    pub fn pack(&self, weights: &[Vec<f32>]) -> Vec<f32> {
        let mut list = vec![0.0; self.count()];
        for (layer, pair) in self.layers().into_iter().zip(weights.chunks(2)) {
            let (from, to) = layer.own;
            for j in 0..to {
                for k in 0..from {
                    list[layer.place + k * layer.outer + j] = pair[0][j * from + k];
                }
                list[layer.place + layer.inner * layer.outer + j] = pair[1][j];
            }
        }
        list
    }

    /// And back.
    pub fn unpack(&self, list: &[f32]) -> Vec<Vec<f32>> {
        let mut weights = Vec::new();
        for layer in self.layers() {
            let (from, to) = layer.own;
            let at = |k: usize, j: usize| list[layer.place + k * layer.outer + j];
            weights.push((0..to).flat_map(|j| (0..from).map(move |k| at(k, j))).collect());
            weights.push((0..to).map(|j| at(layer.inner, j)).collect());
        }
        weights
    }

    /// The hidden matrices once more, outputs × inputs.
    pub fn transposed(&self, list: &[f32]) -> Vec<f32> {
        let width = self.width;
        let hidden = self.layers().into_iter().skip(2).take(self.depth);
        let one =
            |layer: Layer| (0..width * width).map(move |i| list[layer.place + i % width * width + i / width]);
        hidden.flat_map(one).collect()
    }
}
