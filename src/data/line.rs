//! The density of a curve with Gaussian thickness s, p_t(x) = ∫ N(x; α c(w), (α² s² + σ²) I₂) ρ(w) dw, and its entropy.
//!
//! The integral is Gauss–Legendre of 5 points on panels no longer than s, where it is good to 1e-9, relatively, near the curve and to 1e-7 at 8 s from it. The entropy is the
//! trapezoidal rule on a grid of the plane with steps s/4, which reaches 9 s beyond the curve.

use tweedie_solvers::kernel::Kernel;

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
const PANELS: f64 = 20_000.0;
const GRID: f64 = 4e6;

/// The density of a curve with Gaussian thickness, as points of the curve with weights of sum 1.
#[derive(Clone, Debug)]
pub struct LineDensity {
    nodes: Vec<([f64; 2], f64)>,
    thickness: f64,
}

impl LineDensity {
    pub(super) fn new(arcs: &[Arc], thickness: f64) -> Option<Self> {
        let panels = |arc: &Arc| (arc.length() / thickness).ceil().max(8.0);
        if arcs.iter().map(panels).sum::<f64>() > PANELS {
            return None;
        }
        let mut nodes = Vec::new();
        for arc in arcs {
            let count = panels(arc);
            for (panel, (node, weight)) in (0..count as u32).flat_map(|p| GAUSS.map(|g| (p, g))) {
                let w = (f64::from(panel) + node) / count;
                let density = if arc.rooted { 2.0 * w } else { 1.0 };
                nodes.push((arc.at(w), weight * density / count / arcs.len() as f64));
            }
        }
        Some(Self { nodes, thickness })
    }

    /// ln p_t(x) in nats, at a point of the plane.
    pub fn log_density(&self, x: &[f64], at: Kernel) -> f64 {
        let variance = (at.alpha * self.thickness).powi(2) + at.sigma.powi(2);
        let square = |c: &[f64; 2]| (x[0] - at.alpha * c[0]).powi(2) + (x[1] - at.alpha * c[1]).powi(2);
        let least = self.nodes.iter().map(|(c, _)| square(c)).fold(f64::INFINITY, f64::min);
        let sum: f64 = self.nodes.iter().map(|(c, w)| w * (0.5 * (least - square(c)) / variance).exp()).sum();
        sum.ln() - 0.5 * least / variance - (std::f64::consts::TAU * variance).ln()
    }

    /// The entropy −∫ p ln p of the clean law in nats, to 1e-6; `None` where the grid would have more than 4 million points.
    pub fn entropy(&self) -> Option<f64> {
        let (s, h) = (self.thickness, 0.25 * self.thickness);
        let ends = |axis: usize| {
            let values = self.nodes.iter().map(|(c, _)| c[axis]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let starts = [0, 1].map(|axis| ends(axis).0 - 10.0 * s);
        let counts = [0, 1].map(|axis| ((ends(axis).1 + 10.0 * s - starts[axis]) / h).ceil() + 1.0);
        if counts[0] * counts[1] > GRID {
            return None;
        }
        let width = counts[1] as usize;
        let mut p = vec![0.0; counts[0] as usize * width];
        for (c, weight) in &self.nodes {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Data, Ring, Rings, TwoMoons};

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
        assert!(Ring::new(1.0, 1e-9).unwrap().curve().unwrap().density().is_none());
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
        let density = Ring::new(1.3, 0.2).unwrap().curve().unwrap().density().unwrap();
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
        let rings = Rings::default().curve().unwrap().density().unwrap();
        assert!((rings.nodes.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
