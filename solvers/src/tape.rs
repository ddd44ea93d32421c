//! A sampler written down: what it does to every row, as a list of sums, questions to the model and normals.
//!
//! Most samplers are linear in x, in the model's answers and in the noise: all else they do is to choose coefficients, on the host, from the
//! grid alone. [`Sampler::record`](crate::integrate::Sampler::record) finds these by running the sampler once on coefficients instead of points.
//! A tape can then be played wherever there is room for its few slots: with tensors here, or for a whole trajectory at a time on a device.

use candle_core::Tensor;

use crate::clock::Step;
use crate::kernel::Kernel;
use crate::model::{self, ScoreModel};
use crate::noise::{Draw, Noise};
use crate::{Error, Result};

/// One thing that is done; `into` and all that is read are numbers of slots.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Σ c · slot.
    Sum {
        /// The slots and their coefficients.
        terms: Vec<(usize, f64)>,
        /// Where the sum goes.
        into: usize,
    },
    /// What the model answers, as [`ScoreModel::raw`].
    Ask {
        /// The points.
        from: usize,
        /// Their kernel.
        at: Kernel,
        /// Where the answer goes.
        into: usize,
    },
    /// Standard normals.
    Normal {
        /// Of this step.
        step: Step,
        /// For this purpose.
        draw: Draw,
        /// Where they go.
        into: usize,
    },
}

impl Op {
    /// The slot that is written.
    pub fn into(&self) -> usize {
        match self {
            Self::Sum { into, .. } | Self::Ask { into, .. } | Self::Normal { into, .. } => *into,
        }
    }

    /// The slots that are read.
    pub fn reads(&self) -> Vec<usize> {
        match self {
            Self::Sum { terms, .. } => terms.iter().map(|t| t.0).collect(),
            Self::Ask { from, .. } => vec![*from],
            Self::Normal { .. } => Vec::new(),
        }
    }

    fn slots(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Sum { terms, into } => terms.iter_mut().map(|t| &mut t.0).chain([into]).collect(),
            Self::Ask { from, into, .. } => vec![from, into],
            Self::Normal { into, .. } => vec![into],
        }
    }
}

/// A whole run. Slot 0 holds the start; no slot but those of sums is read by the operation that writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tape {
    /// What is done, in order.
    pub ops: Vec<Op>,
    /// How many slots there are.
    pub slots: usize,
    /// The slot that holds the end.
    pub end: usize,
    /// Evaluations of the model for each row.
    pub evals: f64,
}

impl Tape {
    /// A tape whose slots are each written once: element 0 is the start, op i writes element i + 1. Slots are used again as soon as what they
    /// hold has been read for the last time.
    pub(crate) fn new(mut ops: Vec<Op>, end: usize, evals: f64) -> Self {
        let mut last = vec![0; ops.len() + 1];
        for (i, op) in ops.iter().enumerate() {
            op.reads().into_iter().for_each(|element| last[element] = i);
        }
        last[end] = usize::MAX;
        // Slots that hold something, by element; and those that hold nothing any more.
        let (mut place, mut free, mut slots) = (vec![0; last.len()], Vec::new(), 1);
        for (i, op) in ops.iter_mut().enumerate() {
            let mut done: Vec<usize> = op.reads().into_iter().filter(|&e| last[e] == i).collect();
            done.sort_unstable();
            done.dedup();
            let in_place = matches!(op, Op::Sum { .. });
            if in_place {
                free.extend(done.iter().map(|&e| place[e]));
            }
            let slot = free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            });
            if !in_place {
                free.extend(done.iter().map(|&e| place[e]));
            }
            place[i + 1] = slot;
            op.slots().into_iter().for_each(|e| *e = place[*e]);
            if last[i + 1] == 0 {
                // Never read.
                free.push(slot);
            }
        }
        Self { ops, slots, end: place[end], evals }
    }

    /// Whether it asks for normals.
    pub fn draws(&self) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Normal { .. }))
    }

    /// The end for points x (B, D), with tensors. `sum` is [`sum`], or does the same faster.
    ///
    /// # Errors
    /// Those of the model, and if a tensor operation fails.
    pub fn play(
        &self,
        model: &dyn ScoreModel,
        x: &Tensor,
        noise: &dyn Noise,
        sum: impl Fn(&[(&Tensor, f64)]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut slots = vec![x.clone(); self.slots];
        for op in &self.ops {
            let new = match op {
                Op::Sum { terms, .. } => {
                    let terms: Vec<_> = terms.iter().map(|&(slot, c)| (&slots[slot], c)).collect();
                    sum(&terms)?
                }
                Op::Ask { from, at, .. } => model.raw(&slots[*from], &[*at])?,
                Op::Normal { step, draw, .. } => noise.normal(*step, *draw, x)?,
            };
            slots[op.into()] = new.detach();
        }
        Ok(slots.swap_remove(self.end))
    }
}

/// Σ c · x, with tensors.
///
/// # Errors
/// If there is no term, or a tensor operation fails.
pub fn sum(terms: &[(&Tensor, f64)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (x, c) in terms {
        let x = model::scale(x, &[*c])?;
        sum = Some(match sum {
            Some(sum) => (sum + x)?,
            None => x,
        });
    }
    sum.ok_or_else(|| Error::Solve("a sum of nothing".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slots are used again, in place by sums alone, and never while what they hold is still wanted.
    #[test]
    fn slots_are_used_again() {
        let at = Kernel { alpha: 1.0, sigma: 1.0 };
        // Each step: ask about x, and add the answer of this step and of the one before.
        let mut ops = vec![Op::Ask { from: 0, at, into: 1 }];
        let mut x = 0;
        for step in 0..5 {
            let (answer, before) = (ops.len(), ops.len().saturating_sub(2).max(1));
            let terms = vec![(x, 1.0), (answer, 0.5), (before, 0.25)];
            x = ops.len() + 1;
            ops.push(Op::Sum { terms, into: x });
            if step < 4 {
                ops.push(Op::Ask { from: x, at, into: x + 1 });
            }
        }
        let tape = Tape::new(ops.clone(), x, 5.0);
        assert!(tape.slots <= 4, "{tape:?}");
        // The same as with a slot for each element, on numbers: the model answers 2 x + 1.
        let run = |ops: &[Op], slots: usize, end: usize| {
            let mut slot = vec![f64::NAN; slots];
            slot[0] = 0.7;
            for op in ops {
                slot[op.into()] = match op {
                    Op::Sum { terms, .. } => terms.iter().map(|&(s, c)| c * slot[s]).sum(),
                    Op::Ask { from, into, .. } => {
                        assert_ne!(from, into);
                        2.0 * slot[*from] + 1.0
                    }
                    Op::Normal { .. } => unreachable!(),
                };
            }
            slot[end]
        };
        assert_eq!(run(&tape.ops, tape.slots, tape.end), run(&ops, ops.len() + 1, x));
    }
}
