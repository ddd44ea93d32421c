//! Each sentence where it must be said, with its number by hand, and where it must not.

use candle_core::{Device, Tensor};
use tweedie_solvers::Key;
use tweedie_solvers::clock::{Grid, Step};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::UniformT;
use tweedie_solvers::method::EulerMaruyama;
use tweedie_solvers::noise::Stream;
use tweedie_solvers::sde::{SubVp, Ve, Vp};

use super::*;
use crate::data::{Data, Empirical, GaussianMixture, Standardise, TwoMoons};
use crate::points::Points;
use crate::recipe::one;
use crate::registry::{GRIDS, METHODS, Shelf};
use crate::run::record::{Label, summarise};

fn named<T: ?Sized>(shelf: &Shelf<T>, text: &str) -> Named<T> {
    one(&Section::new("t", "t", text.parse().unwrap()), |section| shelf.build(section)).unwrap()
}

fn gaussian(mean: [f64; 2], cov: [[f64; 2]; 2]) -> GaussianMixture {
    let cov = vec![cov.iter().map(|row| row.to_vec()).collect()];
    GaussianMixture(Mixture::new(vec![1.0], vec![mean.to_vec()], &cov).unwrap())
}

fn round(s: f64) -> GaussianMixture {
    gaussian([0.0, 0.0], [[s * s, 0.0], [0.0, s * s]])
}

/// All sentences about data under an SDE, a method, a grid and step counts, without what they are about.
fn said(data: &dyn Data, texts: [&str; 3], steps: &[usize]) -> Vec<String> {
    let (sde, method, grid) = (named(&SDES, texts[0]), named(&METHODS, texts[1]), named(&GRIDS, texts[2]));
    let plan = Plan { methods: &[method], grids: &[grid], steps: &|_, _| steps.to_vec(), given: false };
    foresee("d", &Law::of(data, None).unwrap(), &sde, plan).unwrap()
}

const HEUN: &str = "name = 'heun'";
const EULER: &str = "name = 'euler-maruyama'";
const UNIFORM: &str = "name = 'uniform-t'";

/// r = 0.01: ½ [0.01 (4 + 1 + 9) − ln(1.04·1.01 − 0.01²)] = ½ (0.14 − 0.0490759). σ = 21 leaves 0.0102 nats, 24 leaves 0.008.
#[test]
fn data_that_are_not_the_prior() {
    let data = gaussian([3.0, 0.0], [[4.0, 1.0], [1.0, 1.0]]);
    let law = Law::of(&data, None).unwrap();
    assert!((law.divergence(0.01) - 0.5 * (0.14 - 1.0503f64.ln())).abs() < 1e-14);
    let far = |sde: &str| {
        let mut all = said(&data, [sde, HEUN, UNIFORM], &[5]);
        all.retain(|s| s.contains("nats"));
        all
    };
    assert_eq!(
        far("name = 've'\nsigma-max = 10"),
        [
            "d, ve(sigma-max=10): at t = 1, where samplers start, the data with noise are 0.0455 nats or more from the prior N(0, 10² I), \
          above 0.01; set sigma-max to 24 or more"
        ]
    );
    assert_eq!(far("name = 've'\nsigma-max = 24"), [""; 0]);
    let vp = far("name = 'vp'\nbeta-max = 4");
    assert!(vp[0].contains("set beta-max to "), "{vp:?}");
    let cut = said(&data, ["name = 've'", HEUN, "name = 'explicit'\ntimes = [0.5, 1e-5]"], &[]);
    assert!(cut[0].contains("at t = 0.5,") && cut[0].ends_with("start the grid at t = 1"), "{cut:?}");
    assert!(far("name = 'vp-cosine'").is_empty());
}

