//! The Gaussian kernel x_t | x₀ ~ N(α x₀, σ² I) and the table that turns any prediction into any other.
//!
//! With x = α x₀ + σ ε, everything that a network predicts or a sampler wants is a linear form in (x₀, ε): its [`Row`].
//! x itself is the row (α, σ). To read a row out of x and a prediction, one 2×2 system is solved in f64, on the host; tensors
//! meet only its two coefficients. Nothing assumes α² + σ² = 1.

/// α > 0 and σ ≥ 0 at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kernel {
    /// What is left of the signal, α.
    pub alpha: f64,
    /// The standard deviation of the noise, σ.
    pub sigma: f64,
}

/// A linear form in (x₀, ε).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The coefficient of the data x₀.
    pub data: f64,
    /// The coefficient of the noise ε.
    pub noise: f64,
}

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The data x₀ (the denoiser).
    Data,
    /// The noise ε.
    Noise,
    /// v = α ε − σ x₀ (Salimans & Ho 2022, eq. 11 without assuming α² + σ² = 1).
    Velocity,
    /// The score ∇log p_t, whose conditional form is −ε/σ.
    Score,
    /// F of EDM's preconditioning (Karras et al. 2022, eq. 7) carried to any α and to noise finer than the data:
    /// x₀ = c_skip x + h c_out F with c_skip = α σ_d²/S², c_out = σ σ_d/S, S² = α² σ_d² + σ² and
    /// h = σ/√(σ² + α² s²). With s = 0 it is EDM's: F has unit variance for data of deviation σ_d. With s > 0, F tends to
    /// s (∇log p₀ + x/σ_d²) as σ → 0 and not to E[−ε | x], which vanishes there: its error, times σ/s, vanishes too.
    Edm {
        /// σ_d, the standard deviation of the data per coordinate.
        sigma_data: f64,
        /// s ≥ 0, the finest structure of the data per coordinate that F resolves.
        finest: f64,
    },
}

impl Kernel {
    /// ln(α/σ), half the logarithm of the signal-to-noise ratio α²/σ².
    pub fn log_snr(self) -> f64 {
        (self.alpha / self.sigma).ln()
    }

    /// σ/α, the noise level of the world where α = 1.
    pub fn ratio(self) -> f64 {
        self.sigma / self.alpha
    }

    /// The row of a target.
    pub fn row(self, target: Target) -> Row {
        let Self { alpha, sigma } = self;
        match target {
            Target::Data => Row { data: 1.0, noise: 0.0 },
            Target::Noise => Row { data: 0.0, noise: 1.0 },
            Target::Velocity => Row { data: -sigma, noise: alpha },
            Target::Score => Row { data: 0.0, noise: -1.0 / sigma },
            Target::Edm { sigma_data, finest } => {
                let (s, wide) = (self.deviation(sigma_data), self.deviation(finest));
                // 1/h = √(σ² + α² s²)/σ; at σ = 0 without s it is 1.
                let inverse = if finest == 0.0 { 1.0 } else { wide / sigma };
                Row { data: wide / (sigma_data * s), noise: -alpha * sigma_data * inverse / s }
            }
        }
    }

    /// S = √(α² σ_d² + σ²), the standard deviation of x_t for data of deviation σ_d.
    pub fn deviation(self, sigma_data: f64) -> f64 {
        (self.alpha * sigma_data).hypot(self.sigma)
    }

    /// (c_x, c_raw) with  want = c_x · x + c_raw · raw  where `raw` is the row that is known.
    pub fn read(self, raw: Row, want: Row) -> (f64, f64) {
        let det = self.alpha * raw.noise - self.sigma * raw.data;
        (
            (want.data * raw.noise - want.noise * raw.data) / det,
            (self.alpha * want.noise - self.sigma * want.data) / det,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of targets, at kernels with and without α² + σ² = 1, on literal (x₀, ε).
    #[test]
    fn any_row_is_read_from_any_other() {
        let targets = [
            Target::Data,
            Target::Noise,
            Target::Velocity,
            Target::Score,
            Target::Edm { sigma_data: 0.7, finest: 0.0 },
            Target::Edm { sigma_data: 0.7, finest: 0.1 },
        ];
        let (x0, eps) = (1.3, -0.4);
        for (alpha, sigma) in [(0.8, 0.6), (1.0, 3.7), (0.3, 0.05), (0.9, 1.4)] {
            let k = Kernel { alpha, sigma };
            let x = alpha * x0 + sigma * eps;
            let value = |r: Row| r.data * x0 + r.noise * eps;
            for from in targets {
                for to in targets {
                    let (cx, cr) = k.read(k.row(from), k.row(to));
                    let got = cx * x + cr * value(k.row(from));
                    assert!((got - value(k.row(to))).abs() < 1e-12, "{from:?} → {to:?} at {k:?}");
                }
            }
        }
    }

    /// The rows against their definitions, EDM's against the paper's c_skip and c_out at α = 1.
    #[test]
    fn rows_are_the_papers() {
        let (sigma, sd): (f64, f64) = (0.9, 0.5);
        let k = Kernel { alpha: 1.0, sigma };
        let (x0, eps) = (0.37, 1.9);
        let x = x0 + sigma * eps;
        let c_skip = sd * sd / (sigma * sigma + sd * sd);
        let c_out = sigma * sd / (sigma * sigma + sd * sd).sqrt();
        let f = k.row(Target::Edm { sigma_data: sd, finest: 0.0 });
        assert!((c_skip * x + c_out * (f.data * x0 + f.noise * eps) - x0).abs() < 1e-15);
        // x₀ = c_skip x + h c_out F at α = 0.6, and F = s (score + x/σ_d²) as σ → 0, where c_skip → 1/α.
        let (k, finest): (Kernel, f64) = (Kernel { alpha: 0.6, sigma: 0.8 }, 0.3);
        let (s2, h) = (0.36 * sd * sd + 0.64, 0.8 / (0.64f64 + 0.36 * finest * finest).sqrt());
        let x = 0.6 * x0 + 0.8 * eps;
        let f = k.row(Target::Edm { sigma_data: sd, finest });
        let read = f.data * x0 + f.noise * eps;
        assert!((0.6 * sd * sd / s2 * x + h * 0.8 * sd / s2.sqrt() * read - x0).abs() < 1e-15);
        let k = Kernel { alpha: 1.0, sigma: 1e-6 };
        let f = k.row(Target::Edm { sigma_data: sd, finest });
        let (_, c) = k.read(f, k.row(Target::Noise));
        assert!((c * -finest / 1e-6 - 1.0).abs() < 1e-9 && (f.data - finest / (sd * sd)).abs() < 1e-9);
        let k = Kernel { alpha: 0.6, sigma: 0.8 };
        assert_eq!(k.row(Target::Velocity), Row { data: -0.8, noise: 0.6 });
        assert_eq!(k.row(Target::Score), Row { data: 0.0, noise: -1.25 });
        assert!((k.log_snr() - 0.75f64.ln()).abs() < 1e-15);
    }
}
