//! UniPC (Zhao et al. 2023, algorithms 1–4): a multistep exponential predictor of order p, and a corrector that uses the prediction at the new
//! node, which the next step needs anyway. With r_i = (λ_i − λ₀)/h for earlier nodes (i = 1 … p − 1), r_p = 1 for the new one, and
//! D_i = (m_i − m₀)/r_i, both are  keep x + scale h φ₁ m₀ + Σ w_i D_i:
//!
//! * `exact`: Σ_i w_i r_i^(k−1) = scale h k! φ_(k+1), k = 1 …, so that polynomials are integrated exactly (eq. 8);
//! * `bh1`, `bh2`: the same, but one difference alone (the predictor of order 2, the corrector of order 1) has ½ scale h or ½ scale h φ₁;
//! * `vary-coeff`: the authors' code of eq. 10. Its predictor is exact; its corrector leaves the last row of C⁻¹ out, and of the new node's
//!   weight keeps one term: with A = C⁻¹, C_ik = r_i^(k−1)/k!, and v_k = scale h φ_(k+1), w_i = Σ_(k<p) v_k A_ki and w_p = v_p A_(p−1)p.
//!
//! The first steps take the orders 1, 2, … . A correction is made where the next step begins, so that the last point is a predicted one, as in
//! the authors' code, and every step costs one evaluation.

use std::collections::VecDeque;

use candle_core::Tensor;
use nalgebra::DMatrix;

use super::exponential::{Form, Leap, combine};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::Noise;
use crate::{Error, Result};

/// How differences are weighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Exact, but ½ h for one difference alone.
    Bh1,
    /// Exact, but ½ h φ₁ for one difference alone.
    Bh2,
    /// The authors' code of varying coefficients.
    VaryCoeff,
    /// Polynomials are integrated exactly.
    Exact,
}

/// The largest order: beyond it multistep weights grow.
const MOST: usize = 6;

/// UniPC of an order, for data or noise prediction, with or without its corrector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UniPc {
    form: Form,
    order: usize,
    variant: Variant,
    corrector: bool,
}

impl UniPc {
    /// Of order 1 to 6.
    ///
    /// # Errors
    /// If the order is out of its domain.
    pub fn new(form: Form, order: usize, variant: Variant, corrector: bool) -> Result<Self> {
        if !(1..=MOST).contains(&order) {
            return Err(Error::parameter("order", order, format!("be from 1 to {MOST}")));
        }
        Ok(Self { form, order, variant, corrector })
    }

    /// The weights of differences at these r; `corrects` where the last is that of the new node.
    fn weights(&self, leap: Leap, r: &[f64], corrects: bool) -> Result<Vec<f64>> {
        let n = r.len();
        match self.variant {
            Variant::Bh1 if n == 1 => return Ok(vec![0.5 * leap.scale * leap.h]),
            Variant::Bh2 if n == 1 => return Ok(vec![0.5 * leap.weight(1)]),
            _ => {}
        }
        let factorial = |k: usize| (1..=k).map(|j| j as f64).product::<f64>();
        let c = DMatrix::from_fn(n, n, |i, k| r[i].powi(k as i32) / factorial(k + 1));
        let a = c.try_inverse();
        let a = a.ok_or_else(|| Error::Unsupported("UniPC: two nodes have the same log-SNR".into()))?;
        let v = |k: usize| leap.weight(k as u32 + 2);
        let short = self.variant == Variant::VaryCoeff && corrects && n > 1;
        let rows = if short { n - 1 } else { n };
        let mut w: Vec<f64> = (0..n).map(|i| (0..rows).map(|k| v(k) * a[(k, i)]).sum()).collect();
        if short {
            w[n - 1] = v(n - 1) * a[(n - 2, n - 1)];
        }
        Ok(w)
    }
}

impl Method for UniPc {
    /// p, and p + 1 with the corrector (Zhao et al. 2023, theorem 3.1); 1 with that of the authors' varying coefficients.
    fn order(&self) -> Order {
        Order::Deterministic(match (self.variant, self.corrector) {
            (Variant::VaryCoeff, true) if self.order > 1 => 1,
            (_, corrector) => self.order as u8 + u8::from(corrector),
        })
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Walk { method: *self, problem, past: VecDeque::new(), last: None }))
    }
}

/// The method at work.
struct Walk<'a> {
    method: UniPc,
    problem: Problem<'a>,
    /// λ and predictions at the last nodes, newest first.
    past: VecDeque<(f64, Tensor)>,
    /// The last step: where it began, and its interval.
    last: Option<(Tensor, Leap)>,
}

impl Walk<'_> {
    /// keep x + scale h φ₁ m₀ + Σ w_i D_i, with the difference to the new node's prediction if there is one.
    fn leap(&self, x: &Tensor, leap: Leap, new: Option<&Tensor>) -> Result<Tensor> {
        let (origin, m) = &self.past[0];
        let mut r: Vec<f64> = self.past.iter().skip(1).map(|p| (p.0 - origin) / leap.h).collect();
        r.extend(new.map(|_| 1.0));
        let w = self.method.weights(leap, &r, new.is_some())?;
        let others: Vec<&Tensor> = self.past.iter().skip(1).map(|p| &p.1).chain(new).collect();
        let each: Vec<f64> = w.iter().zip(&r).map(|(w, r)| w / r).collect();
        let own = leap.weight(1) - each.iter().sum::<f64>();
        combine(x, leap.keep, std::iter::once((own, m)).chain(each.into_iter().zip(others)))
    }
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, _: &dyn Noise) -> Result<Tensor> {
        let (from, to) = (self.problem.sde.kernel(step.from), self.problem.sde.kernel(step.to));
        let m = self.method.form.predict(self.problem, x, step.from)?;
        let x = match self.last.take() {
            Some((start, leap)) if self.method.corrector => self.leap(&start, leap, Some(&m))?,
            _ => x.clone(),
        };
        self.past.push_front((from.log_snr(), m));
        self.past.truncate(self.method.order);
        let leap = Leap::new(self.method.form, from, to);
        let end = self.leap(&x, leap, None)?;
        self.last = Some((x, leap));
        Ok(end)
    }
}
