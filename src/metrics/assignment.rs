//! The linear assignment problem min_π ∑ᵢ cᵢ,π(i) with cᵢⱼ = |xᵢ − yⱼ|², n rows x and n columns y.
//!
//! Its dual gives each column a price: the maximum over v of ∑ᵢ minⱼ(cᵢⱼ − vⱼ) + ∑ⱼ vⱼ is the same optimum.
//! It is solved by augmenting row reduction and shortest augmenting paths (Jonker & Volgenant 1987; Crouse
//! 2016), started at the prices vⱼ = minᵢ(cᵢⱼ − uᵢ) that the rows i of the problem of every second point
//! imply, itself solved the same way. Time grows like n² to n³, n^2.4 on planar data; memory is O(nd), since
//! costs are computed when they are needed.

use std::ops::Range;

use crate::points::Points;

/// Columns handled at a time, so that their numbers stay in the fastest cache.
const BLOCK: usize = 256;
/// No row, or no column: unmatched.
const NONE: usize = usize::MAX;

fn every_second(points: &Points) -> Points {
    Points::new(points.dim(), points.rows().step_by(2).flatten().copied().collect())
}

/// Some rows matched with columns. Each matched pair (i, j) has the least cᵢⱼ − vⱼ of its row i, so that a
/// matching of all rows is optimal.
pub(super) struct Assignment<'a> {
    rows: &'a Points,
    /// Coordinate k of column j at `[k][j]`.
    columns: Vec<Vec<f64>>,
    /// vⱼ.
    prices: Vec<f64>,
    row_of: Vec<usize>,
    /// π(i).
    pub(super) column_of: Vec<usize>,
    /// cᵢⱼ − vⱼ of the row i computed last.
    reduced: Vec<f64>,
    /// Lengths of the shortest paths from the free row to each column; −∞ at a column the tree contains.
    labels: Vec<f64>,
}

impl<'a> Assignment<'a> {
    /// An optimal matching of all rows.
    pub(super) fn solve(rows: &'a Points, columns: &Points) -> Option<Self> {
        let n = rows.len();
        let mut problem = Self {
            rows,
            columns: (0..rows.dim()).map(|k| columns.rows().map(|y| y[k]).collect()).collect(),
            prices: vec![0.0; n],
            row_of: vec![NONE; n],
            column_of: vec![NONE; n],
            reduced: vec![0.0; n],
            labels: vec![0.0; n],
        };
        if n > 1 {
            problem.prices =
                problem.implied_prices(&mut Assignment::solve(&every_second(rows), &every_second(columns))?);
        }
        for row in problem.reduce_rows() {
            problem.augment(row)?;
        }
        Some(problem)
    }

    /// minᵢ(cᵢⱼ − uᵢ) over the rows i of the coarse problem, where uᵢ = minⱼ(cᵢⱼ − vⱼ) over its columns.
    fn implied_prices(&mut self, coarse: &mut Assignment<'_>) -> Vec<f64> {
        let mut prices = vec![f64::INFINITY; self.prices.len()];
        for i in 0..coarse.rows.len() {
            coarse.reduce(i);
            let least = coarse.reduced.iter().copied().fold(f64::INFINITY, f64::min);
            self.reduce(2 * i);
            for (price, cost) in prices.iter_mut().zip(&self.reduced) {
                *price = price.min(cost - least);
            }
        }
        prices
    }

    /// Writes cᵢⱼ − vⱼ of row i and all columns j.
    fn reduce(&mut self, i: usize) {
        self.reduce_part(i, 0..self.prices.len());
    }

    /// Writes cᵢⱼ − vⱼ of row i and some columns j.
    fn reduce_part(&mut self, i: usize, part: Range<usize>) {
        let reduced = &mut self.reduced[part.clone()];
        for (cost, price) in reduced.iter_mut().zip(&self.prices[part.clone()]) {
            *cost = -price;
        }
        for (x, column) in self.rows.row(i).iter().zip(&self.columns) {
            for (cost, y) in reduced.iter_mut().zip(&column[part.clone()]) {
                *cost += (x - y) * (x - y);
            }
        }
    }

    /// cᵢⱼ − vⱼ, by the same operations as in `reduce_part`.
    fn reduced_cost(&self, i: usize, j: usize) -> f64 {
        let coordinates = self.rows.row(i).iter().zip(&self.columns);
        coordinates.fold(-self.prices[j], |cost, (x, y)| cost + (x - y[j]) * (x - y[j]))
    }

