//! A curve with Gaussian thickness s as a sum of equal Gaussians, p_t(x) = ∫ N(x; α c(w), (α² s² + σ²) I₂) ρ(w) dw by quadrature,
//! and the entropy of the clean law.
//!
//! The integral is Gauss–Legendre of 5 points on panels no longer than the width √(s² + σ²/α²), which makes densities good to 1e-8,
//! relatively, near the curve and to 1e-7 at 8 widths from it. Every doubling of the width has nodes of its own, fewer and fewer.
//! The entropy is the trapezoidal rule on a grid of the plane with steps s/4, which reaches 9 s beyond the curve.

use tweedie_solvers::exact::{KernelSum, Level};
use tweedie_solvers::{Error, Result};

use super::curve::Arc;

/// Nodes and weights of Gauss–Legendre on [0, 1] (roots of P₅).
const GAUSS: [(f64, f64); 5] = [
    (0.046_910_077_030_668_0, 0.118_463_442_528_094_5),
    (0.230_765_344_947_158_5, 0.239_314_335_249_683_2),
    (0.5, 0.284_444_444_444_444_4),
    (0.769_234_655_052_841_5, 0.239_314_335_249_683_2),
    (0.953_089_922_969_332, 0.118_463_442_528_094_5),
];

/// The largest number of panels, and of grid points for the entropy.
const PANELS: usize = 20_000;
const GRID: f64 = 4e6;

/// The least number of panels of an arc.
const LEAST: u32 = 16;

/// The law of points on arcs of equal chance with thickness s.
///
/// # Errors
/// If the thickness is so small that there would be more than 20 000 panels.
pub(super) fn law(arcs: &[Arc], thickness: f64) -> Result<KernelSum> {
    let mut levels: Vec<Level> = Vec::new();
    let mut width = thickness;
    loop {
        let level = level(arcs, width, levels.len()).ok_or_else(|| {
            Error::parameter(
                "noise",
                thickness,
                "be a 20000th of the length of the curve or more, where an exact density is asked for",
            )
        })?;
        let least = level.weights.len() == GAUSS.len() * LEAST as usize * arcs.len();
        levels.push(level);
        if least {
            return KernelSum::new(2, thickness, levels);
        }
        width *= 2.0;
    }
}

/// Nodes and weights for a width; `None` where there are too many.
fn level(arcs: &[Arc], width: f64, number: usize) -> Option<Level> {
    let (mut points, mut weights) = (Vec::new(), Vec::new());
    for arc in arcs {
        let mut panels: Vec<(f64, f64)> = (0..LEAST)
            .rev()
            .map(|i| (f64::from(i) / f64::from(LEAST), f64::from(i + 1) / f64::from(LEAST)))
            .collect();
        while let Some((from, to)) = panels.pop() {
            if length(arc, from, to) > width {
                let middle = 0.5 * (from + to);
                panels.extend([(middle, to), (from, middle)]);
                if weights.len() + panels.len() > PANELS * GAUSS.len() {
                    return None;
                }
                continue;
            }
            for (node, weight) in GAUSS {
                let w = from + (to - from) * node;
                // Where the weight underflows there is nothing to add.
                let weight =
                    (weight * arc.density(w) * (to - from) / arcs.len() as f64).max(f64::MIN_POSITIVE);
                points.extend(arc.at(w));
                weights.push(weight);
            }
        }
    }
    Some(Level { from: if number == 0 { 0.0 } else { width }, points, weights })
}

/// The length of a piece, by eight chords.
fn length(arc: &Arc, from: f64, to: f64) -> f64 {
    let at = |k: u32| arc.at(from + (to - from) * f64::from(k) / 8.0);
    (0..8).map(|k| (at(k), at(k + 1))).map(|(a, b)| (b[0] - a[0]).hypot(b[1] - a[1])).sum()
}

