//! The recursion against the sampler itself and against recursions by hand; where sentences must be said, and what they propose.

use rayon::prelude::*;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::grid::UniformT;
use tweedie_solvers::method::EulerMaruyama;
use tweedie_solvers::sde::{Use, Vp};

use super::*;
use crate::data::{Data, GaussianMixture};
use crate::registry::{METHODS, SDES, Shelf};
use crate::verify::affine::Affine;

const ALL: [&str; 5] = ["vp", "vp-cosine", "ve", "sub-vp", "edm"];

fn built<T: ?Sized>(shelf: &Shelf<T>, name: &str) -> Named<T> {
    one(&Section::new("t", "t", named(name)), |s| shelf.build(s)).unwrap()
}

fn normal(mean: f64, deviation: f64) -> Normal {
    Normal { mean, deviation }
}

/// N(0, s²) in the plane.
fn round(s: f64) -> Vec<(String, Law)> {
    let cov = vec![vec![s * s, 0.0], vec![0.0, s * s]];
    let data = GaussianMixture(Mixture::new(vec![1.0], vec![vec![0.0; 2]], &[cov]).unwrap());
    vec![("d".into(), Law::of(&data as &dyn Data, None).unwrap())]
}

fn said(s: f64, [sde, method, grid]: [&str; 3], steps: &[usize]) -> Option<String> {
    let (sde, method, grid) = (built(&SDES, sde), built(&METHODS, method), built(&GRIDS, grid));
    let found = growth(&round(s), &sde, (&method, &grid), steps).unwrap();
    Growth::said(&found.iter().flatten().collect::<Vec<_>>()).pop()
}

/// What every method that is not adaptive makes of N(0.7, 0.3²), by unit impulses through the sampler itself.
#[test]
fn the_end_is_that_of_the_sampler() {
    let law = normal(0.7, 0.3);
    let model = Mixture::gaussian(vec![law.mean], law.deviation).unwrap();
    let names: Vec<_> = METHODS.names().flat_map(|m| ALL.map(|sde| (m, sde))).collect();
    let tried = names.par_iter().filter(|(method, sde)| {
        let (method, sde) = (built(&METHODS, method), built(&SDES, sde));
        if method.it.adaptive() {
            return false;
        }
        let grid = built(&GRIDS, "cosine").it.grid(&*sde.it, sde.it.span(Use::Sampling), 7).unwrap();
        let run = Run::of(&*sde.it, &*method.it, &grid).unwrap().unwrap();
        let affine = Affine::of(Problem { sde: &*sde.it, model: &model }, &*method.it, &grid).unwrap();
        let start = law.noised(sde.it.kernel(grid.first()));
        let (mean, deviation) = affine.carry((start.mean, start.deviation));
        let (got, size) = (run.end(law), mean.abs().max(deviation).max(1.0));
        let off = got.distance(normal(mean, deviation)) / size;
        assert!(off < 1e-8, "{} on {}: {got:?}, {mean} {deviation}", method.label, sde.label);
        true
    });
    assert!(tried.count() >= 5 * 30);
}

/// Euler–Maruyama on N(0, 0.03²) under VP: v ← (1 − h κ)² v + g² h, κ = a + g²/v_t. At 20 equal steps its deviation is 0.34, the noise of
/// the last step.
#[test]
fn euler_maruyama_by_hand() {
    let (vp, s) = (Vp::default(), 0.03);
    for (n, golden) in [(20, 0.3392), (50, 0.1159), (100, 0.0564)] {
        let grid = UniformT.grid(&vp, vp.span(Use::Sampling), n).unwrap();
        let mut v = vp.kernel(1.0).deviation(s).powi(2);
        for step in grid.steps() {
            let (k, beta, h) = (vp.kernel(step.from), 0.1 + 19.9 * step.from, -step.dt());
            let kappa = -0.5 * beta + beta / k.deviation(s).powi(2);
            v = (1.0 - h * kappa).powi(2) * v + beta * h;
        }
        let run = Run::of(&vp, &EulerMaruyama::default(), &grid).unwrap().unwrap();
        let end = run.end(normal(0.0, s));
        assert!((end.deviation - v.sqrt()).abs() < 1e-12 && end.mean == 0.0);
        assert!((v.sqrt() / golden - 1.0).abs() < 1e-3, "{n} {}", v.sqrt());
        let truth = vp.kernel(1e-3).deviation(s);
        assert!((run.off(normal(0.0, s)) - (v.sqrt() / truth - 1.0)).abs() < 1e-10);
    }
}

