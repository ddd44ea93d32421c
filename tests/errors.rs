//! Errors taken apart, on laws for which every part is known.

use candle_core::Device;
use tweedie::recipe::Recipe;
use tweedie::report::Progress;
use tweedie::run::{Outcome, PARTS, Place, SLOPE, STRONG, STRONG_SLOPE, WHOLE, run};
use tweedie::verify::affine::{Affine, gaussian};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::grid::{Spacing, UniformLogSnr};
use tweedie_solvers::method::{EulerMaruyama, Flow, Method, RungeKutta};
use tweedie_solvers::sde::{LinearSde, Use, Ve, Vp};

/// What a recipe gives.
fn outcome(text: &str) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let recipe = Recipe::build("test".into(), "test.toml", text.parse().unwrap()).unwrap();
    let progress = Progress::default();
    let place = Place { out: dir.path(), device: &Device::Cpu, resume: false, progress: &progress };
    run(&recipe, &place, &|_| ()).unwrap()
}

/// The value of a metric.
fn value(outcome: &Outcome, sde: &str, method: &str, steps: Option<usize>, metric: &str) -> f64 {
    let mine = |r: &&tweedie::run::Record| {
        r.sde == sde && r.method == method && r.steps == steps && r.metric == metric
    };
    outcome.records.iter().find(mine).unwrap_or_else(|| panic!("{sde} {method} {steps:?} {metric}")).value
}

/// N(m, s² I₂) with m = (1, −½), s = ½: flows are linear. With S² = α² s² + σ² at T and ε, and ζ normal,
/// the prior's part is (S_ε/S_T)² (α_T² |m|² + 2 (S_T − σ_T)²) and the truncation's (1 − α_ε)² |m|² + 2 (S_ε − s)², squared; denoised at ε it
/// is 2 (α s²/S_ε − s)². 2000 samples: E|ζ|² = 2 to 5 standard errors of 2.2 %, false-alarm rate below 1e-5 each.
#[test]
fn the_parts_of_a_normal_are_known() {
    let text = |finish: &str| {
        format!(
            "data = {{ name = \"mixture\", weights = [1.0], means = [[1.0, -0.5]], covs = [[[0.25, 0.0], [0.0, 0.25]]] }}\n\
             model = \"exact\"\nsde = [\"vp\", {{ name = \"ve\", sigma-max = 5.0 }}]\nmethod = \"heun\"\ngrid = \"uniform-log-snr\"\n\
             steps = [32, 64]\nsamples = 10\nfigures = false\nsave-samples = false\nfinish = \"{finish}\"\n\
             [decompose]\nsamples = 2000\nreference-steps = 512\n"
        )
    };
    let (stop, denoise) = (outcome(&text("stop")), outcome(&text("denoise")));
    let sdes: [(&str, Box<dyn LinearSde>); 2] =
        [("vp", Box::new(Vp::default())), ("ve(sigma-max=5)", Box::new(Ve::new(0.01, 5.0, 1e-5).unwrap()))];
    for (name, sde) in &sdes {
        let span = sde.span(Use::Sampling);
        let (top, last) = (sde.kernel(span.end), sde.kernel(span.start));
        let (wide, narrow) = (top.deviation(0.5), last.deviation(0.5));
        let square = 1.25;
        let prior = (narrow / wide) * (top.alpha.powi(2) * square + 2.0 * (wide - top.sigma).powi(2)).sqrt();
        let truncation = ((1.0 - last.alpha).powi(2) * square + 2.0 * (narrow - 0.5).powi(2)).sqrt();
        let denoised = 2f64.sqrt() * (last.alpha * 0.25 / narrow - 0.5).abs();
        for steps in [Some(32), Some(64)] {
            let part = |outcome, metric| value(outcome, name, "heun", steps, metric);
            let near =
                |got: f64, want: f64| assert!((got / want - 1.0).abs() < 0.056, "{name}: {got} {want}");
            assert_eq!(part(&stop, PARTS[0]), 0.0);
            near(part(&stop, PARTS[2]), prior);
            near(part(&stop, PARTS[3]), truncation);
            near(part(&denoise, PARTS[3]), denoised);
            let sum: f64 = PARTS.iter().map(|p| part(&stop, p)).sum();
            let (whole, solver) = (part(&stop, WHOLE), part(&stop, PARTS[1]));
            assert!(whole <= sum + 1e-12 && whole >= solver - (sum - solver) && solver > 0.0);
        }
    }
}

/// Matched pairs fall with the order of the method: Euler–Maruyama's on its path, Euler's and Heun's on the flow.
#[test]
fn parts_of_the_solver_fall_with_its_order() {
    let text = "data = { name = \"mixture\", weights = [1.0], means = [[1.0, -0.5]], covs = [[[0.25, 0.0], [0.0, 0.25]]] }\nmodel = \"exact\"\n\
        sde = \"vp\"\nmethod = [\"euler-maruyama\", \"euler\", \"heun\"]\ngrid = \"uniform-log-snr\"\nsteps = [8, 32, 64, 128]\nsamples = 10\n\
        figures = false\nsave-samples = false\n[decompose]\nsamples = 500\nreference-steps = 4096\n";
    let outcome = outcome(text);
    for (method, order) in [("euler-maruyama", 1.0), ("euler", 1.0), ("heun", 2.0)] {
        let slope = value(&outcome, "vp", method, None, SLOPE);
        assert!((slope + order).abs() < 0.1, "{method}: {slope}");
    }
}

