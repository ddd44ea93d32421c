//! How far a network is from the exact score at each noise level that samplers and likelihoods use: the excess denoising loss
//! E‖ε_θ − ε*‖²/d, beside that of a network that says 0, which is E‖ε*‖²/d.
//!
//! At low noise both are small, so a sum over levels would show high noise alone; what counts is their quotient, level by level. Where
//! it is above 1 the network is worse than none.

use candle_core::{DType, Device, Tensor};
use serde::Serialize;
use tweedie_solvers::Key;
use tweedie_solvers::exact::Exact;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::model::{Prediction, ScoreModel, tensor};
use tweedie_solvers::sde::{LinearSde, Use};

use super::draw::each;
use super::lore::short;
use super::models::EXACT;
use super::record::{Label, Record};
use super::{Failures, Model, Place};
use crate::data::Data;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::train::TimeLaw;

/// Levels of the curve, and points at each.
const LEVELS: usize = 24;
const POINTS: usize = 2048;
const PIECE: usize = 512;

/// A row of `excess.csv`: σ² E‖s_θ − s*‖²/d at one time, of those that samplers and likelihoods use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// The data set.
    pub data: String,
    /// The SDE.
    pub sde: String,
    /// The model.
    pub model: String,
    /// The time.
    pub t: f64,
    /// α at that time.
    pub alpha: f64,
    /// σ at that time.
    pub sigma: f64,
    /// ln(α/σ).
    pub log_snr: f64,
    /// Whether samplers come here; likelihoods alone go on to the times below the samplers' ε.
    pub sampled: bool,
    /// The seed of the points.
    pub seed: u64,
    /// E‖ε_θ − ε*‖²/d over x_t ~ p_t: σ² E‖s_θ − s*‖² per dimension.
    pub excess: f64,
    /// E‖ε*‖²/d, the excess of a network that says 0.
    pub zero: f64,
    /// (Σ‖ε*‖²)²/Σ‖ε*‖⁴, the number of points that carry `zero`: few where the score is 0 but near edges.
    pub carried: f64,
}

/// Below so many points a level is not judged.
const FEW: f64 = 30.0;

impl Level {
    /// The excess over that of a network that says 0: 0 is perfect, 1 is nothing learned.
    pub fn ratio(&self) -> f64 {
        self.excess / self.zero
    }
}

/// The mean of [`Level::ratio`] over the levels of a network, which are even in log-SNR.
pub(super) const MEAN: &str = "excess-mean";
/// The largest of them.
pub(super) const WORST: &str = "excess-worst";

