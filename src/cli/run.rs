//! `tweedie run` and `tweedie train`.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;

use super::{Machine, say, warn};
use crate::error::{Error, Result};
use crate::recipe::{ModelSpec, Recipe};
use crate::report::{Progress, comparisons, footer, networks, rankings, tables};
use crate::run::{self, Place, make_dir};

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

/// A run or a model is recognised by these; nothing else is ever removed.
const OURS: [&str; 10] = [
    "manifest.json",
    "results.csv",
    "summary.csv",
    "paired.csv",
    "ranking.csv",
    "excess.csv",
    "timings.csv",
    "samples",
    "figures",
    "models",
];

impl Arguments {
    fn prepare(&self, training: bool) -> Result<(Recipe, PathBuf, candle_core::Device)> {
        let recipe = Recipe::read(&self.recipe, &self.set)?;
        if training && !matches!(recipe.model, ModelSpec::Mlp { .. }) {
            return Err(Error::Input(format!(
                "{}: model.name must be mlp, there is nothing to train",
                recipe.file
            )));
        }
        let device = self.machine.open()?;
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&recipe.name));
        if out.exists() && !self.resume {
            let full = std::fs::read_dir(&out)
                .map_err(|e| {
                    Error::Input(format!("{}: this is not a folder that can be read ({e})", out.display()))
                })?
                .next()
                .is_some();
            if full && !self.overwrite {
                return Err(Error::Input(format!(
                    "{}: the folder is not empty; --overwrite replaces the run in it, --resume goes on with its training, --out DIR takes \
                     another",
                    out.display()
                )));
            }
            if full && !OURS.iter().any(|name| out.join(name).exists()) {
                return Err(Error::Input(format!(
                    "{}: this folder holds no run, so --overwrite leaves it alone; take another with --out",
                    out.display()
                )));
            }
        }
        if let (true, ModelSpec::Saved(path)) = (self.overwrite, &recipe.model)
            && path
                .canonicalize()
                .ok()
                .zip(out.canonicalize().ok())
                .is_some_and(|(model, out)| model.starts_with(out))
        {
            return Err(Error::Input(format!(
                "{}: --overwrite would remove the model that the recipe uses; take another --out",
                out.display()
            )));
        }
        if self.resume && !out.join("models").exists() {
            return Err(Error::Input(format!(
                "{}: there is no training to go on with; run without --resume",
                out.display()
            )));
        }
        make_dir(&out)?;
        if self.overwrite {
            for path in OURS.iter().map(|name| out.join(name)) {
                let removed =
                    if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
                match removed {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::Input(format!("{}: cannot be replaced ({e})", path.display())));
                    }
                    _ => {}
                }
            }
        }
        // The first Ctrl-C ends training after its step, with a checkpoint; the second ends the program.
        let _ = ctrlc::set_handler(|| {
            if run::INTERRUPTED.swap(true, Ordering::Relaxed) || !run::TRAINING.load(Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        Ok((recipe, out, device))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let (recipe, out, device) = arguments.prepare(false)?;
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
    let written: Vec<&str> = OURS.into_iter().filter(|name| out.join(name).exists()).collect();
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
    let (recipe, out, device) = arguments.prepare(true)?;
    let progress = Progress::default();
    let place = Place { out: &out, device: &device, resume: arguments.resume, progress: &progress };
    run::lore::warnings_of_training(&recipe)?.iter().for_each(|text| warn(text));
    let models = run::train_all(&recipe, &place)?;
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