/// Two modes (±2, 1) of covariance ((1, 0.5), (0.5, 2)) have mean (0, 1) and covariance ((5, 0.5), (0.5, 2)); behind a map with m = (0, 1)
/// and s = (√5, √2) those are 0 and ((1, c), (c, 1)), c = 0.5/√10, and the modes ((1/5, c), (c, 1)). Curves are as thick as their noise
/// over the largest s.
#[test]
fn laws_of_mixtures_curves_and_maps() {
    let inner = vec![vec![1.0, 0.5], vec![0.5, 2.0]];
    let mixture =
        Mixture::new(vec![1.0; 2], vec![vec![-2.0, 1.0], vec![2.0, 1.0]], &[inner.clone(), inner]).unwrap();
    let data = GaussianMixture(mixture);
    let plain = Law::of(&data, None).unwrap();
    assert!((plain.divergence(1.0) - 0.5 * (8.0 - (6.0 * 3.0 - 0.25f64).ln())).abs() < 1e-12);
    let map =
        Standardise { mean: vec![0.0, 1.0], deviation: vec![5f64.sqrt(), 2f64.sqrt()], constant: vec![] };
    let law = Law::of(&data, Some(&map)).unwrap();
    assert!((law.divergence(1.0) - 0.5 * (2.0 - (4.0 - 0.025f64).ln())).abs() < 1e-12);
    let narrowest = (0.6 - (0.16f64 + 0.025).sqrt()).sqrt();
    assert!((law.narrowest.unwrap() - narrowest).abs() < 1e-12 && law.standardised);
    let moons = Law::of(&TwoMoons::new(0.1).unwrap(), Some(&map)).unwrap();
    assert_eq!(moons.narrowest, Some(0.1 / 5f64.sqrt()));
    // The same moments from 100 000 other points; 20 000 leave an error below 0.02 (2 nats, 5 standard errors of 0.4 %).
    let moons = TwoMoons::new(0.1).unwrap();
    let points = moons.sample(&Key::root(9), 0, 100_000);
    let mean = |f: &dyn Fn(&[f64]) -> f64| points.rows().map(f).sum::<f64>() / 100_000.0;
    let (x, y) = (mean(&|p| p[0]), mean(&|p| p[1]));
    let (xx, yy, xy) = (mean(&|p| p[0] * p[0]), mean(&|p| p[1] * p[1]), mean(&|p| p[0] * p[1]) - x * y);
    let log_det = ((1.0 + xx - x * x) * (1.0 + yy - y * y) - xy * xy).ln();
    let got = Law::of(&moons, None).unwrap().divergence(1.0);
    assert!((got - 0.5 * (xx + yy - log_det)).abs() < 0.02, "{got}");
}

/// A step of the sampler itself on N(0, s²): two points with the same noise come out 1 − h κ times as far apart.
#[test]
fn slope_is_that_of_the_sampler() {
    let model = Mixture::gaussian(vec![0.0], 0.3).unwrap();
    let sdes: [Box<dyn LinearSde>; 3] =
        [Box::new(Vp::default()), Box::new(Ve::default()), Box::new(SubVp::default())];
    for sde in &sdes {
        for lambda in [0.0, 0.6, 1.0] {
            let method = EulerMaruyama::new(lambda).unwrap();
            let problem = Problem { sde: &**sde, model: &model };
            let step = Step { index: 0, of: 1, from: 0.3, to: 0.25 };
            let end = |x: f64| {
                let x = Tensor::new(&[[x]], &Device::Cpu).unwrap();
                let noise = Stream::new(&Key::root(0), 0);
                let x = method.stepper(problem).unwrap().step(&x, step, &noise).unwrap();
                x.to_vec2::<f64>().unwrap()[0][0]
            };
            let euler = Euler { sde: &**sde, lambda: method.euler().unwrap(), narrowest: 0.3 };
            let wanted = 1.0 - 0.05 * euler.slope(0.3);
            assert!((end(1.0) - end(0.0) - wanted).abs() < 1e-11 * wanted.abs().max(1.0), "{sde:?} {lambda}");
        }
    }
}

