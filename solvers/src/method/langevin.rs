//! Langevin dynamics at one time:  x ← x + δ ∇log p_t(x) + √(2δ) z   (Song et al. 2021, algorithms 4 and 5).
//!
//! δ is a number, or follows the paper's signal-to-noise rule δ = 2 (r ‖z‖/‖∇log p_t‖)². The norms may be
//!
//! * `kernel` (the default): expected ones of the forward kernel, E‖z‖² = d and E‖∇log p(x_t | x₀)‖² = d/σ², so δ = 2 (r σ)²;
//! * `batch`: means over the batch, as the paper does; a sample then depends on its batch;
//! * `sample`: the sample's own. δ then depends on x and on the z beside it: E‖z‖² z zᵀ = (d + 2) I where E‖z‖² = d, so that as r → 0 the
//!   chain's law tends to p_t^(d/(d+2)) ‖∇log p_t‖², not to p_t, with heavy tails where the score vanishes: for N(0, I) the mean of ‖x‖²
//!   becomes (d + 2)²/d. Harmless for images, not in the plane.
//!
//! Where the score vanishes, as at a mode, it does so like x − x₀: a chain of steps of any size comes within ρ of it with a chance ∝ ρ^d, and
//! E ‖∇log p‖⁻² is finite for d > 2 alone. Then only have the next state, which holds √(2δ) z, and δ itself a second moment and a mean; δ has a
//! second moment for d > 4. So `sample` is refused in one and two dimensions (on N(1, ½²) the deviation of 200 steps was 48), and `batch`,
//! which divides by the mean of B norms, for B d ≤ 2.
//!
//! The paper's factor 1 − β_i on δ for VP is 1 here for every SDE, sub-VP included.
//!
//! With a Metropolis test (MALA; Roberts & Tweedie 1996) a step to x′ is taken with probability min(1, p(x′) q(x|x′)/p(x) q(x′|x)),
//! q(x′|x) ∝ exp(−|x′ − x − δ ∇log p(x)|²/4δ), and p_t is stationary for any δ that does not depend on x. It needs the density.

use candle_core::{D, Tensor};

use super::{Method, Order, Stepper};
use crate::clock::Step;
use crate::dynamics::Problem;
use crate::grid::DefaultGrid;
use crate::noise::{Draw, Noise};
use crate::{Error, Result, error};

/// How the step size δ is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// A fixed δ > 0, in units of x².
    Fixed(f64),
    /// δ = 2 (r ‖z‖/‖∇log p_t‖)².
    Snr {
        /// r > 0.
        snr: f64,
        /// Which norms.
        norm: Norm,
    },
}

/// Which norms the signal-to-noise rule takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// Expected ones of the forward kernel.
    #[default]
    Kernel,
    /// Means over the batch.
    Batch,
    /// The sample's own.
    Sample,
}

/// A number of Langevin steps at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Langevin {
    rule: Rule,
    steps: usize,
    metropolis: bool,
}

impl Langevin {
    /// `steps` ≥ 1 Langevin steps under a rule.
    ///
    /// # Errors
    /// If the rule's number is not above 0, or `steps` is 0.
    pub fn new(rule: Rule, steps: usize) -> Result<Self> {
        match rule {
            Rule::Fixed(delta) => error::positive("step-size", delta)?,
            Rule::Snr { snr, .. } => error::positive("snr", snr)?,
        };
        if steps == 0 {
            return Err(Error::parameter("corrections", steps, "be 1 or more"));
        }
        Ok(Self { rule, steps, metropolis: false })
    }

    /// The same with a Metropolis test.
    ///
    /// # Errors
    /// If the step size depends on x.
    pub fn metropolis(self) -> Result<Self> {
        if !self.linear() {
            return Err(Error::parameter("metropolis", true, "go with norm = \"kernel\" or with step-size"));
        }
        Ok(Self { metropolis: true, ..self })
    }

    /// Whether the model's density is needed.
    pub fn needs_density(&self) -> bool {
        self.metropolis
    }

    /// Evaluations of the model each time that it is applied.
    pub fn evals(&self) -> usize {
        self.steps + usize::from(self.metropolis)
    }

    /// Whether a sample depends on the others of its batch.
    pub fn couples_batch(&self) -> bool {
        matches!(self.rule, Rule::Snr { norm: Norm::Batch, .. })
    }

