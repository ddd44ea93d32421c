//! Updates written out by hand, from the papers, on N(1, 0.5²) under EDM's SDE, where α = 1 and σ = t: the flow is
//! d(x − 1)/dσ = σ (x − 1)/(σ² + ¼), and x̂₀ − 1 = ¼ (x − 1)/(σ² + ¼).

use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use tweedie::verify::affine::propagate;
use tweedie_solvers::clock::{Grid, Step};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Karras, Spacing};
use tweedie_solvers::integrate::{Finish, Sampler};
use tweedie_solvers::method::{
    AdaptiveSde, AncestralSteps, AnnealedLangevin, Churn, DpmAdaptive, Form, InSigma, Langevin, Method,
    Rejected, Restart, Rule, UniPc,
};
use tweedie_solvers::noise::{Brownian, Draw, Noise, Stream};
use tweedie_solvers::sde::{Edm, LinearSde, Use, Vp};
use tweedie_solvers::{Key, Result};

fn nodes(steps: usize) -> Grid {
    Karras::new(7.0).unwrap().grid(&Edm::default(), Edm::default().span(Use::Sampling), steps).unwrap()
}

fn slope(s: f64) -> f64 {
    s / (s * s + 0.25)
}

/// By what Heun's step in σ multiplies x − 1.
fn heun(from: f64, to: f64) -> f64 {
    let h = to - from;
    1.0 + 0.5 * h * (slope(from) + slope(to) * (1.0 + h * slope(from)))
}

fn check(method: &dyn Method, grid: &Grid, square: f64) {
    let (_, deviation) = propagate(&Edm::default(), method, grid).unwrap();
    assert!((deviation / square.sqrt() - 1.0).abs() < 1e-11, "{method:?}: {deviation} {}", square.sqrt());
}

/// EDM's algorithm 2: up by γ = S_churn/nodes where S_tmin ≤ σ ≤ S_tmax, then Heun's step in σ.
#[test]
fn churn_by_hand() {
    let grid = nodes(6);
    let (churn, from, to, noise) = (1.4, 0.05, 40.0, 1.003);
    let method = Churn::new(InSigma::HEUN, churn, (from, to), noise).unwrap();
    let mut square = grid.first().powi(2) + 0.25;
    for step in grid.steps() {
        let (s, end) = (step.from, step.to);
        let gamma = if (from..=to).contains(&s) { churn / grid.times().len() as f64 } else { 0.0 };
        let up = s * (1.0 + gamma);
        square = heun(up, end).powi(2) * (square + noise * noise * (up * up - s * s));
    }
    check(&method, &grid, square);
}

/// Restart, algorithm 1, with Heun's steps: at the node nearest to 0.3, up to σ = 7 and down again three times in four steps.
#[test]
fn restart_by_hand() {
    let (grid, low, high) = (nodes(8), 0.3, 7.0);
    let method = Restart::new(Box::new(InSigma::HEUN), (low, high), 3, 4).unwrap();
    let away = |t: f64| (t - low).abs();
    let nearest = grid.times()[1..].iter().copied().min_by(|a, b| away(*a).total_cmp(&away(*b))).unwrap();
    let root = |t: f64| t.powf(1.0 / 7.0);
    let inner = |i: i32| (root(high) + f64::from(i) / 4.0 * (root(nearest) - root(high))).powi(7);
    let mut square = grid.first().powi(2) + 0.25;
    for step in grid.steps() {
        square *= heun(step.from, step.to).powi(2);
        if step.to == nearest {
            for _ in 0..3 {
                square += high * high - nearest * nearest;
                for i in 0..4 {
                    square *= heun(inner(i), inner(i + 1)).powi(2);
                }
            }
        }
    }
    check(&method, &grid, square);
}

/// DPM-Solver++(2S) from σ to σ_down, then noise σ_up (k-diffusion's sample_dpmpp_2s_ancestral): with h = ln(σ/σ_down), the second prediction is
/// at σ e^(−h/2), and x ← (σ_down/σ) x + (1 − e^(−h)) x̂₀.
#[test]
fn ancestral_steps_by_hand() {
    let (grid, eta) = (nodes(7), 0.8);
    let data = |s: f64| 0.25 / (s * s + 0.25);
    let mut square = grid.first().powi(2) + 0.25;
    for step in grid.steps() {
        let (s, end) = (step.from, step.to);
        let up = (eta * (end * end * (s * s - end * end) / (s * s)).sqrt()).min(end);
        let down = (end * end - up * up).sqrt();
        let middle = (s * down).sqrt();
        let half = middle / s + (1.0 - middle / s) * data(s);
        let gain = down / s + (1.0 - down / s) * data(middle) * half;
        square = gain * gain * square + up * up;
    }
    check(&AncestralSteps::after(eta).unwrap(), &grid, square);
}

