//! Shortest augmenting paths among all columns, many at a time: faster than among near ones where paths are long.

use super::{Assignment, NONE, least_of};

/// Columns handled at a time, so that their numbers stay in the fastest cache.
const BLOCK: usize = 256;

impl Assignment<'_> {
    /// Matches all rows.
    pub(super) fn match_among_all(&mut self) {
        self.free = self.reduce_rows(true);
        while let Some(i) = self.free.pop() {
            self.augment_among_all(i);
        }
    }

    /// cᵢⱼ − vⱼ, by the same operations as in `nearest`.
    fn reduced_cost(&self, i: usize, j: usize) -> f64 {
        let coordinates = self.rows.row(i).iter().zip(&self.columns);
        coordinates.fold(-self.prices[j], |cost, (x, y)| cost + (x - y[j]) * (x - y[j]))
    }

    /// Matches row `free` along a shortest path to an unmatched column (Dijkstra's algorithm on cᵢⱼ − uᵢ − vⱼ).
    fn augment_among_all(&mut self, free: usize) {
        let unmatched: Vec<usize> = (0..self.row_of.len()).filter(|&j| self.row_of[j] == NONE).collect();
        // Lengths of the shortest paths found to each column; −∞ at a column the tree contains.
        let mut labels = vec![f64::INFINITY; self.prices.len()];
        // Rows of the tree, each with what its reduced costs lack to be path lengths; row k + 1 owns the column
        // reached k-th.
        let mut tree = vec![(free, 0.0)];
        let mut reached = vec![];
        let (mut i, mut offset) = tree[0];
        let (mut j, length) = loop {
            let (j, label) = self.nearest(i, offset, &mut labels);
            if let Some(&j) = unmatched.iter().find(|&&j| labels[j] == label) {
                break (j, label);
            }
            reached.push((j, label));
            labels[j] = f64::NEG_INFINITY;
            i = self.row_of[j];
            offset = label - self.reduced_cost(i, j);
            tree.push((i, offset));
        };
        // Back along the path: the row before a column is the first that gave the column its label.
        let (mut path, mut label) = (vec![], length);
        loop {
            let gave = tree.iter().position(|&(i, offset)| offset + self.reduced_cost(i, j) == label);
            let k = gave.expect("a label is what some row of the tree gave");
            path.push((tree[k].0, j));
            if k == 0 {
                break;
            }
            (j, label) = reached[k - 1];
        }
        for (j, label) in reached {
            self.prices[j] -= length - label;
        }
        for (i, j) in path {
            (self.row_of[j], self.column_of[i]) = (i, j);
        }
    }

    /// Lowers the labels by the paths through row i; returns the nearest column outside the tree, and its label.
    fn nearest(&self, i: usize, offset: f64, labels: &mut [f64]) -> (usize, f64) {
        let (mut nearest, mut from) = (f64::INFINITY, 0);
        let mut reduced = [0.0; BLOCK];
        for (block, (labels, prices)) in labels.chunks_mut(BLOCK).zip(self.prices.chunks(BLOCK)).enumerate() {
            let reduced = &mut reduced[..prices.len()];
            for (reduced, price) in reduced.iter_mut().zip(prices) {
                *reduced = -price;
            }
            for (x, column) in self.rows.row(i).iter().zip(&self.columns) {
                for (reduced, y) in reduced.iter_mut().zip(&column[block * BLOCK..]) {
                    *reduced += (x - y) * (x - y);
                }
            }
            let mut least = [f64::INFINITY; 8];
            for (labels, reduced) in labels.chunks_mut(8).zip(reduced.chunks(8)) {
                for ((least, label), &reduced) in least.iter_mut().zip(labels).zip(reduced) {
                    let through = offset + reduced;
                    *label = if through < *label { through } else { *label };
                    let outside = if *label == f64::NEG_INFINITY { f64::INFINITY } else { *label };
                    *least = if outside < *least { outside } else { *least };
                }
            }
            let least = least_of(&least);
            if least < nearest {
                (nearest, from) = (least, block * BLOCK);
            }
        }
        let found = labels[from..].iter().position(|&label| label == nearest);
        (from + found.expect("a column outside the tree"), nearest)
    }
}
