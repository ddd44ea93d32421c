//! A small network that learns to tell samples from data.
//!
//! Two hidden layers of ReLU and one logit z, the log-odds of a sample; the loss is the cross-entropy, the mean of ln(1 + e⁻ᶻ) over samples
//! and ln(1 + eᶻ) over data. Weights start uniform in ±√(6/(inputs + outputs)) (Glorot & Bengio 2010, eq. 16) and are trained by Adam
//! (Kingma & Ba 2015, algorithm 1) on batches of a shuffled list.
//!
//! A tenth of the points is kept aside: training ends when their loss has not fallen by 10⁻⁴ for ten rounds through the others, and the
//! weights are those of its least value.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tweedie_solvers::Key;
use tweedie_solvers::lanes::exp_f64;

use super::product::{Left, PANEL, product};

/// Hidden units for each coordinate, and the most of them in a layer.
const UNITS: usize = 10;
const MOST_UNITS: usize = 100;
const BATCH: usize = 200;
const RATE: f64 = 1e-3;
const BETA: [f32; 2] = [0.9, 0.999];
const EPSILON: f32 = 1e-8;
/// One point of so many is kept aside.
const ASIDE: usize = 10;
/// Rounds without progress, and what progress is.
const PATIENCE: usize = 10;
const PROGRESS: f64 = 1e-4;
/// No round begins after so many rounds or updates.
const MOST_ROUNDS: usize = 200;
const MOST_UPDATES: u64 = 5000;

/// Points, row-major, and whether each is a sample.
#[derive(Clone, Debug, Default)]
pub(super) struct Labelled {
    pub(super) x: Vec<f32>,
    pub(super) sample: Vec<bool>,
}

impl Labelled {
    pub(super) fn push(&mut self, x: &[f32], sample: bool) {
        self.x.extend_from_slice(x);
        self.sample.push(sample);
    }
}

/// Where a layer's numbers stand in the list of all: a matrix inner × columns, row-major, and a row of biases.
struct Layer {
    inner: usize,
    columns: usize,
    weights: Range<usize>,
    biases: Range<usize>,
}

/// The logits of points (·, dim), row-major, by a network that has learned from others.
pub(super) fn logits(from: &Labelled, of: &[f32], dim: usize, key: &Key) -> Vec<f32> {
    let mut rng = key.rng(0);
    let mut network = Network::new(dim, &mut rng);
    network.train(from, &mut rng);
    network.logits(of)
}

struct Network {
    arch: Arch,
    layers: [Layer; 3],
    values: Vec<f32>,
    /// The outputs of each layer for a batch, and the gradient of the loss by what goes into its ReLU.
    outputs: [Vec<f32>; 3],
    slopes: [Vec<f32>; 3],
    /// The gradient by `values`, and room for a transpose.
    gradient: Vec<f32>,
    transposed: Vec<f32>,
}

impl Network {
    fn new(dim: usize, rng: &mut ChaCha8Rng) -> Self {
        let units = (UNITS * dim).min(MOST_UNITS);
        let (sizes, mut values) = ([dim, units, units, 1], Vec::new());
        let layers = [0, 1, 2].map(|l| {
            let (inputs, outputs) = (sizes[l], sizes[l + 1]);
            // What a layer reads is padded as the one before it writes it.
            let inner = if l == 0 { inputs } else { inputs.next_multiple_of(PANEL) };
            let columns = outputs.next_multiple_of(PANEL);
            let bound = (6.0 / (inputs + outputs) as f32).sqrt();
            let start = values.len();
            for row in 0..=inner {
                // The biases come last.
                let live = row < inputs || row == inner;
                let one = |c: usize| if live && c < outputs { rng.random_range(-bound..bound) } else { 0.0 };
                values.extend((0..columns).map(one));
            }
            let middle = start + inner * columns;
            Layer { inner, columns, weights: start..middle, biases: middle..values.len() }
        });
        let room = |l: &Layer| vec![0.0; BATCH * l.columns];
        Self {
            arch: Arch::new(),
            outputs: layers.each_ref().map(room),
            slopes: layers.each_ref().map(room),
            gradient: vec![0.0; values.len()],
            transposed: vec![0.0; layers[1].inner * layers[1].columns],
            layers,
            values,
        }
    }

    fn logits(&mut self, of: &[f32]) -> Vec<f32> {
        let (dim, arch) = (self.layers[0].inner, self.arch);
        let mut out = Vec::with_capacity(of.len() / dim);
        for x in of.chunks(BATCH * dim) {
            arch.dispatch(Forward { network: self, x });
            out.extend(self.outputs[2].iter().step_by(PANEL).take(x.len() / dim));
        }
        out
    }