/// Restarts begin at the node nearest to sigma-min, also where it is the last: the noise that a run asks for is at that node's step.
#[test]
fn restarts_begin_at_the_nearest_node() {
    let (edm, grid) = (Edm::default(), nodes(9));
    let model = Mixture::gaussian(vec![1.0], 0.5).unwrap();
    let problem = Problem { sde: &edm, model: &model };
    for low in [1e-3, 0.01, 0.05, 0.3, 1.0, 5.0] {
        let away = |i: &usize| (grid.times()[*i] - low).abs();
        let nearest = (1..=9).min_by(|a, b| away(a).total_cmp(&away(b))).unwrap();
        struct Asked(Mutex<Vec<usize>>);
        impl Noise for Asked {
            fn normal(&self, step: Step, _: Draw, like: &Tensor) -> Result<Tensor> {
                self.0.lock().unwrap().push(step.index);
                Ok(like.ones_like()?)
            }
            fn path(&self, end: f64) -> Brownian {
                Brownian::new(&Key::root(0), 0, end)
            }
        }
        let method = Restart::new(Box::new(InSigma::HEUN), (low, 20.0), 2, 3).unwrap();
        let (asked, start) = (Asked(Mutex::default()), Tensor::ones((1, 1), DType::F64, &Device::Cpu));
        let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
        sampler.run(start.unwrap(), &asked, &mut ()).unwrap();
        // Before the step that begins there, or after the last.
        assert_eq!(asked.0.into_inner().unwrap(), [nearest.min(8); 2], "{low}");
    }
}

/// The Metropolis test takes a move where ln u lies below ln p(x') − |x − x' − δ s(x')|²/4δ − ln p(x) + |x' − x − δ s(x)|²/4δ, and not above.
#[test]
fn metropolis_by_hand() {
    struct Given([f64; 3]);
    impl Noise for Given {
        fn normal(&self, _: Step, draw: Draw, like: &Tensor) -> Result<Tensor> {
            let Draw::Corrector(which) = draw else { panic!("{draw:?}") };
            Ok((like.ones_like()? * self.0[which as usize])?)
        }
        fn path(&self, end: f64) -> Brownian {
            Brownian::new(&Key::root(0), 0, end)
        }
    }
    let (edm, model) = (Edm::default(), Mixture::gaussian(vec![1.0], 0.5).unwrap());
    let grid = Grid::new(vec![1.0, 0.6]).unwrap();
    let (x, z, delta): (f64, f64, f64) = (1.2, 1.4, 0.3);
    let variance = 0.25 + 0.6 * 0.6;
    let score = |x: f64| (1.0 - x) / variance;
    let log_p = |x: f64| -0.5 * (x - 1.0) * (x - 1.0) / variance;
    let new = x + delta * score(x) + (2.0 * delta).sqrt() * z;
    let chance = |to: f64, from: f64| -(to - from - delta * score(from)).powi(2) / (4.0 * delta);
    let ratio = log_p(new) + chance(x, new) - log_p(x) - chance(new, x);
    assert!(ratio < -0.05, "{ratio}");
    let method = AnnealedLangevin(Langevin::new(Rule::Fixed(delta), 1).unwrap().metropolis().unwrap());
    for (log_u, want) in [(ratio * (1.0 + 1e-9), new), (ratio * (1.0 - 1e-9), x)] {
        let noise = Given([z, (-2.0 * log_u).sqrt(), 0.0]);
        let problem = Problem { sde: &edm, model: &model };
        let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
        let start = Tensor::new(&[[x]], &Device::Cpu).unwrap();
        let end: Vec<f64> =
            sampler.run(start, &noise, &mut ()).unwrap().x.flatten_all().unwrap().to_vec1().unwrap();
        assert!((end[0] - want).abs() < 1e-12, "{end:?} {want}");
    }
}

