//! Which grids go with which method and SDE: all that are named, and where `default` is among them, or none is named, that of the method
//! under the SDE.

use std::collections::BTreeSet;

use tweedie_solvers::grid::Spacing;
use tweedie_solvers::method::Method;
use tweedie_solvers::sde::LinearSde;

use super::{Named, Recipe};
use crate::error::Result;
use crate::registry::{DEFAULT, default_grid, default_name};

/// The numbers of the grids by SDE and method; defaults that are not named are appended to `grids`.
pub(super) fn grids(
    grids: &mut Vec<Named<dyn Spacing>>,
    wants_default: bool,
    sdes: &[Named<dyn LinearSde>],
    methods: &[Named<dyn Method>],
) -> Result<Vec<Vec<Vec<usize>>>> {
    let named = grids.len();
    let mut of = |sde: &Named<dyn LinearSde>, method: &Named<dyn Method>| -> Result<Vec<usize>> {
        let mut mine: Vec<usize> = (0..named).collect();
        if wants_default {
            let made = default_grid(&*sde.it, &*method.it)?;
            let at = grids.iter().position(|g| g.table == made.table).unwrap_or_else(|| {
                grids.push(made);
                grids.len() - 1
            });
            if at >= named {
                mine.push(at);
            }
        }
        // An adaptive method takes only the ends of a grid.
        mine.truncate(if method.it.adaptive() { 1 } else { mine.len() });
        Ok(mine)
    };
    sdes.iter().map(|sde| methods.iter().map(|method| of(sde, method)).collect()).collect()
}

impl Recipe {
    /// The numbers of the grids that a method runs on under an SDE: one for a method that chooses its own steps.
    pub fn grids_of(&self, sde: usize, method: usize) -> &[usize] {
        &self.grids_of[sde][method]
    }

    /// The numbers of the methods of fixed steps and of their grids under an SDE.
    pub fn pairs_under(&self, sde: usize) -> Vec<(usize, usize)> {
        let fixed = (0..self.methods.len()).filter(|m| !self.methods[*m].it.adaptive());
        fixed.flat_map(|m| self.grids_of(sde, m).iter().map(move |&grid| (m, grid))).collect()
    }

    /// The same under all SDEs, each pair once.
    pub fn fixed_pairs(&self) -> Vec<(usize, usize)> {
        let all: BTreeSet<_> = (0..self.sdes.len()).flat_map(|sde| self.pairs_under(sde)).collect();
        all.into_iter().collect()
    }

    /// What `default` stands for: SDE, method and grid, of methods of fixed steps; empty where all grids are named.
    pub fn default_grids(&self) -> Vec<[&str; 3]> {
        let asked = |v: &toml::Value| v.get("name").and_then(toml::Value::as_str) == Some(DEFAULT);
        if !self.table["grid"].as_array().is_some_and(|grids| grids.iter().any(asked)) {
            return vec![];
        }
        let mut rows = Vec::new();
        for sde in &self.sdes {
            for method in self.methods.iter().filter(|m| !m.it.adaptive()) {
                let grid = default_name(method.it.default_grid().under(&*sde.it));
                rows.push([sde.label.as_str(), method.label.as_str(), grid]);
            }
        }
        rows
    }
}
