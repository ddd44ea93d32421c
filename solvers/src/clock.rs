//! The diffusion clock: data live at time 0, noise at time T. A [`Step`] is an interval, a [`Grid`] is its N+1 nodes.

use crate::{Error, Result};

/// One step of the clock, from time `from` to time `to`; `to < from` when it runs towards the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The number of the step in its grid, from 0.
    pub index: usize,
    /// How many steps the grid has.
    pub of: usize,
    /// The time it starts at.
    pub from: f64,
    /// The time it ends at.
    pub to: f64,
}

impl Step {
    /// The signed length, to − from.
    pub fn dt(self) -> f64 {
        self.to - self.from
    }

    /// √|to − from|, the standard deviation of the Brownian increment over the step.
    pub fn root_dt(self) -> f64 {
        self.dt().abs().sqrt()
    }
}

/// Strictly monotone, finite times: N+1 nodes for N ≥ 1 steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid(Vec<f64>);

impl Grid {
    /// A grid from its nodes, in the order in which they are visited.
    ///
    /// # Errors
    /// If there are fewer than two nodes, or they are not finite and strictly monotone.
    pub fn new(times: Vec<f64>) -> Result<Self> {
        if times.len() < 2 {
            return Err(Error::parameter("times", format!("{times:?}"), "hold at least two nodes"));
        }
        let falling = times[1] < times[0];
        for pair in times.windows(2) {
            let ordered = if falling { pair[1] < pair[0] } else { pair[1] > pair[0] };
            if !ordered || !pair[0].is_finite() || !pair[1].is_finite() {
                let rule = "be finite and strictly monotone";
                return Err(Error::parameter("times", format!("…, {}, {}, …", pair[0], pair[1]), rule));
            }
        }
        Ok(Self(times))
    }

    /// The nodes.
    pub fn times(&self) -> &[f64] {
        &self.0
    }

    /// The first node.
    pub fn first(&self) -> f64 {
        self.0[0]
    }

    /// The last node.
    pub fn last(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The number of steps, one less than the nodes.
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }

    /// Never: a grid has at least one step.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The steps in order.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        self.0.windows(2).enumerate().map(|(index, w)| Step { index, of: self.len(), from: w[0], to: w[1] })
    }

    /// The same nodes in the opposite order.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self(self.0.iter().rev().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_its_intervals() {
        let grid = Grid::new(vec![1.0, 0.6, 0.1]).unwrap();
        let steps: Vec<Step> = grid.steps().collect();
        assert_eq!(steps[1], Step { index: 1, of: 2, from: 0.6, to: 0.1 });
        assert_eq!((grid.len(), grid.first(), grid.last()), (2, 1.0, 0.1));
        assert_eq!(steps.iter().map(|s| s.dt()).sum::<f64>(), 0.1 - 1.0);
        assert!((steps[1].root_dt().powi(2) - 0.5).abs() < 1e-15);
        assert_eq!(grid.reversed().times(), [0.1, 0.6, 1.0]);
    }

    #[test]
    fn bad_grids_are_refused() {
        for times in [
            vec![],
            vec![1.0],
            vec![1.0, 1.0],
            vec![1.0, 0.5, 0.7],
            vec![1.0, f64::NAN],
            vec![f64::INFINITY, 0.0],
        ] {
            assert!(Grid::new(times).is_err());
        }
    }
}
