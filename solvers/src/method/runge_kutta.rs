//! Explicit Runge–Kutta methods of fixed steps:  k_i = v(x + h Σ_{j<i} a_ij k_j, t + c_i h),  x ← x + h Σ b_i k_i,
//! with c_i = Σ_j a_ij (Hairer, Nørsett & Wanner 1993, §II.1). `euler`, `heun`, `kutta` and `rk4` are tableaux.

use candle_core::Tensor;

use super::{OdeMethod, Order};
use crate::Result;
use crate::clock::Step;
use crate::dynamics::{At, Ode};

/// A tableau with its order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RungeKutta {
    pub(super) order: u8,
    /// The rows of A below the first, which is empty.
    pub(super) a: &'static [&'static [f64]],
    pub(super) b: &'static [f64],
}

impl RungeKutta {
    /// Euler: one stage, order 1.
    pub const EULER: Self = Self { order: 1, a: &[], b: &[1.0] };
    /// Heun's explicit trapezoid: two stages, order 2.
    pub const HEUN: Self = Self { order: 2, a: &[&[1.0]], b: &[0.5, 0.5] };
    /// Kutta's method (1901) of order 3: three stages.
    pub const KUTTA: Self =
        Self { order: 3, a: &[&[0.5], &[-1.0, 2.0]], b: &[1.0 / 6.0, 2.0 / 3.0, 1.0 / 6.0] };
    /// The classical method of Kutta (1901): four stages, order 4.
    pub const RK4: Self = Self {
        order: 4,
        a: &[&[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
        b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    };
}

impl OdeMethod for RungeKutta {
    fn order(&self) -> Order {
        Order::Deterministic(self.order)
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        Some(steps * self.b.len())
    }

    fn linear(&self) -> bool {
        true
    }

    fn advance(&self, ode: &dyn Ode, x: &Tensor, step: Step) -> Result<Tensor> {
        let h = step.dt();
        let mut stages = vec![ode.velocity(x, At::all(&[step.from]))?];
        for row in self.a {
            let c: f64 = row.iter().sum();
            // The last stage sits on the node itself, not on a rounded sum beside it.
            let t = if c == 1.0 { step.to } else { step.from + c * h };
            stages.push(ode.velocity(&add(x, h, row, &stages)?, At::all(&[t]))?);
        }
        add(x, h, self.b, &stages)
    }
}

/// x + h Σ wᵢ kᵢ, over the weights that are not 0.
fn add(x: &Tensor, h: f64, weights: &[f64], stages: &[Tensor]) -> Result<Tensor> {
    let mut sum = x.clone();
    for (w, k) in weights.iter().zip(stages).filter(|(w, _)| **w != 0.0) {
        sum = (sum + (k * (h * w))?)?;
    }
    Ok(sum)
}
