//! What each metric says of pairs of laws whose distance is known: the tables of docs/metrics.md. `cargo bench --bench known_pairs`.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    reason = "a script, of which a test uses the parts; it stops where something is wrong"
)]
#![allow(clippy::print_stdout, reason = "its tables are what it is for")]

use std::f64::consts::{PI, TAU};

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal};
use tweedie::Points;
use tweedie::data::{Data, GaussianMixture};
use tweedie::metrics::{
    C2st, Energy, Kl, Known, Metric, Mmd, ModeCoverage, ModeWeights, OffSupport, SlicedW2, W2,
};
use tweedie::solvers::Key;
use tweedie::solvers::exact::Mixture;

pub const DIMENSIONS: [usize; 4] = [1, 2, 10, 50];
/// Points of each set.
pub const POINTS: usize = 1000;
/// Draws of each pair, and of each floor.
const DRAWS: u64 = 5;

/// A law on ℝᵈ and the one that samples follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// N(0, I) and N(0, 1.5² I).
    Wider,
    /// N(0, I) and N(0, I/1.5²).
    Narrower,
    /// N(0, I) and N(e₁, I).
    Shifted,
    /// N(0, I) and Student's t of three degrees of freedom with covariance I.
    HeavierTails,
    /// ¼ of N(m e₁, I) each, m = −9, −3, 3, 9, without the last.
    ModeLost,
    /// The same modes with weights 0.4, 0.3, 0.2, 0.1.
    WrongWeights,
    /// N(0, diag(4, ¼, 1, …)) turned by 45° in the plane of the first two coordinates.
    Rotated,
}

pub const PAIRS: [(Pair, &str); 7] = [
    (Pair::Wider, "1.5 times wider"),
    (Pair::Narrower, "1.5 times narrower"),
    (Pair::Shifted, "shifted by 1"),
    (Pair::HeavierTails, "heavier tails"),
    (Pair::ModeLost, "one mode lost"),
    (Pair::WrongWeights, "mode weights wrong"),
    (Pair::Rotated, "rotated by 45°"),
];

pub fn metrics() -> [(&'static str, Box<dyn Metric>); 10] {
    [
        ("c2st", Box::new(C2st::Network)),
        ("… neighbours", Box::new(C2st::Neighbours(5))),
        ("sliced-w2", Box::new(SlicedW2::default())),
        ("w2", Box::new(W2)),
        ("energy", Box::new(Energy)),
        ("mmd", Box::new(Mmd::default())),
        ("kl", Box::new(Kl::default())),
        ("off-support", Box::new(OffSupport)),
        ("mode-coverage", Box::new(ModeCoverage)),
        ("mode-weights", Box::new(ModeWeights)),
    ]
}

impl Pair {
    pub fn name(self) -> &'static str {
        PAIRS.into_iter().find(|(pair, _)| *pair == self).unwrap().1
    }

    pub fn exists(self, dim: usize) -> bool {
        self != Self::Rotated || dim >= 2
    }

    /// The law of the data.
    pub fn data(self, dim: usize) -> GaussianMixture {
        GaussianMixture(match self {
            Self::ModeLost | Self::WrongWeights => modes(&[0.25; 4], dim),
            Self::Rotated => plane([4.0, 0.0, 0.25], dim),
            _ => Mixture::gaussian(vec![0.0; dim], 1.0).unwrap(),
        })
    }

    /// Draws of the law that samples follow.
    pub fn samples(self, key: &Key, dim: usize, count: usize) -> Points {
        let law = match self {
            Self::Wider => Mixture::gaussian(vec![0.0; dim], 1.5),
            Self::Narrower => Mixture::gaussian(vec![0.0; dim], 1.0 / 1.5),
            Self::Shifted => {
                let mut mean = vec![0.0; dim];
                mean[0] = 1.0;
                Mixture::gaussian(mean, 1.0)
            }
            Self::HeavierTails => return student(key, dim, count),
            Self::ModeLost => Ok(modes(&[1.0, 1.0, 1.0], dim)),
            Self::WrongWeights => Ok(modes(&[0.4, 0.3, 0.2, 0.1], dim)),
            Self::Rotated => Ok(plane([2.125, 1.875, 2.125], dim)),
        };
        GaussianMixture(law.unwrap()).sample(key, 0, count)
    }

    /// What no classifier exceeds: ½ + ½ TV.
    pub fn bayes(self, dim: usize) -> f64 {
        let normal = Normal::standard();
        let half_more = |tv: f64| 0.5 + 0.5 * tv;
        match self {
            Self::Wider | Self::Narrower => {
                let square = 1.5f64 * 1.5;
                let edge = dim as f64 * square.ln() / (1.0 - 1.0 / square);
                let law = ChiSquared::new(dim as f64).unwrap();
                half_more(law.cdf(edge) - law.cdf(edge / square))
            }
            Self::Shifted => normal.cdf(0.5),
            Self::HeavierTails => half_more(total_variation_of_radii(dim)),
            Self::ModeLost => half_more(line_total_variation(&[1.0, 1.0, 1.0])),
            Self::WrongWeights => half_more(line_total_variation(&[0.4, 0.3, 0.2, 0.1])),
            Self::Rotated => half_more(plane_total_variation()),
        }
    }

    /// W₂. Where only the first coordinate, or only the radius, differs it is that of one dimension, ∫ (F⁻¹(u) − G⁻¹(u))² du.
    pub fn w2(self, dim: usize) -> f64 {
        match self {
            Self::Wider => 0.5 * (dim as f64).sqrt(),
            Self::Narrower => (dim as f64).sqrt() / 3.0,
            Self::Shifted => 1.0,
            Self::HeavierTails => {
                let law = ChiSquared::new(dim as f64).unwrap();
                let (f, shape) = (FisherSnedecor::new(dim as f64, 3.0).unwrap(), dim as f64 / 3.0);
                quantiles(|u| law.inverse_cdf(u).sqrt(), |u| (shape * f.inverse_cdf(u)).sqrt())
            }
            Self::ModeLost => line_w2(&[1.0, 1.0, 1.0]),
            Self::WrongWeights => line_w2(&[0.4, 0.3, 0.2, 0.1]),
            // Tr(A + B − 2 (A^½ B A^½)^½), and of 2 × 2 matrices Tr M^½ = (Tr M + 2 (det M)^½)^½ with Tr AB = 4 · 2.125 + ¼ · 2.125.
            Self::Rotated => (8.5 - 2.0 * f64::sqrt(4.25 * 2.125 + 2.0)).sqrt(),
        }
    }
}

