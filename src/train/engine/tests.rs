//! The packed engine against candle's gradients.

use tweedie_solvers::Key;
use tweedie_solvers::kernel::Kernel;

use super::*;
use crate::device::{ROWS, Shape};

#[macro_use]
#[path = "../../../tests/emulated/run.rs"]
mod emulated;

fn goals(rows: usize, dim: usize) -> Goals {
    let draw = |label: &str, count: usize| -> Vec<f32> {
        Key::root(4).branch(label).normals(0, 0, count, 1).into_iter().map(|z| z as f32).collect()
    };
    let sigma = |i: usize| 0.01 * 1000f64.powf(i as f64 / rows as f64);
    let scale = draw("scale", rows).into_iter().map(|s| (0.1 + s.abs()) / (rows as f32).sqrt());
    Goals {
        x: draw("x", rows * dim),
        goal: draw("goal", rows * dim),
        scale: scale.collect(),
        at: (0..rows).map(|i| Kernel { alpha: 1.0 / (1.0 + sigma(i)), sigma: sigma(i) }).collect(),
    }
}

fn packed(net: &MlpConfig) -> Packed {
    let (state, frequencies) = fresh(net, &Device::Cpu);
    Packed::new(net, &frequencies, &state, ADAM).unwrap()
}

const ADAM: AdamConfig =
    AdamConfig { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01, clip: 0.5 };

fn fresh(net: &MlpConfig, device: &Device) -> (State, Tensor) {
    let (weights, frequencies) = Mlp::fresh(net, &Key::root(2), device).unwrap();
    (State::fresh(weights).unwrap(), frequencies)
}

/// Tensors of a device, and what is fast there.
fn engines(net: &MlpConfig, device: &Device, batch: usize) -> [Box<dyn Engine>; 2] {
    let (state, frequencies) = fresh(net, device);
    let plain = Plain::new(net, &frequencies, &state, ADAM).unwrap();
    let (state, frequencies) = fresh(net, device);
    [Box::new(plain), engine(net, &frequencies, &state, ADAM, batch, device).unwrap()]
}

fn near(a: &[Tensor], b: &[Tensor], within: f32) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.dims(), b.dims());
        let list = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (a, b) in list(a).into_iter().zip(list(b)) {
            assert!((a - b).abs() <= within, "{a} {b}");
        }
    }
}

fn shapes() -> [(MlpConfig, usize); 4] {
    let reference = MlpConfig::reference(2);
    [
        (reference.clone(), 700),
        (MlpConfig { dim: 3, width: 37, depth: 1, embedding: 6, ..reference.clone() }, 49),
        (MlpConfig { dim: 1, width: 70, depth: 0, embedding: 34, ..reference.clone() }, 1),
        (MlpConfig { dim: 20, width: 16, depth: 4, ..reference }, 130),
    ]
}

#[test]
fn gradients_agree() {
    for device in device::present() {
        // Products of a card add up in another order.
        let within = if device.is_cpu() { 1e-5 } else { 1e-4 };
        for (net, rows) in shapes() {
            let goals = goals(rows, net.dim);
            let (want, loss) = packed(&net).gradient(&goals).unwrap();
            for engine in engines(&net, &device, rows) {
                let (gradient, found) = engine.gradient(&goals).unwrap();
                assert!(
                    (found - loss).abs() < f64::from(within) * loss.max(1.0),
                    "{engine:?}: {found} {loss}"
                );
                near(&gradient, &want, within);
            }
        }
    }
}

/// Five updates leave the same state; Adam divides by roots of gradients, so that those near 0 may differ by a step.
#[test]
fn updates_agree() {
    for device in device::present() {
        for (net, rows) in shapes() {
            let (mut packed, mut engines) = (packed(&net), engines(&net, &device, rows));
            for number in 1..=5 {
                let (goals, update) = (goals(rows, net.dim), Update { number, rate: 1e-3, decay: 0.5 });
                let want = packed.step(&goals, update).unwrap();
                for engine in &mut engines {
                    let loss = engine.step(&goals, update).unwrap();
                    assert!((loss - want).abs() < 1e-4 * want.max(1.0), "{number} {engine:?}: {loss} {want}");
                }
            }
            let want = packed.state().unwrap();
            for engine in engines {
                let got = engine.state().unwrap();
                near(&got.weights, &want.weights, 2e-4);
                near(&got.average, &want.average, 2e-4);
                near(&got.first, &want.first, 1e-5);
                near(&got.second, &want.second, 1e-6);
            }
        }
    }
}

