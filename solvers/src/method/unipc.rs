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
//!
//! `sa-solver` (Xue et al. 2023, eqs. 15 and 18, PEC) is the same for the reverse SDE with noise level λ = τ, by data prediction: h(1 + τ²) stands for
//! h in the integrals, predictor and corrector share the noise σ √(1 − e^(−2τ²h)) z, and each has a number of nodes of its own. Its rule for
//! few steps (appendix D of the paper, `few-steps`) is bh1, for its predictor and its corrector of two nodes, and a last step without noise.

use std::collections::VecDeque;

use candle_core::Tensor;
use nalgebra::DMatrix;

use super::exponential::{Form, Leap, combine};
use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::noise::{Draw, Noise};
use crate::{Error, Result, error};

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

/// UniPC, for data or noise prediction, with or without its corrector; and SA-Solver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UniPc {
    form: Form,
    /// Nodes of the predictor.
    order: usize,
    variant: Variant,
    /// Nodes of the corrector beside the new one; none without it.
    corrector: usize,
    lower_final: bool,
    tau: f64,
    /// Where τ acts: steps that end at σ/α in this range.
    noisy: (f64, f64),
    /// Whether the last step has no noise.
    quiet_end: bool,
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
        let corrector = if corrector { order } else { 0 };
        Ok(Self {
            form,
            order,
            variant,
            corrector,
            lower_final: false,
            tau: 0.0,
            noisy: (0.0, f64::INFINITY),
            quiet_end: false,
        })
    }

    /// SA-Solver with `predictor` nodes (1 to 4), `corrector` nodes with the new one (2 to 4, or 0 for none), the authors' rule for few
    /// steps or the exact weights, and noise level τ ≥ 0 for steps that end at σ/α in a range.
    ///
    /// # Errors
    /// If a number is out of its domain.
    pub fn sa(predictor: usize, corrector: usize, few: bool, tau: f64, noisy: (f64, f64)) -> Result<Self> {
        if !(1..=4).contains(&predictor) {
            return Err(Error::parameter("predictor", predictor, "be from 1 to 4"));
        }
        if corrector == 1 || corrector > 4 {
            return Err(Error::parameter("corrector", corrector, "be from 2 to 4, or 0 for none"));
        }
        error::non_negative("tau", tau)?;
        error::non_negative("tau-from", noisy.0)?;
        if noisy.1.is_nan() || noisy.1 <= noisy.0 {
            return Err(Error::parameter("tau-to", noisy.1, format!("exceed tau-from = {}", noisy.0)));
        }
        let plain = Self::new(Form::Data, predictor, if few { Variant::Bh1 } else { Variant::Exact }, false)?;
        Ok(Self { corrector: corrector.saturating_sub(1), tau, noisy, quiet_end: few, ..plain })
    }

    /// The same with orders lowered towards the end: the last step has order 1, predicted and corrected, the one before it 2.
    #[must_use]
    pub fn lower_final(self, lower_final: bool) -> Self {
        Self { lower_final, ..self }
    }

    /// The weights of differences at these r; `corrects` where the last is that of the new node.
    fn weights(&self, leap: Leap, r: &[f64], corrects: bool) -> Result<Vec<f64>> {
        let n = r.len();
        match self.variant {
            Variant::Bh1 if n == 1 => return Ok(vec![0.5 * leap.scale * leap.length()]),
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
    /// p, and p + 1 with the corrector (Zhao et al. 2023, theorem 3.1); 1 with that of the authors' varying coefficients. With noise the law's
    /// is 2 at most: a step's own noise enters the differences one step late.
    fn order(&self) -> Order {
        let order = match (self.variant, self.corrector) {
            (Variant::VaryCoeff, 2..) => 1,
            (_, 0) => self.order as u8,
            // The corrected point takes the predicted one's place; the model is evaluated at the predicted one.
            (_, corrector) => (corrector + 1).min(self.order + 1) as u8,
        };
        // The one step of order 1 at the end errs by h².
        let order = if self.lower_final { order.min(2) } else { order };
        if self.tau > 0.0 {
            // Noise that the last step leaves out is √h of the path; of the law it is σ² h, which is nothing at ε.
            Order::Stochastic { weak: order.min(2), strong: (!self.quiet_end).then_some(1.0) }
        } else {
            Order::Deterministic(order)
        }
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps)
    }

    fn linear(&self) -> bool {
        true
    }

    fn has_noise(&self) -> bool {
        self.tau > 0.0
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
    /// The last step: what the predictions added to it, its interval, and how many nodes its corrector takes.
    last: Option<(Tensor, Leap, usize)>,
}

impl Walk<'_> {
    /// scale h φ₁ m₀ + Σ w_i D_i over `count` nodes, with the difference to the new node's prediction if there is one.
    fn added(&self, leap: Leap, count: usize, new: Option<&Tensor>) -> Result<Tensor> {
        let (origin, m) = &self.past[0];
        let earlier = || self.past.iter().take(count).skip(1);
        let mut r: Vec<f64> = earlier().map(|p| (p.0 - origin) / leap.h).collect();
        r.extend(new.map(|_| 1.0));
        let w = self.method.weights(leap, &r, new.is_some())?;
        let others: Vec<&Tensor> = earlier().map(|p| &p.1).chain(new).collect();
        let each: Vec<f64> = w.iter().zip(&r).map(|(w, r)| w / r).collect();
        let own = leap.weight(1) - each.iter().sum::<f64>();
        combine(m, own, each.into_iter().zip(others))
    }
}

impl Stepper for Walk<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let UniPc { form, order, corrector, lower_final, tau, noisy, quiet_end, .. } = self.method;
        let (from, to) = (self.problem.sde.kernel(step.from), self.problem.sde.kernel(step.to));
        let m = form.predict(self.problem, x, step.from)?;
        let x = match self.last.take() {
            // keep x and the noise are those of the prediction.
            Some((guess, leap, nodes)) if nodes > 0 => (x + (self.added(leap, nodes, Some(&m))? - guess)?)?,
            _ => x.clone(),
        };
        self.past.push_front((from.log_snr(), m));
        self.past.truncate(order.max(corrector));
        let left = step.of - step.index;
        let quiet = quiet_end && left == 1;
        let tau = if !quiet && (noisy.0..=noisy.1).contains(&to.ratio()) { tau } else { 0.0 };
        let leap = Leap::noisy(form, from, to, tau * tau);
        let most = if lower_final { left } else { usize::MAX };
        let guess = self.added(leap, order.min(most), None)?;
        let mut end = combine(&x, leap.keep, [(1.0, &guess)])?;
        if tau > 0.0 {
            let spread = to.sigma * (-(-2.0 * tau * tau * leap.h).exp_m1()).sqrt();
            end = (end + (noise.normal(step, Draw::Increment, &x)? * spread)?)?;
        }
        self.last = Some((guess, leap, corrector.min(most)));
        Ok(end)
    }
}
