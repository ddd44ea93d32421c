//! Data sets, one file each: laws on the plane (or on ℝᵈ) that points are drawn from by number.
//!
//! Point i depends on the key and on i alone, so the first 100 of 10 000 are the 100 of 100. Curves carry Gaussian thickness rather
//! than noise of their own kinds, and flat sets are unions of boxes, so that every noised density is a closed form or a line integral.

mod checkerboard;
mod curves;
mod empirical;
mod mixtures;
mod pinwheel;
mod standardise;

use std::fmt::Debug;

use tweedie_solvers::Key;
use tweedie_solvers::exact::Mixture;

pub use checkerboard::Checkerboard;
pub use curves::{Curve, Shape};
pub use empirical::Empirical;
pub use mixtures::{GaussianMixture, eight_gaussians, twenty_five_gaussians};
pub use pinwheel::Pinwheel;
pub use standardise::Standardise;

use crate::points::Points;

/// A law that points can be drawn from.
pub trait Data: Send + Sync + Debug {
    /// The dimension d of the points.
    fn dim(&self) -> usize {
        2
    }

    /// Points `first .. first + count` under a key.
    fn sample(&self, key: &Key, first: u64, count: usize) -> Points;

    /// The law as a Gaussian mixture, where it is one: it gives modes, densities and scores in closed form.
    fn mixture(&self) -> Option<&Mixture> {
        None
    }
}

/// Points of the plane, each from a generator of its own.
fn each(
    key: &Key,
    first: u64,
    count: usize,
    draw: impl Fn(&mut rand_chacha::ChaCha8Rng) -> [f64; 2],
) -> Points {
    let points = (first..first + count as u64).flat_map(|i| draw(&mut key.rng(i)));
    Points::new(2, points.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Section;
    use crate::registry::DATA;

    fn all() -> Vec<(&'static str, Box<dyn Data>)> {
        let drawable = DATA.entries.iter().filter(|e| e.name != "mixture" && e.name != "points");
        let build = |name| DATA.build(&Section::new("", "data", crate::recipe::named(name))).unwrap();
        drawable.map(|e| (e.name, build(e.name))).collect()
    }

    #[test]
    fn a_point_depends_on_its_number_alone() {
        for (name, data) in all() {
            let key = Key::root(4);
            let many = data.sample(&key, 0, 300);
            assert_eq!(data.sample(&key, 120, 30), many.slice(120, 150), "{name}");
            assert!(many.values().iter().all(|v| v.is_finite()) && many.len() == 300 && many.dim() == 2);
            assert_ne!(data.sample(&Key::root(5), 0, 300), many);
        }
    }

    /// Means and second moments of each set by closed forms (or, for the swiss roll and the spirals, by a fine sum over the curve); 100 000
    /// points, 6 standard errors bounded by 6 · 0.02: false-alarm rate below 1e-6.
    #[test]
    fn moments() {
        let n = 100_000;
        let half = std::f64::consts::FRAC_2_PI;
        let wanted = [
            // two-moons: x: ½(0 + 1); y: ½(2/π) + ½(½ − 2/π); E|x|²: ½·1 + ½ E|(1 − cos, ½ − sin)|² = ½ + ½ (1 + 1 + ¼ − 2/π), + 2·0.01.
            ("two-moons", [0.5, 0.25], 0.5 + 0.5 * (2.25 - half) + 0.02),
            ("eight-gaussians", [0.0, 0.0], 8.0 + 2.0 * 0.125),
            ("twenty-five-gaussians", [0.0, 0.0], 16.0 + 2.0 * 0.0025),
            // checkerboard: uniform on [−4, 4]² in each coordinate alone: 2 · 16/3.
            ("checkerboard", [0.0, 0.0], 32.0 / 3.0),
            ("circles", [0.0, 0.0], 0.5 * (1.0 + 0.25) + 2.0 * 0.0064),
            ("rings", [0.0, 0.0], 0.25 * (1.0 + 0.5625 + 0.25 + 0.0625) * 9.0 + 2.0 * 0.0576),
            ("ring", [0.0, 0.0], 1.0 + 2.0 * 0.01),
        ];
        let sets = all();
        for (name, mean, square) in wanted {
            let data = &sets.iter().find(|(n, _)| *n == name).unwrap().1;
            let points = data.sample(&Key::root(1), 0, n);
            let average = |f: &dyn Fn(&[f64]) -> f64| points.rows().map(f).sum::<f64>() / n as f64;
            assert!((average(&|p| p[0]) - mean[0]).abs() < 0.06, "{name}");
            assert!((average(&|p| p[1]) - mean[1]).abs() < 0.06, "{name}");
            let got = average(&|p| p[0] * p[0] + p[1] * p[1]);
            assert!((got / square - 1.0).abs() < 0.012, "{name}: {got} {square}");
        }
    }

    /// The first point of each set under one key never changes from one version to the next.
    #[test]
    fn values_are_stable() {
        let key = Key::root(0).branch("stability");
        let got: Vec<String> = all()
            .iter()
            .map(|(n, d)| {
                let p = d.sample(&key, 0, 1);
                format!("{n} {:.9} {:.9}", p.row(0)[0], p.row(0)[1])
            })
            .collect();
        assert_eq!(got, STABLE);
    }

    const STABLE: [&str; 11] = [
        "two-moons -0.049495224 0.478171638",
        "eight-gaussians -2.716189845 0.406281562",
        "twenty-five-gaussians 2.015872748 0.057456890",
        "checkerboard 3.970698848 2.035468965",
        "swiss-roll -1.941060174 -0.068864252",
        "two-spirals -0.236821511 -0.209345185",
        "circles 0.459487491 0.028578351",
        "rings 2.118652830 0.238881570",
        "pinwheel 1.618834839 1.181058193",
        "s-curve -0.011453245 0.003018274",
        "ring -1.049495224 -0.021828362",
    ];
}
