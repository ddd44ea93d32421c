//! The probability flow against scipy's DOP853 at rtol 1e-12 (end points and log-densities on exact mixture scores).

use candle_core::{Device, Tensor};
use serde::Deserialize;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::likelihood::{Divergence, Flow, Probe};
use tweedie_solvers::method::{Coupling, Dopri, DopriOrder, OdeMethod, Rk45};
use tweedie_solvers::sde::{LinearSde, SubVp, Ve, Vp};
use tweedie_solvers::{Key, kernel::Kernel};

#[derive(Deserialize)]
struct File {
    targets: std::collections::BTreeMap<String, Target>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Target {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covs: Vec<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
struct Case {
    target: String,
    sde: Sde,
    t_start: f64,
    t_end: f64,
    x_init: Vec<Vec<f64>>,
    x_final: Vec<Vec<f64>>,
    points: Vec<Vec<f64>>,
    log_p_flow: Vec<f64>,
    log_p_exact: Vec<f64>,
    score_exact: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Sde {
    name: String,
    beta_min: Option<f64>,
    beta_max: Option<f64>,
    sigma_min: Option<f64>,
    sigma_max: Option<f64>,
}

impl Sde {
    fn build(&self) -> Box<dyn LinearSde> {
        match self.name.as_str() {
            "vp" => Box::new(Vp::new(self.beta_min.unwrap(), self.beta_max.unwrap(), 1e-3).unwrap()),
            "sub-vp" => Box::new(SubVp::new(self.beta_min.unwrap(), self.beta_max.unwrap(), 1e-3).unwrap()),
            "ve" => Box::new(Ve::new(self.sigma_min.unwrap(), self.sigma_max.unwrap(), 1e-5).unwrap()),
            other => panic!("{other}"),
        }
    }
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    Tensor::new(rows.to_vec(), &Device::Cpu).unwrap()
}

fn gap(x: &Tensor, want: &[Vec<f64>]) -> f64 {
    let gap = (x - tensor(want)).unwrap().abs().unwrap();
    gap.max_all().unwrap().to_scalar::<f64>().unwrap()
}

#[test]
fn every_case_holds_for_every_adaptive_method() {
    let file: File = serde_json::from_str(include_str!("data/flow.json")).unwrap();
    assert_eq!(file.cases.len(), 6);
    let methods: [Box<dyn OdeMethod>; 4] = [
        Box::new(Rk45::new(1e-9, 1e-9).unwrap()),
        Box::new(Dopri::new(DopriOrder::Five, 1e-9, 1e-9, Coupling::Sample).unwrap()),
        Box::new(Dopri::new(DopriOrder::Eight, 1e-9, 1e-9, Coupling::Sample).unwrap()),
        Box::new(Dopri::new(DopriOrder::Eight, 1e-9, 1e-9, Coupling::Batch).unwrap()),
    ];
    for case in &file.cases {
        let target = &file.targets[&case.target];
        let model = Mixture::new(target.weights.clone(), target.means.clone(), &target.covs).unwrap();
        let sde = case.sde.build();
        let at = sde.kernel(case.t_end);
        for (i, point) in case.points.iter().enumerate() {
            assert!(
                (model.log_density(point, at) - case.log_p_exact[i]).abs()
                    < 1e-9 * case.log_p_exact[i].abs().max(1.0)
            );
            for (got, want) in model.score(point, at).iter().zip(&case.score_exact[i]) {
                assert!((got - want).abs() < 1e-9 * want.abs().max(1.0));
            }
        }
        let grid = Grid::new(vec![case.t_start, case.t_end]).unwrap();
        let problem = Problem { sde: &*sde, model: &model };
        for method in &methods {
            let flow = Flow { problem, method: &**method, grid: &grid };
            let place = format!("{method:?} on {} {}", case.sde.name, case.target);
            let end = flow.decode(&tensor(&case.x_init)).unwrap();
            assert!(gap(&end, &case.x_final) < 1e-6, "{place}: {}", gap(&end, &case.x_final));
            let points = tensor(&case.points);
            let found = flow.log_density(&points, Divergence::Exact, &Key::root(0), 0).unwrap();
            for (got, want) in found.log_p.iter().zip(&case.log_p_flow) {
                assert!((got - want).abs() < 1e-5, "{place}: {got} {want}");
            }
            assert!(found.standard_error.is_none() && found.evals[0] > 3.0 * 30.0);
            // There and back again.
            let back = flow.encode(&end).unwrap();
            assert!(gap(&back, &case.x_init) < 1e-4, "{place}: {}", gap(&back, &case.x_init));
        }
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

/// Hutchinson on J = Q diag(4, ¼) Qᵀ at one short step: mean tr J, variance 2 Σ_{i≠j} J_ij² = 4 J₁₂² (Rademacher) and 2 ‖J‖_F²
/// (Gaussian), over 40 000 probes; 5 standard errors of mean and variance, false-alarm rate below 1e-5.
#[test]
fn hutchinson_has_its_closed_form_variance() {
    let (c, s) = (0.8, 0.6);
    let cov =
        vec![vec![4.0 * c * c + 0.25 * s * s, 3.75 * c * s], vec![3.75 * c * s, 4.0 * s * s + 0.25 * c * c]];
    let model = Mixture::new(vec![1.0], vec![vec![0.0, 0.0]], &[cov]).unwrap();
    let sde = Ve::default();
    // One Euler step: the integral is h ∇·v at x, linear in the probe's trace.
    let (from, to) = (0.9, 0.90001);
    let grid = Grid::new(vec![from, to]).unwrap();
    let problem = Problem { sde: &sde, model: &model };
    let flow = Flow { problem, method: &tweedie_solvers::method::RungeKutta::EULER, grid: &grid };
    let x = tensor(&[vec![0.5, -0.2]]);
    let probes = 40_000;
    // v = ½ g² C⁻¹ x with C = Σ + σ² I: its Jacobian by the mixture's own algebra.
    let k: Kernel = sde.kernel(from);
    let half_g2 = 0.5 * tweedie_solvers::sde::Sde::diffusion(&sde, from).powi(2);
    let (p, q) = (half_g2 / (4.0 + k.sigma.powi(2)), half_g2 / (0.25 + k.sigma.powi(2)));
    let j = [[p * c * c + q * s * s, (p - q) * c * s], [(p - q) * c * s, p * s * s + q * c * c]];
    let frobenius: f64 = j.iter().flatten().map(|v| v * v).sum();
    let exact = flow.log_density(&x, Divergence::Exact, &Key::root(0), 0).unwrap().log_p[0];
    for (law, variance, kurtosis) in
        [(Probe::Rademacher, 4.0 * j[0][1] * j[0][1], 1.0), (Probe::Gaussian, 2.0 * frobenius, 12.0)]
    {
        let found = flow.log_density(&x, Divergence::Hutchinson { probes, law }, &Key::root(5), 0).unwrap();
        let h = to - from;
        let error = found.standard_error.unwrap()[0] / h;
        let n = probes as f64;
        let wanted = (variance / n).sqrt();
        assert!(
            (error / wanted - 1.0).abs() < 2.5 * (kurtosis / n).sqrt() + 1e-3,
            "{law:?}: {error:e} {wanted:e}"
        );
        assert!(((found.log_p[0] - exact) / h).abs() < 5.0 * wanted);
    }
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
    for (i, error) in two.standard_error.unwrap().into_iter().enumerate() {
        assert!((error - (two.log_p[i] - one.log_p[i]).abs()).abs() < 1e-12 && error > 1e-3, "{error}");
    }
}

/// N(0, I₂): 1 + ln 2π = 2.8378770664 nats are 2.0470956 bits per dimension.
#[test]
fn nats_are_bits() {
    let bits = tweedie_solvers::likelihood::bits_per_dimension(-2.837_877_066_4, 2);
    assert!((bits - 2.047_095_6).abs() < 5e-8, "{bits}");
}
