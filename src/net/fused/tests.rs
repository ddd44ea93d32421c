//! The packed network against the one that defines it.

use candle_core::Device;
use tweedie_solvers::Key;

use super::super::MlpConfig;

use super::*;

const ARCHES: [fn() -> Arch; 2] = [Arch::new, || Arch::Scalar];

fn net(config: &MlpConfig) -> Mlp {
    let (weights, frequencies) = Mlp::fresh(config, &Key::root(3), &Device::Cpu).unwrap();
    Mlp::new(config.clone(), &weights, &frequencies).unwrap()
}

fn normals(label: &str, rows: usize, dim: usize, scale: f64) -> Tensor {
    let z = Key::root(5).branch(label).normals(0, 0, rows, dim);
    let z: Vec<f32> = z.into_iter().map(|z| (scale * z) as f32).collect();
    Tensor::from_vec(z, (rows, dim), &Device::Cpu).unwrap()
}

fn numbers(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn kernels(rows: usize) -> Vec<Kernel> {
    let at = |i: usize| 0.01 * 5000f64.powf(i as f64 / rows as f64);
    (0..rows).map(|i| Kernel { alpha: 1.0 / (1.0 + 0.01 * i as f64), sigma: at(i) }).collect()
}

fn near(a: &Tensor, b: &Tensor, within: f32) {
    assert_eq!(a.dims(), b.dims());
    for (a, b) in numbers(a).into_iter().zip(numbers(b)) {
        assert!((a - b).abs() <= within * b.abs().max(1.0), "{a} {b}");
    }
}

/// Values and derivatives, for shapes that fill vectors and tiles and shapes that do not, one kernel and one for each row.
#[test]
fn agrees_with_the_plain_network() {
    let reference = MlpConfig::reference(2);
    let shapes = [
        (reference.clone(), 250),
        (reference.clone(), 1),
        (MlpConfig { dim: 5, width: 37, depth: 1, embedding: 6, ..reference.clone() }, 49),
        (MlpConfig { dim: 1, width: 70, depth: 0, embedding: 34, scale: 16.0, ..reference.clone() }, 600),
        (MlpConfig { dim: 40, width: 3, depth: 4, ..reference }, 13),
    ];
    for (config, rows) in shapes {
        let plain = net(&config);
        let x = normals("x", rows, config.dim, 2.0);
        let tangents = [normals("u", rows, config.dim, 1.0), normals("v", rows, config.dim, 1.0)];
        for arch in ARCHES {
            let fused = Fused::on(&plain, arch()).unwrap();
            for at in [vec![Kernel { alpha: 0.7, sigma: 0.9 }], kernels(rows)] {
                let (want, slopes) = plain.raw_jvp(&x, &tangents, &at).unwrap();
                near(&fused.raw(&x, &at).unwrap(), &want, 1e-6);
                let (got, along) = fused.raw_jvp(&x, &tangents, &at).unwrap();
                near(&got, &want, 1e-6);
                along.iter().zip(&slopes).for_each(|(a, b)| near(a, b, 1e-6));
            }
        }
    }
}

/// Tiny and huge inputs give what the plain network gives; a row that is not finite gives none, and leaves its companions alone.
#[test]
fn ends_of_the_range() {
    let plain = net(&MlpConfig::reference(2));
    let at = [Kernel { alpha: 0.7, sigma: 0.9 }];
    let rows = [[1e-30f32, -1e-30], [1e-45, 0.0], [1e6, -1e6], [1e20, 1e20], [f32::NAN, 0.0], [0.5, 0.25]];
    let x = Tensor::new(&rows, &Device::Cpu).unwrap();
    for arch in ARCHES {
        let fused = Fused::on(&plain, arch()).unwrap();
        let (got, want) = (numbers(&fused.raw(&x, &at).unwrap()), numbers(&plain.raw(&x, &at).unwrap()));
        for (i, (a, b)) in got.iter().zip(want).enumerate() {
            assert!((i / 2 == 4 && a.is_nan() && b.is_nan()) || (a / b - 1.0).abs() < 2e-5, "{i}: {a} {b}");
        }
        let infinite = Tensor::new(&[[f32::INFINITY, 0.0]], &Device::Cpu).unwrap();
        assert!(numbers(&fused.raw(&infinite, &at).unwrap()).iter().all(|v| !v.is_finite()));
    }
}

/// The bits of a row do not depend on the batch, the order or the threads.
#[test]
fn rows_are_alone() {
    let plain = net(&MlpConfig::reference(2));
    let fused = Fused::new(&plain).unwrap();
    let (x, at) = (normals("x", 1100, 2, 1.0), kernels(1100));
    let whole = numbers(&fused.raw(&x, &at).unwrap());
    for (first, rows) in [(0, 1), (37, 60), (1099, 1), (500, 600)] {
        let part = fused.raw(&x.narrow(0, first, rows).unwrap(), &at[first..first + rows]).unwrap();
        assert_eq!(numbers(&part), whole[2 * first..2 * (first + rows)]);
    }
    let shared = numbers(&fused.raw(&x, &at[..1]).unwrap());
    for (first, rows) in [(0, 1), (37, 60), (500, 600)] {
        let part = fused.raw(&x.narrow(0, first, rows).unwrap(), &at[..1]).unwrap();
        assert_eq!(numbers(&part), shared[2 * first..2 * (first + rows)]);
    }
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(numbers(&pool.install(|| fused.raw(&x, &at)).unwrap()), whole);
    }
}
