//! A recipe: a strict TOML file that says what is trained, sampled and measured. Wherever one name or number makes sense a list means
//! every combination. Everything is built, and so checked, when the file is read; nothing is written before that.

mod answers;
mod budget;
mod check;
mod expand;
mod measures;
mod pairs;
mod parts;
mod section;
mod specs;
mod units;

use std::path::Path;

use candle_core::DType;
use toml::{Table, Value};
use tweedie_solvers::grid::Spacing;
use tweedie_solvers::integrate::Finish;
use tweedie_solvers::method::Method;
use tweedie_solvers::noise::Driver;
use tweedie_solvers::sde::LinearSde;

use crate::data::Data;
use crate::error::{Error, Result};
use crate::metrics::Metric;
use crate::net::{MlpConfig, Prediction};
use crate::registry::{DATA, DEFAULT, GRIDS, METHODS, METRICS, NLL, OWN, SDES, STANDARDISE};
use crate::train::TrainConfig;

pub use expand::override_key;
pub use parts::PROBES;
pub use section::{Section, named};
pub use specs::{DecomposeSpec, Distance, Figures, LikelihoodSpec, ModelSpec, Named, StrongSpec};
pub use units::{coordinates, units};

/// A recipe, checked.
#[derive(Debug)]
pub struct Recipe {
    /// The file's stem.
    pub name: String,
    /// The file.
    pub file: String,
    /// What the recipe is about.
    pub about: String,
    /// Seeds of the samples.
    pub seeds: Vec<u64>,
    /// Samples per run.
    pub samples: usize,
    /// The dtype of the state.
    pub dtype: DType,
    /// Data sets, and whether each is standardised.
    pub data: Vec<(Named<dyn Data>, bool)>,
    /// SDEs.
    pub sdes: Vec<Named<dyn LinearSde>>,
    /// Methods.
    pub methods: Vec<Named<dyn Method>>,
    /// Grids: those that are named, and those that `default` stands for.
    pub grids: Vec<Named<dyn Spacing>>,
    /// The numbers of the grids of each method under each SDE: by SDE, then by method.
    grids_of: Vec<Vec<Vec<usize>>>,
    /// Step counts; empty where `evals` are given.
    pub steps: Vec<usize>,
    /// Budgets of evaluations per sample, in the place of step counts.
    pub evals: Vec<usize>,
    /// What is done at ε.
    pub finish: Finish,
    /// Metrics between samples and data.
    pub metrics: Vec<Named<dyn Metric>>,
    /// The model.
    pub model: ModelSpec,
    /// How it is trained.
    pub train: TrainConfig,
    /// The one SDE that it is trained under; by default each SDE has a network of its own.
    pub train_sde: Option<Named<dyn LinearSde>>,
    /// Updates between checkpoints.
    pub checkpoint_every: u64,
    /// How log-densities are found, where the recipe asks for them.
    pub likelihood: Option<LikelihoodSpec>,
    /// What drives methods with noise.
    pub driver: Driver,
    /// How strong errors are measured, where the recipe asks for them.
    pub strong: Option<StrongSpec>,
    /// How errors are taken apart, where the recipe asks for it.
    pub decompose: Option<DecomposeSpec>,
    /// The method that all others are compared with, sample by sample.
    pub baseline: Option<String>,
    /// Whether figures are drawn.
    pub figures: Figures,
    /// Whether samples are written.
    pub save_samples: bool,
    /// The recipe with all overrides and defaults: itself a recipe, which means the same.
    pub table: Table,
}

/// What drives methods with noise, as users type it.
pub const DRIVERS: [(&str, Driver); 2] =
    [("independent", Driver::Independent), ("brownian", Driver::Brownian)];

/// The dtypes of a state, as users type them.
pub const DTYPES: [(&str, DType); 2] = [("f32", DType::F32), ("f64", DType::F64)];

