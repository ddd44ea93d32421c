//! The probability flow: log-densities, probes, and what each point costs.

use candle_core::{Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::likelihood::{Divergence, Flow, Probe};
use tweedie_solvers::method::{Coupling, Dopri, DopriOrder, OdeMethod, Rk45};
use tweedie_solvers::sde::{LinearSde, SubVp, Vp};

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    Tensor::new(rows.to_vec(), &Device::Cpu).unwrap()
}

/// Steps pooled over the batch lead to the same ends as steps of each sample.
#[test]
fn coupled_steps_end_where_single_ones_do() {
    let (sde, model) = (
        SubVp::default(),
        Mixture::isotropic(vec![0.5, 0.5], vec![vec![1.0, 0.0], vec![-1.0, 0.5]], 0.3).unwrap(),
    );
    let grid = Grid::new(vec![1.0, 1e-3]).unwrap();
    let z = tensor(&[vec![0.4, -0.3], vec![-2.0, 1.0], vec![0.1, 0.0]]);
    for order in [DopriOrder::Five, DopriOrder::Eight] {
        let end = |coupling| {
            let method = Dopri::new(order, 1e-9, 1e-9, coupling).unwrap();
            let flow = Flow { problem: Problem { sde: &sde, model: &model }, method: &method, grid: &grid };
            flow.decode(&z).unwrap()
        };
        let gap = (end(Coupling::Batch) - end(Coupling::Sample)).unwrap().abs().unwrap().max_all().unwrap();
        let gap = gap.to_scalar::<f64>().unwrap();
        assert!(gap > 0.0 && gap < 1e-6, "{order:?}: {gap}");
    }
}

/// One Gaussian: log p through the flow is N(x; m, Σ) smoothed to ε plus the mismatch of the prior, for a fixed-step method too.
#[test]
fn a_gaussian_has_its_own_density() {
    use tweedie_solvers::grid::{Spacing, UniformLogSnr};
    use tweedie_solvers::method::RungeKutta;
    use tweedie_solvers::sde::Use;
    let sde = SubVp::default();
    let cov = vec![vec![1.2, 0.7], vec![0.7, 0.9]];
    let model = Mixture::new(vec![1.0], vec![vec![0.0, 0.0]], std::slice::from_ref(&cov)).unwrap();
    let span = sde.span(Use::Likelihood);
    let grid = UniformLogSnr.grid(&sde, span, 200).unwrap();
    let flow = Flow { problem: Problem { sde: &sde, model: &model }, method: &RungeKutta::RK4, grid: &grid };
    let points = vec![vec![0.4, -0.3], vec![-2.0, 1.0], vec![0.0, 0.0]];
    let found = flow.log_density(&tensor(&points), Divergence::Exact, &Key::root(0), 0).unwrap();
    let latent: Vec<Vec<f64>> = found.latent.to_vec2().unwrap();
    let (end, sigma) = (sde.kernel(span.end), sde.kernel(span.end).sigma);
    for (i, point) in points.iter().enumerate() {
        // log p_ε = log p_T(x_T) + ∫∇·v with the exact p_T; the method uses the prior N(0, σ_T² I) in its place.
        let prior = |z: &[f64]| {
            -0.5 * z.iter().map(|v| (v / sigma).powi(2)).sum::<f64>()
                - (std::f64::consts::TAU * sigma * sigma).ln()
        };
        let mismatch = prior(&latent[i]) - model.log_density(&latent[i], end);
        let want = model.log_density(point, sde.kernel(span.start)) + mismatch;
        assert!((found.log_p[i] - want).abs() < 1e-6, "{} {want}", found.log_p[i]);
    }
    assert!(found.evals.iter().all(|n| *n == 3.0 * 4.0 * 200.0));
}

