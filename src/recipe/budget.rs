//! How many steps are taken: as many as the recipe says, or as its budgets of evaluations pay for.

use tweedie_solvers::grid::Spacing;
use tweedie_solvers::integrate::Finish;
use tweedie_solvers::method::Method;

use super::{Recipe, Section, expand};
use crate::error::Result;

/// `steps` and `evals`, of which one is empty.
pub(super) fn given(top: &Section) -> Result<(Vec<u64>, Vec<u64>)> {
    top.known("evals");
    if top.has("evals") {
        top.excluded(&["steps"], "be left out where evals are given")?;
        return Ok((vec![], expand::integers(top, "evals", 100, 1)?));
    }
    Ok((expand::integers(top, "steps", 100, 1)?, vec![]))
}

impl Recipe {
    /// The step counts of a method of fixed steps on a grid: the recipe's, those that its budgets pay for, or the one that the grid fixes.
    pub fn steps_of(&self, method: &dyn Method, grid: &dyn Spacing) -> Vec<usize> {
        if let Some(n) = grid.fixed_steps() {
            return vec![n];
        }
        if self.evals.is_empty() {
            return self.steps.clone();
        }
        let last = usize::from(self.finish == Finish::Denoise);
        let fits = |n: usize, budget: usize| method.evals(n).is_some_and(|evals| evals + last <= budget);
        let most = |&budget: &usize| (1..=budget).rev().find(|&n| fits(n, budget));
        let mut steps: Vec<usize> = self.evals.iter().filter_map(most).collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// All step counts of the recipe, in order.
    pub fn all_steps(&self) -> Vec<usize> {
        let pairs = self.fixed_pairs().into_iter();
        let of = |(m, g): (usize, usize)| self.steps_of(&*self.methods[m].it, &*self.grids[g].it);
        let mut steps: Vec<usize> = pairs.flat_map(of).collect();
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}