    /// Whether its steps have a second moment on batches of so many rows in so many dimensions.
    ///
    /// # Errors
    /// If they have not.
    pub fn check(&self, rows: usize, dim: usize) -> Result<()> {
        let (name, numbers) = match self.rule {
            Rule::Snr { norm: Norm::Sample, .. } => ("sample", dim),
            Rule::Snr { norm: Norm::Batch, .. } => ("batch", rows * dim),
            _ => return Ok(()),
        };
        if numbers > 2 {
            return Ok(());
        }
        let what = if name == "sample" { "a sample" } else { "the batch" };
        Err(Error::Unsupported(format!(
            "norm = \"{name}\" divides by the norm of the score, whose inverse square has no mean where {what} has fewer than 3 coordinates, \
             and here it has {numbers}: samples would have no variance; set norm = \"kernel\""
        )))
    }

    /// ((d + 2)/d)² for the sample's own norms, else 1: see [`Method::widening`].
    pub fn widening(&self, dim: usize) -> f64 {
        match self.rule {
            Rule::Snr { norm: Norm::Sample, .. } => ((dim as f64 + 2.0) / dim as f64).powi(2),
            _ => 1.0,
        }
    }

    /// Whether the step size does not depend on x, and every step is taken.
    pub fn linear(&self) -> bool {
        !self.metropolis && !matches!(self.rule, Rule::Snr { norm: Norm::Batch | Norm::Sample, .. })
    }

    /// x after the Langevin steps at time `step.to`; their noise is the step's corrector draws.
    ///
    /// # Errors
    /// If the model or a tensor operation fails.
    pub fn correct(&self, problem: Problem<'_>, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let sigma = problem.sde.kernel(step.to).sigma;
        // δ where it does not depend on x.
        let delta = match self.rule {
            Rule::Fixed(delta) => Some(delta),
            Rule::Snr { snr, norm: Norm::Kernel } => Some(2.0 * (snr * sigma).powi(2)),
            Rule::Snr { .. } => None,
        };
        if let (true, Some(delta)) = (self.metropolis, delta) {
            return self.test(problem, x, step, noise, delta);
        }
        let mut x = x.clone();
        for number in 0..self.steps {
            let score = problem.predict(&x, &[step.to])?.score()?;
            let z = noise.normal(step, Draw::Corrector(number as u32), &x)?;
            x = match (self.rule, delta) {
                (Rule::Fixed(delta), _) | (_, Some(delta)) => shift(&x, &score, &z, delta)?,
                (Rule::Snr { snr, norm }, None) => {
                    let mut ratio = (length(&z)?, length(&score)?);
                    if norm == Norm::Batch {
                        ratio = (ratio.0.mean_keepdim(0)?, ratio.1.mean_keepdim(0)?);
                    }
                    // √δ, per row (B, 1) or for the batch (1, 1).
                    let root = ((ratio.0 / ratio.1)? * (2f64.sqrt() * snr))?;
                    let pull = score.broadcast_mul(&root.sqr()?)?;
                    ((x + pull)? + (z.broadcast_mul(&root)? * 2f64.sqrt())?)?
                }
            };
        }
        Ok(x)
    }
}

impl Langevin {
    /// Langevin steps of size δ with Metropolis tests: three draws each.
    fn test(
        &self,
        problem: Problem<'_>,
        x: &Tensor,
        step: Step,
        noise: &dyn Noise,
        delta: f64,
    ) -> Result<Tensor> {
        let at = [problem.sde.kernel(step.to)];
        let score = |x: &Tensor| problem.predict(x, &[step.to])?.score();
        let (mut x, mut pull, mut log_p) = (x.clone(), score(x)?, problem.model.log_densities(x, &at)?);
        for number in 0..self.steps as u32 {
            let draw = |which: u32| noise.normal(step, Draw::Corrector(3 * number + which), &x);
            let new = shift(&x, &pull, &draw(0)?, delta)?;
            let (new_pull, new_log_p) = (score(&new)?, problem.model.log_densities(&new, &at)?);
            // ln q of a move, but for a constant.
            let chance = |to: &Tensor, from: &Tensor, pull: &Tensor| -> Result<Tensor> {
                let rest = ((to - from)? - (pull * delta)?)?;
                Ok((rest.sqr()?.sum_keepdim(D::Minus1)? * (-0.25 / delta))?)
            };
            let back = (&new_log_p + chance(&x, &new, &new_pull)?)?;
            let ratio = (back - (&log_p + chance(&new, &x, &pull)?)?)?;
            // −½ (z² + z′²) of two normals is the logarithm of a uniform number.
            let (a, b) = (draw(1)?.narrow(1, 0, 1)?, draw(2)?.narrow(1, 0, 1)?);
            let taken = ratio.gt(&((a.sqr()? + b.sqr()?)? * -0.5)?)?;
            let wide = taken.broadcast_as(x.shape())?;
            (x, pull) = (wide.where_cond(&new, &x)?, wide.where_cond(&new_pull, &pull)?);
            log_p = taken.where_cond(&new_log_p, &log_p)?;
        }
        Ok(x)
    }
}