/// N(0, 0.03²) under VP on uniform t: max β h/v for five step counts, h κ = β h/v − ½ β h; for λ = 0.5 the first term is 0.625 times that.
#[test]
fn steps_that_are_too_long() {
    let vp = Vp::default();
    let span = vp.span(Use::Sampling);
    for (n, golden) in [(20, 6.19), (50, 2.48), (100, 1.24), (200, 0.62), (1000, 0.12)] {
        let euler = |lambda| Euler { sde: &vp, lambda, narrowest: 0.03 };
        let grid = UniformT.grid(&vp, span, n).unwrap();
        let (value, t) = euler(1.0).worst(&grid).unwrap();
        let half = 0.5 * (0.1 + 19.9 * t) * 0.999 / n as f64;
        assert!((value + half - golden).abs() < 0.005 && (t - 0.00305).abs() < 1e-4, "{n} {value} {t}");
        let (value, _) = euler(0.5).worst(&grid).unwrap();
        assert!((value + half - 0.625 * golden).abs() < 0.005);
    }
    let short = |method: &str, grid: &str, steps: &[usize]| {
        said(&round(0.03), ["name = 'vp'", method, grid], steps).concat()
    };
    // h κ = 123.68/n by a fine search elsewhere: 2.03 at 61 steps, 1.995 at 62.
    assert_eq!(
        short(EULER, UNIFORM, &[20, 50, 100]),
        "d, vp, euler-maruyama on uniform-t: at 20 and 50 steps h (a + ½ (1 + λ²) g²/v) reaches 6.18 at t = 0.00305, above 2, so steps \
         are too long for modes of deviation 0.03; take 62 steps or more"
    );
    assert_eq!(short(EULER, UNIFORM, &[62]), "");
    assert!(short(EULER, UNIFORM, &[61]).contains("at 61 steps"));
    assert_eq!(short(HEUN, UNIFORM, &[5]), "");
    let pair = "name = 'predictor-corrector'\npredictor = { name = 'euler-maruyama', lambda = 0 }";
    // λ = 0 halves g²/v: 61.80/n.
    assert!(short(pair, UNIFORM, &[20]).contains("reaches 3.09") && short(pair, UNIFORM, &[31]).is_empty());
    // The long first step counts to its end: 0.9 (2.09/0.104527 − 1.045) = 17.05, where the second has 0.099·123.7 = 12.2.
    let listed = short(EULER, "name = 'explicit'\ntimes = [1.0, 0.1, 0.001]", &[7]);
    assert!(listed.contains("at 2 steps") && listed.ends_with("put more nodes about t = 0.1"), "{listed}");
    let edm =
        Euler { sde: &tweedie_solvers::sde::Edm::new(0.002, 1e38).unwrap(), lambda: 1.0, narrowest: 0.3 };
    assert_eq!(edm.enough(&UniformT, 3).unwrap(), None);
    // A wide law spreads backward in time, κ < 0: no step is too long.
    let wide = Euler { sde: &vp, lambda: 1.0, narrowest: 3.0 };
    assert!(wide.worst(&Grid::new(vec![0.1, 0.05]).unwrap()).unwrap().0 < 0.0);
}

/// Under VP at ε = 1e-3, σ/α = √(exp(1.0995e-4) − 1) = 0.010486; half of 0.01 is reached at 2.44e-4. Under VE ε does not help, σ_min does.
#[test]
fn noise_that_is_left() {
    let left = |s: f64, sde: &str| {
        let mut all = said(&round(s), [sde, HEUN, UNIFORM], &[5]);
        all.retain(|s| s.contains("adds noise"));
        all.concat()
    };
    assert_eq!(
        left(0.01, "name = 'vp'"),
        "d, vp: ε = 0.001 adds noise 0.0105 to modes of deviation 0.01, above half of it; set epsilon to 0.00023 or less"
    );
    assert_eq!(left(0.01, "name = 'vp'\nepsilon = 2.3e-4"), "");
    assert_eq!((left(0.021, "name = 'vp'").as_str(), left(0.0209, "name = 'vp'").is_empty()), ("", false));
    assert!(left(0.01, "name = 've'").ends_with("set sigma-min to 0.0049 or less"));
    assert!(left(0.003, "name = 'edm'").ends_with("set sigma-min to 0.0014 or less"));
    let cut = said(&round(0.3), ["name = 'vp'", HEUN, "name = 'explicit'\ntimes = [1.0, 0.1]"], &[]).concat();
    assert!(cut.contains("ε = 0.1 adds") && cut.ends_with("end the grid at t = 0.001"), "{cut}");
    let none = Empirical::new(Points::new(2, vec![0.0, 0.0, 0.1, 0.1]), "own.csv").unwrap();
    assert_eq!(said(&none, ["name = 'vp'", EULER, UNIFORM], &[5]), [""; 0]);
}

/// Two points 5 apart.
#[test]
fn noise_that_does_not_reach() {
    let data = Empirical::new(Points::new(2, vec![-1.5, -2.0, 1.5, 2.0]), "own.csv").unwrap();
    let far = |sde: &str| {
        let mut all = said(&data, [sde, HEUN, UNIFORM], &[5]);
        all.retain(|s| s.contains("the largest distance"));
        all.concat()
    };
    assert_eq!(
        far("name = 've'\nsigma-max = 2"),
        "d, ve(sigma-max=2): σ = 2 at t = 1, where samplers start, is below 5, the largest distance between 500 points; set sigma-max to \
         5.3 or more"
    );
    assert_eq!(far("name = 've'\nsigma-max = 5.3") + &far("name = 'edm'") + &far("name = 'vp'"), "");
    // 50·1.1 is 55 but for its rounding, and stays 55.
    let wider = Empirical::new(Points::new(1, vec![0.0, 52.0]), "own.csv").unwrap();
    let wider = said(&wider, ["name = 've'", HEUN, UNIFORM], &[5]).concat();
    assert!(wider.ends_with("set sigma-max to 55 or more"), "{wider}");
    let (sde, law) = (named(&SDES, "name = 'edm'\nsigma-max = 2"), Law::of(&data, None).unwrap());
    let grids = [named(&GRIDS, UNIFORM)];
    let told = |given| {
        let plan = Plan { methods: &[], grids: &grids, steps: &|_, _| vec![5], given };
        foresee("d", &law, &sde, plan).unwrap().len()
    };
    assert_eq!((told(false), told(true)), (2, 0));
}

