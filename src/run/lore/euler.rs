//! Whether steps of Euler–Maruyama are short enough for the narrowest mode.
//!
//! On N(0, s²) the reverse drift with noise level λ is κ x, κ(t) = a + ½ (1 + λ²) g²/v with v = α² s² + σ², and a step of length h from t
//! multiplies x by 1 − h κ(t): below −1, where h κ > 2, x overshoots by more than is corrected. (Above 1, where κ < 0, the law itself
//! spreads: nothing is wrong.) Of a step all its times count, not the one that it starts at alone: a grid that strides over the steep
//! drift near the data is stable, but what it ends with is the noise of its last step, λ g √h, in the place of s.

use tweedie_solvers::Result;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::grid::{Spacing, UniformLogSnr};
use tweedie_solvers::sde::{LinearSde, Span, Use};

/// The largest h κ of a step that is short enough.
pub(super) const STABLE: f64 = 2.0;

/// The largest step count that a remedy may have.
const MOST: usize = 1_000_000;

/// Times beside the nodes at which κ is looked at, evenly in log-SNR: enough to find its largest value to 1e-4.
const TIMES: usize = 1000;

/// Euler–Maruyama with noise level λ under an SDE, near a mode of deviation s.
#[derive(Clone, Copy)]
pub(super) struct Euler<'a> {
    pub(super) sde: &'a dyn LinearSde,
    pub(super) lambda: f64,
    pub(super) narrowest: f64,
}

impl Euler<'_> {
    /// κ(t) = a + ½ (1 + λ²) g²/v, per time.
    pub(super) fn slope(&self, t: f64) -> f64 {
        let (k, g) = (self.sde.kernel(t), self.sde.diffusion(t));
        let v = (k.alpha * self.narrowest).powi(2) + k.sigma * k.sigma;
        self.sde.rate(t) + 0.5 * (1.0 + self.lambda * self.lambda) * g * g / v
    }

    /// The largest h κ(t) over the steps of a grid and the times t in them, and that t.
    ///
    /// # Errors
    /// If the ends of the grid do not make one of equal log-SNR.
    pub(super) fn worst(&self, grid: &Grid) -> Result<(f64, f64)> {
        let span = Span { start: grid.last(), end: grid.first() };
        let times = UniformLogSnr.grid(self.sde, span, TIMES)?;
        let mut inside = times.times().iter().map(|&t| (self.slope(t), t)).peekable();
        let mut worst = (f64::NEG_INFINITY, grid.first());
        for step in grid.steps() {
            let ends = [step.from, step.to].map(|t| (self.slope(t), t));
            let mut found = if ends[0].0 > ends[1].0 { ends[0] } else { ends[1] };
            while let Some(next) = inside.next_if(|(_, t)| *t >= step.to) {
                if next.0 > found.0 {
                    found = next;
                }
            }
            let value = -step.dt() * found.0;
            if value > worst.0 {
                worst = (value, found.1);
            }
        }
        Ok(worst)
    }

    /// The least step count above `from`, where h κ is too large, at which it is not: by doubling, then by bisection.
    ///
    /// # Errors
    /// Those of the spacing.
    pub(super) fn enough(&self, spacing: &dyn Spacing, from: usize) -> Result<Option<usize>> {
        let span = self.sde.span(Use::Sampling);
        let fits = |n: usize| {
            Ok::<_, tweedie_solvers::Error>(self.worst(&spacing.grid(self.sde, span, n)?)?.0 <= STABLE)
        };
        let (mut short, mut long) = (from, from);
        while !fits(long)? {
            if long >= MOST {
                return Ok(None);
            }
            (short, long) = (long, (2 * long).min(MOST));
        }
        while long - short > 1 {
            let middle = short + (long - short) / 2;
            if fits(middle)? { long = middle } else { short = middle }
        }
        Ok(Some(long))
    }
}
