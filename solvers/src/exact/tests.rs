#![expect(clippy::disallowed_methods, reason = "tests read on the host")]

use candle_core::{DType, Device, Tensor};

use super::{Boxes, Exact, KernelSum, Level, Mixture};
use crate::Key;
use crate::kernel::Kernel;
use crate::model::ScoreModel;

fn laws() -> Vec<Box<dyn Exact>> {
    let points = Key::root(1).normals(0, 0, 40, 2);
    let levels =
        vec![Level { from: 0.0, points: points.clone(), weights: (1..=40).map(f64::from).collect() }];
    let cube =
        (vec![vec![-1.0, 0.0, 0.5], vec![0.2, -2.0, -0.5]], vec![vec![0.5, 1.0, 0.75], vec![3.0, -1.0, 0.5]]);
    vec![
        Box::new(
            Mixture::new(
                vec![0.3, 0.7],
                vec![vec![1.0, -0.5], vec![-0.5, 0.5]],
                &[vec![vec![0.5, 0.2], vec![0.2, 0.3]], vec![vec![0.1, -0.05], vec![-0.05, 0.4]]],
            )
            .unwrap(),
        ),
        Box::new(KernelSum::new(2, 0.1, levels).unwrap()),
        Box::new(KernelSum::empirical(2, points).unwrap()),
        Box::new(KernelSum::empirical(1, vec![-1.0, 0.3, 0.4]).unwrap()),
        Box::new(
            Boxes::new(
                vec![1.0, 2.0],
                vec![vec![-2.0, 0.0], vec![0.0, -1.0]],
                vec![vec![0.0, 1.0], vec![0.5, 0.0]],
            )
            .unwrap(),
        ),
        Box::new(Boxes::new(vec![1.0, 3.0], cube.0, cube.1).unwrap()),
    ]
}

/// Without and with α² + σ² = 1, little noise and much.
const KERNELS: [Kernel; 6] = [
    Kernel { alpha: 0.999, sigma: 0.02 },
    Kernel { alpha: 1.0, sigma: 0.1 },
    Kernel { alpha: 0.8, sigma: 0.6 },
    Kernel { alpha: 0.3, sigma: 0.95 },
    Kernel { alpha: 0.0066, sigma: 1.0 },
    Kernel { alpha: 1.0, sigma: 50.0 },
];

/// Points at which p_t has some mass: drawn from roughly p_t, none of them special.
fn points(law: &dyn Exact, at: Kernel, count: usize) -> Vec<Vec<f64>> {
    let (d, key) = (law.dim(), Key::root(3));
    let (wide, noise) = (key.normals(0, 0, count, d), key.normals(1, 0, count, d));
    let values: Vec<f64> = wide.iter().zip(noise).map(|(x, z)| at.alpha * x + at.sigma * z).collect();
    values.chunks_exact(d).map(<[f64]>::to_vec).collect()
}

/// Read as it says, a list of Gaussians gives the score; boxes have none.
#[test]
fn components_are_the_law() {
    for (law, at) in laws().iter().flat_map(|law| KERNELS.map(|at| (law, at))) {
        let d = law.dim();
        let Some(own) = law.components(at) else {
            assert!(format!("{law:?}").starts_with("Boxes"));
            continue;
        };
        let number = |list: &[f32], i: usize| f64::from(list[i]);
        let axis = |k: usize, i: usize, j: usize| match &own.axes {
            Some(axes) => number(axes, (k * d + i) * d + j),
            None => f64::from(u8::from(i == j)),
        };
        for x in points(&**law, at, 20) {
            let look = |(k, c): (usize, &[f32])| {
                let turned = |j: usize| (0..d).map(|i| axis(k, i, j) * x[i]).sum::<f64>() - number(c, j);
                let pulls: Vec<f64> = (0..d).map(|j| turned(j) * number(c, d + j)).collect();
                let energy: f64 = (0..d).map(|j| turned(j) * pulls[j]).sum();
                let back = (0..d).map(|i| (0..d).map(|j| axis(k, i, j) * pulls[j]).sum()).collect();
                (number(c, 2 * d) - 0.5 * energy, back)
            };
            let all: Vec<(f64, Vec<f64>)> = own.numbers.chunks(2 * d + 1).enumerate().map(look).collect();
            let total = super::log_sum_exp(all.iter().map(|(logit, _)| *logit));
            for (i, score) in law.score(&x, at).into_iter().enumerate() {
                let mean: f64 = all.iter().map(|(logit, back)| (logit - total).exp() * back[i]).sum();
                let (got, want) = (f64::from(own.sigma) * mean, -at.sigma * score);
                // Products of α c and x are rounded in f32.
                assert!((got - want).abs() < 2e-5 * (1.0 + want.abs()), "{law:?} {at:?}: {got} {want}");
            }
        }
    }
}

