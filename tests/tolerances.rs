//! Tolerances of more digits than numbers have, and limits of steps.

use candle_core::{DType, Device, Tensor};
use tweedie::net::{Mlp, MlpConfig, frozen};
use tweedie::recipe::{Section, named};
use tweedie::registry::METHODS;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::integrate::{Finish, Sampler, Solution};
use tweedie_solvers::method::{Method, Tolerance};
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::noise::{self, Driver};
use tweedie_solvers::sde::{LinearSde, Use, Ve, Vp};

fn method(name: &str, options: &[(&str, f64)]) -> tweedie::Result<Box<dyn Method>> {
    let mut table = named(name);
    for &(key, value) in options {
        let whole = key == "max-steps";
        table.insert(key.into(), if whole { toml::Value::Integer(value as i64) } else { value.into() });
    }
    METHODS.build(&Section::new("test", "method", table))
}

/// Twenty samples in a dtype by a method.
fn samples(
    method: &dyn Method,
    (sde, model): (&dyn LinearSde, &dyn ScoreModel),
    dtype: DType,
) -> tweedie_solvers::Result<Solution> {
    let (key, span) = (Key::root(4), sde.span(Use::Sampling));
    let grid = Grid::new(vec![span.end, span.start])?;
    let problem = Problem { sde, model };
    let sampler = Sampler { problem, method, grid: &grid, finish: Finish::Stop };
    let start = noise::prior(&key, sde.prior(), (0, 20, model.dim()), (&Device::Cpu, DType::F32))?;
    let noise = Driver::Brownian.noise(&key, 0, span.end);
    sampler.run(start.to_dtype(dtype)?, &*noise, &mut ())
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    let gap = (a.to_dtype(DType::F64).unwrap() - b.to_dtype(DType::F64).unwrap()).unwrap();
    gap.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// In f32, at a hundred-thousandth of the least tolerance that f32 can keep, results are as good as at the least, and cost a few times as much at
/// most; a network in f64 is still one of f32. Without the floor rk45 took 135 000 evaluations at 1e-12 and lost two digits.
#[test]
fn tolerances_beyond_the_dtype_cost_nothing() {
    let means = vec![vec![-1.0, 0.3], vec![1.2, 0.0]];
    let mixture = Mixture::isotropic(vec![0.5, 0.5], means, 0.3).unwrap();
    let config = MlpConfig { width: 32, ..MlpConfig::reference(2) };
    let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &Device::Cpu).unwrap();
    let net = frozen(Mlp::new(config, &weights, &frequencies).unwrap(), &Device::Cpu).unwrap();
    let (vp, ve) = (Vp::default(), Ve::default());
    let least = Tolerance::least(f64::from(f32::EPSILON));
    let cases: [(&dyn LinearSde, &dyn ScoreModel, DType); 4] = [
        (&vp, &mixture, DType::F32),
        (&ve, &mixture, DType::F32),
        (&vp, &*net, DType::F32),
        (&vp, &*net, DType::F64),
    ];
    for (sde, model, dtype) in cases {
        for name in ["rk45", "dpm-adaptive", "dopri5", "dop853", "adaptive-sde"] {
            let at = |tolerance: f64, dtype| {
                // With noise a path is so rough that steps at such tolerances are too many for a test.
                let options = [("rtol", tolerance), ("atol", tolerance), ("lambda", 0.0)];
                let options = &options[..if name == "adaptive-sde" { 3 } else { 2 }];
                samples(&*method(name, options).unwrap(), (sde, model), dtype).unwrap()
            };
            let reference = [("rtol", 1e-10), ("atol", 1e-10)];
            let fine = samples(&*method("rk45", &reference).unwrap(), (sde, model), DType::F64).unwrap();
            let floor = at(least, dtype);
            let cost = |found: &Solution| found.evals.iter().copied().fold(0.0, f64::max);
            let found = at(1e-5 * least, dtype);
            let (error, allowed) = (apart(&found.x, &fine.x), apart(&floor.x, &fine.x));
            let place = format!("{name} {sde:?} {dtype:?}");
            assert!(error < 2.0 * allowed + 1e-6 * sde.prior(), "{place}: {error} {allowed}");
            // What is left of atol counts where a coordinate passes 0, and most for the method of lowest order.
            let most = cost(&floor) * if name == "adaptive-sde" { 10.0 } else { 4.0 };
            assert!(cost(&found) < most, "{place}: {} {most}", cost(&found));
        }
    }
}

/// Limits of steps: too few to arrive are an error that says what to set; a row that needs shorter steps than the least is given up; a first
/// step that is given is taken; and numbers that make no sense together are refused by name.
#[test]
fn steps_have_limits() {
    let mixture = Mixture::gaussian(vec![1.0, 0.0], 0.5).unwrap();
    let vp = Vp::default();
    let run = |name: &str, options: &[(&str, f64)]| {
        samples(&*method(name, options).unwrap(), (&vp, &mixture), DType::F64)
    };
    for name in ["rk45", "dpm-adaptive", "adaptive-sde", "dopri5", "dop853"] {
        let few = run(name, &[("max-steps", 2.0)]).unwrap_err().to_string();
        let who = if name.starts_with("dop") { "ode_solvers" } else { name };
        assert!(
            few.contains(who) && few.contains("max-steps above 2") && few.contains("rtol above"),
            "{few}"
        );
        // A first step over all of the span, which nothing refuses, is the only one.
        let whole = [("first-step", 100.0), ("max-steps", 1.0), ("rtol", 1e6), ("atol", 1e6)];
        assert!(run(name, &whole).is_ok() && run(name, &whole[1..]).is_err(), "{name}");
        let refused = |options: &[(&str, f64)]| method(name, options).unwrap_err().to_string();
        let text = refused(&[("first-step", 0.0)]);
        assert!(text.contains("first-step = 0, but it must be a finite number above 0"), "{text}");
        if name.starts_with("dop") {
            assert!(refused(&[("min-step", 0.1)]).contains("min-step = 0.1"));
            continue;
        }
        let text = refused(&[("first-step", 0.01), ("min-step", 0.1)]);
        assert!(text.contains("first-step = 0.01, but it must be min-step = 0.1 or more"), "{text}");
        // Steps of a tenth or more, at a tolerance that asks for less.
        let coarse = run(name, &[("min-step", 0.3), ("rtol", 1e-9), ("atol", 1e-9)]).unwrap();
        let values: Vec<f64> = coarse.x.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().any(|v| v.is_nan()), "{name}: {values:?}");
        let fine: Vec<f64> =
            run(name, &[("min-step", 1e-9)]).unwrap().x.flatten_all().unwrap().to_vec1().unwrap();
        assert!(fine.iter().all(|v| v.is_finite()), "{name}");
    }
}
