//! What `sample` and `likelihood` work on: a model directory, or a mixture in a TOML or JSON file with its exact score.

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args;
use serde::Deserialize;
use toml::Table;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::sde::{LinearSde, Use};

use super::{must_exist, warn};
use crate::data::{Data, GaussianMixture, Standardise};
use crate::error::{Error, Result};
use crate::recipe::{Named, Section, data_set, one, override_key};
use crate::registry::{SDES, Shelf};
use crate::run::lore::{Domain, Law};
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

/// A score with the coordinates that it works in, and the SDE and data that it was trained under and on or the target that it is of.
pub(super) struct Score {
    pub(super) model: Box<dyn ScoreModel>,
    name: String,
    target: Option<GaussianMixture>,
    pub(super) standardise: Option<Standardise>,
    /// The digests of the rows that it was trained on, in order, where those were a user's.
    pub(super) rows: Vec<u64>,
    trained: Option<(Domain, Named<dyn LinearSde>, Table)>,
}

impl Score {
    /// The SDE that is typed, or else the one that the model was trained under, or else vp.
    pub(super) fn sde(&self, typed: Option<Named<dyn LinearSde>>) -> Result<Named<dyn LinearSde>> {
        match (typed, &self.trained) {
            (Some(sde), _) => Ok(sde),
            (None, Some((_, sde, _))) => {
                one(&Section::new("the model", "sde", sde.table.clone()), |section| SDES.build(section))
            }
            (None, None) => choose(&SDES, "sde", "vp"),
        }
    }

    /// Whether it is a network, whose numbers are f32.
    pub(super) fn is_network(&self) -> bool {
        self.trained.is_some()
    }

    /// Warns where an SDE leaves the noise levels of the training.
    ///
    /// # Errors
    /// If it leaves them so far that nothing sensible can come.
    pub(super) fn warn_outside(&self, sde: &Named<dyn LinearSde>, of: Use) -> Result<()> {
        if let Some((domain, ..)) = &self.trained {
            domain.left(sde, &[sde.it.span(of)])?.iter().for_each(|text| warn(text));
        }
        Ok(())
    }

    /// The data that the score is of, in their own coordinates, where they are at hand.
    pub(super) fn data(&self) -> Option<Box<dyn Data>> {
        if let Some(target) = &self.target {
            return Some(Box::new(target.clone()));
        }
        let (.., table) = self.trained.as_ref()?;
        data_set(&Section::new(self.name.as_str(), "data", table.clone())).ok()
    }

    /// The law that the score is of, in its coordinates, and what it is called. Where the data of a network cannot be read, that is warned of.
    ///
    /// # Errors
    /// If the coordinates do not fit the data.
    pub(super) fn law(&self) -> Result<Option<(String, Law)>> {
        if let Some(target) = &self.target {
            return Ok(Some((self.name.clone(), Law::of(target, None)?)));
        }
        let Some((.., data)) = &self.trained else { return Ok(None) };
        match one(&Section::new(self.name.as_str(), "data", data.clone()), data_set) {
            Ok(data) => {
                let law = Law::of(&*data.it, self.standardise.as_ref())?;
                Ok(Some((format!("{} ({})", self.name, data.label), law)))
            }
            Err(error) => {
                warn(&format!(
                    "{}: its training data are not at hand, so nothing is foreseen ({error})",
                    self.name
                ));
                Ok(None)
            }
        }
    }
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
    fn name(&self) -> String {
        self.target.as_ref().or(self.model.as_ref()).map_or_else(String::new, |p| p.display().to_string())
    }

    pub(super) fn open(&self, device: &Device) -> Result<Score> {
        if let Some(dir) = &self.model {
            must_exist("--model", dir)?;
            let found = Checkpoint::load(dir)?;
            let model = found.network(device)?;
            let name = self.name();
            let sde = one(&Section::new(name.as_str(), "sde", found.sde.clone()), |s| SDES.build(s))?;
            let trained = Some((Domain::of(&name, &found)?, sde, found.data));
            let (standardise, rows) = (found.standardise, found.rows);
            return Ok(Score { model, name, target: None, standardise, rows, trained });
        }
        let path =
            self.target.as_ref().ok_or_else(|| Error::Input("give --model DIR or --target FILE".into()))?;
        let target = mixture(path)?;
        let model = Box::new(target.clone());
        let target = Some(GaussianMixture(target));
        Ok(Score { model, name: self.name(), target, standardise: None, rows: vec![], trained: None })
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
