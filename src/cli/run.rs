//! `tweedie run` and `tweedie train`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::{Machine, say, warn};
use crate::error::{Error, Result};
use crate::recipe::{ModelSpec, Recipe};
use crate::report::{MANIFEST, Manifest, Progress, comparisons, footer, networks, rankings, tables};
use crate::run::{self, Claim, Folder, Place, TABLES};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The recipe, a TOML file
    recipe: PathBuf,
    /// The folder for everything; runs/RECIPE by default
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change the recipe: --set train.steps=500 --set 'method=["heun", "rk45"]'
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Replace a run that is there
    #[arg(long, conflicts_with = "resume")]
    overwrite: bool,
    /// Go on from the checkpoints that are there
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    pub(super) machine: Machine,
}

impl Arguments {
    /// The recipe, its folder, claimed, and the device.
    fn prepare(&self, training: bool) -> Result<(Recipe, PathBuf, Folder, candle_core::Device)> {
        let recipe = Recipe::read(&self.recipe, &self.set)?;
        if training && !matches!(recipe.model, ModelSpec::Mlp { .. }) {
            return Err(Error::Input(format!(
                "{}: model.name must be mlp, there is nothing to train",
                recipe.file
            )));
        }
        let device = self.machine.open()?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name));
        let claim = match (self.overwrite, self.resume) {
            (true, _) => Claim::Overwrite,
            (_, true) => Claim::Resume,
            _ => Claim::New,
        };
        let folder = Folder::claim(&out, claim, &recipe)?;
        folder.begin(Manifest::begin(&recipe, &device, vec![]))?;
        Ok((recipe, out, folder, device))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let (recipe, out, _folder, device) = arguments.prepare(false)?;
    let progress = Progress::default();
    let place = Place { out: &out, device: &device, resume: arguments.resume, progress: &progress };
    let outcome = run::run(&recipe, &place, &warn)?;
    if !recipe.about.is_empty() {
        say(&format!("{}\n", recipe.about));
    }
    say(&(tables(&recipe, &outcome.summary) + &networks(&outcome.levels)));
    let compared = comparisons(&recipe, &outcome.summary, &outcome.paired);
    for text in
        [compared, rankings(&recipe, &outcome.summary, &outcome.ranking)].iter().filter(|t| !t.is_empty())
    {
        say(text);
    }
    for note in outcome.diverged.iter().chain(&outcome.outliers) {
        say(note);
    }
    say(&footer(&recipe, &outcome.ranking));
    if recipe.metrics.len() > 1 {
        let others: Vec<&str> = recipe.metrics[1..].iter().map(|m| m.label.as_str()).collect();
        say(&format!("The other metrics ({}) are in summary.csv.", others.join(", ")));
    }
    let all = [MANIFEST].into_iter().chain(TABLES).chain(["samples", "figures", "models"]);
    let written: Vec<&str> = all.filter(|name| out.join(name).exists()).collect();
    say(&format!("Everything is in {}: {}", out.display(), written.join(", ")));
    if let Some(first) = outcome.failures.first() {
        let parts = match outcome.failures.len() {
            1 => "a part of the run failed, and its cells are empty".to_owned(),
            n => format!("{n} parts of the run failed, and their cells are empty; the first of them"),
        };
        let all = out.join("manifest.json");
        return Err(Error::Run(format!("{parts}: {first} ({} has every one)", all.display())));
    }
    if outcome.diverged.len() == outcome.runs {
        return Err(Error::Run(
            "every run diverged; take more steps, or grids with shorter steps near the data".into(),
        ));
    }
    Ok(())
}

pub(super) fn train(arguments: &Arguments) -> Result<()> {
    let (recipe, out, _folder, device) = arguments.prepare(true)?;
    let progress = Progress::default();
    let place = Place { out: &out, device: &device, resume: arguments.resume, progress: &progress };
    let start = Instant::now();
    let foreseen = run::lore::warnings_of_training(&recipe)?;
    foreseen.iter().for_each(|text| warn(text));
    let manifest = Manifest::begin(&recipe, &device, foreseen);
    manifest.write(&out)?;
    let models = run::train_all(&recipe, &place)?;
    manifest.finish(&out, (vec![], vec![], vec![]), [start.elapsed(); 3])?;
    for (data, models) in recipe.data.iter().zip(&models) {
        for (sde, model) in recipe.sdes.iter().zip(models) {
            let under = recipe.train_sde.as_ref().map_or(&sde.label, |s| &s.label);
            let tail = &model.losses[model.losses.len().saturating_sub(100)..];
            let loss = tail.iter().map(|(_, l)| l).sum::<f64>() / tail.len().max(1) as f64;
            let dir = run::model_dir(&out, &data.0.label, under);
            say(&format!("{}: loss {loss:.4}, the mean of the last {} steps", dir.display(), tail.len()));
        }
    }
    Ok(())
}
