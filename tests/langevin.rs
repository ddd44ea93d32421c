//! Langevin correctors on Gaussians, whose stationary variances are known.

use candle_core::{Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::method::{Langevin, Norm, Rule};
use tweedie_solvers::noise::Stream;
use tweedie_solvers::sde::{LinearSde, Vp};

/// The states after `rounds` rounds at time `t`, from a standard normal start.
fn chain(sde: &dyn LinearSde, t: f64, model: &Mixture, rule: Rule, rounds: usize, rows: usize) -> Tensor {
    let langevin = Langevin::new(rule, 1).unwrap();
    let key = Key::root(11);
    let start = key.normals(0, 0, rows, model.dim());
    let mut x = Tensor::from_vec(start, (rows, model.dim()), &Device::Cpu).unwrap();
    for index in 0..rounds {
        let step = Step { index, of: usize::MAX, from: t, to: t };
        x = langevin.correct(Problem { sde, model }, &x, step, &Stream::new(&key, 0)).unwrap();
    }
    x
}

/// The sample's own norms make δ depend on x and z: the chain tends to √p ‖∇log p‖² in the plane, not to p, however small r is, and jumps
/// far where the score vanishes; which is why it is not the default. For N(0, I₂) the median of ‖x‖² is 1.386; with √p ‖x‖² it is 4 × 1.678
/// = 6.713, and the jumps add to that. 5000 samples: 5 standard errors of the medians are 0.14 and 0.4.
#[test]
fn the_sample_rule_is_biased_in_the_plane() {
    let (vp, model) = (Vp::default(), Mixture::gaussian(vec![0.0, 0.0], 1.0).unwrap());
    let median = |norm| {
        let mut squares = chain(&vp, 0.3, &model, Rule::Snr { snr: 0.05, norm }, 2_000, 5_000).sqr().unwrap();
        squares = squares.sum(1).unwrap();
        let mut squares: Vec<f64> = squares.to_vec1().unwrap();
        squares.sort_by(f64::total_cmp);
        squares[squares.len() / 2]
    };
    let (sample, batch) = (median(Norm::Sample), median(Norm::Batch));
    assert!((6.3..8.8).contains(&sample), "{sample}");
    assert!((batch - 1.386).abs() < 0.15, "{batch}");
}
