//! An ODE around an ODE that counts how often it is asked about each row: adaptive methods drop the rows that have arrived.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Tensor};

use crate::Result;
use crate::dynamics::{At, Ode};

/// Counts how often an ODE is asked about each row.
pub(super) struct Visited<'a> {
    ode: &'a dyn Ode,
    visits: Mutex<Vec<u64>>,
}

impl<'a> Visited<'a> {
    /// A counter around an ODE for `rows` rows, going on from earlier counts.
    pub(super) fn new(ode: &'a dyn Ode, rows: usize, before: Option<Vec<u64>>) -> Self {
        Self { ode, visits: Mutex::new(before.unwrap_or_else(|| vec![0; rows])) }
    }

    pub(super) fn visits(self) -> Vec<u64> {
        self.visits.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ode for Visited<'_> {
    fn velocity(&self, x: &Tensor, at: At<'_>) -> Result<Tensor> {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        match at.rows {
            Some(rows) => rows.iter().for_each(|&row| visits[row] += 1),
            None => visits.iter_mut().for_each(|v| *v += 1),
        }
        drop(visits);
        self.ode.velocity(x, at)
    }

    fn rounding(&self, dtype: DType) -> f64 {
        self.ode.rounding(dtype)
    }

    fn controlled(&self, width: usize) -> usize {
        self.ode.controlled(width)
    }
}
