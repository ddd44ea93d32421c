//! Langevin correctors on Gaussians, whose stationary variances are known.

use candle_core::{Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::method::{Langevin, Norm, Rule};
use tweedie_solvers::noise::Stream;
use tweedie_solvers::sde::{Edm, LinearSde, Vp};

/// The states after `rounds` rounds at time `t`, from a standard normal start.
fn chain(sde: &dyn LinearSde, t: f64, model: &Mixture, rule: Rule, rounds: usize, rows: usize) -> Tensor {
    let langevin = Langevin::new(rule, 1).unwrap();
    let key = Key::root(11);
    let start = key.normals(0, 0, rows, model.dim());
    let mut x = Tensor::from_vec(start, (rows, model.dim()), &Device::Cpu).unwrap();
    for index in 0..rounds {
        let step = Step { index, from: t, to: t };
        x = langevin.correct(Problem { sde, model }, &x, step, &Stream::new(&key, 0)).unwrap();
    }
    x
}

/// Mean square per coordinate of such a chain.
fn variance(sde: &dyn LinearSde, t: f64, model: &Mixture, rule: Rule, rounds: usize, rows: usize) -> f64 {
    chain(sde, t, model, rule, rounds, rows).sqr().unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap()
}

/// x + δ s + √(2δ) z on N(0, s²): variance s²/(1 − δ/2s²). 200 000 coordinates; 5 standard errors (√(2/n) relative), 1.6 %.
#[test]
fn a_fixed_step_has_its_own_stationary_variance() {
    // At σ = 1e-9 the noised law is the data's.
    let (edm, s2) = (Edm::new(1e-9, 1.0).unwrap(), 0.49);
    let model = Mixture::gaussian(vec![0.0, 0.0], 0.7).unwrap();
    for delta in [0.05, 0.2, 0.5] {
        let want = s2 / (1.0 - delta / (2.0 * s2));
        let rounds = (5.0 * s2 / delta) as usize;
        let got = variance(&edm, 1e-9, &model, Rule::Fixed(delta), rounds, 100_000);
        assert!((got / want - 1.0).abs() < 0.016, "{delta}: {got} {want}");
    }
}

/// The paper's batch-mean rule on N(0, I): variance 1 + r² (Song et al.'s default r = 0.16, and a larger one that a wrong factor
/// of 2 could not hide behind). 200 000 coordinates, 1.6 % is 5 standard errors; the mean of norms is that of N(0, v) exactly.
#[test]
fn the_batch_rule_adds_r_squared() {
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 1.0).unwrap());
    for snr in [0.16, 0.5] {
        let rule = Rule::Snr { snr, norm: Norm::Batch };
        let rounds = (4.0 / (snr * snr)) as usize;
        let got = variance(&vp, 0.3, &model, rule, rounds, 100_000);
        let want = 1.0 + snr * snr;
        assert!((got / want - 1.0).abs() < 0.016, "{snr}: {got} {want}");
    }
}

/// The kernel rule is δ = 2 (r σ)², so its stationary variance is that of the fixed step.
#[test]
fn the_kernel_rule_is_a_fixed_step_of_the_noise_level() {
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 1.0).unwrap());
    let (snr, sigma) = (0.5, vp.kernel(0.3).sigma);
    let delta = 2.0 * (snr * sigma) * (snr * sigma);
    let got = variance(&vp, 0.3, &model, Rule::Snr { snr, norm: Norm::Kernel }, 40, 2_000);
    let fixed = variance(&vp, 0.3, &model, Rule::Fixed(delta), 40, 2_000);
    assert!((got - fixed).abs() < 1e-12 && (got / (1.0 / (1.0 - delta / 2.0)) - 1.0).abs() < 0.12);
}

/// The sample's own norms make δ depend on x: the chain tends to p ‖∇log p‖² at best, not to p, however small r is, and jumps far
/// where the score vanishes; which is why it is not the default. For N(0, I₂) the median of ‖x‖² is 1.386; with p ‖x‖² it would
/// be 3.357, and the jumps add to that. 5000 samples: 5 standard errors of the median are 0.14.
#[test]
fn the_sample_rule_is_biased_in_the_plane() {
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 1.0).unwrap());
    let median = |norm| {
        let mut squares = chain(&vp, 0.3, &model, Rule::Snr { snr: 0.05, norm }, 1_000, 5_000).sqr().unwrap();
        squares = squares.sum(1).unwrap();
        let mut squares: Vec<f64> = squares.to_vec1().unwrap();
        squares.sort_by(f64::total_cmp);
        squares[squares.len() / 2]
    };
    let (sample, batch) = (median(Norm::Sample), median(Norm::Batch));
    assert!(sample > 3.0, "{sample}");
    assert!((batch - 1.386).abs() < 0.15, "{batch}");
}
