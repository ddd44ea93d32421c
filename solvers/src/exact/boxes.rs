//! Uniform boxes: p₀ = Σ_b w_b U([a_b, b_b]) in D dimensions. Noised, each coordinate of a box is a difference of normal distribution
//! functions, f(x) = [Φ((x − αa)/σ) − Φ((x − αb)/σ)] / α(b − a), and p_t = Σ_b w_b Π_i f_bi(x_i).
//!
//! With c = |x − αm|/σ from the middle m and h = α(b − a)/2σ, u = c + h > w = c − h, and Q(z) = ½ erfc(z/√2):
//!
//! * w ≥ 0 (outside): Φ-difference = Q(w) − Q(u) = ½ e^(−w²/2) [E(w) − e^(−2ch) E(u)],  E(z) = erfcx(z/√2);
//! * w < 0 (inside): 1 − Q(−w) − Q(u).
//!
//! Nothing overflows far away, for the exponent −w²/2 is carried beside the rest. All is done in f64, whatever the dtype of x.

use std::f64::consts::{SQRT_2, TAU};

use candle_core::{D, DType, Tensor};

use super::{Exact, log_sum_exp};
use crate::kernel::{Kernel, Target};
use crate::model::{self, ScoreModel};
use crate::{Error, Result};

/// Chebyshev coefficients of (1 + 2z) erfcx(z) in (z − K)/(z + K), z ≥ 0, good to 3e-15 relatively; the form is that of Shepherd &
/// Laframboise (1981), the numbers were fitted in f64 to scipy's erfcx.
const ERFCX: [f64; 23] = [
    1.1775789345674028,
    -0.0045900545806463276,
    -0.08424913336651782,
    0.05920993999819199,
    -0.026658668435305746,
    0.009074997670705387,
    -0.0024131635404175994,
    0.0004907758365259394,
    -6.91697330248386e-05,
    4.1390279861174786e-06,
    7.740383065647128e-07,
    -2.1886401035779313e-07,
    1.0764999581218671e-08,
    4.521959905622585e-09,
    -7.754399581659253e-10,
    -6.3180824742849e-11,
    2.868795613453405e-11,
    1.9463356771737422e-13,
    -9.655055420615477e-13,
    3.258726897998177e-14,
    3.343904413881772e-14,
    -1.7555596303657971e-15,
    -1.2796253538272775e-15,
];
const K: f64 = 3.75;

/// A weighted sum of uniform boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct Boxes {
    weights: Vec<f64>,
    low: Vec<Vec<f64>>,
    high: Vec<Vec<f64>>,
}

impl Boxes {
    /// Boxes from weights above 0 (brought to sum 1), low corners and high corners.
    ///
    /// # Errors
    /// If the lists are empty or do not fit each other, a number is not finite, a weight is not above 0, or a box is empty.
    pub fn new(weights: Vec<f64>, low: Vec<Vec<f64>>, high: Vec<Vec<f64>>) -> Result<Self> {
        let dim = low.first().map_or(0, Vec::len);
        if dim == 0 || low.len() != weights.len() || high.len() != weights.len() {
            return Err(Error::parameter(
                "boxes",
                low.len(),
                "be one or more, with a weight and two corners each",
            ));
        }
        for (a, b) in low.iter().zip(&high) {
            let full = a.iter().zip(b).all(|(a, b)| a.is_finite() && b.is_finite() && a < b);
            if a.len() != dim || b.len() != dim || !full {
                return Err(Error::parameter(
                    "a box",
                    format!("{a:?} to {b:?}"),
                    format!("have {dim} finite sides above 0"),
                ));
            }
        }
        if let Some(w) = weights.iter().find(|w| !w.is_finite() || **w <= 0.0) {
            return Err(Error::parameter("weights", w, "be finite numbers above 0"));
        }
        let total: f64 = weights.iter().sum();
        Ok(Self { weights: weights.into_iter().map(|w| w / total).collect(), low, high })
    }