    /// Augmenting row reduction: each row takes its cheapest column and lowers the price until the second
    /// cheapest is as good; a row that loses its column so tries again, within limits. Returns the free rows.
    fn reduce_rows(&mut self) -> Vec<usize> {
        let n = self.rows.len();
        let (mut free, mut waiting) = (vec![], (0..n).rev().collect::<Vec<_>>());
        let mut trials = 0..10 * n;
        while let Some(i) = waiting.pop() {
            self.reduce(i);
            let (mut first, mut second) = ((f64::INFINITY, NONE), (f64::INFINITY, NONE));
            for (j, &cost) in self.reduced.iter().enumerate() {
                if cost < first.0 {
                    (first, second) = ((cost, j), first);
                } else if cost < second.0 {
                    second = (cost, j);
                }
            }
            let (gain, mut j) = (second.0 - first.0, first.1);
            if n > 1 && gain > 0.0 {
                self.prices[j] -= gain;
            } else if n > 1 && self.row_of[j] != NONE {
                j = second.1;
            }
            let loser = std::mem::replace(&mut self.row_of[j], i);
            self.column_of[i] = j;
            if loser != NONE {
                self.column_of[loser] = NONE;
                let next = if gain > 0.0 && trials.next().is_some() { &mut waiting } else { &mut free };
                next.push(loser);
            }
        }
        free
    }

    /// Matches row `free` along a shortest path to an unmatched column (Dijkstra's algorithm on cᵢⱼ − uᵢ − vⱼ).
    fn augment(&mut self, free: usize) -> Option<()> {
        self.labels.fill(f64::INFINITY);
        // Rows of the tree, each with what its reduced costs lack to be path lengths; row k + 1 owns column
        // k.
        let mut tree = vec![(free, 0.0)];
        let mut reached = vec![];
        let (mut j, length) = loop {
            let &(i, offset) = tree.last()?;
            let (j, label) = self.nearest(i, offset)?;
            let owner = self.row_of[j];
            if owner == NONE {
                break (j, label);
            }
            reached.push((j, label));
            self.labels[j] = f64::NEG_INFINITY;
            tree.push((owner, label - self.reduced_cost(owner, j)));
        };
        // Back along the path: the row before a column is the first that gave the column its label.
        let (mut path, mut label) = (vec![], length);
        loop {
            let k = tree.iter().position(|&(i, offset)| offset + self.reduced_cost(i, j) == label)?;
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
        Some(())
    }

    /// Lowers the labels by the paths through row i; returns the nearest column outside the tree, and its label.
    fn nearest(&mut self, i: usize, offset: f64) -> Option<(usize, f64)> {
        let n = self.labels.len();
        let (mut nearest, mut from) = (f64::INFINITY, 0);
        for start in (0..n).step_by(BLOCK) {
            let part = start..n.min(start + BLOCK);
            self.reduce_part(i, part.clone());
            for (label, cost) in self.labels[part.clone()].iter_mut().zip(&self.reduced[part.clone()]) {
                let through = offset + cost;
                *label = if through < *label { through } else { *label };
            }
            let mut least = [f64::INFINITY; 8];
            for lanes in self.labels[part].chunks(8) {
                for (least, &label) in least.iter_mut().zip(lanes) {
                    let outside = if label == f64::NEG_INFINITY { f64::INFINITY } else { label };
                    *least = if outside < *least { outside } else { *least };
                }
            }
            let least = least.into_iter().fold(f64::INFINITY, f64::min);
            if least < nearest {
                (nearest, from) = (least, start);
            }
        }
        let found = self.labels[from..].iter().position(|&label| label == nearest)?;
        nearest.is_finite().then_some((from + found, nearest))
    }

    /// ∑ᵢ (cᵢ,π(i) − v_π(i) − uᵢ), by how much the cost exceeds the dual value.
    pub(super) fn gap(&mut self) -> f64 {
        let mut gap = 0.0;
        for (i, j) in self.column_of.clone().into_iter().enumerate() {
            self.reduce(i);
            gap += self.reduced[j] - self.reduced.iter().copied().fold(f64::INFINITY, f64::min);
        }
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0, 1, 3, 7 against themselves cost 0. With the columns of 1 and 7 swapped the cost is 36 + 36, and so is
    /// the gap to the dual value, 0.
    #[test]
    fn gap_is_what_a_matching_costs_too_much() {
        let line = Points::new(1, vec![0.0, 1.0, 3.0, 7.0]);
        let mut assignment = Assignment::solve(&line, &line).expect("a matching");
        assert_eq!((assignment.gap(), assignment.column_of.as_slice()), (0.0, [0, 1, 2, 3].as_slice()));
        assignment.column_of.swap(1, 3);
        assert_eq!(assignment.gap(), 72.0);
    }
}