    fn train(&mut self, from: &Labelled, rng: &mut ChaCha8Rng) {
        let dim = self.layers[0].inner;
        // Samples and data alternate.
        let aside = |i: &usize| i / 2 % ASIDE == ASIDE / 2;
        let (kept, mut list): (Vec<usize>, Vec<usize>) = (0..from.sample.len()).partition(aside);
        let gather = |rows: &[usize]| {
            let mut out = Labelled::default();
            rows.iter().for_each(|&i| out.push(&from.x[i * dim..(i + 1) * dim], from.sample[i]));
            out
        };
        let kept = gather(&kept);
        let mut adam = Adam::new(self.values.len());
        let (mut best, mut least, mut since) = (self.values.clone(), f64::INFINITY, 0);
        for _ in 0..MOST_ROUNDS {
            list.shuffle(rng);
            for rows in list.chunks(BATCH) {
                self.descend(&gather(rows));
                adam.update(&mut self.values, &self.gradient);
            }
            let loss = cross_entropy(&self.logits(&kept.x), &kept.sample);
            since = if loss < least - PROGRESS { 0 } else { since + 1 };
            if loss < least {
                (least, best) = (loss, self.values.clone());
            }
            if since == PATIENCE || adam.updates >= MOST_UPDATES {
                break;
            }
        }
        self.values = best;
    }

    /// The gradient of the mean loss of a batch.
    fn descend(&mut self, batch: &Labelled) {
        let arch = self.arch;
        arch.dispatch(Forward { network: self, x: &batch.x });
        let count = batch.sample.len() as f64;
        let cells = self.outputs[2].iter().zip(&mut self.slopes[2]).step_by(PANEL);
        for ((z, slope), &sample) in cells.zip(&batch.sample) {
            let chance = 1.0 / (1.0 + exp_f64(-f64::from(*z)));
            *slope = ((chance - f64::from(u8::from(sample))) / count) as f32;
        }
        arch.dispatch(Backward { network: self, x: &batch.x });
    }
}

/// The mean of ln(1 + e⁻ᶻ) over samples and of ln(1 + eᶻ) over data.
fn cross_entropy(logits: &[f32], sample: &[bool]) -> f64 {
    let of = |(z, sample): (&f32, &bool)| {
        let wrong = if *sample { -f64::from(*z) } else { f64::from(*z) };
        wrong.max(0.0) + exp_f64(-wrong.abs()).ln_1p()
    };
    logits.iter().zip(sample).map(of).sum::<f64>() / sample.len() as f64
}

/// The outputs of all layers at the points x.
struct Forward<'a> {
    network: &'a mut Network,
    x: &'a [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Network { layers, values, outputs, .. } = self.network;
        let rows = self.x.len() / layers[0].inner;
        for (l, layer) in layers.iter().enumerate() {
            let (before, after) = outputs.split_at_mut(l);
            let read = before.last().map_or(self.x, Vec::as_slice);
            let out = &mut after[0][..rows * layer.columns];
            let left = Left { values: read, row: layer.inner, inner: 1 };
            let [weights, biases] = [&layer.weights, &layer.biases].map(|r| &values[r.clone()]);
            product(s, left, (rows, layer.inner), weights, biases, out);
            if l < 2 {
                for h in S::as_mut_simd_f32s(out).0 {
                    *h = s.max_f32s(*h, s.splat_f32s(0.0));
                }
            }
        }
    }
}

/// From the slopes of the last layer back to the gradient, after [`Forward`] at the same points.
struct Backward<'a> {
    network: &'a mut Network,
    x: &'a [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Network { layers, values, outputs, slopes, gradient, transposed, .. } = self.network;
        let rows = self.x.len() / layers[0].inner;
        let zeros = [0.0; MOST_UNITS.next_multiple_of(PANEL)];
        for (l, layer) in layers.iter().enumerate().rev() {
            let (inner, columns) = (layer.inner, layer.columns);
            let (before, after) = slopes.split_at_mut(l);
            let slope = &after[0][..rows * columns];
            let read = if l == 0 { self.x } else { &outputs[l - 1] };
            let left = Left { values: read, row: 1, inner };
            let weights = &mut gradient[layer.weights.clone()];
            product(s, left, (inner, rows), slope, &zeros[..columns], weights);
            let biases = &mut gradient[layer.biases.clone()];
            biases.fill(0.0);
            for row in slope.chunks_exact(columns) {
                biases.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
            }
            let Some(back) = before.last_mut() else { break };
            let back = &mut back[..rows * inner];
            let weights = &values[layer.weights.clone()];
            let turned = &mut transposed[..inner * columns];
            for (i, row) in weights.chunks_exact(columns).enumerate() {
                row.iter().enumerate().for_each(|(j, v)| turned[j * inner + i] = *v);
            }
            // The last layer has one column that is no padding.
            let live = if l == 2 { 1 } else { columns };
            let left = Left { values: slope, row: columns, inner: 1 };
            product(s, left, (rows, live), turned, &zeros[..inner], back);
            for (g, h) in back.iter_mut().zip(read) {
                *g = if *h > 0.0 { *g } else { 0.0 };
            }
        }
    }
}

/// The moments of Adam.
struct Adam {
    moments: [Vec<f32>; 2],
    updates: u64,
}

