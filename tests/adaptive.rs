//! The controllers of the adaptive methods: `rk45` takes the steps of scipy's RK45 one by one, and ode_solvers' codes cost what they did.

use candle_core::{Device, Tensor};
use tweedie_solvers::Result;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::{At, Ode};
use tweedie_solvers::method::{Coupling, Dopri, DopriOrder, OdeMethod, Rk45};

/// y₀' = −y₀/2 + sin(3t) y₁,  y₁' = cos t − y₀ y₁; counts the rows that it is asked about.
#[derive(Default)]
struct Tangled(std::sync::atomic::AtomicUsize);

impl Ode for Tangled {
    fn velocity(&self, x: &Tensor, at: At<'_>) -> Result<Tensor> {
        let rows: Vec<Vec<f64>> = x.to_vec2()?;
        self.0.fetch_add(rows.len(), std::sync::atomic::Ordering::Relaxed);
        let slope = |(i, y): (usize, &Vec<f64>)| {
            let t = at.t[if at.t.len() == 1 { 0 } else { i }];
            [-0.5 * y[0] + (3.0 * t).sin() * y[1], t.cos() - y[0] * y[1]]
        };
        let values: Vec<f64> = rows.iter().enumerate().flat_map(slope).collect();
        Ok(Tensor::from_vec(values, x.shape(), &Device::Cpu)?)
    }
}

fn solve(method: &dyn OdeMethod, from: f64, to: f64) -> (usize, Vec<f64>) {
    let ode = Tangled::default();
    let start = Tensor::new(&[[1.0, 0.5]], &Device::Cpu).unwrap();
    let end = method.advance(&ode, &start, Step { index: 0, of: 1, from, to }).unwrap();
    (ode.0.into_inner(), end.flatten_all().unwrap().to_vec1().unwrap())
}

/// Evaluations and end points of `scipy.integrate.solve_ivp(method="RK45")`, 1.17.1: the same first step, the same rejections, the
/// same next step. With time up and down, and with either tolerance in charge.
#[test]
fn rk45_takes_scipys_steps() {
    for (from, to, rtol, atol, evals, end) in [
        (0.0, 5.0, 1e-6, 1e-8, 236, [-0.12432486392107893, -0.943191902850879]),
        (0.0, 5.0, 1e-3, 1e-6, 56, [-0.12083872595241607, -0.9371779523050415]),
        (4.0, 1.0, 1e-8, 1e-3, 98, [-5.450403033698164, -0.03760622035866179]),
        (0.0, 20.0, 1e-2, 1e-2, 146, [0.274946736773055, 0.8612700368247007]),
    ] {
        let (asked, got) = solve(&Rk45::new(rtol, atol).unwrap(), from, to);
        assert_eq!(asked, evals, "{from} {to} {rtol} {atol}");
        assert!(got.iter().zip(end).all(|(g, w)| (g - w).abs() < 1e-10), "{got:?}");
    }
    assert_eq!(Rk45::default(), Rk45::new(1e-5, 1e-5).unwrap());
}

/// Evaluations as recorded when the codes were first wired (ode_solvers 0.6.2), and end points within the tolerance: another safety
/// factor, stabilisation, step bound or share of the tolerance shows here.
#[test]
fn ode_solvers_cost_what_they_did() {
    let exact = solve(&Rk45::new(1e-12, 1e-12).unwrap(), 0.0, 5.0).1;
    for (order, rtol, evals) in [
        (DopriOrder::Five, 1e-6, 177),
        (DopriOrder::Five, 1e-3, 69),
        (DopriOrder::Eight, 1e-9, 347),
        (DopriOrder::Eight, 1e-4, 109),
    ] {
        let (asked, got) = solve(&Dopri::new(order, rtol, rtol, Coupling::Sample).unwrap(), 0.0, 5.0);
        assert!(got.iter().zip(&exact).all(|(g, w)| (g - w).abs() < 20.0 * rtol), "{got:?} {exact:?}");
        assert_eq!(asked, evals, "{order:?} {rtol}");
    }
}
