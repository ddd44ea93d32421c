//! `manifest.json`: what ran, with what, when and for how long.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use candle_core::Device;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::files::replace;
use crate::recipe::Recipe;

/// The record of a run; written when it begins and again when it ends.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    program: &'static str,
    version: &'static str,
    recipe_file: String,
    recipe: toml::Table,
    train: crate::train::TrainConfig,
    seeds: Vec<u64>,
    device: &'static str,
    threads: usize,
    /// Seconds since 1970.
    started: u64,
    finished: bool,
    seconds: Option<Seconds>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Seconds {
    training: f64,
    sampling: f64,
    metrics_and_figures: f64,
    total: f64,
}

/// The name of the file.
const FILE: &str = "manifest.json";

impl Manifest {
    /// The record of a run that begins now.
    pub fn begin(recipe: &Recipe, device: &Device) -> Self {
        Self {
            program: "tweedie",
            version: env!("CARGO_PKG_VERSION"),
            recipe_file: recipe.file.clone(),
            recipe: recipe.table.clone(),
            train: recipe.train.clone(),
            seeds: recipe.seeds.clone(),
            device: crate::device::name(device),
            threads: rayon::current_num_threads(),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            finished: false,
            seconds: None,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, out: &Path) -> Result<()> {
        let path = out.join(FILE);
        let bytes =
            serde_json::to_vec_pretty(self).map_err(|e| Error::Run(format!("{}: {e}", path.display())))?;
        replace(&path, &bytes)
            .map_err(|e| Error::Input(format!("{}: the file cannot be written ({e})", path.display())))
    }

    /// Writes it as finished, with the times after training, after sampling and at the end.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self, out: &Path, at: [Duration; 3]) -> Result<()> {
        let [trained, sampled, end] = at.map(|d| d.as_secs_f64());
        self.finished = true;
        self.seconds = Some(Seconds {
            training: trained,
            sampling: sampled - trained,
            metrics_and_figures: end - sampled,
            total: end,
        });
        self.write(out)
    }
}