/// The levels of each network on laws that have a density, and their mean and worst as records. Networks in coordinates of their own are
/// left out.
pub(super) fn excess(
    recipe: &Recipe,
    models: &[Vec<Model>],
    (place, failures): (&Place<'_>, &Failures),
) -> (Vec<Record>, Vec<Level>) {
    let (mut records, mut levels) = (Vec::new(), Vec::new());
    for ((data, _), models) in recipe.data.iter().zip(models) {
        if !data.it.continuous() {
            continue;
        }
        let Ok(exact) = data.it.exact() else { continue };
        let learned = |m: &Model| m.label != EXACT && m.standardise.is_none();
        for (sde, model) in recipe.sdes.iter().zip(models).filter(|(_, m)| learned(m)) {
            let against =
                Against { model: &*model.score, exact: &*exact, data: &*data.it, device: place.device };
            for &seed in &recipe.seeds {
                let key = Key::root(seed).branch("excess");
                let label = Label {
                    data: data.label.clone(),
                    sde: sde.label.clone(),
                    model: model.label.clone(),
                    method: "network".into(),
                    ..Label::data(seed)
                };
                let what = || format!("excess, {} {}, seed {seed}", data.label, sde.label);
                let found = failures.keep(what, of_model(&against, &*sde.it, &key, &label));
                let Some(mine) = found else { continue };
                let judged = mine.iter().filter(|l| l.carried >= FEW);
                let ratios: Vec<f64> = judged.map(Level::ratio).collect();
                if !ratios.is_empty() {
                    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
                    records.push(label.record(MEAN, mean));
                    records.push(label.record(WORST, ratios.into_iter().fold(0.0, f64::max)));
                }
                levels.extend(mine);
            }
        }
    }
    (records, levels)
}

fn of_model(against: &Against<'_>, sde: &dyn LinearSde, key: &Key, label: &Label) -> Result<Vec<Level>> {
    let stop = sde.span(Use::Sampling).start;
    let one = |(number, t): (usize, f64)| {
        let at = sde.kernel(t);
        let (excess, zero, carried) = against.at(at, &key.child(number as u64), POINTS)?;
        Ok(Level {
            data: label.data.clone(),
            sde: label.sde.clone(),
            model: label.model.clone(),
            t,
            alpha: at.alpha,
            sigma: at.sigma,
            log_snr: at.log_snr(),
            sampled: t >= stop,
            seed: label.seed,
            excess,
            zero,
            carried,
        })
    };
    times(sde).into_iter().enumerate().map(one).collect()
}

/// Times of equal steps of log-SNR from T to the least ε of samplers and likelihoods, noise first, and the ε of samplers.
fn times(sde: &dyn LinearSde) -> Vec<f64> {
    let [sampling, likelihood] = [Use::Sampling, Use::Likelihood].map(|of| sde.span(of));
    let (end, start) = (sampling.end.max(likelihood.end), sampling.start.min(likelihood.start));
    let (low, high) = (sde.kernel(end).log_snr(), sde.kernel(start).log_snr());
    let inner = (1..LEVELS - 1).map(|i| sde.time_at(low + (high - low) * i as f64 / (LEVELS - 1) as f64));
    let mut times: Vec<f64> = std::iter::once(end).chain(inner).chain([sampling.start, start]).collect();
    times.sort_by(|a, b| b.total_cmp(a));
    times.dedup();
    times
}

/// The level at which a network is furthest from the exact score, means over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// The data set.
    pub data: String,
    /// The SDE.
    pub sde: String,
    /// Its level of the first seed, with the mean excess and the mean of the zero network's.
    pub level: Level,
    /// The mean of the ratio over all levels.
    pub mean: f64,
}

/// The worst level of each data set and SDE, in the order in which they come.
pub fn worst(levels: &[Level]) -> Vec<Worst> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for l in levels {
        if !names.contains(&(&l.data, &l.sde)) {
            names.push((&l.data, &l.sde));
        }
    }
    let of = |(data, sde): (&str, &str)| {
        let mut means: Vec<Level> = Vec::new();
        let mine: Vec<&Level> = levels.iter().filter(|l| l.data == data && l.sde == sde).collect();
        for first in mine.iter().filter(|l| l.seed == mine[0].seed) {
            let same: Vec<&&Level> = mine.iter().filter(|l| l.t == first.t).collect();
            let mean = |f: fn(&Level) -> f64| same.iter().map(|l| f(l)).sum::<f64>() / same.len() as f64;
            let carried = same.iter().map(|l| l.carried).sum::<f64>();
            if carried >= FEW {
                let (excess, zero) = (mean(|l| l.excess), mean(|l| l.zero));
                means.push(Level { excess, zero, carried, ..(*first).clone() });
            }
        }
        let mean = means.iter().map(Level::ratio).sum::<f64>() / means.len() as f64;
        let level = means.into_iter().max_by(|a, b| a.ratio().total_cmp(&b.ratio()))?;
        Some(Worst { data: data.to_owned(), sde: sde.to_owned(), level, mean })
    };
    names.into_iter().filter_map(of).collect()
}

/// The sentences about networks that are worse than none at a level that samplers or likelihoods use.
pub(super) fn worse_than_none(recipe: &Recipe, levels: &[Level]) -> Vec<String> {
    let law = if recipe.train.times == TimeLaw::Level { "" } else { ", or with times = \"level\"" };
    let bad = worst(levels).into_iter().filter(|w| w.level.ratio() >= 1.0);
    bad.map(|w| {
        let l = &w.level;
        let who = if l.sampled { "samplers and likelihoods" } else { "likelihoods" };
        format!(
            "{}, {}: at t = {}, where {who} ask it (σ/α = {}), the network is further from the exact score than a network that says 0: \
             {} times its squared error; train longer{law}, or stop at a larger ε (excess.csv has all levels)",
            w.data,
            w.sde,
            short(l.t),
            short(l.sigma / l.alpha),
            short(l.ratio())
        )
    })
    .collect()
}

