//! Points c_j with weights w_j and one isotropic thickness s: p₀ = Σ_j w_j N(c_j, s² I), and so
//!
//! p_t = Σ_j w_j N(x; α c_j, v I),  v = α² s² + σ²,   ε̂ = (σ/v) Σ_j r_j(x) (x − α c_j),  r_j ∝ w_j exp(−|x − α c_j|²/2v).
//!
//! With s = 0 it is an empirical law; with the nodes of a quadrature it is a curve of Gaussian thickness. What is wide needs few nodes:
//! a sum may hold several levels, of which each serves from some width √v/α on.
//!
//! Distances are taken coordinate by coordinate; |x|² − 2α x·c + α²|c|² would cancel where v is small.

use candle_core::{D, Tensor};

use super::{Exact, log_sum_exp, mass};
use crate::kernel::{Kernel, Target};
use crate::model::{self, Components, ScoreModel};
use crate::{Error, Result};

/// The largest number of distances that are held at once.
const DISTANCES: usize = 1 << 20;

/// Points and weights that serve from a width on.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The least √(s² + σ²/α²) that it serves, in units of the data; 0 for the finest.
    pub from: f64,
    /// The points, M × D, row-major.
    pub points: Vec<f64>,
    /// M weights above 0, brought to sum 1.
    pub weights: Vec<f64>,
}

/// A weighted sum of equal Gaussians.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelSum {
    dim: usize,
    thickness: f64,
    levels: Vec<Level>,
}

impl KernelSum {
    /// A sum in `dim` dimensions from its thickness s ≥ 0 and its levels, finest first.
    ///
    /// # Errors
    /// If the thickness is negative, there is no level, the levels do not rise from 0, or the points and weights of a level do not
    /// fit each other, are not finite, or weights are not above 0.
    pub fn new(dim: usize, thickness: f64, mut levels: Vec<Level>) -> Result<Self> {
        crate::error::non_negative("thickness", thickness)?;
        let rising = levels.first().is_some_and(|l| l.from == 0.0)
            && levels.windows(2).all(|pair| pair[0].from < pair[1].from);
        if dim == 0 || !rising {
            return Err(Error::parameter(
                "levels",
                levels.len(),
                "be one or more, each from a greater width, from 0 on",
            ));
        }
        for level in &mut levels {
            let fits = level.points.len() == dim * level.weights.len() && !level.weights.is_empty();
            let total: f64 = level.weights.iter().sum();
            if !fits || !level.points.iter().all(|v| v.is_finite()) {
                return Err(Error::parameter(
                    "points",
                    level.points.len(),
                    format!("be finite, {dim} numbers for each weight"),
                ));
            }
            if !total.is_finite() || level.weights.iter().any(|w| *w <= 0.0) {
                return Err(Error::parameter("weights", total, "be finite numbers above 0"));
            }
            level.weights.iter_mut().for_each(|w| *w /= total);
        }
        Ok(Self { dim, thickness, levels })
    }

    /// The law that gives every one of the points (rows of `dim` numbers) the same chance.
    ///
    /// # Errors
    /// If there is no point, or a number is not finite.
    pub fn empirical(dim: usize, points: Vec<f64>) -> Result<Self> {
        let weights = vec![1.0; points.len() / dim.max(1)];
        Self::new(dim, 0.0, vec![Level { from: 0.0, points, weights }])
    }

    /// s, the deviation per coordinate of each Gaussian.
    pub fn thickness(&self) -> f64 {
        self.thickness
    }

    /// The levels, finest first.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The number of the coarsest level that serves a kernel.
    fn level_number(&self, at: Kernel) -> usize {
        let width = self.thickness.hypot(at.sigma / at.alpha);
        self.levels.iter().rposition(|l| l.from <= width).unwrap_or(0)
    }

    /// The coarsest level that serves a kernel.
    pub(super) fn level(&self, at: Kernel) -> &Level {
        &self.levels[self.level_number(at)]
    }

    fn variance(&self, at: Kernel) -> f64 {
        (at.alpha * self.thickness).powi(2) + at.sigma * at.sigma
    }