#[test]
fn means_at_the_floor() {
    let text = "sde = ['vp', 've']\nsamples = 300\nmetrics = ['sliced-w2', 'w2', 'energy']";
    let recipe = Recipe::build("r".into(), "r.toml", text.parse().unwrap()).unwrap();
    let label = |sde: &str, steps| Label {
        data: "two-moons".into(),
        sde: sde.into(),
        method: "heun".into(),
        steps: Some(steps),
        ..Label::data(0)
    };
    let floor = |seed| Label { data: "two-moons".into(), ..Label::data(seed) };
    let mut records = Vec::new();
    for metric in ["sliced-w2", "w2", "energy"] {
        // 2 ± 12.7: the upper end is 14.7.
        records.extend([(0, 1.0), (1, 3.0)].map(|(seed, v)| floor(seed).record(metric, v)));
        let high = if metric == "w2" { 14.8 } else { 14.6 };
        records.extend([(5, 1.0), (9, high)].map(|(n, v)| label("vp", n).record(metric, v)));
        records.push(label("ve", 5).record(metric, 1.0));
    }
    assert_eq!(
        indistinct(&recipe, &summarise(&records)),
        [
            "two-moons, vp: every mean is at the floor, so 300 samples cannot tell the methods apart by sliced-w2 and energy; raise samples \
          above 300"
        ]
    );
}

/// Points about 1000 with deviation 50, and with deviation 0.001: the cure that costs least is named where it is one, and is none where
/// samplers already work behind it or cannot.
#[test]
fn the_cure_that_costs_least() {
    let points = |scale: f64, shift: f64| {
        let z = Key::root(6).normals(0, 0, 400, 2);
        Empirical::new(Points::new(2, z.iter().map(|z| shift + scale * z).collect()), "own.csv").unwrap()
    };
    let told = |data: &dyn Data, sde: &str, free: bool| {
        let (sde, grid) = (named(&SDES, sde), named(&GRIDS, UNIFORM));
        let plan = Plan { methods: &[], grids: &[grid], steps: &|_, _| vec![5], given: false };
        let map = coordinates(data, true).unwrap().0;
        let (law, other) = (Law::of(data, None).unwrap(), Law::of(data, map.as_ref()).unwrap());
        let law = if free { law.or_standardised(other) } else { law };
        foresee("d", &law, &sde, plan).unwrap()
    };
    let cure = "; set standardise = true in the data";
    let far = points(50.0, 1000.0);
    for (data, sde, wrong) in [
        (&far, "name = 'vp'", "nats or more from the prior"),
        (&far, "name = 've'", "the largest distance between 500 points"),
        (&points(0.001, 0.0), "name = 'vp'", "ε = 0.001 adds noise 0.0105 to a coordinate of deviation 0.0"),
    ] {
        let all = told(data, sde, true);
        assert!(all.iter().any(|s| s.contains(wrong) && s.ends_with(cure)), "{sde} {all:?}");
        assert!(all.iter().all(|s| !s.contains("set beta-max") && !s.contains("set sigma")), "{all:?}");
        let fixed = told(data, sde, false);
        assert!(
            fixed.iter().any(|s| s.contains(wrong)) && fixed.iter().all(|s| !s.ends_with(cure)),
            "{fixed:?}"
        );
    }
    // What standardising does not mend keeps its own remedy: β_max = 3 leaves more than the prior of any data of deviation 1.
    let round = told(&points(1.0, 0.5), "name = 'vp'\nbeta-max = 3", true);
    assert!(round[0].contains("nats") && round[0].contains("set beta-max to "), "{round:?}");
    // A column that does not vary has no deviation to blur.
    let flat = Points::new(2, Key::root(6).normals(0, 0, 400, 1).iter().flat_map(|z| [*z, 0.1]).collect());
    assert_eq!(told(&Empirical::new(flat, "own.csv").unwrap(), "name = 'vp'", true), [""; 0]);
}