    /// Per box: ln w_b f_b(x), and per coordinate σ f′/f.
    fn joint(&self, x: &[f64], at: Kernel) -> (Vec<f64>, Vec<Vec<f64>>) {
        let one = |((w, low), high): ((&f64, &Vec<f64>), &Vec<f64>)| {
            let mut logit = w.ln();
            let slopes = x.iter().zip(low.iter().zip(high)).map(|(&x, (&a, &b))| {
                let side = side(x, at.alpha * a, at.alpha * b, at.sigma);
                logit += side.log - (at.alpha * (b - a)).ln();
                side.slope
            });
            let slopes = slopes.collect();
            (logit, slopes)
        };
        self.weights.iter().zip(&self.low).zip(&self.high).map(one).unzip()
    }
}

/// erfcx(z) = e^(z²) erfc(z) for z ≥ 0.
fn erfcx(z: f64) -> f64 {
    let t = (z - K) / (z + K);
    let (mut next, mut after) = (0.0, 0.0);
    for c in ERFCX[1..].iter().rev() {
        (next, after) = (2.0 * t * next - after + c, next);
    }
    (t * next - after + ERFCX[0]) / (1.0 + 2.0 * z)
}

/// What a noised interval is at a point: f = Φ-difference, in units where σ = 1.
pub(super) struct Side {
    /// ln f.
    pub(super) log: f64,
    /// f′/f.
    slope: f64,
}

/// The interval [a, b] noised by σ ≥ 0, at x.
pub(super) fn side(x: f64, a: f64, b: f64, sigma: f64) -> Side {
    if sigma == 0.0 {
        return Side { log: if (a..b).contains(&x) { 0.0 } else { f64::NEG_INFINITY }, slope: 0.0 };
    }
    let (from, half) = ((x - 0.5 * (a + b)) / sigma, 0.5 * (b - a) / sigma);
    let (u, w) = (from.abs() + half, from.abs() - half);
    let base = 0.5 * w.max(0.0).powi(2);
    // e^(base − z²/2), with u² − w² as a product.
    let (far, near) = (if w >= 0.0 { -2.0 * from.abs() * half } else { -0.5 * u * u }, base - 0.5 * w * w);
    let tail = |z: f64| 0.5 * erfcx(z.abs() / SQRT_2);
    let rest = if w >= 0.0 {
        tail(w) - far.exp() * tail(u)
    } else {
        1.0 - near.exp() * tail(w) - far.exp() * tail(u)
    };
    let slope = (far.exp() - near.exp()) / (rest * TAU.sqrt());
    Side { log: rest.ln() - base, slope: if from < 0.0 { -slope } else { slope } }
}

impl Exact for Boxes {
    fn log_density(&self, x: &[f64], at: Kernel) -> f64 {
        log_sum_exp(self.joint(x, at).0.iter().copied())
    }

    fn score(&self, x: &[f64], at: Kernel) -> Vec<f64> {
        let (logits, slopes) = self.joint(x, at);
        let total = log_sum_exp(logits.iter().copied());
        let mut out = vec![0.0; x.len()];
        for (logit, slopes) in logits.iter().zip(&slopes) {
            let r = (logit - total).exp();
            out.iter_mut().zip(slopes).for_each(|(o, slope)| *o += r * slope / at.sigma);
        }
        out
    }

    fn mass(&self, low: &[f64], high: &[f64]) -> Option<f64> {
        let share = |(a, b): (&Vec<f64>, &Vec<f64>)| -> f64 {
            let part = |i: usize| (high[i].min(b[i]) - low[i].max(a[i])).max(0.0) / (b[i] - a[i]);
            (0..a.len()).map(part).product()
        };
        Some(self.low.iter().zip(&self.high).map(share).zip(&self.weights).map(|(s, w)| w * s).sum())
    }
}