/// A network, and what it should have learned.
struct Against<'a> {
    model: &'a dyn ScoreModel,
    exact: &'a dyn Exact,
    data: &'a dyn Data,
    device: &'a Device,
}

impl Against<'_> {
    /// E‖ε_θ − ε*‖²/d and E‖ε*‖²/d over points of p_t, and the number of points that carry the second.
    fn at(&self, at: Kernel, key: &Key, count: usize) -> Result<(f64, f64, f64)> {
        let _turn = crate::device::turn(self.device);
        let dim = self.data.dim();
        let points = self.data.sample(&key.branch("points"), 0, count);
        let noise = key.branch("noise").normals(0, 0, count, dim);
        let noised = points.values().iter().zip(&noise).map(|(x, e)| at.alpha * x + at.sigma * e);
        let x = tensor(noised.collect(), (count, dim), &Tensor::zeros((1, 1), DType::F64, self.device)?)?;
        // In pieces, so that wide networks do not fill the memory.
        let piece = |&first: &usize| {
            let x = x.narrow(0, first, PIECE.min(count - first))?;
            let (learned, exact) = (
                Prediction::of(self.model, &x, &[at])?.noise()?,
                Prediction::of(self.exact, &x, &[at])?.noise()?,
            );
            let wrong = (learned - &exact)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
            let each: Vec<f64> = exact.sqr()?.sum(1)?.to_vec1()?;
            Ok((wrong, each))
        };
        let starts: Vec<usize> = (0..count).step_by(PIECE).collect();
        let pieces: Vec<(f64, Vec<f64>)> = each(&starts, self.device, piece)?;
        let wrong: f64 = pieces.iter().map(|p| p.0).sum();
        let zeros = || pieces.iter().flat_map(|p| &p.1);
        let (whole, squares) = (zeros().sum::<f64>(), zeros().map(|z| z * z).sum::<f64>());
        let terms = (count * dim) as f64;
        let carried = if squares > 0.0 { whole * whole / squares } else { 0.0 };
        Ok((wrong / terms, whole / terms, carried))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TwoMoons;
    use tweedie_solvers::Result;
    use tweedie_solvers::kernel::Target;
    use tweedie_solvers::sde::{Edm, Vp};

    /// What is exact, times a number, plus another one.
    #[derive(Debug)]
    struct Off(Box<dyn Exact>, f64, f64);

    impl ScoreModel for Off {
        fn dim(&self) -> usize {
            2
        }

        fn target(&self) -> Target {
            self.0.target()
        }

        fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
            Ok(self.0.raw(x, at)?.affine(self.1, self.2)?)
        }
    }

    /// A network that is off by c everywhere has the excess c² at every level, one that says 0 that of the zero network.
    #[test]
    fn excess_is_that_of_the_noise() {
        let data = TwoMoons::default();
        let (exact, vp, device) = (data.exact().unwrap(), Vp::default(), Device::Cpu);
        let against = |model: &Off, at: Kernel, count| {
            let against = Against { model, exact: &*exact, data: &data, device: &device };
            against.at(at, &Key::root(1), count).unwrap()
        };
        let (off, nothing) = (Off(data.exact().unwrap(), 1.0, 0.3), Off(data.exact().unwrap(), 0.0, 0.0));
        for t in times(&vp) {
            let (excess, zero, carried) = against(&off, vp.kernel(t), 600);
            assert!((excess - 0.09).abs() < 1e-12 && zero > 0.0, "{t} {excess}");
            assert!(carried > 100.0 && carried <= 600.0, "{t} {carried}");
            let (all, zero, _) = against(&nothing, vp.kernel(t), 600);
            assert!((all - zero).abs() < 1e-12 * zero, "{t} {all} {zero}");
        }
        // 24 levels even in log-SNR, and the samplers' ε.
        assert_eq!((times(&vp).len(), times(&Edm::default()).len()), (LEVELS + 1, LEVELS));
        assert!(times(&vp).contains(&1e-3) && times(&vp).contains(&1e-5));
        // The loss ε̂² of N(0, I) noise alone is 1 per dimension where nothing is left of the data.
        assert!((against(&nothing, vp.kernel(1.0), 5000).0 - 1.0).abs() < 0.05);
    }
}