impl Recipe {
    /// Reads a file and applies `KEY=VALUE` overrides.
    ///
    /// # Errors
    /// One sentence for the first thing that is wrong.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::Input(format!(
                "{}: the recipe cannot be read ({e}); the ones that ship are in experiments/",
                path.display()
            ))
        })?;
        let mut table = if path.extension().is_some_and(|e| e == "json") {
            manifest(&text).map_err(|what| Error::Input(format!("{}: {what}", path.display())))?
        } else {
            text.parse().map_err(|e: toml::de::Error| {
                let line = e.span().map_or(1, |s| text[..s.start].lines().count().max(1));
                Error::Input(format!("{}: line {line} is not TOML: {}", path.display(), e.message()))
            })?
        };
        for text in overrides {
            override_key(&mut table, text)?;
        }
        // A name of dots alone would be a folder that is there.
        let name = path.file_stem().map(|s| s.to_string_lossy().trim_matches('.').to_owned());
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "recipe".to_owned());
        Self::build(name, &path.display().to_string(), table)
    }

    /// A recipe from its table.
    ///
    /// # Errors
    /// One sentence for the first thing that is wrong.
    pub fn build(name: String, file: &str, table: Table) -> Result<Self> {
        let top = Section::new(file, "", table);
        let about = top.text("about", "")?;
        let seeds = expand::integers(&top, "seed", 0, 0)?;
        let samples = top.integer("samples", 1000, 1..=100_000_000)? as usize;
        let dtype = top.choice("dtype", &DTYPES, "f32")?;
        let finish = top.choice("finish", &[("stop", Finish::Stop), ("denoise", Finish::Denoise)], "stop")?;
        let data = many(&top, "data", "two-moons", |s| data_set(s).map(Some))?;
        let sdes = many(&top, "sde", "vp", |s| SDES.build(s).map(Some))?;
        let methods = many(&top, "method", "euler-maruyama", |s| METHODS.build(s).map(Some))?;
        let mut wants_default = false;
        let mut grids = many(&top, "grid", DEFAULT, |s| {
            if s.text("name", "")? != DEFAULT {
                return GRIDS.build(s).map(Some);
            }
            wants_default = true;
            s.finish().map(|()| None)
        })?;
        let mut grid_tables = tables(&grids);
        grid_tables.extend(wants_default.then(|| Value::Table(named(DEFAULT))));
        let grids_of = pairs::grids(&mut grids, wants_default, &sdes, &methods)?;
        let (steps, evals) = budget::given(&top)?;
        let mut wants_nll = false;
        let metrics = many(&top, "metrics", "sliced-w2", |s| {
            if s.text("name", "")? != NLL {
                return METRICS.build(s).map(Some);
            }
            wants_nll = true;
            s.finish().map(|()| None)
        })?;
        let model = parts::model(&top.nested("model", "mlp")?)?;
        let section = top.section("train")?;
        let train_sde = section.has("sde").then(|| section.nested("sde", "each its own")).transpose()?;
        let train_sde = train_sde.map(|s| one(&s, |s| SDES.build(s))).transpose()?;
        let checkpoint_every = section.integer("checkpoint-every", 1000, 1..=u64::MAX)?;
        let prediction = match &model {
            ModelSpec::Mlp { config, .. } => config.prediction,
            _ => Prediction::Edm,
        };
        let train = parts::train(&section, prediction)?;
        let section = top.section("likelihood")?;
        let asked = top.has("likelihood") || wants_nll;
        let likelihood = asked.then(|| parts::likelihood(&section)).transpose()?;
        let figures = parts::figures(&top)?;
        let save_samples = top.boolean("save-samples", true)?;
        let driver = top.choice("noise", &DRIVERS, "independent")?;
        let section = top.section("strong")?;
        let strong = top.has("strong").then(|| parts::strong(&section)).transpose()?;
        let section = top.section("decompose")?;
        let decompose = top.has("decompose").then(|| parts::decompose(&section)).transpose()?;
        let section = top.section("paired")?;
        let baseline = top.has("paired").then(|| parts::paired(&section, &methods)).transpose()?;
        top.finish()?;
        let mut table = top.resolved();
        let whole = |list: &[u64]| Value::Array(list.iter().map(|n| Value::Integer(*n as i64)).collect());
        let mut listed = tables(&metrics);
        listed.extend(wants_nll.then(|| Value::Table(named(NLL))));
        table.extend([
            ("seed".to_owned(), whole(&seeds)),
            if evals.is_empty() {
                ("steps".to_owned(), whole(&steps))
            } else {
                ("evals".to_owned(), whole(&evals))
            },
            ("data".to_owned(), Value::Array(tables(&data))),
            ("sde".to_owned(), Value::Array(tables(&sdes))),
            ("method".to_owned(), Value::Array(tables(&methods))),
            ("grid".to_owned(), Value::Array(grid_tables)),
            ("metrics".to_owned(), Value::Array(listed)),
        ]);
        if !matches!(model, ModelSpec::Mlp { .. }) {
            table.remove("train");
        }
        let left_out = [
            ("likelihood", likelihood.is_none()),
            ("strong", strong.is_none()),
            ("decompose", decompose.is_none()),
            ("paired", baseline.is_none()),
        ];
        for (key, _) in left_out.into_iter().filter(|(_, absent)| *absent) {
            table.remove(key);
        }
        let standardised = |d: Named<dyn Data>| {
            let standardise = d.table[STANDARDISE] == Value::Boolean(true);
            (d, standardise)
        };
        let recipe = Self {
            name,
            file: file.to_owned(),
            about,
            seeds,
            samples,
            dtype,
            data: data.into_iter().map(standardised).collect(),
            sdes,
            methods,
            grids,
            grids_of,
            steps: steps.into_iter().map(|n| n as usize).collect(),
            evals: evals.into_iter().map(|n| n as usize).collect(),
            finish,
            metrics,
            model,
            train,
            train_sde,
            checkpoint_every,
            likelihood,
            driver,
            strong,
            decompose,
            baseline,
            figures,
            save_samples,
            table,
        };
        recipe.check()?;
        Ok(recipe)
    }

    /// The network for a data set: the dimension and σ_d are the data's.
    ///
    /// # Errors
    /// If a number of the network is out of its domain.
    pub fn network(&self, dim: usize, deviation: f64) -> Result<Option<MlpConfig>> {
        let ModelSpec::Mlp { config, sigma_data } = &self.model else { return Ok(None) };
        let sigma_data = sigma_data.unwrap_or(deviation);
        let config = MlpConfig { dim, sigma_data, finest: config.finest * sigma_data, ..config.clone() };
        Ok(Some(config.checked()?))
    }
}

