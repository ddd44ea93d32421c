//! What `sample` and `likelihood` work on: a model directory, or a mixture in a TOML or JSON file with its exact score.

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args;
use serde::Deserialize;
use toml::Table;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::model::ScoreModel;

use super::must_exist;
use crate::data::{GaussianMixture, Standardise};
use crate::error::{Error, Result};
use crate::recipe::{Named, Section, one, override_key};
use crate::registry::Shelf;
use crate::train::Checkpoint;

/// Where the score comes from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// A model directory, as `train` leaves it
    #[arg(long, value_name = "DIR", conflicts_with = "target", required_unless_present = "target")]
    model: Option<PathBuf>,
    /// A Gaussian mixture in TOML or JSON with weights, means and covs; its exact score is used
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
}

/// A score with the coordinates that it works in, and the SDE that it was trained under or the target that it is of.
pub(super) struct Score {
    pub(super) model: Box<dyn ScoreModel>,
    pub(super) target: Option<GaussianMixture>,
    pub(super) standardise: Option<Standardise>,
    pub(super) sde: Option<Table>,
    /// The digests of the rows that it was trained on, in order, where those were a user's.
    pub(super) rows: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covs: Vec<Vec<Vec<f64>>>,
}

impl Source {
    /// What the score is called in sentences: the path.
    pub(super) fn name(&self) -> String {
        self.target.as_ref().or(self.model.as_ref()).map_or_else(String::new, |p| p.display().to_string())
    }

    pub(super) fn open(&self, device: &Device) -> Result<Score> {
        if let Some(dir) = &self.model {
            must_exist("--model", dir)?;
            let found = Checkpoint::load(dir)?;
            let model = found.network(device)?;
            let (standardise, sde, rows) = (found.standardise, Some(found.sde), found.rows);
            return Ok(Score { model, target: None, standardise, sde, rows });
        }
        let path =
            self.target.as_ref().ok_or_else(|| Error::Input("give --model DIR or --target FILE".into()))?;
        let target = mixture(path)?;
        let model = Box::new(target.clone());
        Ok(Score { model, target: Some(GaussianMixture(target)), standardise: None, sde: None, rows: vec![] })
    }
}

fn mixture(path: &Path) -> Result<Mixture> {
    let bad = |what: String| Error::Input(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(format!("the file cannot be read ({e})")))?;
    let wants = "a mixture has weights (K), means (K × d) and covs (K × d × d)";
    let file: File = match path.extension().and_then(|e| e.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|e| bad(format!("{e}; {wants}")))?,
        Some("toml") => toml::from_str(&text).map_err(|e| bad(format!("{}; {wants}", e.message())))?,
        _ => return Err(bad("a target is a .toml or .json file".into())),
    };
    Mixture::new(file.weights, file.means, &file.covs).map_err(|e| bad(e.to_string()))
}

/// A choice as typed: `heun`, or `rk45:rtol=1e-3,atol=1e-3`; options are read as in a recipe.
pub(super) fn choose<T: ?Sized>(shelf: &Shelf<T>, flag: &'static str, typed: &str) -> Result<Named<T>> {
    one(&Section::new(format!("--{flag}"), flag, parse(flag, typed)?), |section| shelf.build(section))
}

/// The table of a choice as typed.
pub(super) fn parse(flag: &str, typed: &str) -> Result<Table> {
    let (name, options) = typed.split_once(':').unwrap_or((typed, ""));
    let mut table = crate::recipe::named(name);
    // Commas separate options, but for those inside a list.
    let (mut depth, mut start) = (0i32, 0);
    let mut parts = Vec::new();
    for (i, c) in options.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&options[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&options[start..]);
    for (i, part) in parts.iter().enumerate().filter(|(_, p)| !p.is_empty()) {
        let key = |part: &str| part.split('=').next().map(|k| k.trim().to_owned());
        if parts[..i].iter().any(|before| key(before) == key(part)) {
            return Err(Error::Input(format!("--{flag} {typed}: `{part}` is given twice")));
        }
        override_key(&mut table, part).map_err(|_| {
            Error::Input(format!(
                "--{flag} {typed}: `{part}` is not OPTION=VALUE; write NAME:OPTION=VALUE,OPTION=VALUE"
            ))
        })?;
    }
    Ok(table)
}
