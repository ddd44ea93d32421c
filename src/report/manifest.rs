//! `manifest.json`: what ran, with what, when and for how long.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::data::{Empirical, digests};
use crate::error::{Error, Result};
use crate::files::replace;
use crate::points::Points;
use crate::recipe::Recipe;
use crate::run::planned;

/// The record of a run; written when it begins and again when it ends.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    program: &'static str,
    version: &'static str,
    /// The packages that numbers depend on, from the lock file that this program was built with.
    packages: BTreeMap<String, String>,
    recipe_file: String,
    /// With every default: itself a recipe, which repeats the run.
    recipe: toml::Table,
    /// What `grid = "default"` stands for: SDE, method, grid.
    default_grids: Vec<[String; 3]>,
    device: &'static str,
    /// The vectors of the CPU; training is the same to the last bit where these are the same.
    instructions: &'static str,
    threads: usize,
    /// What was said on stderr before the work and after it.
    warnings: Vec<String>,
    /// What was said at the end of samples that diverged or lie far from the data.
    notes: Vec<String>,
    /// What failed after training, and is missing from the tables.
    failures: Vec<String>,
    /// How the points of a user's files were divided, by the label of the data.
    splits: BTreeMap<String, Split>,
    /// The files of the run, by their paths within its folder: nothing else is ever removed or replaced. Until it is finished, those that
    /// it may write, and those of the run before it that are still to be removed.
    pub files: Vec<String>,
    /// Seconds since 1970.
    started: u64,
    finished: bool,
    seconds: Option<Seconds>,
}

/// Rows for training and rows held out, and a number that is another where the training rows are.
#[derive(Clone, Debug, Serialize)]
struct Split {
    training: usize,
    held_out: usize,
    digest: String,
}

impl Split {
    fn of(own: &Empirical) -> Self {
        let sum = digests(own.training()).into_iter().fold(0, u64::wrapping_add);
        let held_out = own.kept().map_or(0, Points::len);
        Self { training: own.training().len(), held_out, digest: format!("{sum:016x}") }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Seconds {
    training: f64,
    sampling: f64,
    metrics_and_figures: f64,
    total: f64,
}

const PACKAGES: [&str; 6] = ["candle-core", "candle-nn", "ode_solvers", "rand", "rand_chacha", "rand_distr"];

/// Names and versions in `Cargo.lock`; of a package that is there twice, the one that comes last, the newest.
fn packages() -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"));
    let all = toml::from_str::<Lock>(lock).map_or_else(|_| vec![], |lock| lock.package);
    let wanted = all.into_iter().filter(|p| PACKAGES.contains(&p.name.as_str()));
    wanted.map(|p| (p.name, p.version)).collect()
}

/// What marks a manifest as this program's.
pub const PROGRAM: &str = "tweedie";
/// The name of the file.
pub const FILE: &str = "manifest.json";

impl Manifest {
    /// The record of a run that begins now, with what was foreseen.
    pub fn begin(recipe: &Recipe, device: &Device, warnings: Vec<String>) -> Self {
        Self {
            program: PROGRAM,
            version: env!("CARGO_PKG_VERSION"),
            packages: packages(),
            recipe_file: recipe.file.clone(),
            recipe: recipe.table.clone(),
            default_grids: recipe.default_grids().into_iter().map(|row| row.map(str::to_owned)).collect(),
            device: crate::device::name(device),
            instructions: tweedie_solvers::lanes::instructions(),
            threads: rayon::current_num_threads(),
            warnings,
            notes: vec![],
            failures: vec![],
            splits: recipe
                .data
                .iter()
                .filter_map(|(data, _)| Some((data.label.clone(), Split::of(data.it.own()?))))
                .collect(),
            files: planned(recipe),
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
        Ok(replace(&path, &bytes)?)
    }

    /// Writes it as finished, with what the numbers gave to warn of and to note, what failed, and the times after training, after sampling and at the end.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(
        mut self,
        out: &Path,
        (warnings, notes, failures): (Vec<String>, Vec<String>, Vec<String>),
        at: [Duration; 3],
    ) -> Result<()> {
        self.warnings.extend(warnings);
        self.notes = notes;
        self.failures = failures;
        self.files.retain(|name| name == FILE || out.join(name).exists());
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
