//! Predictor–corrector sampling (Song et al. 2021, algorithm 1): any method carries x from t to s, then Langevin steps at s bring
//! its law closer to p_s. The order is the paper's, predict then correct; its code corrects first.

use candle_core::Tensor;

use super::{Langevin, Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::noise::Noise;
use crate::{Error, Result};

/// A predictor followed by a Langevin corrector at every node.
#[derive(Debug)]
pub struct PredictorCorrector {
    predictor: Box<dyn Method>,
    corrector: Langevin,
}

impl PredictorCorrector {
    /// Any method of fixed steps, and a corrector.
    ///
    /// # Errors
    /// If the predictor chooses its own steps: there would be no nodes to correct at.
    pub fn new(predictor: Box<dyn Method>, corrector: Langevin) -> Result<Self> {
        if predictor.adaptive() {
            return Err(Error::parameter(
                "predictor",
                "adaptive",
                "be a method of fixed steps, such as reverse-diffusion",
            ));
        }
        Ok(Self { predictor, corrector })
    }
}

impl Method for PredictorCorrector {
    /// The predictor's law converges; the corrector adds a bias of its own step size, which does not shrink with the grid.
    fn order(&self) -> Order {
        Order::None
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(self.predictor.evals(steps)? + steps * self.corrector.evals())
    }

    fn default_grid(&self) -> DefaultGrid {
        self.predictor.default_grid()
    }

    fn has_noise(&self) -> bool {
        true
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Pair { predictor: self.predictor.stepper(problem)?, corrector: self.corrector, problem }))
    }

    fn check(&self, rows: usize, dim: usize) -> Result<()> {
        self.predictor.check(rows, dim)?;
        self.corrector.check(rows, dim)
    }

    fn widening(&self, dim: usize) -> f64 {
        self.predictor.widening(dim).max(self.corrector.widening(dim))
    }

    fn needs_density(&self) -> bool {
        self.predictor.needs_density() || self.corrector.needs_density()
    }

    fn linear(&self) -> bool {
        self.predictor.linear() && self.corrector.linear()
    }

    fn couples_batch(&self) -> bool {
        self.predictor.couples_batch() || self.corrector.couples_batch()
    }
}

struct Pair<'a> {
    predictor: Box<dyn Stepper + 'a>,
    corrector: Langevin,
    problem: Problem<'a>,
}

impl Stepper for Pair<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let x = self.predictor.step(x, step, noise)?;
        self.corrector.correct(self.problem, &x, step, noise)
    }
}
