//! The linear assignment problem min_π ∑ᵢ cᵢ,π(i) with cᵢⱼ = |xᵢ − yⱼ|², n rows x and n columns y.
//!
//! Its dual gives each column a price: the maximum over v of ∑ᵢ minⱼ(cᵢⱼ − vⱼ) + ∑ⱼ vⱼ is the same optimum.
//! It is solved by augmenting row reduction and shortest augmenting paths (Jonker & Volgenant 1987; Crouse
//! 2016), started at the prices vⱼ = minᵢ(cᵢⱼ − uᵢ) that the rows i of a problem of half the size imply,
//! itself solved the same way. Its points are means of pairs of neighbours, so that it moves the same masses
//! over the same distances: of every second point it would not, and prices would be wrong between clusters.
//!
//! Both look at a core, a few columns near each row (Volgenant 1996). Once all rows are matched, a row to
//! which a column outside the core is cheaper than its own gets such columns into the core and is matched
//! again, until there is none: the result is exact. Time grows like n² on planar data; memory is O(n).

mod halved;

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::points::Points;
use halved::halved;

/// Columns are cut into blocks. At first a row's core goes up to where this many blocks have a column in it.
const BLOCKS: usize = 12;
const BLOCK: usize = 16;
/// Row reductions for each row, at most.
const TRIALS: usize = 10;
/// No row, or no column: unmatched.
const NONE: usize = usize::MAX;

fn least_of(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Adds |x − yⱼ|² to each number.
fn add_costs(x: &[f64], columns: &[Vec<f64>], to: &mut [f64]) {
    for (x, column) in x.iter().zip(columns) {
        for (to, y) in to.iter_mut().zip(column) {
            *to += (x - y) * (x - y);
        }
    }
}

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
    /// Rows without a column.
    free: Vec<usize>,
    /// The columns j near each row i, and cᵢⱼ.
    core: Vec<Vec<(usize, f64)>>,
    /// cᵢⱼ − vⱼ of the row i computed last.
    reduced: Vec<f64>,
    /// Lengths of the shortest paths found from the free row to each column, and the place in the tree of the
    /// row before it.
    labels: Vec<(f64, usize)>,
}

impl<'a> Assignment<'a> {
    /// An optimal matching of all rows.
    pub(super) fn solve(rows: &'a Points, columns: &Points) -> Self {
        let n = rows.len();
        let mut problem = Self {
            rows,
            columns: (0..rows.dim()).map(|k| columns.rows().map(|y| y[k]).collect()).collect(),
            prices: vec![0.0; n],
            row_of: vec![NONE; n],
            column_of: vec![NONE; n],
            free: vec![],
            core: vec![vec![]; n],
            reduced: vec![0.0; n],
            labels: vec![(f64::INFINITY, NONE); n],
        };
        if n > 1 {
            problem.prices = problem.implied_prices(&mut Assignment::solve(&halved(rows), &halved(columns)));
        }
        for i in 0..n {
            problem.look_around(i, BLOCKS);
        }
        problem.free = problem.reduce_rows();
        loop {
            while let Some(i) = problem.free.pop() {
                problem.augment(i);
            }
            problem.free = (0..n).filter(|&i| problem.finds_cheaper(i)).collect();
            if problem.free.is_empty() {
                return problem;
            }
        }
    }

    /// minᵢ(cᵢⱼ − uᵢ) over the rows i of the coarse problem, where uᵢ = minⱼ(cᵢⱼ − vⱼ) over its columns.
    fn implied_prices(&self, coarse: &mut Assignment<'_>) -> Vec<f64> {
        let mut prices = vec![f64::INFINITY; self.prices.len()];
        let mut reduced = prices.clone();
        for (i, x) in coarse.rows.rows().enumerate() {
            coarse.reduce(i);
            reduced.fill(-least_of(&coarse.reduced));
            add_costs(x, &self.columns, &mut reduced);
            for (price, &cost) in prices.iter_mut().zip(&reduced) {
                *price = price.min(cost);
            }
        }
        prices
    }

    /// Writes cᵢⱼ − vⱼ of row i and all columns j.
    fn reduce(&mut self, i: usize) {
        for (cost, price) in self.reduced.iter_mut().zip(&self.prices) {
            *cost = -price;
        }
        add_costs(self.rows.row(i), &self.columns, &mut self.reduced);
    }

    /// cᵢⱼ.
    fn cost(&self, i: usize, j: usize) -> f64 {
        self.rows.row(i).iter().zip(&self.columns).map(|(x, y)| (x - y[j]) * (x - y[j])).sum()
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

    /// Augmenting row reduction: each row takes its cheapest column and lowers the price until the second
    /// cheapest is as good; a row that loses its column so tries again, within limits. Returns the free rows.
    fn reduce_rows(&mut self) -> Vec<usize> {
        let n = self.rows.len();
        let (mut free, mut waiting) = (vec![], (0..n).rev().collect::<Vec<_>>());
        let mut trials = 0..TRIALS * n;
        while let Some(i) = waiting.pop() {
            let (mut first, mut second) = ((f64::INFINITY, NONE), (f64::INFINITY, NONE));
            for &(j, cost) in &self.core[i] {
                let reduced = cost - self.prices[j];
                if reduced < first.0 {
                    (first, second) = ((reduced, j), first);
                } else if reduced < second.0 {
                    second = (reduced, j);
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
    fn augment(&mut self, free: usize) {
        self.labels.fill((f64::INFINITY, NONE));
        // Rows of the tree, each with the column that led to it and what its reduced costs lack to be path lengths.
        let mut tree = vec![(free, NONE, 0.0)];
        let (mut frontier, mut reached) = (BinaryHeap::new(), vec![]);
        let mut nearest_free = f64::INFINITY;
        let mut next = 0;
        let (mut j, length) = loop {
            // Lower the labels by the paths through the new rows of the tree.
            for (at, &(i, _, offset)) in tree.iter().enumerate().skip(next) {
                for &(j, cost) in &self.core[i] {
                    let label = offset + (cost - self.prices[j]);
                    // A column beyond the nearest unmatched one is on no shortest path.
                    if label < self.labels[j].0 && label <= nearest_free {
                        self.labels[j] = (label, at);
                        frontier.push(Least(label, j));
                        if self.row_of[j] == NONE {
                            nearest_free = label;
                        }
                    }
                }
            }
            next = tree.len();
            match frontier.pop() {
                Some(Least(label, j)) if label > self.labels[j].0 => {}
                Some(Least(label, j)) if self.row_of[j] == NONE => break (j, label),
                Some(Least(label, j)) => {
                    let owner = self.row_of[j];
                    reached.push((j, label));
                    self.labels[j].0 = f64::NEG_INFINITY;
                    tree.push((owner, j, label - (self.cost(owner, j) - self.prices[j])));
                }
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

    /// ∑ᵢ (cᵢ,π(i) − v_π(i) − uᵢ), by how much the cost exceeds the dual value.
    pub(super) fn gap(&mut self) -> f64 {
        let mut gap = 0.0;
        for (i, j) in self.column_of.clone().into_iter().enumerate() {
            self.reduce(i);
            gap += self.reduced[j] - least_of(&self.reduced);
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
        let mut assignment = Assignment::solve(&line, &line);
        assert_eq!((assignment.gap(), assignment.column_of.as_slice()), (0.0, [0, 1, 2, 3].as_slice()));
        assignment.column_of.swap(1, 3);
        assert_eq!(assignment.gap(), 72.0);
    }
}
