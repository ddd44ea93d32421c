//! The model of every data set under every SDE: trained, taken from a directory, or closed form.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use toml::Table;
use tweedie_solvers::exact::Exact;
use tweedie_solvers::grid::Spacing;
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::sde::{LinearSde, Use};

use super::{Place, make_dir, model_dir};
use crate::data::{Data, Standardise, digests};
use crate::error::{Error, Result};
use crate::recipe::{ModelSpec, Named, Recipe, coordinates};
use crate::report::write_losses;
use crate::train::{Checkpoint, Trainer};

type Fitted = tweedie_solvers::Result<Option<Box<dyn Spacing>>>;

/// A model, ready to be asked.
pub struct Model {
    /// What it is called in records: `mlp`, `exact`, or the path of a directory.
    pub label: String,
    /// The model, in its own coordinates.
    pub score: Box<dyn ScoreModel>,
    /// The way from the user's coordinates to its own.
    pub standardise: Option<Standardise>,
    /// The loss of each update, for a network trained here.
    pub losses: Vec<(u64, f64)>,
    /// The grids of the recipe that were fitted to it, or why they could not be.
    grids: Vec<Fitted>,
}

impl Model {
    fn new(label: impl Into<String>, score: Box<dyn ScoreModel>, standardise: Option<Standardise>) -> Self {
        Self { label: label.into(), score, standardise, losses: vec![], grids: vec![] }
    }

    /// A grid of the recipe, as it is for this model.
    ///
    /// # Errors
    /// If it could not be fitted to the model.
    pub fn spacing<'a>(
        &'a self,
        recipe: &'a Recipe,
        grid: usize,
    ) -> tweedie_solvers::Result<&'a dyn Spacing> {
        let of_recipe = &recipe.grids[grid];
        match &self.grids[grid] {
            Ok(fitted) => Ok(fitted.as_deref().unwrap_or(&*of_recipe.it)),
            Err(error) => {
                Err(tweedie_solvers::Error::Solve(format!("the grid {}: {error}", of_recipe.label)))
            }
        }
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Model({})", self.label)
    }
}

/// The label of the closed form.
pub const EXACT: &str = "exact";

/// Set by Ctrl-C: training stops after the update that it is at, and writes its checkpoint.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether a network is being trained, so that an interruption can wait for its checkpoint.
pub static TRAINING: AtomicBool = AtomicBool::new(false);

/// Models by data set, then by SDE, in the order of the recipe. Networks that are the same (one SDE for all) are trained once.
///
/// # Errors
/// If training fails or is interrupted, or a directory holds no fitting model.
pub fn train_all(recipe: &Recipe, place: &Place<'_>) -> Result<Vec<Vec<Model>>> {
    let mut models = unfitted(recipe, place)?;
    let fits =
        recipe.grids.iter().filter(|g| g.it.needs_model()).count() * recipe.data.len() * recipe.sdes.len();
    let bar = place.progress.bar("fitting grids", fits as u64);
    for of_data in &mut models {
        of_data.par_iter_mut().zip(&recipe.sdes).for_each(|(model, sde)| {
            let span = sde.it.span(Use::Sampling);
            for grid in &recipe.grids {
                let _turn = crate::device::turn(place.device);
                model.grids.push(grid.it.fit(&*sde.it, &*model.score, span, place.device));
                bar.inc(u64::from(grid.it.needs_model()));
            }
        });
    }
    bar.finish_and_clear();
    Ok(models)
}

fn unfitted(recipe: &Recipe, place: &Place<'_>) -> Result<Vec<Vec<Model>>> {
    let networks = recipe.data.iter().map(|(data, standardise)| match &recipe.model {
        ModelSpec::Exact => recipe.sdes.iter().map(|_| closed(&*data.it, *standardise)).collect(),
        ModelSpec::Saved(path) => recipe.sdes.iter().map(|_| saved(path, data.it.dim(), place)).collect(),
        ModelSpec::Mlp { .. } => networks(recipe, data, *standardise, place),
    });
    networks.collect()
}

/// The closed form, in the coordinates that the recipe says.
fn closed(data: &dyn Data, standardise: bool) -> Result<Model> {
    let map = if standardise { coordinates(data, true)?.0 } else { None };
    Ok(Model::new(EXACT, exact(data, map.as_ref())?, map))
}

/// The exact law of data behind the map of a model, if it has one.
///
/// # Errors
/// If it is not known there.
pub(super) fn exact(data: &dyn Data, map: Option<&Standardise>) -> tweedie_solvers::Result<Box<dyn Exact>> {
    map.map_or_else(|| data.exact(), |map| data.exact_within(map))
}

fn saved(path: &Path, dim: usize, place: &Place<'_>) -> Result<Model> {
    let checkpoint = Checkpoint::load(path)?;
    if checkpoint.net.dim != dim {
        let got = checkpoint.net.dim;
        return Err(Error::Input(format!(
            "{}: this model is of {got}-dimensional points, the data are of {dim}",
            path.display()
        )));
    }
    let score = checkpoint.network(place.device)?;
    Ok(Model::new(path.display().to_string(), score, checkpoint.standardise))
}