/// Multistep methods on equal steps of σ under EDM, more of which make it worse; noise on few long steps; and narrow modes under
/// Euler–Maruyama: each names a grid on which nothing is said, or a step count that does and is the least.
#[test]
fn growth_is_said_and_mended() {
    for method in ["dpmpp-2m", "dpmpp-3m", "dpm-solver-2m", "unipc", "dpmpp-2m-sde", "dpmpp-3m-sde"] {
        let bad = said(2.0, ["edm", method, "uniform-t"], &[100]);
        let bad = bad.or_else(|| said(1.0, ["edm", method, "uniform-t"], &[100]));
        let bad = bad.or_else(|| said(0.5, ["edm", method, "uniform-t"], &[100]));
        assert!(bad.clone().is_some_and(|b| b.ends_with("; take grid karras")), "{method}: {bad:?}");
        for s in [2.0, 1.0, 0.5, 0.1] {
            assert_eq!(said(s, ["edm", method, "karras"], &[100]), None, "{method}");
        }
    }
    for method in ["stochastic-heun", "sra1", "dpmpp-3m-sde"] {
        let bad = said(1.0, ["edm", method, "karras"], &[5]).unwrap();
        assert!(bad.contains("at 5 steps misses even N(0, 1²)"), "{bad}");
    }
    assert_eq!(
        said(0.03, ["vp", "euler-maruyama", "uniform-t"], &[20, 50, 200]).unwrap(),
        "euler-maruyama on uniform-t at 20 and 50 steps misses even N(0, 0.03²), of the data's own mean and deviation, by up to 9.67 of its \
         deviations, above 0.5; take grid uniform-log-snr"
    );
    // No grid does at 5 steps: the least count is named.
    let long = said(0.1, ["ve", "stochastic-heun", "karras"], &[5]).unwrap();
    let (_, count) = long.rsplit_once("; take ").unwrap();
    let count: usize = count.split(' ').next().unwrap().parse().unwrap();
    let at = |n: usize| said(0.1, ["ve", "stochastic-heun", "karras"], &[n]);
    assert!(at(count).is_none() && at(count - 1).is_some(), "{long}");
    assert_eq!(said(0.3, ["vp", "euler-maruyama", "uniform-t"], &[100, 1000]), None);
}

/// An explicit grid has the steps that it has: another is named, with a step count where it needs more.
#[test]
fn explicit_grids_are_replaced() {
    let (vp, method) = (built(&SDES, "vp"), built(&METHODS, "euler-maruyama"));
    let table = "name = 'explicit'\ntimes = [1.0, 0.1, 0.001]".parse().unwrap();
    let grid = one(&Section::new("t", "t", table), |s| GRIDS.build(s)).unwrap();
    let found = growth(&round(0.3), &vp, (&method, &grid), &[2]).unwrap().remove(0).unwrap();
    let bad = Growth::said(&[&found]).concat();
    assert!(bad.contains("at 2 steps") && bad.contains("; take grid uniform-t with "), "{bad}");
    assert!(bad.ends_with(" steps or more"), "{bad}");
    // Of many, one sentence with all remedies.
    let many = Growth::said(&[&found; 4]).concat();
    assert!(
        many.starts_with("4 methods on grids miss even") && many.matches(" with ").count() == 4,
        "{many}"
    );
}

/// The grids that stand for `default` do at 100 steps on laws of ordinary width: a uniform grid under EDM does for few methods.
#[test]
fn default_grids_do() {
    let laws = [normal(1.0, 1.0), normal(0.0, 3.0), normal(0.0, 0.1)];
    let names: Vec<_> = METHODS.names().flat_map(|m| ALL.map(|sde| (m, sde))).collect();
    let failed: Vec<_> = names
        .par_iter()
        .filter(|(m, s)| {
            let (sde, method) = (built(&SDES, s), built(&METHODS, m));
            // Langevin steps alone do not get there in so few.
            if method.it.adaptive() || *m == "langevin" {
                return false;
            }
            let grid = default_grid(&*sde.it, &*method.it).unwrap();
            let trial = Trial { sde: &*sde.it, method: &*method.it };
            !trial.good(&*grid.it, 100, &laws.map(|law| (law, "")))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    let (edm, heun) = (built(&SDES, "edm"), built(&METHODS, "heun"));
    assert_eq!(default_grid(&*edm.it, &*heun.it).unwrap().label, "karras");
}
