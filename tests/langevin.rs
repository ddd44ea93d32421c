//! Langevin correctors on Gaussians, whose stationary variances are known.

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Spacing, UniformLogSnr};
use tweedie_solvers::integrate::{Finish, Sampler};
use tweedie_solvers::method::{
    AnnealedLangevin, Langevin, Method, Norm, PredictorCorrector, ReverseDiffusion, Rule,
};
use tweedie_solvers::noise::Stream;
use tweedie_solvers::sde::{LinearSde, Use, Vp};
use tweedie_solvers::{Key, Result};

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

/// 1/‖∇log p‖² has no mean below three coordinates: there the sample's own norms are refused, and the batch's where the whole batch has no more;
/// with three, 200 steps on a Gaussian end within four deviations (48 in one dimension, where nothing refused them).
#[test]
fn norms_without_a_second_moment_are_refused() {
    let vp = Vp::default();
    let corrector = |norm| Langevin::new(Rule::Snr { snr: 0.16, norm }, 1).unwrap();
    let draw = |method: &dyn Method, dim: usize, rows: usize| -> Result<Vec<f64>> {
        let model = Mixture::gaussian(vec![1.0; dim], 0.5).unwrap();
        let grid = UniformLogSnr.grid(&vp, vp.span(Use::Sampling), 200)?;
        let problem = Problem { sde: &vp, model: &model };
        let sampler = Sampler { problem, method, grid: &grid, finish: Finish::Stop };
        let x = sampler.draw(&Key::root(2), 0, rows, &Device::Cpu, DType::F64)?.x;
        Ok(x.flatten_all()?.to_vec1()?)
    };
    for (norm, dim, rows, works) in [
        (Norm::Sample, 1, 500, false),
        (Norm::Sample, 2, 500, false),
        (Norm::Sample, 3, 500, true),
        (Norm::Batch, 1, 1, false),
        (Norm::Batch, 1, 2, false),
        (Norm::Batch, 2, 1, false),
        (Norm::Batch, 1, 3, true),
        (Norm::Batch, 3, 1, true),
        (Norm::Kernel, 1, 1, true),
    ] {
        let pc = PredictorCorrector::new(Box::new(ReverseDiffusion), corrector(norm)).unwrap();
        let annealed = AnnealedLangevin(corrector(norm));
        for method in [&pc as &dyn Method, &annealed] {
            match draw(method, dim, rows) {
                Ok(x) => {
                    assert!(works, "{norm:?} {dim} {rows}");
                    let spread = (x.iter().map(|v| (v - 1.0).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
                    assert!(rows < 100 || spread < 2.0, "{spread}");
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        !works && text.contains("set norm = \"kernel\""),
                        "{norm:?} {dim} {rows}: {text}"
                    );
                }
            }
        }
    }
    let widening = |norm, dim| AnnealedLangevin(corrector(norm)).widening(dim);
    assert!((widening(Norm::Sample, 3) - 25.0 / 9.0).abs() < 1e-12 && widening(Norm::Kernel, 3) == 1.0);
}