/// N(m e₁, I), m = −9, −3, 3, 9, with weights that need not sum to one.
fn modes(weights: &[f64], dim: usize) -> Mixture {
    let total: f64 = weights.iter().sum();
    let mean = |m: usize| {
        let mut mean = vec![0.0; dim];
        mean[0] = -9.0 + 6.0 * m as f64;
        mean
    };
    let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
    let means = (0..weights.len()).map(mean).collect();
    Mixture::isotropic(weights, means, 1.0).unwrap()
}

/// A centred Gaussian with variances and covariance [xx, xy, yy] in the first plane, and 1 elsewhere.
fn plane([xx, xy, yy]: [f64; 3], dim: usize) -> Mixture {
    let mut cov = vec![vec![0.0; dim]; dim];
    (0..dim).for_each(|i| cov[i][i] = 1.0);
    (cov[0][0], cov[0][1], cov[1][0], cov[1][1]) = (xx, xy, xy, yy);
    Mixture::new(vec![1.0], vec![vec![0.0; dim]], &[cov]).unwrap()
}

/// z/√χ²₃: covariance I, since E 1/χ²₃ = 1.
fn student(key: &Key, dim: usize, count: usize) -> Points {
    let normals = key.branch("student").normals(0, 0, count, dim + 3);
    let row = |z: &[f64]| {
        let scale = z[dim..].iter().map(|v| v * v).sum::<f64>().sqrt();
        z[..dim].iter().map(|v| v / scale).collect::<Vec<_>>()
    };
    Points::new(dim, normals.chunks(dim + 3).flat_map(row).collect())
}

/// √∫ (F⁻¹(u) − G⁻¹(u))² du by the midpoint rule in s, u = 3 s² − 2 s³, which is fine towards both ends.
fn quantiles(f: impl Fn(f64) -> f64, g: impl Fn(f64) -> f64) -> f64 {
    let n = 4000;
    let term = |i: u32| {
        let s = (f64::from(i) + 0.5) / f64::from(n);
        let u = s * s * (3.0 - 2.0 * s);
        (f(u) - g(u)).powi(2) * 6.0 * s * (1.0 - s) / f64::from(n)
    };
    (0..n).map(term).sum::<f64>().sqrt()
}

/// W₂ of the modes on the line, both ways by their distribution functions.
fn line_w2(weights: &[f64]) -> f64 {
    let inverse = |weights: Vec<f64>| {
        move |u: f64| {
            let (mut low, mut high) = (-30.0, 30.0);
            for _ in 0..80 {
                let x = 0.5 * (low + high);
                let cdf =
                    (0..weights.len()).map(|m| weights[m] * Normal::standard().cdf(x + 9.0 - 6.0 * m as f64));
                if cdf.sum::<f64>() < u { low = x } else { high = x }
            }
            0.5 * (low + high)
        }
    };
    let total: f64 = weights.iter().sum();
    quantiles(inverse(vec![0.25; 4]), inverse(weights.iter().map(|w| w / total).collect()))
}