/// A point costs the same alone and among others: adaptive methods drop the rows that have arrived, and each row counts its own.
#[test]
fn evaluations_are_each_points_own() {
    let sde = Vp::default();
    let model = Mixture::isotropic(vec![0.5, 0.5], vec![vec![0.5, -0.5], vec![-0.5, 0.5]], 0.02).unwrap();
    let grid = Grid::new(vec![1.0, 1e-3]).unwrap();
    let points = [vec![0.5, -0.5], vec![4.0, 3.0], vec![0.01, 0.0]];
    let methods: [Box<dyn OdeMethod>; 2] = [
        Box::new(Rk45::default()),
        Box::new(Dopri::new(DopriOrder::Five, 1e-5, 1e-5, Coupling::Sample).unwrap()),
    ];
    for method in &methods {
        let flow = Flow { problem: Problem { sde: &sde, model: &model }, method: &**method, grid: &grid };
        let evals = |points: &[Vec<f64>]| {
            flow.log_density(&tensor(points), Divergence::Exact, &Key::root(0), 0).unwrap().evals
        };
        let together = evals(&points);
        let alone: Vec<f64> = points.iter().map(|p| evals(std::slice::from_ref(p))[0]).collect();
        assert_eq!(together, alone, "{method:?}");
        assert!(alone.iter().any(|n| *n != alone[0]), "{method:?}: the points are too alike for this test");
    }
}

/// With two probes the standard error is half the distance of their integrals, and the first is that of one probe alone.
#[test]
fn two_probes_give_half_their_distance() {
    let (sde, model) = (
        Vp::default(),
        Mixture::isotropic(vec![0.3, 0.7], vec![vec![1.0, -0.5], vec![-0.5, 0.5]], 0.3).unwrap(),
    );
    let grid = Grid::new(vec![1.0, 0.3, 0.1, 1e-3]).unwrap();
    let method = tweedie_solvers::method::RungeKutta::RK4;
    let flow = Flow { problem: Problem { sde: &sde, model: &model }, method: &method, grid: &grid };
    let found = |probes| {
        let divergence = Divergence::Hutchinson { probes, law: Probe::Gaussian };
        flow.log_density(&tensor(&[vec![0.4, -0.3], vec![-0.6, 0.1]]), divergence, &Key::root(2), 0).unwrap()
    };
    let (one, two) = (found(1), found(2));
    assert!(one.standard_error.is_none());
    for (i, error) in two.standard_error.unwrap().into_iter().flatten().enumerate() {
        assert!((error - (two.log_p[i] - one.log_p[i]).abs()).abs() < 1e-12 && error > 1e-3, "{error}");
    }
}

/// Two Rademacher probes of the plane are equal up to sign at half of all points: 500 ± 4·15.8 of 1000. There the error is not known; where
/// they differ it is |J₁₂ + J₂₁| and not 0. On the line the trace of a sign is exact, and its error 0. In 20 dimensions no probes coincide.
#[test]
fn probes_that_coincide_give_no_error() {
    let sde = Vp::default();
    let grid = Grid::new(vec![1.0, 0.3, 0.1, 1e-3]).unwrap();
    let method = tweedie_solvers::method::RungeKutta::HEUN;
    let found = |dim: usize, probes, law| {
        let means = vec![vec![0.5; dim], vec![-0.5; dim]];
        let model = Mixture::isotropic(vec![0.3, 0.7], means, 0.3).unwrap();
        let flow = Flow { problem: Problem { sde: &sde, model: &model }, method: &method, grid: &grid };
        let points: Vec<Vec<f64>> = (0..1000).map(|i| vec![0.001 * f64::from(i); dim]).collect();
        let divergence = Divergence::Hutchinson { probes, law };
        flow.log_density(&tensor(&points), divergence, &Key::root(4), 0).unwrap().standard_error.unwrap()
    };
    let plane = found(2, 2, Probe::Rademacher);
    let known: Vec<f64> = plane.iter().flatten().copied().collect();
    assert!(known.len().abs_diff(500) < 64 && known.iter().all(|e| *e > 1e-6), "{}", known.len());
    assert!(found(2, 2, Probe::Gaussian).iter().all(Option::is_some));
    assert!(found(2, 8, Probe::Rademacher).iter().filter(|e| e.is_none()).count() < 30);
    assert!(found(1, 2, Probe::Rademacher).iter().all(|e| e.is_some_and(|e| e < 1e-12)));
    assert!(found(20, 2, Probe::Rademacher).iter().all(Option::is_some));
}

/// N(0, I₂): 1 + ln 2π = 2.8378770664 nats are 2.0470956 bits per dimension.
#[test]
fn nats_are_bits() {
    let bits = tweedie_solvers::likelihood::bits_per_dimension(-2.837_877_066_4, 2);
    assert!((bits - 2.047_095_6).abs() < 5e-8, "{bits}");
}
