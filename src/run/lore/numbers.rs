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

#[cfg(test)]
mod tests {
    use super::*;

    fn about(digits: Digits, rtol: f64, atol: f64, size: f64) -> Option<String> {
        digits.too_fine(Some(Tolerance::new(rtol, atol).unwrap()), size)
    }

    /// 4 ε: 4.77e-7 in f32, 8.88e-16 in f64. What atol allows is not asked for, and a network is f32 in any dtype.
    #[test]
    fn digits_are_counted() {
        assert_eq!(Tolerance::least(1e-3), 4e-3);
        let exact = |dtype| Digits { dtype, network: false };
        let (single, double) = (exact(DType::F32), exact(DType::F64));
        let net = Digits { dtype: DType::F64, network: true };
        let text = about(single, 1e-9, 1e-9, 1.0).unwrap();
        assert!(text.contains("dtype = \"f64\", or rtol to 4.77e-7 or more"), "{text}");
        let text = about(net, 1e-9, 1e-9, 1.0).unwrap();
        assert!(text.contains("a network") && text.ends_with("set rtol to 4.77e-7 or more"), "{text}");
        assert!(about(double, 1e-17, 1e-17, 1.0).unwrap().ends_with("set rtol to 8.88e-16 or more"));
        for (digits, rtol, atol, size) in [
            (double, 1e-9, 1e-9, 1.0),
            (single, 1e-6, 1e-9, 1.0),
            (single, 1e-5, 1e-5, 50.0),
            (net, 1e-5, 1e-5, 1.0),
            (single, 1e-9, 1e-6, 1.0),
        ] {
            assert_eq!(about(digits, rtol, atol, size), None, "{rtol} {atol} {size}");
        }
        // The same atol is too little where states are of the size of VE's prior.
        assert!(about(single, 1e-9, 1e-6, 50.0).is_some());
        assert_eq!(single.too_fine(None, 1.0), None);
    }
}