/// The entropy −∫ p ln p of the clean law in nats, to 1e-6; `None` where the grid would have more than 4 million points.
pub(super) fn entropy(law: &KernelSum) -> Option<f64> {
    let (s, h, finest) = (law.thickness(), 0.25 * law.thickness(), &law.levels()[0]);
    let nodes = || finest.points.chunks_exact(2).zip(&finest.weights);
    let ends = |axis: usize| {
        let values = nodes().map(|(c, _)| c[axis]);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let starts = [0, 1].map(|axis| ends(axis).0 - 10.0 * s);
    let counts = [0, 1].map(|axis| ((ends(axis).1 + 10.0 * s - starts[axis]) / h).ceil() + 1.0);
    if counts[0] * counts[1] > GRID {
        return None;
    }
    let width = counts[1] as usize;
    let mut p = vec![0.0; counts[0] as usize * width];
    for (c, weight) in nodes() {
        // N(x; c, s² I) is a product: 73 numbers for each axis.
        let [rows, columns] = [0, 1].map(|axis| {
            let middle = ((c[axis] - starts[axis]) / h).round() as usize;
            let bell = |i: usize| (-0.5 * ((starts[axis] + i as f64 * h - c[axis]) / s).powi(2)).exp();
            (middle - 36..=middle + 36).map(move |i| (i, bell(i))).collect::<Vec<_>>()
        });
        for (i, a) in rows {
            columns.iter().for_each(|(j, b)| p[i * width + j] += weight * a * b);
        }
    }
    let norm = 1.0 / (std::f64::consts::TAU * s * s);
    Some(-p.iter().filter(|v| **v > 0.0).map(|v| norm * v * (norm * v).ln()).sum::<f64>() * h * h)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Circles, Data, Pinwheel, Ring, Rings, SCurve, SwissRoll, TwoMoons, TwoSpirals};
    use tweedie_solvers::Key;
    use tweedie_solvers::exact::Exact;
    use tweedie_solvers::kernel::Kernel;

    /// Computed outside this crate by numpy: midpoint rules of up to 20 000 points per arc on grids of steps s/4 and s/6, no cutoff.
    #[test]
    fn entropies_are_those_of_a_plain_sum() {
        let moons = |noise| TwoMoons::new(noise).unwrap().entropy().unwrap();
        let ring = |noise| Ring::new(1.0, noise).unwrap().entropy().unwrap();
        for (got, want) in [
            (moons(0.1), 1.0075848),
            (moons(0.2), 1.6774762),
            (ring(0.1), 0.9516983),
            (ring(0.05), 0.2604564),
        ] {
            assert!((got - want).abs() < 2e-7, "{got} {want}");
        }
        // A scaled law: H + 2 ln of the scale. A wide one: its entropy nears that of one Gaussian of E|x|²/2 = s² + ½ per axis.
        assert!((Ring::new(3.0, 0.3).unwrap().entropy().unwrap() - ring(0.1) - 2.0 * 3f64.ln()).abs() < 1e-9);
        let wide = 1.0 + (std::f64::consts::TAU * 900.5).ln();
        assert!((ring(30.0) - wide).abs() < 1e-6);
        assert!(Ring::new(1.0, 1e-3).unwrap().entropy().is_none());
        assert!(
            Ring::new(1.0, 1e-9).unwrap().exact().unwrap_err().to_string().contains("noise = 0.000000001")
        );
    }

    /// Five points of Gauss integrate wᵏ over [0, 1] exactly up to k = 9, and no further: at k = 10 the error is 1/698544.
    #[test]
    fn gauss_is_exact_to_degree_nine() {
        let gap = |k: i32| GAUSS.iter().map(|(w, p)| p * w.powi(k)).sum::<f64>() - 1.0 / f64::from(k + 1);
        (0..10).for_each(|k| assert!(gap(k).abs() < 2e-15, "{k} {}", gap(k)));
        assert!((gap(10) + 1.0 / 698_544.0).abs() < 1e-12);
    }

    /// A ring's density by its Bessel form: N(r; …) I₀(Rr/v) with I₀ by the periodic mean of exp(z cos φ), at three kernels; and the
    /// weights of four rings sum to 1.
    #[test]
    fn ring_density_is_the_bessel_form() {
        let density = Ring::new(1.3, 0.2).unwrap().exact().unwrap();
        for (alpha, sigma) in [(1.0, 0.0), (0.6, 0.3), (1.0, 4.0)] {
            let (v, radius) = (0.04f64 * alpha * alpha + sigma * sigma, 1.3 * alpha);
            for r in [0.0, 0.4, 1.2, 3.0] {
                let z: f64 = radius * r / v;
                let turn = |k: i32| {
                    (z * ((std::f64::consts::TAU * f64::from(k) / 4000.0).cos() - 1.0)).exp() / 4000.0
                };
                let bessel = (0..4000).map(turn).sum::<f64>().ln() + z;
                let want = bessel - 0.5 * (r * r + radius * radius) / v - (std::f64::consts::TAU * v).ln();
                let got = density.log_density(&[r * 0.6, r * -0.8], Kernel { alpha, sigma });
                assert!((got - want).abs() < 3e-8, "{alpha} {sigma} {r} {got} {want}");
            }
        }
    }

    /// Every level against the finest, at the width from which it serves, on points of that width: the stated 1e-8; and the weights
    /// before they are brought to sum 1 miss it by less.
    #[test]
    fn coarse_levels_agree_with_the_finest() {
        let all: [Box<dyn Data>; 8] = [
            Box::new(TwoMoons::default()),
            Box::new(Circles::default()),
            Box::new(Rings::default()),
            Box::new(Ring::default()),
            Box::new(SwissRoll::default()),
            Box::new(TwoSpirals::default()),
            Box::new(SCurve::default()),
            Box::new(Pinwheel::default()),
        ];
        for data in all {
            let curve = data.curve().unwrap();
            let law = curve.exact().unwrap();
            let finest = KernelSum::new(2, law.thickness(), law.levels()[..1].to_vec()).unwrap();
            assert!(law.levels().len() > 1, "{data:?}");
            for (number, level_made) in law.levels().iter().enumerate() {
                let mass: f64 = level(&curve.arcs, law.thickness() * 2f64.powi(number as i32), number)
                    .unwrap()
                    .weights
                    .iter()
                    .sum();
                assert!((mass - 1.0).abs() < 1e-8, "{data:?} {number} {mass}");
                // The width of the level itself and one just below the next.
                for stretch in [1.0, 1.9] {
                    let width = level_made.from.max(law.thickness()) * stretch;
                    let at = Kernel {
                        alpha: 1.0,
                        sigma: (width * width - law.thickness().powi(2)).max(0.0).sqrt(),
                    };
                    let noise = Key::root(9).normals(0, 0, 50, 2);
                    for (x, z) in data.sample(&Key::root(8), 0, 50).rows().zip(noise.chunks(2)) {
                        let x = [x[0] + at.sigma * z[0], x[1] + at.sigma * z[1]];
                        let (got, want) = (law.log_density(&x, at), finest.log_density(&x, at));
                        assert!((got - want).abs() < 1e-8, "{data:?} level {number} {stretch}: {got} {want}");
                    }
                }
            }
        }
    }
}