/// The intervals of one axis, without repetition, and which of them each box has.
struct Axis {
    low: Vec<f64>,
    high: Vec<f64>,
    of: Vec<u32>,
}

/// [`Side`] on tensors (B, n), with the second derivative.
struct Sides {
    log: Tensor,
    slope: Tensor,
    /// σ² times the second derivative of ln f.
    bend: Tensor,
}

impl Boxes {
    fn axis(&self, i: usize) -> Axis {
        let mut axis = Axis { low: vec![], high: vec![], of: vec![] };
        for (low, high) in self.low.iter().zip(&self.high) {
            let same = |k: &usize| axis.low[*k] == low[i] && axis.high[*k] == high[i];
            let at = (0..axis.low.len()).find(same).unwrap_or_else(|| {
                axis.low.push(low[i]);
                axis.high.push(high[i]);
                axis.low.len() - 1
            });
            axis.of.push(at as u32);
        }
        axis
    }

    /// Every box's own sides along axis i: (B, K) each.
    fn sides(&self, x: &Tensor, i: usize, at: &[Kernel]) -> Result<Sides> {
        let Axis { low, high, of } = self.axis(i);
        let count = low.len();
        // (x − αm)/σ = x/σ − m α/σ and α(b − a)/2σ, by one kernel or one for each row.
        let over: Vec<f64> = at.iter().map(|k| 1.0 / k.sigma).collect();
        let ratio: Vec<f64> = at.iter().map(|k| k.alpha).collect();
        let (over, ratio) = (model::column(&over, x)?, model::column(&ratio, x)?);
        let middle: Vec<f64> = low.iter().zip(&high).map(|(a, b)| 0.5 * (a + b)).collect();
        let half: Vec<f64> = low.iter().zip(&high).map(|(a, b)| 0.5 * (b - a)).collect();
        let lengths: Vec<f64> = half.iter().map(|h| (2.0 * h).ln()).collect();
        let row = |v: Vec<f64>| model::tensor(v, (1, count), x);
        let from =
            x.narrow(1, i, 1)?.broadcast_sub(&ratio.broadcast_mul(&row(middle)?)?)?.broadcast_mul(&over)?;
        let half = row(half)?.broadcast_mul(&ratio)?.broadcast_mul(&over)?;
        let distance = from.abs()?;
        let (u, w) = (distance.broadcast_add(&half)?, distance.broadcast_sub(&half)?);
        let outside = w.ge(0.0)?;
        let base = (w.relu()?.sqr()? * 0.5)?;
        let far =
            outside.where_cond(&(distance.broadcast_mul(&half)? * -2.0)?, &(u.sqr()? * -0.5)?)?.exp()?;
        let near = (&base - (w.sqr()? * 0.5)?)?.exp()?;
        let (at_w, at_u) = ((&near * tail(&w)?)?, (&far * tail(&u)?)?);
        let rest = outside.where_cond(&(&at_w - &at_u)?, &((&at_w + &at_u)?.neg()? + 1.0)?)?;
        let scale = (&rest * TAU.sqrt())?;
        let sign = from.ge(0.0)?.to_dtype(DType::F64)?.affine(2.0, -1.0)?;
        let slope = (((&far - &near)? / &scale)? * sign)?;
        let bend = ((((&w * &near)? - (&u * &far)?)? / scale)? - slope.sqr()?)?;
        // It is −1 plus a variance that cannot exceed 1/w²: far away the difference above is rounding alone.
        let bend = bend.maximum(-1.0)?.minimum(&w.relu()?.sqr()?.recip()?.affine(1.0, -1.0)?)?;
        let log = (rest.log()? - base)?.broadcast_sub(&row(lengths)?)?;
        let of = Tensor::new(of, x.device())?;
        let pick = |t: Tensor| -> Result<Tensor> { Ok(t.index_select(&of, 1)?) };
        Ok(Sides { log: pick(log)?, slope: pick(slope)?, bend: pick(bend)? })
    }
}

