//! Which clock should the flow be integrated in? Evaluations and the largest error of log p by Dormand–Prince at several tolerances, for
//! exact scores, in the time t of the SDE, and in c = ln(σ/α) with the state x, x/α (the linear part of the drift is then exact) or
//! x/√(α² + σ²) (unit variance). `cargo bench --bench clocks`; docs/speed.md says what it found.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark has no callers, and stops where something is wrong"
)]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Device, Tensor};
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::{At, Ode};
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::method::{OdeMethod, Rk45};
use tweedie_solvers::model::{ScoreModel, column};
use tweedie_solvers::sde::{Edm, LinearSde, SubVp, Use, Ve, Vp, VpCosine};
use tweedie_solvers::{Key, Result};

const POINTS: usize = 500;

#[derive(Clone, Copy, PartialEq)]
enum Clock {
    T,
    Plain,
    OverAlpha,
    UnitVariance,
}

/// y = x/s and ∫ ∇·(dy/dc) dc, along c = t or c = ln(σ/α).
struct Scaled<'a> {
    sde: &'a dyn LinearSde,
    model: &'a Mixture,
    clock: Clock,
    evals: AtomicUsize,
}

impl Scaled<'_> {
    fn s(&self, k: Kernel) -> f64 {
        match self.clock {
            Clock::T | Clock::Plain => 1.0,
            Clock::OverAlpha => k.alpha,
            Clock::UnitVariance => k.alpha.hypot(k.sigma),
        }
    }

    fn c(&self, t: f64) -> f64 {
        if self.clock == Clock::T { t } else { -self.sde.kernel(t).log_snr() }
    }

    /// (c_x, c_r) with dy/dc = (c_x x + c_r r)/s for the model's raw output r.
    fn coefficients(&self, t: f64) -> (f64, f64) {
        let (k, rate) = (self.sde.kernel(t), self.sde.kernel_rate(t));
        let (cx, cr) = k.read(k.row(self.model.target()), rate);
        let growth = match self.clock {
            Clock::T | Clock::Plain => 0.0,
            Clock::OverAlpha => rate.data / k.alpha,
            Clock::UnitVariance => (k.alpha * rate.data + k.sigma * rate.noise) / self.s(k).powi(2),
        };
        let dt =
            if self.clock == Clock::T { 1.0 } else { 1.0 / (rate.noise / k.sigma - rate.data / k.alpha) };
        ((cx - growth) * dt, cr * dt)
    }
}

impl Ode for Scaled<'_> {
    fn velocity(&self, state: &Tensor, at: At<'_>) -> Result<Tensor> {
        let rows = state.dim(0)?;
        self.evals.fetch_add(rows, Ordering::Relaxed);
        let time = |&c: &f64| if self.clock == Clock::T { c } else { self.sde.time_at(-c) };
        let times: Vec<f64> = at.t.iter().map(time).collect();
        let kernels: Vec<Kernel> = times.iter().map(|&t| self.sde.kernel(t)).collect();
        let s: Vec<f64> = kernels.iter().map(|&k| self.s(k)).collect();
        let x = state.narrow(1, 0, 2)?.contiguous()?.broadcast_mul(&column(&s, state)?)?;
        let axis =
            |i: usize| Tensor::from_vec([1.0 - i as f64, i as f64].repeat(rows), (rows, 2), state.device());
        let axes = [axis(0)?, axis(1)?];
        let (raw, slopes) = self.model.raw_jvp(&x, &axes, &kernels)?;
        let (cx, cr): (Vec<f64>, Vec<f64>) = times.iter().map(|&t| self.coefficients(t)).unzip();
        let over = |c: &[f64]| column(&c.iter().zip(&s).map(|(c, s)| c / s).collect::<Vec<_>>(), state);
        let velocity = (x.broadcast_mul(&over(&cx)?)? + raw.broadcast_mul(&over(&cr)?)?)?;
        let trace = ((&axes[0] * &slopes[0])? + (&axes[1] * &slopes[1])?)?.sum_keepdim(1)?;
        let own: Vec<f64> = cx.iter().map(|c| 2.0 * c).collect();
        let divergence = (trace.broadcast_mul(&column(&cr, state)?)?.broadcast_add(&column(&own, state)?))?;
        Ok(Tensor::cat(&[velocity, divergence], 1)?)
    }
}

/// log p of the points, and evaluations of each.
fn log_p(flow: &Scaled<'_>, points: &[f64], tolerance: f64) -> (Vec<f64>, f64) {
    let span = flow.sde.span(Use::Likelihood);
    let (first, last) = (flow.sde.kernel(span.start), flow.sde.kernel(span.end));
    let (s0, s1) = (flow.s(first), flow.s(last));
    let start: Vec<f64> = points.chunks(2).flat_map(|p| [p[0] / s0, p[1] / s0, 0.0]).collect();
    let start = Tensor::from_vec(start, (POINTS, 3), &Device::Cpu).unwrap();
    let step = Step { index: 0, of: 1, from: flow.c(span.start), to: flow.c(span.end) };
    let end = Rk45::new(tolerance, tolerance).unwrap().advance(flow, &start, step).unwrap();
    let scale = s1 / last.sigma;
    let prior =
        |r: &Vec<f64>| -0.5 * scale.powi(2) * (r[0] * r[0] + r[1] * r[1]) - std::f64::consts::TAU.ln();
    let log_p =
        end.to_vec2::<f64>().unwrap().iter().map(|r| prior(r) + r[2] + 2.0 * (scale / s0).ln()).collect();
    (log_p, flow.evals.swap(0, Ordering::Relaxed) as f64 / POINTS as f64)
}

fn main() {
    let angle = |k: u32| f64::from(k) * std::f64::consts::TAU / 8.0;
    let means = (0..8).map(|k| vec![1.4 * angle(k).cos(), 1.4 * angle(k).sin()]).collect();
    let wide = Mixture::isotropic(vec![1.0; 8], means, 0.2).unwrap();
    let means = vec![vec![1.0, 0.0], vec![-1.0, 0.5], vec![0.0, -1.0]];
    let narrow = Mixture::isotropic(vec![1.0; 3], means, 0.02).unwrap();
    let (vp, sub_vp, ve, cosine, edm) =
        (Vp::default(), SubVp::default(), Ve::default(), VpCosine::default(), Edm::default());
    let sdes: [(&str, &dyn LinearSde); 5] =
        [("vp", &vp), ("sub-vp", &sub_vp), ("ve", &ve), ("vp-cosine", &cosine), ("edm", &edm)];
    println!("evaluations (largest error in nats) at rtol = atol = 1e-4, 1e-5, 1e-6, 1e-7");
    for (law, model) in [("eight of 0.2", &wide), ("three of 0.02", &narrow)] {
        let points = model.sample(&Key::root(1), 0, POINTS);
        for (name, sde) in sdes {
            let flow = |clock| Scaled { sde, model, clock, evals: AtomicUsize::new(0) };
            let (fine, _) = log_p(&flow(Clock::OverAlpha), &points, 1e-11);
            let clocks = [
                ("t", Clock::T),
                ("ln σ/α", Clock::Plain),
                ("x/α", Clock::OverAlpha),
                ("x/√(α²+σ²)", Clock::UnitVariance),
            ];
            for (label, clock) in clocks {
                print!("{law:14} {name:10} {label:12}");
                for tolerance in [1e-4, 1e-5, 1e-6, 1e-7] {
                    let (found, evals) = log_p(&flow(clock), &points, tolerance);
                    let error = found.iter().zip(&fine).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    print!("{evals:6.0} ({error:.0e})");
                }
                println!();
            }
        }
    }
}