/// The data set that a section describes, with the key that all of them have.
///
/// # Errors
/// Those of the data set.
pub fn data_set(section: &Section) -> Result<Box<dyn Data>> {
    section.boolean(STANDARDISE, section.text("name", "")? == OWN)?;
    DATA.build(section)
}

/// Whether two tables of a data set name the same law: coordinates of the network and rows held out of it aside.
pub fn same_law(a: &Table, b: &Table) -> bool {
    const ASIDE: [&str; 4] = [STANDARDISE, "header", "holdout", "test-file"];
    let of =
        |t: &Table| t.clone().into_iter().filter(|(k, _)| !ASIDE.contains(&k.as_str())).collect::<Table>();
    of(a) == of(b)
}

/// The one thing that a section describes.
///
/// # Errors
/// Those of `build`.
pub fn one<T: ?Sized>(section: &Section, build: impl Fn(&Section) -> Result<Box<T>>) -> Result<Named<T>> {
    let it = build(section)?;
    Ok(Named { label: section.label(), table: section.resolved(), it })
}

/// All choices under a key, each once; what `build` declines is left out. Labels that occur twice get a number, for lists are not
/// spelled out in them and two mixtures would share one.
fn many<T: ?Sized>(
    top: &Section,
    key: &'static str,
    default: &str,
    mut build: impl FnMut(&Section) -> Result<Option<Box<T>>>,
) -> Result<Vec<Named<T>>> {
    let mut out: Vec<Named<T>> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for section in expand::choices(top, key, default)? {
        let Some(it) = build(&section)? else { continue };
        let (plain, table) = (section.label(), section.resolved());
        if out.iter().any(|made| made.table == table) {
            continue;
        }
        let before = seen.iter().filter(|label| **label == plain).count();
        let label = if before > 0 { format!("{plain}#{}", before + 1) } else { plain.clone() };
        seen.push(plain);
        out.push(Named { label, table, it });
    }
    Ok(out)
}

/// The recipe that a run's manifest holds.
fn manifest(text: &str) -> std::result::Result<Table, String> {
    let whole: serde_json::Value =
        serde_json::from_str(text).map_err(|e| format!("this is not JSON: {e}"))?;
    let recipe = whole.get("recipe").cloned();
    let recipe = recipe.ok_or("a recipe in JSON is the manifest.json of a run, with the key `recipe`")?;
    serde_json::from_value(recipe).map_err(|e| format!("its `recipe` cannot be understood: {e}"))
}

fn tables<T: ?Sized>(all: &[Named<T>]) -> Vec<Value> {
    all.iter().map(|named| Value::Table(named.table.clone())).collect()
}
