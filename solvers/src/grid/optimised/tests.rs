//! The optimised grid against closed forms, against every path, and against the other grids.

use super::super::{Cosine, Karras, Quadratic, UniformT};
use super::*;
use crate::dynamics::Problem;
use crate::exact::Mixture;
use crate::integrate::{Finish, Sampler};
use crate::method::{Ddim, InSigma, Method};
use crate::sde::{Edm, SubVp, Use, Ve, Vp, VpCosine};

fn square() -> Mixture {
    let means = [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]].map(|m| m.to_vec()).to_vec();
    Mixture::isotropic(vec![0.4, 0.3, 0.2, 0.1], means, 0.2).unwrap()
}

fn fitted(order: u8, sde: &dyn LinearSde, model: &dyn ScoreModel) -> Box<dyn Spacing> {
    let span = sde.span(Use::Sampling);
    Optimised::new(order).unwrap().fit(sde, model, span, &Device::Cpu).unwrap().unwrap()
}

/// For N(0, s²) everything is known: ε̂ = r y/S² with S² = s² + r², and y/S is constant along the flow.
#[test]
fn costs_of_a_normal() {
    let s: f64 = 0.5;
    let model = Mixture::gaussian(vec![0.0; 3], s).unwrap();
    for sde in [&Vp::default() as &dyn LinearSde, &SubVp::default()] {
        let times = UniformLogSnr.grid(sde, sde.span(Use::Sampling), CANDIDATES).unwrap().times().to_vec();
        let r: Vec<f64> = times.iter().map(|&t| sde.kernel(t).ratio()).collect();
        let wide = |r: f64| s.hypot(r);
        for order in [1, 2] {
            let flow = Flow { sde, model: &model };
            let cost = flow.costs(&times, order, &Device::Cpu).unwrap();
            let path = flow.path(&times, &Device::Cpu).unwrap();
            let squares: f64 = read_rows(&path.y[0]).unwrap().iter().flatten().map(|v| v * v).sum();
            let start = (squares / PATHS as f64).sqrt() / wide(r[0]);
            for (i, j) in [(0, 40), (0, 128), (30, 60), (60, 100), (60, 72), (100, 128)] {
                let h = r[j] - r[i];
                let slope = r[i] / wide(r[i]).powi(2);
                let gain = match order {
                    1 => 1.0 + h * slope,
                    _ => 1.0 + 0.5 * h * (slope + (1.0 + h * slope) * r[j] / wide(r[j]).powi(2)),
                };
                let error = start * (gain * wide(r[i]) - wide(r[j])) * wide(r[CANDIDATES]) / wide(r[j]);
                assert!((cost[i][j] / error.abs() - 1.0).abs() < 6e-3, "{i} {j}: {} {error}", cost[i][j]);
            }
        }
    }
}

/// Against every path, counted out.
#[test]
fn no_path_is_cheaper() {
    let cost: Vec<Vec<f64>> = (0..8)
        .map(|i| {
            (0..8)
                .map(|j| if i < j { (((i * 37 + j * 101) % 29) as f64).sqrt() } else { f64::INFINITY })
                .collect()
        })
        .collect();
    let before = cheapest(&cost, 7);
    for steps in 1..=7usize {
        let mut found = vec![7];
        for n in (1..=steps).rev() {
            found.push(before[n][found[steps - n]]);
        }
        found.reverse();
        let total = |path: &[usize]| path.windows(2).map(|p| cost[p[0]][p[1]]).sum::<f64>();
        let inner = (0..64usize).filter(|set| set.count_ones() as usize == steps - 1);
        let all = inner.map(|set| {
            let between = (1..7).filter(|i| set >> (i - 1) & 1 == 1);
            std::iter::once(0).chain(between).chain([7]).collect::<Vec<_>>()
        });
        let least = all.map(|path| total(&path)).fold(f64::INFINITY, f64::min);
        assert_eq!((found[0], found.len()), (0, steps + 1));
        assert!((total(&found) - least).abs() < 1e-12, "{steps}");
    }
}

#[test]
fn every_sde_and_step_count() {
    let sdes: [&dyn LinearSde; 5] =
        [&Vp::default(), &VpCosine::default(), &Ve::default(), &SubVp::default(), &Edm::default()];
    for sde in sdes {
        let span = sde.span(Use::Sampling);
        let spacing = fitted(1, sde, &square());
        let grid = |n| spacing.grid(sde, span, n).unwrap();
        for n in [1, 2, 7, 64, 65, 1000] {
            assert_eq!((grid(n).len(), grid(n).first(), grid(n).last()), (n, span.end, span.start));
        }
        // Beyond 64 steps, theirs are divided evenly.
        let level = |t: f64| sde.kernel(t).log_snr();
        for (i, pair) in grid(64).times().windows(2).enumerate() {
            let (from, to) = (level(pair[0]), level(pair[1]));
            for part in 0..4 {
                let want = from + part as f64 / 3.0 * (to - from);
                assert!((level(grid(192).times()[3 * i + part]) - want).abs() < 1e-6);
            }
        }
        assert!(spacing.grid(sde, span, 0).is_err());
        assert!(spacing.grid(sde, sde.span(Use::Training), 4).is_err() || sde.span(Use::Training) == span);
    }
    let vp = Vp::default();
    assert!(Optimised::new(1).unwrap().grid(&vp, vp.span(Use::Sampling), 4).is_err());
    assert!(Optimised::new(3).is_err());
    assert!(UniformT.fit(&vp, &square(), vp.span(Use::Sampling), &Device::Cpu).unwrap().is_none());
}

/// What it is for: with six of the steps it is made for, samples end nearer to the flow's than on the other grids. The cosine's is as
/// good for order 1: errors of one sign add up to more than errors of both, of which a sum of sizes knows nothing.
#[test]
fn samples_end_nearer_to_the_flow() {
    let model = square();
    for sde in [&Vp::default() as &dyn LinearSde, &Ve::default(), &SubVp::default()] {
        let span = sde.span(Use::Sampling);
        let run = |method: &dyn Method, grid: &Grid| {
            let sampler =
                Sampler { problem: Problem { sde, model: &model }, method, grid, finish: Finish::Stop };
            let key = Key::root(7);
            read_rows(&sampler.draw(&key, 0, 400, &Device::Cpu, DType::F64).unwrap().x).unwrap().concat()
        };
        let edm = InSigma::HEUN;
        let truth = run(&edm, &UniformLogSnr.grid(sde, span, 1000).unwrap());
        for (order, method) in [(1, &Ddim::default() as &dyn Method), (2, &edm)] {
            let error = |spacing: &dyn Spacing| {
                let x = run(method, &spacing.grid(sde, span, 6).unwrap());
                x.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
            };
            let own = error(&*fitted(order, sde, &model));
            let karras = Karras::new(7.0).unwrap();
            let others: [(&dyn Spacing, f64); 5] = [
                (&UniformT, 0.9),
                (&UniformLogSnr, 0.9),
                (&karras, 0.9),
                (&Quadratic, 0.9),
                (&Cosine, if order == 1 { 1.25 } else { 0.9 }),
            ];
            for (other, most) in others {
                assert!(own < most * error(other), "{sde:?} {order} {other:?}: {own} {}", error(other));
            }
        }
    }
}
