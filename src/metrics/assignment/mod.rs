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
//! again, until there is none: the result is exact. Time grows like n² on planar data; memory is O(n). Where that
//! leads through too many columns, as between clusters of many sizes, it begins again with all columns at once.

mod all_columns;
mod halved;
mod near_columns;

use crate::points::Points;
use halved::halved;

/// Row reductions for each row, at most.
const TRIALS: usize = 10;
/// No row, or no column: unmatched.
const NONE: usize = usize::MAX;

fn least_of(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The least number and the second least, each with its index.
fn two_least(values: impl Iterator<Item = (f64, usize)>) -> ((f64, usize), (f64, usize)) {
    let (mut first, mut second) = ((f64::INFINITY, NONE), (f64::INFINITY, NONE));
    for value in values {
        if value.0 < first.0 {
            (first, second) = (value, first);
        } else if value.0 < second.0 {
            second = value;
        }
    }
    (first, second)
}

/// Adds |x − yⱼ|² to each number.
fn add_costs(x: &[f64], columns: &[Vec<f64>], to: &mut [f64]) {
    for (x, column) in x.iter().zip(columns) {
        for (to, y) in to.iter_mut().zip(column) {
            *to += (x - y) * (x - y);
        }
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
    /// How many entries of cores paths have been sought through.
    visits: usize,
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
            visits: 0,
        };
        if n > 1 {
            problem.prices = problem.implied_prices(&mut Assignment::solve(&halved(rows), &halved(columns)));
        }
        let start = problem.prices.clone();
        if !problem.match_in_cores() {
            problem.prices = start;
            problem.match_among_all();
        }
        problem
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

    /// Augmenting row reduction: each row takes its cheapest column and lowers the price until the second
    /// cheapest is as good; a row that loses its column so tries again, within limits. Returns the free rows.
    fn reduce_rows(&mut self, among_all: bool) -> Vec<usize> {
        let n = self.rows.len();
        self.row_of.fill(NONE);
        self.column_of.fill(NONE);
        let (mut free, mut waiting) = (vec![], (0..n).rev().collect::<Vec<_>>());
        let mut trials = 0..TRIALS * n;
        while let Some(i) = waiting.pop() {
            let (first, second) = if among_all {
                self.reduce(i);
                two_least(self.reduced.iter().copied().zip(0..))
            } else {
                two_least(self.core[i].iter().map(|&(j, cost)| (cost - self.prices[j], j)))
            };
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

    /// Among near and among all columns the optimum is the same; without prices to start from, paths are long.
    #[test]
    fn near_columns_lead_to_what_all_do() {
        let key = tweedie_solvers::Key::root(3);
        let (x, y) = (key.normals(0, 0, 300, 2), key.normals(1, 0, 300, 2));
        let (x, y) = (Points::new(2, x), Points::new(2, y.iter().map(|y| y.powi(3)).collect()));
        let cost = |matched: &Assignment<'_>| -> f64 {
            (0..300).map(|i| matched.cost(i, matched.column_of[i])).sum()
        };
        let mut assignment = Assignment::solve(&x, &y);
        let least = cost(&assignment);
        assert!(assignment.gap() < 1e-12 * least);
        assignment.prices.fill(0.0);
        assignment.match_among_all();
        assert!(assignment.gap() < 1e-12 * least);
        assert!((cost(&assignment) - least).abs() < 1e-12 * least);
    }

    /// 200 points in ten dimensions, of which row reduction alone sometimes matches all: near columns are not all columns then either.
    #[test]
    fn reduction_alone_is_checked_against_all_columns() {
        for seed in [39, 64, 101, 318] {
            let key = tweedie_solvers::Key::root(seed);
            let points = |part| Points::new(10, key.normals(part, 0, 200, 10));
            let (x, y) = (points(0), points(1));
            let gap = Assignment::solve(&x, &y).gap();
            assert!(gap < 1e-9, "{seed}: {gap}");
        }
    }
}