/// (f(x + h) − f(x − h))/2h and the same with h/2, extrapolated: an error of h⁴.
fn derivative(f: impl Fn(f64) -> f64, h: f64) -> f64 {
    let slope = |h: f64| (f(h) - f(-h)) / (2.0 * h);
    (4.0 * slope(0.5 * h) - slope(h)) / 3.0
}

#[test]
fn scores_are_gradients_of_log_densities() {
    for law in laws() {
        for at in KERNELS {
            for x in points(&*law, at, 20) {
                let score = law.score(&x, at);
                let scale = score.iter().fold(1.0 / at.sigma, |m: f64, s| m.max(s.abs()));
                for (i, s) in score.iter().enumerate() {
                    let log = |h: f64| {
                        let mut x = x.clone();
                        x[i] += h;
                        law.log_density(&x, at)
                    };
                    let slope = derivative(log, 2e-3 * at.sigma);
                    assert!((slope - s).abs() < 1e-7 * scale, "{law:?} {at:?} {x:?}: {slope} {s}");
                }
            }
        }
    }
}

/// Tensors against the host: values for one kernel and for one per row, and derivatives against differences of the host's score.
#[test]
fn tensors_say_what_the_host_says() {
    for law in laws() {
        let d = law.dim();
        for (k, &at) in KERNELS.iter().enumerate() {
            let rows = points(&*law, at, 7);
            let x = Tensor::new(rows.clone(), &Device::Cpu).unwrap();
            let kernels: Vec<Kernel> = (0..7).map(|i| KERNELS[(k + i) % 6]).collect();
            let u = Tensor::new(vec![(0..d).map(|i| 0.6 - i as f64).collect::<Vec<f64>>(); 7], &Device::Cpu)
                .unwrap();
            let single = Tensor::cat(&[&x.to_dtype(DType::F32).unwrap()], 0).unwrap();
            for at in [vec![at], kernels] {
                let (noise, slopes) = law.raw_jvp(&x, std::slice::from_ref(&u), &at).unwrap();
                assert_eq!(
                    law.raw(&x, &at).unwrap().to_vec2::<f64>().unwrap(),
                    noise.to_vec2::<f64>().unwrap()
                );
                let rough: Vec<Vec<f32>> = law.raw(&single, &at).unwrap().to_vec2().unwrap();
                let (noise, slopes): (Vec<Vec<f64>>, Vec<Vec<f64>>) =
                    (noise.to_vec2().unwrap(), slopes[0].to_vec2().unwrap());
                for (row, x) in rows.iter().enumerate() {
                    let at = at[if at.len() == 1 { 0 } else { row }];
                    let host =
                        |x: &[f64]| law.score(x, at).into_iter().map(|s| -at.sigma * s).collect::<Vec<_>>();
                    for (i, want) in host(x).into_iter().enumerate() {
                        let got = noise[row][i];
                        assert!(
                            (got - want).abs() < 1e-9 * (1.0 + want.abs()),
                            "{law:?} {at:?} {x:?}: {got} {want}"
                        );
                        let loose = 1e-5 * (1.0 + want.abs()) * (1.0 + 1.0 / at.sigma);
                        assert!(
                            (f64::from(rough[row][i]) - want).abs() < loose,
                            "{law:?} {at:?}: {} {want}",
                            rough[row][i]
                        );
                        let along = |h: f64| {
                            let moved: Vec<f64> =
                                x.iter().enumerate().map(|(i, x)| x + h * (0.6 - i as f64)).collect();
                            host(&moved)[i]
                        };
                        let (got, want) = (slopes[row][i], derivative(along, 2e-3 * at.sigma));
                        assert!(
                            (got - want).abs() < 1e-5 * (1.0 / at.sigma + want.abs()),
                            "{law:?} {at:?} {x:?}: {got} {want}"
                        );
                    }
                }
            }
        }
    }
}

