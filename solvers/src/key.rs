//! Randomness as a value: a [`Key`] is a position in a tree, not a generator that moves.
//!
//! A key is 256 bits, the key of a ChaCha8 stream cipher (Bernstein 2008). `child(tag)` is a fixed part of the parent's key
//! stream number `tag`; numbers are read from the streams of a leaf at an address (stream, row), so that row 17 is the same number
//! whether it is asked alone or among ten thousand, by one thread or by eight, for a CPU or for a GPU.
//!
//! Normals come from Box–Muller, z = √(−2 ln u₁) · (cos 2πu₂, sin 2πu₂), which consumes a fixed number of words: a row of d
//! normals takes ⌈d/2⌉ pairs, 2 words of 64 bits each. They are made in f64; a tensor of f32 receives them rounded.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::lanes;

/// Where in the key stream children are read: beyond any row that numbers are read from.
const CHILDREN: u128 = 1 << 67;

/// A position in the tree of randomness. Cheap to copy; deriving and reading change nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = u64::from_be_bytes([
            self.0[0], self.0[1], self.0[2], self.0[3], self.0[4], self.0[5], self.0[6], self.0[7],
        ]);
        write!(f, "Key({head:016x}…)")
    }
}

impl Key {
    /// The root of the tree for one seed.
    pub fn root(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        // One derivation, so that neighbouring seeds share no bytes.
        Self(bytes).child(0)
    }

    /// The child number `tag`.
    #[must_use]
    pub fn child(&self, tag: u64) -> Self {
        let mut rng = self.at(tag, CHILDREN);
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The child for a purpose, such as `"weights"` or `"sample"`: `child` of the label's FNV-1a hash.
    #[must_use]
    pub fn branch(&self, label: &str) -> Self {
        let hash = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        self.child(hash)
    }

    /// A generator at the start of stream `stream`, for what draws a varying number of words (one stream per data point).
    pub fn rng(&self, stream: u64) -> ChaCha8Rng {
        self.at(stream, 0)
    }

    /// The key of the cipher, for ciphers that run elsewhere.
    pub fn words(&self) -> [u32; 8] {
        std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|byte| self.0[4 * i + byte])))
    }

    /// `rows × dim` standard normals, row-major: rows `first .. first + rows` of stream `stream`.
    pub fn normals(&self, stream: u64, first: u64, rows: usize, dim: usize) -> Vec<f64> {
        let pairs = dim.div_ceil(2);
        let mut rng = self.at(stream, u128::from(first) * pairs as u128 * 4);
        let words: Vec<[u64; 2]> = (0..rows * pairs).map(|_| [rng.next_u64(), rng.next_u64()]).collect();
        let mut out = vec![[0.0; 2]; words.len()];
        lanes::box_muller(&words, &mut out);
        let mut out = out.into_flattened();
        if dim % 2 == 1 {
            // The last pair of a row gives one number.
            for row in 1..rows {
                out.copy_within(row * (dim + 1)..row * (dim + 1) + dim, row * dim);
            }
            out.truncate(rows * dim);
        }
        out
    }

    /// `rows` uniforms in [0, 1): rows `first .. first + rows` of stream `stream`.
    pub fn uniforms(&self, stream: u64, first: u64, rows: usize) -> Vec<f64> {
        let mut rng = self.at(stream, u128::from(first) * 2);
        (0..rows).map(|_| unit(rng.next_u64())).collect()
    }

    /// `rows × dim` signs, +1 or −1 with equal chance, row-major: rows `first ..` of stream `stream`.
    pub fn signs(&self, stream: u64, first: u64, rows: usize, dim: usize) -> Vec<f64> {
        let words = dim.div_ceil(64);
        let mut rng = self.at(stream, u128::from(first) * words as u128 * 2);
        let mut out = Vec::with_capacity(rows * dim);
        for _ in 0..rows {
            for word in 0..words {
                let bits = rng.next_u64();
                out.extend((0..64.min(dim - 64 * word)).map(|i| if bits >> i & 1 == 0 { 1.0 } else { -1.0 }));
            }
        }
        out
    }

    fn at(&self, stream: u64, word: u128) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.0);
        rng.set_stream(stream);
        rng.set_word_pos(word);
        rng
    }
}

/// 53 bits to [0, 1).
fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * 2f64.powi(-53)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_depend_on_what_else_is_asked() {
        let key = Key::root(7).branch("sample");
        for dim in [1, 2, 3, 5] {
            let all = key.normals(3, 0, 40, dim);
            assert_eq!(key.normals(3, 17, 5, dim), all[17 * dim..22 * dim]);
            let signs = key.signs(3, 0, 40, dim);
            assert_eq!(key.signs(3, 17, 5, dim), signs[17 * dim..22 * dim]);
        }
        assert_eq!(key.signs(0, 5, 2, 70), key.signs(0, 0, 9, 70)[5 * 70..7 * 70]);
        assert_eq!(key.uniforms(1, 9, 3), key.uniforms(1, 0, 12)[9..]);
    }

    #[test]
    fn streams_children_and_seeds_differ() {
        let key = Key::root(7);
        let first = |k: Key| k.normals(0, 0, 1, 1)[0];
        let all = [
            first(key),
            key.normals(1, 0, 1, 1)[0],
            first(key.child(0)),
            first(key.child(1)),
            first(key.branch("weights")),
            first(key.branch("sample")),
            first(Key::root(8)),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a.to_bits() != b.to_bits()));
        }
    }

    /// Moments and the distribution function at a few points: each bound is 5 standard errors, false-alarm rate below 1e-5.
    #[test]
    fn normals_are_normal() {
        let n = 200_000;
        let z = Key::root(1).normals(0, 0, n / 2, 2);
        let mean = |f: &dyn Fn(f64) -> f64| z.iter().map(|&v| f(v)).sum::<f64>() / n as f64;
        let se = 5.0 / (n as f64).sqrt();
        assert!(mean(&|v| v).abs() < se);
        assert!((mean(&|v| v * v) - 1.0).abs() < se * 2f64.sqrt());
        assert!((mean(&|v| v.powi(4)) - 3.0).abs() < se * 96f64.sqrt());
        let pair = z.chunks(2).map(|p| p[0] * p[1]).sum::<f64>() / (n / 2) as f64;
        assert!(pair.abs() < se * 2f64.sqrt());
        for (at, below) in [(-1.0, 0.158_655_254), (0.0, 0.5), (1.959_964, 0.975)] {
            let p: f64 = below;
            assert!((mean(&|v| f64::from(v < at)) - p).abs() < se * (p * (1.0 - p)).sqrt());
        }
    }

    /// The first numbers of a seed never change from one version to the next.
    #[test]
    fn values_are_stable() {
        let key = Key::root(0).branch("stability");
        let z = key.normals(0, 0, 1, 2);
        let u = key.uniforms(0, 0, 1);
        assert_eq!(format!("{:.12} {:.12} {:.12}", z[0], z[1], u[0]), STABLE);
    }

    const STABLE: &str = "-0.932386696817 0.707620628046 0.504072106436";
}
