use super::*;
use candle_core::{DType, Device};

fn skew() -> Mixture {
    Mixture::new(
        vec![0.5, 0.3, 0.2],
        vec![vec![-1.0, 0.5], vec![1.2, -0.4], vec![0.3, 1.6]],
        &[
            vec![vec![0.25, 0.1], vec![0.1, 0.09]],
            vec![vec![0.04, -0.015], vec![-0.015, 0.16]],
            vec![vec![0.01, 0.0], vec![0.0, 0.3]],
        ],
    )
    .unwrap()
}

fn ring() -> Mixture {
    let angle = |k: usize| std::f64::consts::TAU * k as f64 / 8.0;
    let means = (0..8).map(|k| vec![2.0 * angle(k).cos(), 2.0 * angle(k).sin()]).collect();
    Mixture::isotropic(vec![1.0; 8], means, 0.2).unwrap()
}

/// Point values of an eight-mode ring (R = 2, s = 0.2), computed outside this crate: VE kernels and the data themselves.
#[test]
fn density_and_score_at_golden_points() {
    let cases = [
        (1.0, 0.0, [2.0, 1.0], -7.130107897, [-14.61075819, 10.27349057]),
        (1.0, 0.0, [-1.0, 2.5], -16.07291623, [17.16493191, -15.74539147]),
        (1.0, 0.1, [2.0, 1.0], -6.060996523, [-11.62497973, 8.065183717]),
        (1.0, 1.0, [2.0, 1.0], -3.520391834, [-0.426194281, -0.2076038982]),
        (1.0, 10.0, [2.0, 1.0], -6.487929642, [-0.01959242281, -0.009796211407]),
        (0.2811828808, 0.9596542021, [2.0, 1.0], -4.21712192, [-1.859580761, -0.9297869863]),
    ];
    for (alpha, sigma, x, log_p, score) in cases {
        let at = Kernel { alpha, sigma };
        assert!((ring().log_density(&x, at) - log_p).abs() < 1e-8);
        for (got, want) in ring().score(&x, at).iter().zip(score) {
            assert!((got - want).abs() < 1e-8 * want.abs().max(1.0), "{got} {want}");
        }
    }
}

#[test]
fn score_is_the_gradient_of_the_log_density() {
    let (m, h) = (skew(), 1e-5);
    for at in [
        Kernel { alpha: 1.0, sigma: 0.01 },
        Kernel { alpha: 0.4, sigma: 0.9 },
        Kernel { alpha: 1.0, sigma: 7.0 },
    ] {
        for x in [[0.1, 0.3], [-1.2, 0.6], [2.0, -1.0]] {
            let s = m.score(&x, at);
            for i in 0..2 {
                let (mut up, mut down) = (x, x);
                up[i] += h;
                down[i] -= h;
                let slope = (m.log_density(&up, at) - m.log_density(&down, at)) / (2.0 * h);
                assert!((s[i] - slope).abs() < 1e-6 * s[i].abs().max(1.0), "{} {slope}", s[i]);
            }
        }
    }
}