/// Derivatives do not cancel: far outside a box they are those of a point, ∂ε̂/∂x = 1/σ, and so across
/// a pair of points at a thousand units.
#[test]
fn derivatives_far_away() {
    let boxes = Boxes::new(
        vec![1.0, 2.0],
        vec![vec![-2.0, 0.0], vec![0.0, -1.0]],
        vec![vec![0.0, 1.0], vec![0.5, 0.0]],
    );
    let u = Tensor::new(&[[0.6, -0.4]], &Device::Cpu).unwrap();
    for sigma in [1e-5, 1e-3, 1.0] {
        for far in [1e2, 1e3, 1e4] {
            let x = Tensor::new(&[[far, -0.7 * far]], &Device::Cpu).unwrap();
            let at = [Kernel { alpha: 1.0, sigma }];
            let (_, got) = boxes.as_ref().unwrap().raw_jvp(&x, std::slice::from_ref(&u), &at).unwrap();
            for (got, want) in got[0].flatten_all().unwrap().to_vec1::<f64>().unwrap().iter().zip([0.6, -0.4])
            {
                assert!(
                    (got * sigma / want - 1.0).abs() < 2e-2 * (sigma / far).min(1.0) + 2e-4,
                    "{sigma} {far}: {got}"
                );
            }
        }
    }
    let pair = KernelSum::empirical(2, vec![-1e-3, 0.0, 1e-3, 0.0]).unwrap();
    let (x, u) = (Tensor::new(&[[2e-4, 1e3]], &Device::Cpu), Tensor::new(&[[0.0, 1.0]], &Device::Cpu));
    let (_, got) = pair.raw_jvp(&x.unwrap(), &[u.unwrap()], &[Kernel { alpha: 1.0, sigma: 1e-3 }]).unwrap();
    let got: Vec<f64> = got[0].flatten_all().unwrap().to_vec1().unwrap();
    assert!(got[0].abs() < 1e-6 && (got[1] - 1e3).abs() < 1e-6, "{got:?}");
}

/// Far from the data and with next to no noise everything is finite, and far away the score points home: s → −(x − αc)/v.
#[test]
fn nothing_overflows() {
    for law in laws() {
        let d = law.dim();
        for at in [
            Kernel { alpha: 1.0, sigma: 1e-5 },
            Kernel { alpha: 0.01, sigma: 1.0 },
            Kernel { alpha: 1.0, sigma: 1e-3 },
        ] {
            for far in [0.0, 0.3, 30.0, -1e4] {
                let x = vec![far; d];
                let (log, score) = (law.log_density(&x, at), law.score(&x, at));
                assert!(
                    log.is_finite() && score.iter().all(|s| s.is_finite()),
                    "{law:?} {at:?} {far}: {log} {score:?}"
                );
                assert!(far.abs() < 1.0 || score.iter().all(|s| s * far < 0.0));
                let tensor = Tensor::new(vec![x], &Device::Cpu).unwrap();
                let u = tensor.ones_like().unwrap();
                for dtype in [DType::F32, DType::F64] {
                    let (x, u) = (tensor.to_dtype(dtype).unwrap(), u.to_dtype(dtype).unwrap());
                    let (noise, slopes) = law.raw_jvp(&x, &[u], &[at]).unwrap();
                    for t in [noise, slopes[0].clone()] {
                        let values: Vec<f64> =
                            t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                        assert!(
                            values.iter().all(|v| v.is_finite()),
                            "{law:?} {at:?} {far} {dtype:?} {values:?}"
                        );
                    }
                }
            }
        }
    }
}