/// DPM-Solver-12 and -23 by noise prediction (Lu et al. 2022a, algorithms 1 and 2 with r₁ = ½ or ⅓, r₂ = ⅔, and appendix C) under VP: every
/// attempt, its error and the next step, for one sample.
#[test]
fn adaptive_dpm_solver_by_hand() {
    let vp = Vp::default();
    let span = vp.span(Use::Sampling);
    let model = Mixture::gaussian(vec![1.0], 0.5).unwrap();
    let noise = |x: f64, t: f64| {
        let k = vp.kernel(t);
        k.sigma * (x - k.alpha) / (0.25 * k.alpha * k.alpha + k.sigma * k.sigma)
    };
    for (order, rtol, atol) in [(2u8, 1e-3f64, 1e-3f64), (3, 1e-3, 1e-3), (3, 1e-5, 1e-6)] {
        let (mut x, mut before, mut t, mut h, mut attempts): (f64, f64, f64, f64, u64) =
            (0.7, 0.7, span.end, 0.05, 0);
        while t != span.start {
            attempts += 1;
            let (from, goal) = (vp.kernel(t), vp.kernel(span.start).log_snr());
            let end = if from.log_snr() + h >= goal { span.start } else { vp.time_at(from.log_snr() + h) };
            let length = vp.kernel(end).log_snr() - from.log_snr();
            let at = |r: f64| vp.time_at(from.log_snr() + r * length);
            // (α_s/α) x − σ_s (e^(r h) − 1) ε, and σ_s times the other factors.
            let first = |s: f64, r: f64| {
                let to = vp.kernel(s);
                to.alpha / from.alpha * x - to.sigma * (r * length).exp_m1() * noise(x, t)
            };
            let r1 = if order == 2 { 0.5 } else { 1.0 / 3.0 };
            let d1 = noise(first(at(r1), r1), at(r1)) - noise(x, t);
            let sigma = vp.kernel(end).sigma;
            let second = first(end, 1.0) - sigma / (2.0 * r1) * length.exp_m1() * d1;
            let (low, high) = if order == 2 {
                (first(end, 1.0), second)
            } else {
                let (r2, s2) = (2.0 / 3.0, at(2.0 / 3.0));
                let bend = |h: f64| h.exp_m1() / h - 1.0;
                let u2 = first(s2, r2) - vp.kernel(s2).sigma * r2 / r1 * bend(r2 * length) * d1;
                (second, first(end, 1.0) - sigma / r2 * bend(length) * (noise(u2, s2) - noise(x, t)))
            };
            let error = (high - low).abs() / atol.max(rtol * low.abs().max(before.abs()));
            h = 0.9 * length * error.powf(-1.0 / f64::from(order));
            if error <= 1.0 {
                (x, before, t) = (high, low, end);
            }
        }
        let method = DpmAdaptive::new(Form::Noise, usize::from(order), rtol, atol).unwrap();
        let grid = Grid::new(vec![span.end, span.start]).unwrap();
        let problem = Problem { sde: &vp, model: &model };
        let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
        let start = Tensor::new(&[[0.7]], &Device::Cpu).unwrap();
        let end = sampler.run(start, &Stream::new(&Key::root(0), 0), &mut ()).unwrap();
        let got: Vec<f64> = end.x.flatten_all().unwrap().to_vec1().unwrap();
        assert!((got[0] - x).abs() < 1e-10, "{order}: {got:?} {x}");
        assert_eq!(end.evals[0], (attempts * u64::from(order)) as f64);
    }
}

/// The adaptive reverse SDE (Jolicoeur-Martineau et al. 2021, algorithm 1, λ = 1, fresh noise) under EDM's, every attempt by hand with the same
/// normal each time: x' = x + h f + g √h z, x'' = ½ x' + ½ (x + h f(x') + g' √h z), f = 2σ ∇log p, g² = 2σ.
#[test]
fn adaptive_sde_by_hand() {
    struct Constant(f64);
    impl Noise for Constant {
        fn normal(&self, _: Step, _: Draw, like: &Tensor) -> Result<Tensor> {
            Ok((like.ones_like()? * self.0)?)
        }
        fn path(&self, end: f64) -> Brownian {
            Brownian::new(&Key::root(0), 0, end)
        }
    }
    let (z, rtol, atol): (f64, f64, f64) = (0.4, 0.02, 0.03);
    let (from, to) = (4.0, 0.1);
    let pull = |x: f64, t: f64| 2.0 * t * (1.0 - x) / (0.25 + t * t);
    let (mut x, mut before, mut t, mut h, mut attempts): (f64, f64, f64, f64, u32) =
        (3.0, 3.0, from, 0.01 * (from - to), 0);
    while t != to {
        attempts += 1;
        let end = if t - h <= to { to } else { t - h };
        let length = t - end;
        let kick = |t: f64| (2.0 * t * length).sqrt() * z;
        let euler = x + length * pull(x, t) + kick(t);
        let better = 0.5 * euler + 0.5 * (x + length * pull(euler, end) + kick(end));
        let error = (better - euler).abs() / atol.max(rtol * euler.abs().max(before.abs()));
        h = 0.9 * length * error.powf(-0.9);
        if error <= 1.0 {
            (x, before, t) = (better, euler, end);
        }
    }
    let method = AdaptiveSde::new(1.0, rtol, atol, Rejected::Fresh).unwrap();
    let (edm, model) = (Edm::default(), Mixture::gaussian(vec![1.0], 0.5).unwrap());
    let grid = Grid::new(vec![from, to]).unwrap();
    let problem = Problem { sde: &edm, model: &model };
    let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
    let end = sampler.run(Tensor::new(&[[3.0]], &Device::Cpu).unwrap(), &Constant(z), &mut ()).unwrap();
    let got: Vec<f64> = end.x.flatten_all().unwrap().to_vec1().unwrap();
    assert!((got[0] - x).abs() < 1e-10, "{got:?} {x}");
    assert_eq!(end.evals[0], f64::from(2 * attempts));
}