    /// Per point of the level: ln w_j − |x − α c_j|²/2v.
    fn logits<'a>(&'a self, x: &'a [f64], at: Kernel) -> impl Iterator<Item = f64> + Clone + 'a {
        let (level, half) = (self.level(at), 0.5 / self.variance(at));
        level.points.chunks_exact(self.dim).zip(&level.weights).map(move |(c, w)| {
            let square: f64 = x.iter().zip(c).map(|(x, c)| (x - at.alpha * c).powi(2)).sum();
            w.ln() - half * square
        })
    }

    /// For kernels of one level.
    fn tensors(&self, x: &Tensor, at: &[Kernel]) -> Result<Parts> {
        let level = self.level(at[0]);
        let alphas: Vec<f64> = at.iter().map(|k| k.alpha).collect();
        let alpha = model::column(&alphas, x)?;
        let count = level.weights.len();
        let axis = |i: usize| -> Result<Tensor> {
            let c: Vec<f64> = level.points.iter().skip(i).step_by(self.dim).copied().collect();
            let c = alpha.broadcast_mul(&model::tensor(c, (1, count), x)?)?;
            Ok(x.narrow(1, i, 1)?.broadcast_sub(&c)?)
        };
        let away: Vec<Tensor> = (0..self.dim).map(axis).collect::<Result<_>>()?;
        let mut square = away[0].sqr()?;
        for d in &away[1..] {
            square = (square + d.sqr()?)?;
        }
        let half: Vec<f64> = at.iter().map(|k| -0.5 / self.variance(*k)).collect();
        let bias: Vec<f64> = level.weights.iter().map(|w| w.ln()).collect();
        let logits = model::scale(&square, &half)?.broadcast_add(&model::tensor(bias, (1, count), x)?)?;
        let weights = logits.broadcast_sub(&logits.max_keepdim(1)?)?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(1)?)?;
        let mean = mean(&weights, &away)?;
        Ok(Parts { away, weights, mean })
    }

    /// ε̂ and its derivatives for rows few enough to be held at once.
    fn piece(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let Parts { away, weights, mean: middle } = self.tensors(x, at)?;
        let pull: Vec<f64> = at.iter().map(|k| k.sigma / self.variance(*k)).collect();
        let bend: Vec<f64> = at.iter().map(|k| k.sigma / self.variance(*k).powi(2)).collect();
        let centred = |(i, d): (usize, &Tensor)| Ok(d.broadcast_sub(&middle.narrow(1, i, 1)?)?);
        let spread: Vec<Tensor> = if tangents.is_empty() {
            vec![]
        } else {
            away.iter().enumerate().map(centred).collect::<Result<_>>()?
        };
        let derivative = |u: &Tensor| -> Result<Tensor> {
            // The covariance of δ = x − αc under r, times u: Σ r (δ − m) ((δ − m)·u).
            let mut along = spread[0].broadcast_mul(&u.narrow(1, 0, 1)?)?;
            for (i, d) in spread.iter().enumerate().skip(1) {
                along = (along + d.broadcast_mul(&u.narrow(1, i, 1)?)?)?;
            }
            let mixed = mean(&(&weights * along)?, &spread)?;
            Ok((model::scale(u, &pull)? - model::scale(&mixed, &bend)?)?)
        };
        let derivatives = tangents.iter().map(derivative).collect::<Result<_>>()?;
        Ok((model::scale(&middle, &pull)?, derivatives))
    }
}

struct Parts {
    /// x_i − α c_ji for each coordinate i: (B, M).
    away: Vec<Tensor>,
    /// r: (B, M).
    weights: Tensor,
    /// Σ r (x − αc): (B, D).
    mean: Tensor,
}

/// Σ_j w_j δ_j, one column for each coordinate: (B, D).
fn mean(weights: &Tensor, away: &[Tensor]) -> Result<Tensor> {
    let columns = away.iter().map(|d| Ok((weights * d)?.sum_keepdim(D::Minus1)?));
    Ok(Tensor::cat(&columns.collect::<Result<Vec<_>>>()?, 1)?)
}

impl ScoreModel for KernelSum {
    fn dim(&self) -> usize {
        self.dim
    }

    fn target(&self) -> Target {
        Target::Noise
    }

