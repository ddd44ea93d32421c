//! Shortest augmenting paths among a core, a few columns near each row, which grows where it must.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::{Assignment, NONE, least_of};

/// Columns are cut into blocks. At first a row's core goes up to where this many blocks have a column in it.
const BLOCKS: usize = 12;
const BLOCK: usize = 16;
/// Entries of cores that paths are sought through at most, in units of n². Planar data take up to two.
const VISITS: usize = 8;

/// A key of a heap, whose greatest is the least key.
#[derive(Clone, Copy, PartialEq)]
struct Least(f64, usize);

impl Eq for Least {}

impl Ord for Least {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0).then(other.1.cmp(&self.1))
    }
}

impl PartialOrd for Least {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Assignment<'_> {
    /// Matches all rows; false when it gave up, having visited too many entries.
    pub(super) fn match_in_cores(&mut self) -> bool {
        let n = self.rows.len();
        for i in 0..n {
            self.look_around(i, BLOCKS);
        }
        self.free = self.reduce_rows(false);
        // Once at least: row reduction may match all rows in cores that lack a cheaper column.
        loop {
            while let Some(i) = self.free.pop() {
                self.augment(i);
                if self.visits > VISITS * n * n {
                    return false;
                }
            }
            self.free = (0..n).filter(|&i| self.finds_cheaper(i)).collect();
            if self.free.is_empty() {
                return true;
            }
        }
    }

    /// Makes the core of row i anew, up to where some blocks have a column in it.
    fn look_around(&mut self, i: usize, blocks: usize) {
        self.reduce(i);
        let minima: Vec<f64> = self.reduced.chunks(BLOCK).map(least_of).collect();
        let bound = if minima.len() > blocks {
            *minima.clone().select_nth_unstable_by(blocks - 1, f64::total_cmp).1
        } else {
            f64::INFINITY
        };
        let mut near = std::mem::take(&mut self.core[i]);
        near.clear();
        for (block, _) in minima.iter().enumerate().filter(|(_, least)| **least <= bound) {
            let part = block * BLOCK..self.reduced.len().min((block + 1) * BLOCK);
            near.extend(part.filter(|&j| self.reduced[j] <= bound).map(|j| (j, self.cost(i, j))));
        }
        self.core[i] = near;
    }

    /// Doubles the core of row i; where that shows a column cheaper than its own, the row is free.
    fn grow(&mut self, i: usize, own: usize) {
        self.look_around(i, 2 * self.core[i].len());
        if own != NONE && least_of(&self.reduced) < self.reduced[own] {
            self.row_of[own] = NONE;
            self.free.push(i);
        }
    }

    /// Whether some column outside the core is cheaper to row i than its own; it then joins the core, and the row is free.
    fn finds_cheaper(&mut self, i: usize) -> bool {
        self.reduce(i);
        let own = self.reduced[self.column_of[i]];
        if least_of(&self.reduced) >= own {
            return false;
        }
        let cheaper = (0..self.reduced.len()).filter(|&j| self.reduced[j] < own);
        // One that is there already is cheaper by a rounding error.
        let new: Vec<_> = cheaper.filter(|&j| self.core[i].iter().all(|&(near, _)| near != j)).collect();
        let costs: Vec<_> = new.iter().map(|&j| (j, self.cost(i, j))).collect();
        self.core[i].extend(costs);
        if !new.is_empty() {
            self.row_of[self.column_of[i]] = NONE;
        }
        !new.is_empty()
    }

    /// Matches row `free` along a shortest path to an unmatched column (Dijkstra's algorithm on cᵢⱼ − uᵢ − vⱼ).
    fn augment(&mut self, free: usize) {
        self.labels.fill((f64::INFINITY, NONE));
        // Rows of the tree, each with the column that led to it and what its reduced costs lack to be path lengths.
        let mut tree = vec![(free, NONE, 0.0)];
        let (mut frontier, mut reached) = (BinaryHeap::new(), vec![]);
        let mut nearest_free = (f64::INFINITY, NONE);
        let mut next = 0;
        let (length, mut j) = loop {
            // Lower the labels by the paths through the new rows of the tree.
            for (at, &(i, _, offset)) in tree.iter().enumerate().skip(next) {
                self.visits += self.core[i].len();
                for &(j, cost) in &self.core[i] {
                    let label = offset + (cost - self.prices[j]);
                    // A column beyond the nearest unmatched one is on no shortest path.
                    if label < self.labels[j].0 && label < nearest_free.0 {
                        self.labels[j] = (label, at);
                        if self.row_of[j] == NONE {
                            nearest_free = (label, j);
                        } else {
                            frontier.push(Least(label, j));
                        }
                    }
                }
            }
            next = tree.len();
            match frontier.pop() {
                Some(Least(label, j)) if label > self.labels[j].0 => {}
                Some(Least(label, _)) if label >= nearest_free.0 => break nearest_free,
                Some(Least(label, j)) => {
                    let owner = self.row_of[j];
                    reached.push((j, label));
                    self.labels[j].0 = f64::NEG_INFINITY;
                    tree.push((owner, j, label - (self.cost(owner, j) - self.prices[j])));
                }
                None if nearest_free.1 != NONE => break nearest_free,
                None => {
                    for &(i, own, _) in &tree {
                        self.grow(i, own);
                    }
                    self.free.push(free);
                    return;
                }
            }
        };
        for (j, label) in reached {
            self.prices[j] -= length - label;
        }
        // Back along the path.
        while j != NONE {
            let (row, before, _) = tree[self.labels[j].1];
            (self.row_of[j], self.column_of[row]) = (row, j);
            j = before;
        }
    }
}