/// SA-Solver's rule for few steps as the authors' code has it (`adams_bashforth_update_few_steps`, `adams_moulton_update_few_steps` and
/// `sample_few_steps` in PEC mode), under EDM's: with q = 1 + τ² and M = ∫ e^(qλ) (λ − λ₀) dλ, two nodes get M + e^(qλ₁) (½ h² − (q h − 1 + e^(−qh))/q²) in
/// the place of M; the last step has no noise and is not corrected.
#[test]
fn sa_solver_for_few_steps_by_hand() {
    struct Constant(f64);
    impl Noise for Constant {
        fn normal(&self, _: Step, _: Draw, like: &Tensor) -> Result<Tensor> {
            Ok((like.ones_like()? * self.0)?)
        }
        fn path(&self, end: f64) -> Brownian {
            Brownian::new(&Key::root(0), 0, end)
        }
    }
    let (z, tau): (f64, f64) = (0.4, 0.8);
    let times = [10.0, 4.0, 1.5, 0.6];
    let lambda = times.map(|t: f64| -t.ln());
    let predict = |x: f64, t: f64| (0.25 * x + t * t) / (0.25 + t * t);
    let mut x = 3.0;
    let mut past = vec![predict(x, times[0])];
    for i in 1..times.len() {
        let last = i + 1 == times.len();
        let tau = if last { 0.0 } else { tau };
        let (h, q) = (lambda[i] - lambda[i - 1], 1.0 + tau * tau);
        let (whole, rest) = ((q * lambda[i]).exp(), q * h - 1.0 + (-q * h).exp());
        let plain = whole * (1.0 - (-q * h).exp()) / q;
        let moment = whole * rest / (q * q) + whole * (0.5 * h * h - rest / (q * q));
        let scale = q * times[i] * (-tau * tau * lambda[i]).exp();
        let spread = times[i] * (1.0 - (-2.0 * tau * tau * h).exp()).sqrt();
        let step = |gradient: f64| {
            (-tau * tau * h).exp() * times[i] / times[i - 1] * x + scale * gradient + spread * z
        };
        let m = past[i - 1];
        let slope = if i > 1 { (m - past[i - 2]) / (lambda[i - 1] - lambda[i - 2]) } else { 0.0 };
        let guess = step(plain * m + moment * slope);
        if last {
            x = guess;
        } else {
            past.push(predict(guess, times[i]));
            x = step(plain * m + moment * (past[i] - m) / h);
        }
    }
    let method = UniPc::sa(2, 2, true, tau, (0.0, f64::INFINITY)).unwrap();
    let (edm, model) = (Edm::default(), Mixture::gaussian(vec![1.0], 0.5).unwrap());
    let grid = Grid::new(times.to_vec()).unwrap();
    let problem = Problem { sde: &edm, model: &model };
    let sampler = Sampler { problem, method: &method, grid: &grid, finish: Finish::Stop };
    let end = sampler.run(Tensor::new(&[[3.0]], &Device::Cpu).unwrap(), &Constant(z), &mut ()).unwrap();
    let got: Vec<f64> = end.x.flatten_all().unwrap().to_vec1().unwrap();
    assert!((got[0] - x).abs() < 1e-10, "{got:?} {x}");
}
