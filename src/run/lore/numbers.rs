//! What a method's own numbers cannot give: tolerances of more digits than the model's answers have, and corrections that widen the law.

use candle_core::DType;
use tweedie_solvers::method::{Method, Tolerance};
use tweedie_solvers::model::rounding;
use tweedie_solvers::sde::LinearSde;

use super::short;
use crate::recipe::Named;

/// A widening of the variance below this is not worth a sentence.
const WIDE: f64 = 1.05;

/// What the model's answers are rounded to: for states of a dtype, and whether the model computes in f32 whatever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    /// Of the states.
    pub dtype: DType,
    /// Whether the model is a network, whose numbers are f32.
    pub network: bool,
}

impl Digits {
    /// Tolerances that these answers cannot keep, at states of a size.
    fn too_fine(self, tolerance: Option<Tolerance>, size: f64) -> Option<String> {
        let tolerance = tolerance?;
        let own = rounding(self.dtype);
        let rounding = if self.network { own.max(f64::from(f32::EPSILON)) } else { own };
        if !tolerance.beyond(size, rounding) {
            return None;
        }
        let (rtol, atol, least) = (tolerance.rtol(), tolerance.atol(), Tolerance::least(rounding));
        let who = if self.network { "a network, whose numbers are f32," } else { "a state in its dtype" };
        let change = if self.network || self.dtype == DType::F64 {
            format!("set rtol to {} or more", short(least))
        } else {
            format!("set dtype = \"f64\", or rtol to {} or more", short(least))
        };
        Some(format!(
            "rtol = {} and atol = {} ask {who} for more digits than it has: no step is held to less than {} |x|; {change}",
            short(rtol),
            short(atol),
            short(least)
        ))
    }
}

/// The sentences about the numbers of methods in `dim` dimensions under an SDE.
pub fn numbers(
    methods: &[Named<dyn Method>],
    sde: &Named<dyn LinearSde>,
    dim: usize,
    digits: Digits,
) -> Vec<String> {
    let mut out = Vec::new();
    for method in methods {
        // States begin at the size of the prior.
        let found = [digits.too_fine(method.it.tolerance(), sde.it.prior()), widened(&*method.it, dim)];
        out.extend(
            found.into_iter().flatten().map(|what| format!("{}, {}: {what}", sde.label, method.label)),
        );
    }
    out
}

/// Langevin corrections that tend to a wider law, however short they are.
fn widened(method: &dyn Method, dim: usize) -> Option<String> {
    let factor = method.widening(dim);
    (factor > WIDE).then(|| {
        format!(
            "norm = \"sample\" makes the step size depend on the point and on its noise: in {dim} dimensions the law that the corrections tend to \
             has {} times the variance of a Gaussian, however small snr is; set norm = \"kernel\"",
            short(factor)
        )
    })
}
