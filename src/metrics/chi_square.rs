//! The χ² distribution with d degrees of freedom, that of |z|² for a standard normal z in d dimensions.
//!
//! P(χ²_d ≤ 2x) = γ(a, x)/Γ(a) with a = d/2, from the series xᵃ e⁻ˣ ∑ₙ xⁿ/Γ(a + n + 1) (Abramowitz & Stegun
//! 1964, 6.5.4 and 6.5.29).

/// The x with P(χ²_d ≤ x) = `probability`, by bisection.
pub(super) fn quantile(dim: usize, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 100.0 + 10.0 * dim as f64);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if distribution(dim, middle) < probability { low = middle } else { high = middle }
    }
    high
}

/// P(χ²_d ≤ 2x) = xᵃ e⁻ˣ ∑ₙ xⁿ/Γ(a + n + 1) with a = d/2, for 2x = `square`.
fn distribution(dim: usize, square: f64) -> f64 {
    let (a, x) = (0.5 * dim as f64, 0.5 * square);
    // Γ(a + 1) = a (a − 1) … down to 1 for even d, and to ½, times Γ(½) = √π, for odd d.
    let mut log_gamma = if dim.is_multiple_of(2) { 0.0 } else { 0.5 * std::f64::consts::PI.ln() };
    log_gamma += (0..dim.div_ceil(2)).map(|k| (a - k as f64).ln()).sum::<f64>();
    let (mut log_term, mut sum, mut n) = (a * x.ln() - x - log_gamma, 0.0, 0.0);
    loop {
        let term = log_term.exp();
        sum += term;
        n += 1.0;
        if a + n > x && term < 1e-18 {
            return sum;
        }
        log_term += (x / (a + n)).ln();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::close;
    use super::*;

    #[test]
    fn known_values() {
        let within = 0.997_300_203_936_739_8;
        close(quantile(1, within), 9.0, 1e-9);
        close(quantile(2, within), -2.0 * (1.0 - within).ln(), 1e-9);
        close(quantile(3, 0.95), 7.814_727_903_251_178, 1e-9);
        for x in [0.5, 3.0, 40.0] {
            let half: f64 = x / 2.0;
            close(distribution(4, x), 1.0 - (-half).exp() * (1.0 + half), 1e-14);
            close(distribution(6, x), 1.0 - (-half).exp() * (1.0 + half + half * half / 2.0), 1e-14);
        }
        // The median is d − ⅔ + O(1/d).
        close(quantile(4000, 0.5), 4000.0 - 2.0 / 3.0, 1e-3);
    }
}