/// √E|x_N − x_ref|² of N(1, 0.5²) in closed form: samplers are affine, and a coarse normal is Σ √(h_j/h) z_j of the finer ones. 4000 samples:
/// 5 standard errors of a root mean square are 5.6 %, false-alarm rate below 1e-5 each.
#[test]
fn strong_errors_are_those_of_the_affine_maps() {
    let text = "data = { name = \"mixture\", weights = [1.0], means = [[1.0]], covs = [[[0.25]]] }\nmodel = \"exact\"\nsde = \"vp\"\ndtype = \"f64\"\n\
        method = [\"euler-maruyama\", \"euler\"]\ngrid = \"uniform-log-snr\"\nsteps = [16, 32]\nsamples = 4000\nfigures = false\n\
        save-samples = false\nnoise = \"brownian\"\n[strong]\nreference-steps = 256\n";
    let outcome = outcome(text);
    let (vp, model) = (Vp::default(), gaussian().unwrap());
    let methods: [(&str, Box<dyn Method>); 2] = [
        ("euler-maruyama", Box::new(EulerMaruyama::default())),
        ("euler", Box::new(Flow(RungeKutta::EULER))),
    ];
    for (name, method) in &methods {
        let map = |n: usize| {
            let grid = UniformLogSnr.grid(&vp, vp.span(Use::Sampling), n).unwrap();
            (Affine::of(Problem { sde: &vp, model: &model }, &**method, &grid).unwrap(), grid)
        };
        let (fine, finest) = map(256);
        for n in [16, 32] {
            let (coarse, grid) = map(n);
            let mut square = (coarse.offset - fine.offset).powi(2);
            square += ((coarse.gain - fine.gain) * vp.kernel(1.0).sigma).powi(2);
            let parts: Vec<f64> = finest.steps().map(tweedie_solvers::clock::Step::root_dt).collect();
            let each = 256 / n;
            let finer = parts.chunks(each).zip(fine.noise.chunks(each));
            for ((step, coarse), (parts, fine)) in grid.steps().zip(&coarse.noise).zip(finer) {
                let gaps = parts.iter().zip(fine).map(|(h, g)| (coarse * h / step.root_dt() - g).powi(2));
                square += gaps.sum::<f64>();
            }
            let got = value(&outcome, "vp", name, Some(n), STRONG);
            assert!((got / square.sqrt() - 1.0).abs() < 0.056, "{name} {n}: {got} {}", square.sqrt());
        }
        let at = |n| value(&outcome, "vp", name, Some(n), STRONG);
        let slope = value(&outcome, "vp", name, None, STRONG_SLOPE);
        assert!((slope - (at(32) / at(16)).log2()).abs() < 1e-12 && slope < -1.0);
    }
}

/// A paired difference is the mean of differences over seeds, at the same steps; and pairing narrows it threefold between methods that
/// differ by one order.
#[test]
fn paired_differences_are_those_of_seeds() {
    let text = "data = \"eight-gaussians\"\nmodel = \"exact\"\nsde = \"vp\"\nmethod = [\"euler\", \"heun\", \"rk45\"]\ngrid = \"uniform-log-snr\"\n\
        steps = [16, 32]\nseed = [0, 1, 2, 3]\nsamples = 500\nfigures = false\nsave-samples = false\nmetrics = [\"sliced-w2\", \"energy\"]\n\
        [paired]\nbaseline = \"heun\"\n";
    let outcome = outcome(text);
    // Euler at two step counts, for two metrics; rk45 has no steps that Heun has too.
    assert_eq!(outcome.paired.len(), 4);
    for row in &outcome.paired {
        let of = |method: &str| -> Vec<f64> {
            let mine = outcome
                .records
                .iter()
                .filter(|r| r.method == method && r.steps == row.steps && r.metric == row.metric);
            mine.map(|r| r.value).collect()
        };
        let (mine, theirs) = (of("euler"), of("heun"));
        let gaps: Vec<f64> = mine.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        let mean = gaps.iter().sum::<f64>() / 4.0;
        let (half, unpaired) = (row.half_width.unwrap(), row.half_width_unpaired.unwrap());
        assert!(
            (row.difference.unwrap() - mean).abs() < 1e-12 && row.seeds == 4 && row.method == "euler",
            "{row:?}"
        );
        let spread = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / 3.0 / 4.0).sqrt();
        assert!((half - 3.182_446 * spread).abs() < 1e-6 * half);
        let narrower = row.narrower.unwrap();
        assert!((narrower - unpaired / half).abs() < 1e-12 && narrower > 3.0, "{row:?}");
    }
}
