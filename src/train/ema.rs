//! The exponential moving average of the weights: θ̄ ← γ θ̄ + (1 − γ) θ with a warm-up of the decay γ.

/// γ = min(decay, (1 + n)/(10 + n)) at update n = 0, 1, 2, … (score_sde's warm-up).
pub fn ema_decay(decay: f64, update: u64) -> f64 {
    let n = update as f64;
    decay.min((1.0 + n) / (10.0 + n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up() {
        assert_eq!(ema_decay(0.999, 0), 0.1);
        assert_eq!(ema_decay(0.999, 1), 2.0 / 11.0);
        assert_eq!(ema_decay(0.999, 8_989), 8_990.0 / 8_999.0);
        assert_eq!(ema_decay(0.999, 8_992), 0.999);
        assert_eq!(ema_decay(0.0, 50), 0.0);
    }
}