/// ½ ∫ |p − q| on a fine grid.
fn line_total_variation(weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    let density = |weights: &[f64], x: f64| {
        let bell = |m: usize| (-0.5 * (x + 9.0 - 6.0 * m as f64).powi(2)).exp() / TAU.sqrt();
        (0..weights.len()).map(|m| weights[m] * bell(m)).sum::<f64>()
    };
    let h = 1e-3;
    let gap = |i: i32| {
        let x = f64::from(i) * h;
        (density(&[0.25; 4], x) - density(weights, x) / total).abs()
    };
    0.5 * h * (-20_000..=20_000).map(gap).sum::<f64>()
}

/// TV of N(0, diag(4, ¼)) and itself turned by 45°. Along a direction (cos φ, sin φ) each is a Gaussian whose exponent is ½ r² a(φ),
/// and both have determinant 1, so ∫ r |e^(−r² a/2) − e^(−r² b/2)| dr = |1/a − 1/b|.
fn plane_total_variation() -> f64 {
    let n = 100_000;
    let exponent = |phi: f64| phi.cos().powi(2) / 4.0 + 4.0 * phi.sin().powi(2);
    let gap = |i: u32| {
        let phi = TAU * (f64::from(i) + 0.5) / f64::from(n);
        (1.0 / exponent(phi) - 1.0 / exponent(phi - PI / 4.0)).abs()
    };
    0.5 * (0..n).map(gap).sum::<f64>() / f64::from(n)
}

/// Both laws are spherical: TV is that of the squared radii, χ²_d and d/3 · F(d, 3), whose masses in the cells of a fine grid differ.
fn total_variation_of_radii(dim: usize) -> f64 {
    let (d, law) = (dim as f64, ChiSquared::new(dim as f64).unwrap());
    let (f, shape) = (FisherSnedecor::new(d, 3.0).unwrap(), d / 3.0);
    let excess = |i: i32| {
        let square = (f64::from(i) * 1e-3).exp();
        law.cdf(square) - f.cdf(square / shape)
    };
    0.5 * (-30_000..20_000).map(|i| (excess(i + 1) - excess(i)).abs()).sum::<f64>()
}

/// What a metric says of a pair: the mean over draws, that of the floor, and whether the least of the one is above the largest of the other.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub value: f64,
    pub floor: f64,
    pub seen: bool,
}

/// `None` where the metric cannot be taken.
pub fn said(metric: &dyn Metric, pair: Pair, dim: usize, known: &Known) -> Option<Said> {
    let data = pair.data(dim);
    let key = |seed: u64, what: &str| Key::root(seed).branch(what);
    let mut values = [vec![], vec![]];
    for seed in 0..DRAWS {
        let reference = data.sample(&key(seed, "reference"), 0, POINTS);
        for (list, samples) in values.iter_mut().zip([
            pair.samples(&key(seed, "samples"), dim, POINTS),
            data.sample(&key(seed, "floor"), 0, POINTS),
        ]) {
            list.push(metric.measure(&samples, &reference, known).ok()?);
        }
    }
    let [values, floors] = values;
    let mean = |list: &[f64]| list.iter().sum::<f64>() / DRAWS as f64;
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = floors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(Said { value: mean(&values), floor: mean(&floors), seen: least > largest })
}

/// A cell of the table: bold where the difference is seen.
pub fn cell(said: Option<Said>) -> String {
    let Some(Said { value, floor, seen }) = said else { return "–".into() };
    let [value, floor] = [value, floor].map(significant);
    if seen { format!("**{value}** ({floor})") } else { format!("{value} ({floor})") }
}

/// Two decimals from 1 on, three below, and four below 0.01.
fn significant(v: f64) -> String {
    let decimals = [(1.0, 2), (0.01, 3)].iter().find(|(from, _)| v.abs() >= *from).map_or(4, |(_, d)| *d);
    let text = format!("{v:.decimals$}").replace('-', "−");
    if text.chars().all(|c| "−0.".contains(c)) { "0".into() } else { text }
}

fn main() {
    let metrics = metrics();
    for dim in DIMENSIONS {
        println!("\n### d = {dim}\n");
        let names = metrics.iter().map(|(name, _)| format!(" {name} |")).collect::<String>();
        println!("| samples | Bayes' accuracy | exact W₂ |{names}");
        println!("|---|---|---|{}", "---|".repeat(metrics.len()));
        for (pair, name) in PAIRS.iter().filter(|(pair, _)| pair.exists(dim)) {
            let known = Known::of(&pair.data(dim));
            let cells =
                metrics.iter().map(|(_, metric)| format!(" {} |", cell(said(&**metric, *pair, dim, &known))));
            let (bayes, w2) = (pair.bayes(dim), pair.w2(dim));
            println!("| {name} | {bayes:.3} | {} |{}", significant(w2), cells.collect::<String>());
        }
    }
}
