//! How far a network is from the exact score: the excess denoising loss, over all times and at each noise level.

use candle_core::{DType, Device, Tensor};
use serde::Serialize;
use tweedie_solvers::Key;
use tweedie_solvers::exact::Exact;
use tweedie_solvers::kernel::Kernel;
use tweedie_solvers::model::{Prediction, ScoreModel, tensor};
use tweedie_solvers::sde::{LinearSde, Use};

use super::draw::each;
use super::models::EXACT;
use super::record::{Label, Record};
use super::{Model, Place};
use crate::data::Data;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::train::{TimeLaw, draw_times};

/// Levels of the curve, and points at each.
const LEVELS: usize = 24;
const POINTS: usize = 2048;
const PIECE: usize = 512;

/// A row of `excess.csv`: σ² E‖s_θ − s*‖²/d at one time.
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
    /// The seed of the points.
    pub seed: u64,
    /// E‖ε_θ − ε*‖²/d over x_t ~ p_t: σ² E‖s_θ − s*‖² per dimension.
    pub excess: f64,
    /// E‖ε*‖²/d, the excess of a network that says 0.
    pub zero: f64,
}

/// The excess denoising loss of each network against the exact score of laws that have a density: E‖ε_θ − ε*‖² / E‖ε*‖² over x_t ~ p_t and
/// t uniform on the training span, as records, and by noise level. The denominator is the excess of a network that says 0, so 0 is
/// perfect and 1 is nothing learned. Networks in coordinates of their own are left out.
pub(super) fn excess(
    recipe: &Recipe,
    models: &[Vec<Model>],
    place: &Place<'_>,
) -> Result<(Vec<Record>, Vec<Level>)> {
    let (mut records, mut levels) = (Vec::new(), Vec::new());
    for ((data, _), models) in recipe.data.iter().zip(models) {
        if !data.it.continuous() {
            continue;
        }
        let Ok(exact) = data.it.exact() else { continue };
        let learned = |m: &Model| m.label != EXACT && m.standardise.is_none();
        for (sde, model) in recipe.sdes.iter().zip(models).filter(|(_, m)| learned(m)) {
            for &seed in &recipe.seeds {
                let against =
                    Against { model: &*model.score, exact: &*exact, data: &*data.it, device: place.device };
                let key = Key::root(seed).branch("excess");
                let (wrong, whole) = uniform(&against, &*sde.it, &key)?;
                let label = Label {
                    data: data.label.clone(),
                    sde: sde.label.clone(),
                    model: model.label.clone(),
                    method: "network".into(),
                    ..Label::data(seed)
                };
                records.push(label.record("excess-loss", wrong / whole));
                for (number, t) in times(&*sde.it).into_iter().enumerate() {
                    let at = sde.it.kernel(t);
                    let (excess, zero) = against.at(&[at], &key.child(number as u64), POINTS)?;
                    levels.push(Level {
                        data: data.label.clone(),
                        sde: sde.label.clone(),
                        model: model.label.clone(),
                        t,
                        alpha: at.alpha,
                        sigma: at.sigma,
                        log_snr: at.log_snr(),
                        seed,
                        excess,
                        zero,
                    });
                }
            }
        }
    }
    Ok((records, levels))
}

/// Times of equal steps of log-SNR over the training span, noise first.
fn times(sde: &dyn LinearSde) -> Vec<f64> {
    let span = sde.span(Use::Training);
    let (low, high) = (sde.kernel(span.end).log_snr(), sde.kernel(span.start).log_snr());
    let inner = (1..LEVELS - 1).map(|i| sde.time_at(low + (high - low) * i as f64 / (LEVELS - 1) as f64));
    std::iter::once(span.end).chain(inner).chain(std::iter::once(span.start)).collect()
}

/// The loss on 8192 points, each at a time of its own.
fn uniform(against: &Against<'_>, sde: &dyn LinearSde, key: &Key) -> Result<(f64, f64)> {
    const POINTS: usize = 8192;
    let times = draw_times(TimeLaw::Uniform, sde, sde.span(Use::Training), &key.branch("times"), 0, POINTS);
    let at: Vec<Kernel> = times.iter().map(|(t, _)| sde.kernel(*t)).collect();
    against.at(&at, key, POINTS)
}

/// A network, and what it should have learned.
struct Against<'a> {
    model: &'a dyn ScoreModel,
    exact: &'a dyn Exact,
    data: &'a dyn Data,
    device: &'a Device,
}

impl Against<'_> {
    /// E‖ε_θ − ε*‖²/d and E‖ε*‖²/d over points of p_t, at one kernel or at one for each point.
    fn at(&self, at: &[Kernel], key: &Key, count: usize) -> Result<(f64, f64)> {
        let _turn = crate::device::turn(self.device);
        let dim = self.data.dim();
        let points = self.data.sample(&key.branch("points"), 0, count);
        let noise = key.branch("noise").normals(0, 0, count, dim);
        let kernel = |row: usize| if at.len() == 1 { at[0] } else { at[row] };
        let noised = points.values().iter().zip(&noise).enumerate().map(|(i, (x, e))| {
            let k = kernel(i / dim);
            k.alpha * x + k.sigma * e
        });
        let x = tensor(noised.collect(), (count, dim), &Tensor::zeros((1, 1), DType::F64, self.device)?)?;
        // In pieces, so that wide networks do not fill the memory.
        let piece = |&first: &usize| {
            let rows = PIECE.min(count - first);
            let (x, at) =
                (x.narrow(0, first, rows)?, if at.len() == 1 { at } else { &at[first..first + rows] });
            let (learned, exact) =
                (Prediction::of(self.model, &x, at)?.noise()?, Prediction::of(self.exact, &x, at)?.noise()?);
            let wrong = (learned - &exact)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
            Ok((wrong, exact.sqr()?.sum_all()?.to_scalar::<f64>()?))
        };
        let starts: Vec<usize> = (0..count).step_by(PIECE).collect();
        let pieces: Vec<(f64, f64)> = each(&starts, self.device, piece)?;
        let (wrong, whole) = pieces.iter().fold((0.0, 0.0), |sum, piece| (sum.0 + piece.0, sum.1 + piece.1));
        let terms = (count * dim) as f64;
        Ok((wrong / terms, whole / terms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TwoMoons;
    use tweedie_solvers::Result;
    use tweedie_solvers::kernel::Target;
    use tweedie_solvers::sde::Vp;

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
        let against = |model: &Off, at: &[Kernel], count| {
            let against = Against { model, exact: &*exact, data: &data, device: &device };
            against.at(at, &Key::root(1), count).unwrap()
        };
        let (off, nothing) = (Off(data.exact().unwrap(), 1.0, 0.3), Off(data.exact().unwrap(), 0.0, 0.0));
        for t in times(&vp) {
            let (excess, zero) = against(&off, &[vp.kernel(t)], 600);
            assert!((excess - 0.09).abs() < 1e-12 && zero > 0.0, "{t} {excess}");
            let (all, zero) = against(&nothing, &[vp.kernel(t)], 600);
            assert_eq!(all, zero);
        }
        assert_eq!(times(&vp).len(), LEVELS);
        // The loss ε̂² of N(0, I) noise alone is 1 per dimension where nothing is left of the data.
        assert!((against(&nothing, &[vp.kernel(1.0)], 5000).0 - 1.0).abs() < 0.05);
    }
}