/// Tensors, with one kernel and with one per row, against the host; derivatives against central differences.
#[test]
fn tensors_agree_with_the_host() {
    let m = skew();
    let points = [[0.1, 0.3], [-1.2, 0.6], [2.0, -1.0], [40.0, -3.0]];
    let kernels =
        [(1.0, 0.01), (0.4, 0.9), (1.0, 7.0), (0.9, 0.3)].map(|(alpha, sigma)| Kernel { alpha, sigma });
    let x = Tensor::new(&points, &Device::Cpu).unwrap();
    for at in kernels.iter().map(|k| vec![*k]).chain([kernels.to_vec()]) {
        let raw: Vec<Vec<f64>> = m.raw(&x, &at).unwrap().to_vec2().unwrap();
        for (i, point) in points.iter().enumerate() {
            let k = at[i.min(at.len() - 1)];
            for (got, s) in raw[i].iter().zip(m.score(point, k)) {
                assert!((got + k.sigma * s).abs() < 1e-12 * s.abs().max(1.0));
            }
        }
        let u = Tensor::new(&[[0.6, -0.8], [1.0, 0.0], [0.0, 1.0], [0.3, 0.4]], &Device::Cpu).unwrap();
        let h = 1e-6;
        let (value, slopes) = m.raw_jvp(&x, std::slice::from_ref(&u), &at).unwrap();
        let value: Vec<Vec<f64>> = value.to_vec2().unwrap();
        assert_eq!(value, raw);
        // What a card computes.
        let (there, moved) = m.on_tensors(&x, std::slice::from_ref(&u), &at).unwrap();
        let there: Vec<Vec<f64>> = there.to_vec2().unwrap();
        let moved: Vec<Vec<f64>> = moved[0].to_vec2().unwrap();
        let here: Vec<Vec<f64>> = slopes[0].to_vec2().unwrap();
        let pairs = there.iter().zip(&raw).chain(moved.iter().zip(&here));
        for (a, b) in pairs.flat_map(|(a, b)| a.iter().zip(b)) {
            assert!((a - b).abs() < 1e-11 * b.abs().max(1.0), "{a} {b}");
        }
        let up = m.raw(&(&x + (&u * h).unwrap()).unwrap(), &at).unwrap();
        let down = m.raw(&(&x - (&u * h).unwrap()).unwrap(), &at).unwrap();
        let wanted: Vec<Vec<f64>> = ((up - down).unwrap() / (2.0 * h)).unwrap().to_vec2().unwrap();
        let got: Vec<Vec<f64>> = slopes[0].to_vec2().unwrap();
        for (g, w) in got.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((g - w).abs() < 1e-5 * w.abs().max(1.0), "{g} {w}");
        }
    }
    let single = m.raw(&x.to_dtype(DType::F32).unwrap(), &[kernels[1]]).unwrap();
    let double = m.raw(&x, &[kernels[1]]).unwrap();
    let gap = (single.to_dtype(DType::F64).unwrap() - double).unwrap().abs().unwrap().max_all().unwrap();
    assert!(gap.to_scalar::<f64>().unwrap() < 1e-4);
}

/// Moments of 200 000 points against the mixture's own; 5 standard errors, false-alarm rate below 1e-5.
#[test]
fn samples_have_the_mixture_moments() {
    let m = skew();
    let n = 200_000;
    let values = m.sample(&Key::root(3), 0, n);
    assert_eq!(m.sample(&Key::root(3), 17, 4), values[34..42]);
    let mean = |f: &dyn Fn(&[f64]) -> f64| values.chunks(2).map(f).sum::<f64>() / n as f64;
    let exact = |f: &dyn Fn(usize) -> f64| (0..3).map(|k| m.weights[k] * f(k)).sum::<f64>();
    let se = 5.0 / (n as f64).sqrt();
    let ex = exact(&|k| m.means[k][0]);
    assert!((mean(&|p| p[0]) - ex).abs() < se * 1.2);
    let second = exact(&|k| m.covs[k][1] + m.means[k][0] * m.means[k][1]);
    assert!((mean(&|p| p[0] * p[1]) - second).abs() < se * 1.2);
    let square = exact(&|k| m.covs[k][3] + m.means[k][1] * m.means[k][1]);
    assert!((mean(&|p| p[1] * p[1]) - square).abs() < se * 1.5);
}

#[test]
fn bad_mixtures_are_refused() {
    let eye = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
    let zero = vec![0.0, 0.0];
    for (w, m, c) in [
        (vec![], vec![], vec![]),
        (vec![-1.0], vec![zero.clone()], vec![eye.clone()]),
        (vec![1.0], vec![zero.clone()], vec![vec![vec![1.0, 2.0], vec![2.0, 1.0]]]),
        (vec![1.0], vec![zero.clone()], vec![vec![vec![1.0, 0.1], vec![0.0, 1.0]]]),
        (vec![1.0, 1.0], vec![zero.clone(), vec![0.0]], vec![eye.clone(), eye.clone()]),
        (vec![1.0], vec![vec![f64::NAN, 0.0]], vec![eye]),
    ] {
        assert!(Mixture::new(w, m, &c).is_err());
    }
}