    fn components(&self, at: Kernel) -> Option<Components> {
        let (level, variance) = (self.level(at), self.variance(at));
        let own = level.points.chunks_exact(self.dim).zip(&level.weights).flat_map(|(c, w)| {
            let centre = c.iter().map(|c| (at.alpha * c) as f32);
            centre.chain(std::iter::repeat_n((1.0 / variance) as f32, self.dim)).chain([w.ln() as f32])
        });
        Some(Components { sigma: at.sigma as f32, axes: None, numbers: own.collect() })
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        Ok(self.raw_jvp(x, &[], at)?.0)
    }

    fn rows_apart(&self) -> bool {
        true
    }

    fn raw_jvp(&self, x: &Tensor, tangents: &[Tensor], at: &[Kernel]) -> Result<(Tensor, Vec<Tensor>)> {
        let rows = model::check(x, self.dim, at)?;
        let level = |row: usize| self.level_number(at[if at.len() == 1 { 0 } else { row }]);
        // Rows of one level together, and no more than can be held at once.
        let mut pieces: Vec<Vec<u32>> = Vec::new();
        for wanted in 0..self.levels.len() {
            let own: Vec<u32> = (0..rows).filter(|&row| level(row) == wanted).map(|row| row as u32).collect();
            let most = (DISTANCES / self.levels[wanted].weights.len()).max(1);
            pieces.extend(own.chunks(most).map(<[u32]>::to_vec));
        }
        if pieces.len() <= 1 {
            return self.piece(x, tangents, at);
        }
        let (mut values, mut derivatives) = (Vec::new(), vec![Vec::new(); tangents.len()]);
        for piece in &pieces {
            let index = Tensor::new(&piece[..], x.device())?;
            let own: Vec<Kernel> =
                piece.iter().map(|&row| at[if at.len() == 1 { 0 } else { row as usize }]).collect();
            let part = |t: &Tensor| Ok(t.index_select(&index, 0)?);
            let tangents = tangents.iter().map(part).collect::<Result<Vec<_>>>()?;
            let (value, slopes) = self.piece(&part(x)?, &tangents, &own)?;
            values.push(value);
            derivatives.iter_mut().zip(slopes).for_each(|(all, one)| all.push(one));
        }
        // Where each row has come to lie.
        let mut places = vec![0u32; rows];
        pieces.iter().flatten().zip(0..).for_each(|(&row, place)| places[row as usize] = place);
        let places = Tensor::from_vec(places, rows, x.device())?;
        let whole = |parts: &Vec<Tensor>| Ok(Tensor::cat(parts, 0)?.index_select(&places, 0)?);
        Ok((whole(&values)?, derivatives.iter().map(whole).collect::<Result<_>>()?))
    }

    fn log_densities(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        super::log_densities(self, x, at)
    }
}

impl Exact for KernelSum {
    fn log_density(&self, x: &[f64], at: Kernel) -> f64 {
        let norm = 0.5 * self.dim as f64 * (std::f64::consts::TAU * self.variance(at)).ln();
        log_sum_exp(self.logits(x, at)) - norm
    }

    fn score(&self, x: &[f64], at: Kernel) -> Vec<f64> {
        let (level, total, variance) = (self.level(at), log_sum_exp(self.logits(x, at)), self.variance(at));
        let mut out = vec![0.0; self.dim];
        for (logit, c) in self.logits(x, at).zip(level.points.chunks_exact(self.dim)) {
            let r = (logit - total).exp() / variance;
            out.iter_mut().zip(x.iter().zip(c)).for_each(|(o, (x, c))| *o -= r * (x - at.alpha * c));
        }
        out
    }

    fn mass(&self, low: &[f64], high: &[f64]) -> Option<f64> {
        let finest = &self.levels[0];
        let one = |c: &[f64]| -> f64 {
            let sides = c.iter().zip(low.iter().zip(high));
            sides.map(|(c, (a, b))| mass::interval(*c, self.thickness, *a, *b)).product()
        };
        Some(finest.points.chunks_exact(self.dim).zip(&finest.weights).map(|(c, w)| w * one(c)).sum())
    }
}