/// One network for each SDE, or one for all of them; networks are trained side by side.
fn networks(
    recipe: &Recipe,
    data: &Named<dyn Data>,
    standardise: bool,
    place: &Place<'_>,
) -> Result<Vec<Model>> {
    let mut under: BTreeMap<&str, &Named<dyn LinearSde>> = BTreeMap::new();
    let chosen: Vec<&Named<dyn LinearSde>> =
        recipe.sdes.iter().map(|s| recipe.train_sde.as_ref().unwrap_or(s)).collect();
    under.extend(chosen.iter().map(|s| (s.label.as_str(), *s)));
    let under: Vec<_> = under.into_values().collect();
    let trained: Result<Vec<Trained>> =
        under.par_iter().map(|sde| network(recipe, data, standardise, sde, place)).collect();
    TRAINING.store(false, Ordering::Relaxed);
    let trained = trained?;
    chosen
        .iter()
        .map(|sde| {
            let at = under.iter().position(|u| u.label == sde.label);
            let found = at.map(|i| &trained[i]).ok_or_else(|| Error::Run("a network is missing".into()))?;
            let score = found.checkpoint.network(place.device)?;
            let standardise = found.checkpoint.standardise.clone();
            Ok(Model { losses: found.losses.clone(), ..Model::new("mlp", score, standardise) })
        })
        .collect()
}

struct Trained {
    checkpoint: Checkpoint,
    losses: Vec<(u64, f64)>,
}

fn network(
    recipe: &Recipe,
    data: &Named<dyn Data>,
    standardise: bool,
    sde: &Named<dyn LinearSde>,
    place: &Place<'_>,
) -> Result<Trained> {
    let directory = model_dir(place.out, &data.label, &sde.label);
    make_dir(&directory)?;
    let (map, deviation) = coordinates(&*data.it, standardise)?;
    let rows = data.it.own().map_or_else(Vec::new, |own| digests(own.training()));
    let config = recipe
        .network(data.it.dim(), deviation)?
        .ok_or_else(|| Error::Run("the recipe has no network".into()))?;
    let start = if place.resume && directory.join(crate::train::FILE).exists() {
        let found = Checkpoint::load(&directory)?;
        if found.net != config
            || found.train != recipe.train
            || found.sde != sde.table
            || found.data != data.table
        {
            return Err(Error::Input(format!(
                "{}: this checkpoint belongs to another recipe (network, training, data or SDE differ); run without --resume, or into \
                 another folder with --out",
                directory.display()
            )));
        }
        if found.rows != rows {
            return Err(Error::Input(format!(
                "{}: {} holds other rows for training than when this checkpoint was made; run without --resume, or into another folder \
                 with --out",
                directory.display(),
                data.label
            )));
        }
        Some(found)
    } else {
        None
    };
    let mut trainer = match &start {
        Some(found) => Trainer::resume(found, place.device)?,
        None => Trainer::new(recipe.train.clone(), config, place.device)?,
    };
    let mut losses =
        if start.is_some() { crate::report::read_losses(&directory, trainer.updates())? } else { vec![] };
    let rest = |trainer: &Trainer, losses: &[(u64, f64)]| -> Result<Checkpoint> {
        let table = |t: &Table| t.clone();
        let at_rest = Checkpoint {
            sde: table(&sde.table),
            data: table(&data.table),
            rows: rows.clone(),
            ..trainer.checkpoint(map.clone())?
        };
        write_losses(&directory, losses)?;
        at_rest.save(&directory)?;
        Ok(at_rest)
    };
    let bar = place.progress.bar(&format!("training {} {}", data.label, sde.label), recipe.train.steps);
    bar.set_position(trainer.updates());
    let mut smooth = f64::NAN;
    TRAINING.store(true, Ordering::Relaxed);
    while trainer.updates() < recipe.train.steps {
        let loss = trainer.step(&*data.it, map.as_ref(), &*sde.it)?;
        let n = trainer.updates();
        losses.push((n, loss));
        smooth = if smooth.is_nan() { loss } else { 0.98 * smooth + 0.02 * loss };
        bar.set_message(format!("loss {smooth:.4}"));
        bar.inc(1);
        if INTERRUPTED.load(Ordering::Relaxed) {
            rest(&trainer, &losses)?;
            return Err(Error::Run(format!(
                "interrupted at step {n} of {}; {} holds the checkpoint: the same command with --resume goes on from there",
                recipe.train.steps,
                directory.display()
            )));
        }
        if n.is_multiple_of(recipe.checkpoint_every) {
            rest(&trainer, &losses)?;
        }
    }
    bar.finish_and_clear();
    Ok(Trained { checkpoint: rest(&trainer, &losses)?, losses })
}
