//! The coordinates that models of a data set work in, and those that samples are measured in.

use super::Recipe;
use crate::data::{Data, Standardise};
use crate::error::Result;

/// The coordinates that a model works in, fitted to the training rows of points or to 20 000 draws
/// of a law, and the deviation per coordinate there.
///
/// # Errors
/// If the points are all equal.
pub fn coordinates(data: &dyn Data, standardise: bool) -> Result<(Option<Standardise>, f64)> {
    let draws = || data.sample(&tweedie_solvers::Key::root(0).branch("coordinates"), 0, 20_000);
    let fitted = match data.own() {
        Some(own) => Standardise::fit(own.training())?,
        None => Standardise::fit(&draws())?,
    };
    let varies = |j: &usize| !fitted.constant.contains(j);
    let squares = (0..data.dim()).filter(varies).map(|j| fitted.deviation[j].powi(2));
    let mean_square = squares.sum::<f64>() / data.dim() as f64;
    Ok(if standardise { (Some(fitted), 1.0) } else { (None, mean_square.sqrt()) })
}

/// The map that distances between points are taken behind: of a user's points with `standardise =
/// true` the one that models work behind, for their columns may have any units. Laws are measured
/// in their own coordinates, where densities and modes are known.
///
/// # Errors
/// Those of [`coordinates`].
pub fn units(data: &dyn Data, standardise: bool) -> Result<Option<Standardise>> {
    let own = standardise && data.own().is_some();
    Ok(if own { coordinates(data, true)?.0 } else { None })
}

impl Recipe {
    /// How many samples metrics compare with as many points of the data: all, or as many as a
    /// user's points have held-out and training rows.
    pub fn compared(&self, data: &dyn Data) -> usize {
        let rows = data.own().and_then(|own| Some(own.kept()?.len().min(own.training().len())));
        rows.map_or(self.samples, |rows| rows.min(self.samples))
    }
}