/// ½ erfcx(|z|/√2).
fn tail(z: &Tensor) -> Result<Tensor> {
    let z = (z.abs()? / SQRT_2)?;
    let t = ((&z - K)? / (&z + K)?)?;
    let twice = (&t * 2.0)?;
    let (mut next, mut after) = (z.zeros_like()?, z.zeros_like()?);
    for c in ERFCX[1..].iter().rev() {
        (next, after) = ((((&twice * &next)? - &after)? + *c)?, next);
    }
    let sum = (((t * next)? - after)? + ERFCX[0])?;
    Ok((sum / z.affine(4.0, 2.0)?)?)
}

impl ScoreModel for Boxes {
    fn dim(&self) -> usize {
        self.low[0].len()
    }

    fn target(&self) -> Target {
        Target::Noise
    }

    /// Lists of a number for each box, for each axis.
    fn room(&self) -> usize {
        16 * self.weights.len() * (self.dim() + 1)
    }

    fn rows_apart(&self) -> bool {
        true
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        Ok(self.raw_jvp(x, &[], at)?.0)
    }

    /// With g = σ∇log f_b and r_b the responsibilities, ε̂ = −Σ r g and, where i ≠ j, σ² ∂²f_b/∂x_i∂x_j = f_b g_i g_j.
    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let dim = self.dim();
        model::check(x, dim, at)?;
        let (dtype, x) = (x.dtype(), x.to_dtype(DType::F64)?);
        let sides = (0..dim).map(|i| self.sides(&x, i, at)).collect::<Result<Vec<_>>>()?;
        let bias: Vec<f64> = self.weights.iter().map(|w| w.ln()).collect();
        let mut logits = sides[0].log.broadcast_add(&model::tensor(bias, (1, self.weights.len()), &x)?)?;
        for side in &sides[1..] {
            logits = (logits + &side.log)?;
        }
        let r = logits.broadcast_sub(&logits.max_keepdim(1)?)?.exp()?;
        let r = r.broadcast_div(&r.sum_keepdim(1)?)?;
        let over_boxes = |t: Tensor| -> Result<Tensor> { Ok((t * &r)?.sum_keepdim(D::Minus1)?) };
        let slopes = sides.iter().map(|s| over_boxes(s.slope.clone())).collect::<Result<Vec<_>>>()?;
        let slope = Tensor::cat(&slopes, 1)?;
        let shrink: Vec<f64> = at.iter().map(|k| -1.0 / k.sigma).collect();
        let centred = |(i, s): (usize, &Sides)| Ok(s.slope.broadcast_sub(&slope.narrow(1, i, 1)?)?);
        let spread = sides.iter().enumerate().map(centred).collect::<Result<Vec<Tensor>>>()?;
        let derivative = |u: &Tensor| -> Result<Tensor> {
            let u = u.to_dtype(DType::F64)?;
            // Σ r [σ² (ln f)″ u + (g − G) ((g − G)·u)]
            let mut along = spread[0].broadcast_mul(&u.narrow(1, 0, 1)?)?;
            for (i, g) in spread.iter().enumerate().skip(1) {
                along = (along + g.broadcast_mul(&u.narrow(1, i, 1)?)?)?;
            }
            let column = |(i, (side, g)): (usize, (&Sides, &Tensor))| -> Result<Tensor> {
                let own = side.bend.broadcast_mul(&u.narrow(1, i, 1)?)?;
                over_boxes((own + (g * &along)?)?)
            };
            let columns = sides.iter().zip(&spread).enumerate().map(column).collect::<Result<Vec<_>>>()?;
            Ok(model::scale(&Tensor::cat(&columns, 1)?, &shrink)?.to_dtype(dtype)?)
        };
        let derivatives = tangents.iter().map(derivative).collect::<Result<_>>()?;
        Ok((slope.neg()?.to_dtype(dtype)?, derivatives))
    }

    fn log_densities(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        super::log_densities(self, x, at)
    }
}