/// The form on lanes against the plain one in f64: rotated and axis-aligned components, rows that fill vectors and rows that do not; points
/// out to 30 deviations. Products of α μ and x are rounded in f32, at 1e-7 of their size, and divided by the deviation.
#[test]
fn lanes_agree_with_the_plain_form() {
    let round =
        Mixture::isotropic(vec![1.0; 8], (0..8).map(|k| vec![f64::from(k), 1.0, -0.5]).collect(), 0.3);
    let line = Mixture::isotropic(vec![0.9, 0.1], vec![vec![-1.0], vec![2.0]], 0.5);
    for m in [skew(), round.unwrap(), line.unwrap()] {
        for (rows, scale) in [(1, 1.0), (17, 3.0), (250, 1.0), (33, 10.0)] {
            let z = Key::root(8).normals(0, 0, rows, m.dim());
            let x: Vec<f32> = z.iter().map(|z| (scale * z) as f32).collect();
            let x64: Vec<f64> = x.iter().copied().map(f64::from).collect();
            for at in [(1.0, 1e-2), (0.8, 0.6), (0.01, 1.0), (1.0, 50.0)] {
                let at = Kernel { alpha: at.0, sigma: at.1 };
                let tensor = Tensor::from_slice(&x64, (rows, m.dim()), &Device::Cpu).unwrap();
                let want: Vec<f64> = m.raw(&tensor, &[at]).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                for arch in [Arch::new(), Arch::Scalar] {
                    let got = arch.dispatch(Fused::new(&m, &x, &[at]));
                    let narrow = at.deviation(m.narrowest());
                    for (g, w) in got.iter().zip(&want) {
                        let within = 1e-5 * (1.0 + w.abs()) + 3e-6 * scale / narrow;
                        assert!((f64::from(*g) - w).abs() < within, "{m:?} {at:?}: {g} {w}");
                    }
                }
            }
        }
    }
    let at = Kernel { alpha: 1.0, sigma: 0.1 };
    let odd = [f32::NAN, 0.0, 1e20, 0.0, f32::INFINITY, 0.0, 0.5, 0.25];
    let got = Arch::new().dispatch(Fused::new(&skew(), &odd, &[at]));
    assert!(got[..6].chunks(2).all(|row| row.iter().any(|v| !v.is_finite())));
    assert_eq!(got[6..], Arch::new().dispatch(Fused::new(&skew(), &odd[6..], &[at])));
}

/// The bits of a row do not depend on its companions, their number, or whether they share its kernel; in f32 and f64, with axes and without.
#[test]
fn rows_are_alone() {
    let plain = Mixture::isotropic(vec![0.9, 0.1], vec![vec![-1.0, 0.5], vec![2.0, 0.0]], 0.5).unwrap();
    let at: Vec<Kernel> = (0..37).map(|i| Kernel { alpha: 0.9, sigma: 0.01 * f64::from(i + 1) }).collect();
    for m in [skew(), plain] {
        for dtype in [DType::F32, DType::F64] {
            let z = Key::root(8).normals(0, 0, 37, 2);
            let x = Tensor::from_vec(z, (37, 2), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            let u = [x.flip(&[0]).unwrap().contiguous().unwrap()];
            let numbers = |x: &Tensor| -> Vec<f64> {
                x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
            };
            let (all, (value, slopes)) = (numbers(&m.raw(&x, &at).unwrap()), m.raw_jvp(&x, &u, &at).unwrap());
            let (value, slopes) = (numbers(&value), numbers(&slopes[0]));
            for (first, rows) in [(0, 1), (9, 1), (36, 1), (3, 20)] {
                let (own, part) = (&at[first..first + rows], 2 * first..2 * (first + rows));
                let (x, u) = (x.narrow(0, first, rows).unwrap(), [u[0].narrow(0, first, rows).unwrap()]);
                assert_eq!(numbers(&m.raw(&x, own).unwrap()), all[part.clone()]);
                let (a, b) = m.raw_jvp(&x, &u, own).unwrap();
                assert_eq!(
                    (numbers(&a), numbers(&b[0])),
                    (value[part.clone()].to_vec(), slopes[part].to_vec())
                );
            }
        }
    }
}
