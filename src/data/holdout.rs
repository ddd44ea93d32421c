//! Which rows of a user's file are kept from training: those whose hash, as a fraction of 2⁶⁴, lies
//! below `holdout`.
//!
//! The hash is of the row's values alone, so a row keeps its side when rows are reordered, added or
//! taken out, and equal rows fall on the same side: a held-out row is never a training row. Where
//! more than half of the rows repeat others (whole numbers, a few atoms) that rule would cut values
//! out of the law, and held-out rows would follow another one than training rows do. There the
//! first, second, … of equal rows are hashed with their number, so that equal rows fall on both
//! sides.

use std::collections::BTreeMap;

use crate::points::Points;

/// 64 bits of a row: FNV-1a of the little-endian bytes of its values (−0 taken as 0), mixed by the
/// finaliser of splitmix64 (Steele, Lea & Flood 2014), so that high bits depend on all. It is part
/// of checkpoints, and the same on every machine.
pub fn digest(row: &[f64]) -> u64 {
    mixed(row.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &v| absorbed(hash, (v + 0.0).to_bits())))
}

/// FNV-1a of eight more bytes.
fn absorbed(hash: u64, word: u64) -> u64 {
    word.to_le_bytes().iter().fold(hash, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The digests of points, in order; those of equal rows as often as these are there.
pub fn digests(points: &Points) -> Vec<u64> {
    let mut all: Vec<u64> = points.rows().map(digest).collect();
    all.sort_unstable();
    all
}

/// How many different points there are, up to digests that agree by chance: of 10⁶ rows none do but
/// with chance 3e-8.
pub fn distinct(points: &Points) -> usize {
    let mut all = digests(points);
    all.dedup();
    all.len()
}

/// Whether more than half of the rows repeat others, so that equal rows fall on both sides.
pub fn repeated(points: &Points) -> bool {
    2 * distinct(points) < points.len()
}

/// Training rows and held-out rows, each in the order of the file; `fraction` of [0, 1) is held
/// out, in the mean over files.
pub(super) fn split(points: &Points, fraction: f64) -> (Points, Points) {
    let repeated = repeated(points);
    let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut training, mut held_out) = (Vec::new(), Vec::new());
    for row in points.rows() {
        let mut hash = digest(row);
        if repeated {
            let copy = seen.entry(hash).or_default();
            *copy += 1;
            hash = mixed(absorbed(hash, *copy));
        }
        let side = if unit(hash) < fraction { &mut held_out } else { &mut training };
        side.extend_from_slice(row);
    }
    (Points::new(points.dim(), training), Points::new(points.dim(), held_out))
}

/// 53 bits to [0, 1).
fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 * 2f64.powi(-53)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::Key;

    fn rows(points: &Points) -> Vec<Vec<u64>> {
        let mut all: Vec<Vec<u64>> = points.rows().map(|r| r.iter().map(|v| v.to_bits()).collect()).collect();
        all.sort();
        all
    }

    /// Computed outside this crate, in Python. They must never change: checkpoints hold them, and a
    /// row would change its side.
    #[test]
    fn digests_are_stable() {
        assert_eq!(digest(&[0.0, -0.0]), digest(&[-0.0, 0.0]));
        assert_eq!([digest(&[1.5, -2.0]), digest(&[0.0])], DIGESTS);
    }

    const DIGESTS: [u64; 2] = [0x04a7_4317_a653_e6e0, 0x813f_0174_a236_7c13];

    /// 4000 rows at 0.2: 800 ± 5·25.3, false-alarm rate below 1e-6. A row keeps its side whatever
    /// stands around it.
    #[test]
    fn a_row_keeps_its_side() {
        let points = Points::new(3, Key::root(3).normals(0, 0, 4000, 3));
        let (training, held_out) = split(&points, 0.2);
        assert_eq!(training.len() + held_out.len(), 4000);
        assert!((held_out.len() as f64 - 800.0).abs() < 5.0 * 25.3, "{}", held_out.len());
        let back: Vec<f64> = (0..4000).rev().flat_map(|i| points.row(i).to_vec()).collect();
        let (other, reversed) = split(&Points::new(3, back), 0.2);
        assert_eq!((rows(&other), rows(&reversed)), (rows(&training), rows(&held_out)));
        let (_, fewer) = split(&points.slice(1000, 3000), 0.2);
        let all = rows(&held_out);
        assert!(fewer.len() > 300 && rows(&fewer).iter().all(|row| all.binary_search(row).is_ok()));
        // More is held out of the same rows by a larger fraction, and nothing by 0.
        let (_, more) = split(&points, 0.5);
        let more = rows(&more);
        assert!(all.iter().all(|row| more.binary_search(row).is_ok()));
        assert_eq!(split(&points, 0.0).1.len(), 0);
    }

    /// Rows that are there twice fall on one side; rows of which there are many on both, each row
    /// by its number among its equals.
    #[test]
    fn equal_rows() {
        let once = Points::new(2, Key::root(5).normals(0, 0, 500, 2));
        let twice = Points::new(2, [once.values(), once.values()].concat());
        let (training, held_out) = split(&twice, 0.3);
        assert_eq!((training.len() % 2, held_out.len() % 2), (0, 0));
        let trained = rows(&training);
        assert!(rows(&held_out).iter().all(|row| trained.binary_search(row).is_err()));
        // 17 values, 100 of each: 30 ± 5·4.6 of each are held out; adding a row moves no other.
        let levels: Vec<f64> = (0..1700).map(|i| f64::from(i % 17)).collect();
        let (_, held_out) = split(&Points::new(1, levels.clone()), 0.3);
        for level in 0..17 {
            let count = held_out.values().iter().filter(|v| **v == f64::from(level)).count();
            assert!((count as f64 - 30.0).abs() < 23.0, "{level}: {count}");
        }
        let (training, more) = split(&Points::new(1, [&levels[..], &[3.0]].concat()), 0.3);
        assert_eq!((training.len() + more.len(), more.len().abs_diff(held_out.len()) < 2), (1701, true));
    }
}
