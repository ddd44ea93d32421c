//! The kernels that a run is made of: noise, scores, one step of every sampler, one training step. `cargo bench`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark has no callers, and stops where something is wrong"
)]

use candle_core::{DType, Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tweedie::data::{Data, EightGaussians};
use tweedie::net::{Fused, Mlp, MlpConfig};
use tweedie::recipe::{Recipe, Section, named};
use tweedie::registry::METHODS;
use tweedie::train::Trainer;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Step;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::noise::{Draw, Noise, Stream};
use tweedie_solvers::sde::{LinearSde, Vp};

const ROWS: usize = 250;

fn network() -> Mlp {
    let config = MlpConfig::reference(2);
    let (weights, frequencies) = Mlp::fresh(&config, &Key::root(0), &Device::Cpu).unwrap();
    Mlp::new(config, &weights, &frequencies).unwrap()
}

fn scores(c: &mut Criterion) {
    let (net, mixture, vp) =
        (network(), EightGaussians::new(2.0, 0.2).unwrap().mixture().unwrap().clone(), Vp::default());
    let x = Tensor::from_vec(Key::root(1).normals(0, 0, ROWS, 2), (ROWS, 2), &Device::Cpu)
        .unwrap()
        .to_dtype(DType::F32)
        .unwrap();
    let at = [vp.kernel(0.3)];
    let mut group = c.benchmark_group("score");
    group.throughput(Throughput::Elements(ROWS as u64));
    let axes = [x.ones_like().unwrap(), x.zeros_like().unwrap()];
    let packed = Fused::new(&net).unwrap();
    let forms: [(&str, &dyn ScoreModel); 2] = [("network in tensors", &net), ("network, packed", &packed)];
    for (name, net) in forms {
        group.bench_function(name, |b| b.iter(|| net.raw(&x, &at).unwrap()));
        let name = format!("{name}, two derivatives");
        group.bench_function(name, |b| b.iter(|| net.raw_jvp(&x, &axes, &at).unwrap()));
    }
    group.bench_function("mixture of 8", |b| b.iter(|| mixture.raw(&x, &at).unwrap()));
    group.bench_function("noise", |b| {
        let stream = Stream::new(&Key::root(0), 0);
        b.iter(|| stream.normal(Step { index: 3, of: 9, from: 0.5, to: 0.4 }, Draw::Increment, &x).unwrap());
    });
    group.finish();
}

fn steps(c: &mut Criterion) {
    let (net, vp) = (Fused::new(&network()).unwrap(), Vp::default());
    let x = Tensor::ones((ROWS, 2), DType::F32, &Device::Cpu).unwrap();
    let mut group = c.benchmark_group("step");
    group.throughput(Throughput::Elements(ROWS as u64));
    for entry in METHODS.entries().filter(|e| !e.name.starts_with("dop")) {
        let method = METHODS.build(&Section::new("bench", "method", named(entry.name))).unwrap();
        let stream = Stream::new(&Key::root(0), 0);
        group.bench_function(entry.name, |b| {
            let mut stepper = method.stepper(Problem { sde: &vp, model: &net }).unwrap();
            b.iter(|| stepper.step(&x, Step { index: 0, of: 9, from: 0.5, to: 0.49 }, &stream).unwrap());
        });
    }
    group.finish();
}

fn training(c: &mut Criterion) {
    let mut group = c.benchmark_group("train");
    for batch in [128, 512] {
        let recipe =
            Recipe::build("bench".into(), "bench", format!("[train]\nbatch = {batch}").parse().unwrap())
                .unwrap();
        let config = recipe.network(2, 0.7).unwrap().unwrap();
        let mut trainer = Trainer::new(recipe.train.clone(), config, &Device::Cpu).unwrap();
        group.throughput(Throughput::Elements(batch));
        group.bench_function(format!("batch {batch}"), |b| {
            b.iter(|| trainer.step(&*recipe.data[0].0.it, None, &*recipe.sdes[0].it).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, scores, steps, training);
criterion_main!(benches);