impl Adam {
    fn new(count: usize) -> Self {
        Self { moments: [vec![0.0; count], vec![0.0; count]], updates: 0 }
    }

    fn update(&mut self, values: &mut [f32], gradient: &[f32]) {
        self.updates += 1;
        let correct = BETA.map(|b| 1.0 - f64::from(b).powi(self.updates.min(1_000_000) as i32));
        let rate = (RATE * correct[1].sqrt() / correct[0]) as f32;
        let [first, second] = &mut self.moments;
        for (((value, &g), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
            *m = BETA[0] * *m + (1.0 - BETA[0]) * g;
            *v = BETA[1] * *v + (1.0 - BETA[1]) * g * g;
            *value -= rate * *m / (v.sqrt() + EPSILON);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of three coordinates, every other one a sample.
    fn batch(count: usize) -> Labelled {
        let mut out = Labelled::default();
        let x = Key::root(1).normals(0, 0, count, 3);
        for (i, x) in x.chunks(3).enumerate() {
            out.push(&x.iter().map(|v| *v as f32).collect::<Vec<_>>(), i % 2 == 0);
        }
        out
    }

    /// The function by its definition in f64, without padding.
    fn defined(network: &Network, x: &[f32]) -> f64 {
        let mut h: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        for (l, layer) in network.layers.iter().enumerate() {
            let at = |r: &Range<usize>, i: usize| f64::from(network.values[r.start + i]);
            h = (0..layer.columns)
                .map(|j| {
                    let weights = h.iter().enumerate().take(layer.inner);
                    let sum = weights.map(|(k, h)| h * at(&layer.weights, k * layer.columns + j));
                    at(&layer.biases, j) + sum.sum::<f64>()
                })
                .map(|z: f64| if l < 2 { z.max(0.0) } else { z })
                .collect();
        }
        h[0]
    }

    #[test]
    fn logits_by_definition() {
        let mut network = Network::new(3, &mut Key::root(2).rng(0));
        let batch = batch(450);
        let logits = network.logits(&batch.x);
        assert_eq!(logits.len(), 450);
        for (z, x) in logits.iter().zip(batch.x.chunks(3)) {
            assert!((f64::from(*z) - defined(&network, x)).abs() < 1e-5);
        }
        // Uniform in ±√(6/(3 + 30)), and nothing in the padding.
        let weights = &network.values[network.layers[0].weights.clone()];
        let largest = weights.iter().fold(0.0f32, |a, w| a.max(w.abs()));
        assert!(largest <= 0.4264 && largest > 0.4, "{largest}");
        assert!(weights.chunks(32).all(|row| row[30..] == [0.0; 2]));
    }

    /// The gradient against central differences of the loss, for every weight that is no padding.
    #[test]
    fn gradient_by_differences() {
        let mut network = Network::new(3, &mut Key::root(3).rng(0));
        let batch = batch(16);
        network.descend(&batch);
        let gradient = network.gradient.clone();
        let loss = |network: &Network| {
            let logits: Vec<f32> = batch.x.chunks(3).map(|x| defined(network, x) as f32).collect();
            cross_entropy(&logits, &batch.sample)
        };
        let largest = gradient.iter().fold(0.0f32, |a, g| a.max(g.abs()));
        let mut wrong = 0;
        for (i, &slope) in gradient.iter().enumerate() {
            let value = network.values[i];
            let [up, down] = [2e-3f32, -2e-3].map(|h| {
                network.values[i] = value + h;
                loss(&network)
            });
            network.values[i] = value;
            if value == 0.0 {
                // Padding has no slope, and stays.
                assert!(slope == 0.0, "{i}");
            } else if ((up - down) / 4e-3 - f64::from(slope)).abs() > 0.01 * f64::from(largest) {
                wrong += 1;
            }
        }
        // A step can carry a ReLU over its kink.
        assert!(largest > 0.05 && wrong < 10, "{largest} {wrong}");
    }

    /// By hand: with the gradient 2 the moments are 0.2 and 0.004, and the first step is the rate.
    #[test]
    fn adam_by_hand() {
        let (mut adam, mut values) = (Adam::new(1), [1.0f32]);
        adam.update(&mut values, &[2.0]);
        assert!((values[0] - 0.999).abs() < 1e-6);
        adam.update(&mut values, &[-1.0]);
        // m = 0.08, v = 0.004996, corrected by 0.19 and 0.001999.
        let step = 0.001 * (0.08 / 0.19) / (0.004_996f64 / 0.001_999).sqrt();
        assert!((f64::from(values[0]) - (0.999 - step)).abs() < 1e-6);
    }

    #[test]
    fn cross_entropy_by_hand() {
        let want = (1.0f64 + (-2.0f64).exp()).ln() + (1.0 + 0.5f64.exp()).ln();
        assert!((cross_entropy(&[2.0, 0.5], &[true, false]) - want / 2.0).abs() < 1e-12);
        assert!((cross_entropy(&[-800.0, 0.0], &[true, false]) - (800.0 + 2f64.ln()) / 2.0).abs() < 1e-9);
    }
}