fn shift(x: &Tensor, score: &Tensor, z: &Tensor, delta: f64) -> Result<Tensor> {
    Ok(((x + (score * delta)?)? + (z * (2.0 * delta).sqrt())?)?)
}

/// Euclidean norms of the rows, (B, 1).
fn length(x: &Tensor) -> Result<Tensor> {
    Ok(x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
}

/// Annealed Langevin dynamics (Song & Ermon 2019, algorithm 1): Langevin steps alone, at each node of the grid but the first in turn: the
/// start is taken for a sample at T, where the paper would correct it once more. With the
/// kernel norms δ = 2 (r σ)², the paper's schedule α_i = ε σ_i²/σ_L² with its ½ α s + √α z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnnealedLangevin(pub Langevin);

impl Method for AnnealedLangevin {
    fn order(&self) -> Order {
        Order::None
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps * self.0.evals())
    }

    fn has_noise(&self) -> bool {
        true
    }

    fn default_grid(&self) -> DefaultGrid {
        DefaultGrid::UniformT
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(Annealed { langevin: self.0, problem }))
    }

    fn couples_batch(&self) -> bool {
        self.0.couples_batch()
    }

    fn needs_density(&self) -> bool {
        self.0.needs_density()
    }

    fn linear(&self) -> bool {
        self.0.linear()
    }

    fn check(&self, rows: usize, dim: usize) -> Result<()> {
        self.0.check(rows, dim)
    }

    fn widening(&self, dim: usize) -> f64 {
        self.0.widening(dim)
    }
}

struct Annealed<'a> {
    langevin: Langevin,
    problem: Problem<'a>,
}

impl Stepper for Annealed<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        self.langevin.correct(self.problem, x, step, noise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use crate::exact::Mixture;
    use crate::noise::Brownian;
    use crate::sde::{LinearSde, Vp};
    use candle_core::Device;

    /// Noise that is 0.7 everywhere in the first corrector draw, and wrong elsewhere.
    struct Same;

    impl Noise for Same {
        fn normal(&self, _: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
            Ok((like.ones_like()? * if draw == Draw::Corrector(0) { 0.7 } else { 1e9 })?)
        }

        fn path(&self, end: f64) -> Brownian {
            Brownian::new(&Key::root(0), 0, end)
        }
    }

    /// x + δ s + √(2δ) z with δ = 2 (r σ)² at the end of the step, on N(0, I): s = −x/(α² + σ²).
    #[test]
    #[expect(clippy::disallowed_methods, reason = "tests read on the host")]
    fn one_correction_by_hand() {
        let (sde, model) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 2.0).unwrap());
        let problem = Problem { sde: &sde, model: &model };
        let langevin = Langevin::new(Rule::Snr { snr: 0.3, norm: Norm::Kernel }, 1).unwrap();
        let x = Tensor::new(&[[0.4, -1.0]], &Device::Cpu).unwrap();
        let step = Step { index: 0, of: 1, from: 0.6, to: 0.2 };
        let got: Vec<f64> =
            langevin.correct(problem, &x, step, &Same).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let k = sde.kernel(0.2);
        let delta = 2.0 * (0.3 * k.sigma).powi(2);
        for (got, x) in got.into_iter().zip([0.4, -1.0]) {
            let score = -x / (4.0 * k.alpha * k.alpha + k.sigma * k.sigma);
            let want = x + delta * score + (2.0 * delta).sqrt() * 0.7;
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }
}