/// p_t over the plane is 1, by the trapezoidal rule.
#[test]
fn densities_have_mass_one() {
    for law in laws().into_iter().filter(|law| law.dim() == 2) {
        for at in [Kernel { alpha: 0.95, sigma: 0.3 }, Kernel { alpha: 0.2, sigma: 1.0 }] {
            let (reach, h) = (3.5 * at.alpha + 8.0 * at.sigma, 0.25 * at.sigma);
            let n = (reach / h).ceil() as i32;
            let axis = || (-n..=n).map(|i| f64::from(i) * h);
            let mass: f64 =
                axis().flat_map(|a| axis().map(move |b| [a, b])).map(|x| law.log_density(&x, at).exp()).sum();
            assert!((mass * h * h - 1.0).abs() < 1e-9, "{law:?} {at:?}: {}", mass * h * h);
        }
    }
}

/// Many rows are taken in pieces, which changes nothing; and the coarsest level that serves is taken.
#[test]
fn pieces_and_levels() {
    let key = Key::root(4);
    let fine = key.normals(0, 0, 4000, 2);
    let law = KernelSum::empirical(2, fine.clone()).unwrap();
    let x = Tensor::from_vec(key.normals(1, 0, 600, 2), (600, 2), &Device::Cpu).unwrap();
    let at = [Kernel { alpha: 0.9, sigma: 0.4 }];
    let all: Vec<Vec<f64>> = law.raw(&x, &at).unwrap().to_vec2().unwrap();
    let last: Vec<Vec<f64>> = law.raw(&x.narrow(0, 590, 10).unwrap(), &at).unwrap().to_vec2().unwrap();
    assert_eq!(all[590..], last);
    let many: Vec<Kernel> = (0..600).map(|i| Kernel { alpha: 1.0, sigma: 0.1 + f64::from(i) }).collect();
    let each: Vec<Vec<f64>> = law.raw(&x, &many).unwrap().to_vec2().unwrap();
    let alone: Vec<Vec<f64>> =
        law.raw(&x.narrow(0, 599, 1).unwrap(), &many[599..]).unwrap().to_vec2().unwrap();
    assert_eq!(each[599..], alone);
    let level = |from: f64, n: usize| Level { from, points: fine[..2 * n].to_vec(), weights: vec![1.0; n] };
    let law = KernelSum::new(2, 0.3, vec![level(0.0, 40), level(0.5, 10), level(2.0, 1)]).unwrap();
    let nodes = |sigma: f64| law.level(Kernel { alpha: 0.5, sigma }).weights.len();
    // √(0.3² + (σ/0.5)²) ≥ 0.5 from σ = 0.2 on.
    assert_eq!([0.0, 0.19, 0.21, 0.9, 1.1].map(nodes), [40, 40, 10, 10, 1]);
}

#[test]
fn what_is_no_law_is_an_error() {
    let level = |from: f64, points: &[f64], weights: &[f64]| Level {
        from,
        points: points.to_vec(),
        weights: weights.to_vec(),
    };
    for levels in [
        vec![],
        vec![level(0.1, &[0.0], &[1.0])],
        vec![level(0.0, &[0.0], &[1.0]), level(0.0, &[0.0], &[1.0])],
        vec![level(0.0, &[0.0, 1.0], &[1.0])],
        vec![level(0.0, &[], &[])],
        vec![level(0.0, &[f64::NAN], &[1.0])],
        vec![level(0.0, &[0.0], &[0.0])],
        vec![level(0.0, &[0.0], &[f64::INFINITY])],
    ] {
        assert!(KernelSum::new(1, 0.0, levels.clone()).is_err(), "{levels:?}");
    }
    assert!(KernelSum::new(1, -1.0, vec![level(0.0, &[0.0], &[1.0])]).is_err());
    for (weights, low, high) in [
        (vec![], vec![], vec![]),
        (vec![1.0], vec![vec![0.0]], vec![]),
        (vec![1.0], vec![vec![0.0]], vec![vec![0.0]]),
        (vec![1.0], vec![vec![0.0]], vec![vec![f64::INFINITY]]),
        (vec![-1.0], vec![vec![0.0]], vec![vec![1.0]]),
        (vec![1.0, 1.0], vec![vec![0.0], vec![0.0, 1.0]], vec![vec![1.0], vec![1.0, 2.0]]),
    ] {
        assert!(Boxes::new(weights, low.clone(), high).is_err(), "{low:?}");
    }
}