/// Threads change no bit; a loss that is not finite changes nothing.
#[test]
fn threads_and_losses() {
    let (net, rows) = (MlpConfig::reference(2), 1100);
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let train = |threads| {
        pool(threads).install(|| {
            let mut packed = packed(&net);
            let update = Update { number: 1, rate: 1e-3, decay: 0.5 };
            packed.step(&goals(rows, 2), update).unwrap();
            packed
        })
    };
    let (one, three) = (train(1), train(3));
    assert_eq!(one.net.values(), three.net.values());
    assert_eq!((&*one.average, &*one.second), (&*three.average, &*three.second));
    let mut packed = three;
    let mut broken = goals(rows, 2);
    broken.x[7] = f32::NAN;
    assert!(packed.step(&broken, Update { number: 2, rate: 1e-3, decay: 0.5 }).unwrap().is_nan());
    assert_eq!(one.net.values(), packed.net.values());
}

/// The kernels of a card, run on the CPU (tests/emulated), are the packed engine: the gradient, the loss, and the state after three updates.
#[test]
fn the_kernels_of_a_card_agree() {
    let reference = MlpConfig::reference(2);
    let shapes = [
        (MlpConfig { width: 128, depth: 1, ..reference.clone() }, 19),
        (MlpConfig { dim: 3, width: 37, depth: 2, embedding: 6, ..reference.clone() }, 49),
        (MlpConfig { dim: 1, width: 30, depth: 0, embedding: 34, ..reference.clone() }, 1),
        (MlpConfig { dim: 20, width: 16, depth: 1, ..reference }, 70),
    ];
    for (net, rows) in shapes {
        let shape = Shape::new(net.dim, net.width, net.depth, net.embedding).unwrap();
        let mut packed = packed(&net);
        let (goals, updates) = (goals(rows, net.dim), 3);
        let own = |list: &[Tensor]| -> Vec<f32> {
            let host = list.iter().map(|t| t.flatten_all().unwrap().to_vec1().unwrap());
            shape.pack(&host.collect::<Vec<_>>())
        };
        let state = packed.state().unwrap();
        let (weights, frequencies) = (own(&state.weights), fresh(&net, &Device::Cpu).1);
        let (update, blocks) = (Update { number: 4, rate: 1e-3, decay: 0.5 }, rows.div_ceil(ROWS));
        let plan = ADAM.plan(update.number, update.rate, || 1.0).numbers(update.decay);
        let (inputs, deltas) = shape.columns();
        let tiles = shape.tile_list();
        let n = [rows, shape.count(), tiles.len() / 3, blocks, inputs, deltas, updates];
        let told = |goals: &Goals| {
            [
                bytes!(weights),
                bytes!(shape.transposed(&weights)),
                bytes!(own(&state.first)),
                bytes!(own(&state.second)),
                bytes!(own(&state.average)),
                bytes!(frequencies.flatten_all().unwrap().to_vec1::<f32>().unwrap()),
                bytes!(card::rows(&net, goals)),
                bytes!(plan),
                bytes!([ADAM.clip]),
                bytes!(shape.layer_list()),
                bytes!(tiles),
                bytes!(n.map(|n| n as u32)),
            ]
        };
        let defined = [&shape.defined()[..], &[("SHARED_BYTES", shape.shared())]].concat();
        let out = emulated::run("training", &defined, &told(&goals));
        let mut last = None;
        for _ in 0..updates {
            let gradient = packed.gradient(&goals).unwrap();
            packed.step(&goals, update).unwrap();
            last = Some(gradient);
        }
        let (gradient, loss) = last.unwrap();
        let unpack = |list: &[f32]| -> Vec<Tensor> {
            let lists = shape.unpack(list).into_iter().zip(net.layout());
            lists.map(|(v, (_, shape))| Tensor::from_vec(v, shape, &Device::Cpu).unwrap()).collect()
        };
        let (lists, got) = out.split_at(5 * shape.count());
        let lists: Vec<Vec<Tensor>> = lists.chunks(shape.count()).map(unpack).collect();
        assert!((f64::from(got[0]) - loss).abs() < 1e-5 * loss.max(1.0), "{net:?}: {} {loss}", got[0]);
        near(&lists[0], &gradient, 1e-5);
        let state = packed.state().unwrap();
        near(&lists[1], &state.weights, 2e-4);
        near(&lists[2], &state.average, 2e-4);
        near(&lists[3], &state.first, 1e-5);
        near(&lists[4], &state.second, 1e-6);
        // A loss that is not finite changes nothing.
        let mut broken = goals;
        broken.goal[0] = f32::NAN;
        let out = emulated::run("training", &defined, &told(&broken));
        let count = shape.count();
        assert_eq!(&out[count..2 * count], &weights);
        assert!(out[5 * count].is_nan() && out[3 * count..5 * count].iter().all(|m| *m == 0.0));
    }
}
