//! A recipe: a strict TOML file that says what is trained, sampled and measured. Wherever one name or number makes sense a list means
//! every combination. Everything is built, and so checked, when the file is read; nothing is written before that.

mod expand;
mod parts;
mod section;

use std::path::{Path, PathBuf};

use candle_core::DType;
use toml::{Table, Value};
use tweedie_solvers::grid::Spacing;
use tweedie_solvers::integrate::Finish;
use tweedie_solvers::likelihood::Divergence;
use tweedie_solvers::method::Method;
use tweedie_solvers::sde::{LinearSde, Use};

use crate::data::{Data, Standardise};
use crate::error::{Error, Result};
use crate::metrics::Metric;
use crate::net::MlpConfig;
use crate::registry::{DATA, GRIDS, METHODS, METRICS, NLL, SDES};
use crate::train::{Checkpoint, TrainConfig};

pub use expand::override_key;
pub use section::{Section, named};

/// A thing that a recipe names, with its label in tables and files, and the table that it was made from.
#[derive(Debug)]
pub struct Named<T: ?Sized> {
    /// The name, with the options that were given: `rk45(rtol=0.001)`.
    pub label: String,
    /// As written.
    pub table: Table,
    /// The thing.
    pub it: Box<T>,
}

/// What is put in the place of the score.
#[derive(Clone, Debug)]
pub enum ModelSpec {
    /// A network, trained for the recipe. The dimension and an unset `sigma-data` come from the data.
    Mlp {
        /// Its shape for d = 2.
        config: MlpConfig,
        /// Whether `sigma-data` was given.
        sigma_data: Option<f64>,
    },
    /// The closed-form score of the data set.
    Exact,
    /// A model directory.
    Saved(PathBuf),
}

/// How log-densities are found.
#[derive(Debug)]
pub struct LikelihoodSpec {
    /// A method that solves the flow.
    pub method: Named<dyn Method>,
    /// Nodes, for a method of fixed steps.
    pub grid: Named<dyn Spacing>,
    /// Steps, for a method of fixed steps.
    pub steps: usize,
    /// The trace.
    pub divergence: Divergence,
    /// Held-out points.
    pub points: usize,
}

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
    /// Grids.
    pub grids: Vec<Named<dyn Spacing>>,
    /// Step counts.
    pub steps: Vec<usize>,
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
    /// Whether figures are drawn.
    pub figures: bool,
    /// Whether samples are written.
    pub save_samples: bool,
    /// The recipe as resolved, overrides included.
    pub table: Table,
}

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
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| {
            let line = e.span().map_or(1, |s| text[..s.start].lines().count().max(1));
            Error::Input(format!("{}: line {line} is not TOML: {}", path.display(), e.message()))
        })?;
        for text in overrides {
            override_key(&mut table, text)?;
        }
        let name = path.file_stem().map_or_else(|| "recipe".to_owned(), |s| s.to_string_lossy().into_owned());
        Self::build(name, &path.display().to_string(), table)
    }

    /// A recipe from its table.
    ///
    /// # Errors
    /// One sentence for the first thing that is wrong.
    pub fn build(name: String, file: &str, table: Table) -> Result<Self> {
        let top = Section::new(file, "", table.clone());
        let about = top.text("about", "")?;
        let (seeds, samples) =
            (expand::integers(&top, "seed", 0)?, top.integer("samples", 1000, 1..=100_000_000)? as usize);
        let dtype = top.choice("dtype", &[("f32", DType::F32), ("f64", DType::F64)], "f32")?;
        let finish = top.choice("finish", &[("stop", Finish::Stop), ("denoise", Finish::Denoise)], "stop")?;
        let sections = expand::choices(&top, "data", "two-moons")?;
        let data = sections.into_iter().map(|section| {
            let standardise = section.boolean("standardise", false)?;
            Ok((
                Named {
                    label: expand::label(&section),
                    table: section.table().clone(),
                    it: DATA.build(&section)?,
                },
                standardise,
            ))
        });
        let data = data.collect::<Result<Vec<_>>>()?;
        let sdes = many(&top, "sde", "vp", |s| SDES.build(s))?;
        let methods = many(&top, "method", "euler-maruyama", |s| METHODS.build(s))?;
        let grids = many(&top, "grid", "uniform-t", |s| GRIDS.build(s))?;
        let steps = expand::integers(&top, "steps", 100)?.into_iter().map(|n| n as usize).collect::<Vec<_>>();
        if steps.contains(&0) {
            return Err(top.broken("steps", 0, "be a whole number, 1 or more"));
        }
        let mut metric_sections = expand::choices(&top, "metrics", "sliced-w2")?;
        let count = metric_sections.len();
        metric_sections.retain(|s| s.table().get("name").and_then(Value::as_str) != Some(NLL));
        let wants_nll = metric_sections.len() < count;
        let metrics = named_all(&metric_sections, |s| METRICS.build(s))?;
        let model = parts::model(&top.nested("model", "mlp")?)?;
        let section = top.section("train")?;
        let train_sde = section.has("sde").then(|| section.nested("sde", "each its own")).transpose()?;
        let train_sde = train_sde.map(|s| one(&s, |s| SDES.build(s))).transpose()?;
        let checkpoint_every = section.integer("checkpoint-every", 1000, 1..=u64::MAX)?;
        let train = parts::train(&section)?;
        let likelihood = if top.has("likelihood") || wants_nll {
            Some(parts::likelihood(&top.section("likelihood")?)?)
        } else {
            None
        };
        // Known even where it is not given.
        top.section("likelihood")?;
        let (figures, save_samples) = (top.boolean("figures", true)?, top.boolean("save-samples", true)?);
        top.finish()?;
        let (mut data, mut sdes, mut methods, mut grids, mut metrics) = (data, sdes, methods, grids, metrics);
        distinct(data.iter_mut().map(|(d, _)| &mut d.label));
        distinct(sdes.iter_mut().map(|s| &mut s.label));
        distinct(methods.iter_mut().map(|m| &mut m.label));
        distinct(grids.iter_mut().map(|g| &mut g.label));
        distinct(metrics.iter_mut().map(|m| &mut m.label));
        let recipe = Self {
            name,
            file: file.to_owned(),
            about,
            seeds,
            samples,
            dtype,
            data,
            sdes,
            methods,
            grids,
            steps,
            finish,
            metrics,
            model,
            train,
            train_sde,
            checkpoint_every,
            likelihood,
            figures,
            save_samples,
            table,
        };
        recipe.check()?;
        Ok(recipe)
    }

    /// Rules that need more than one key.
    fn check(&self) -> Result<()> {
        for grid in &self.grids {
            for sde in &self.sdes {
                for &n in self.steps_on(&*grid.it).iter() {
                    let made = grid.it.grid(&*sde.it, sde.it.span(Use::Sampling), n);
                    made.map_err(|e| {
                        Error::Input(format!("{}: grid {} on {}: {e}", self.file, grid.label, sde.label))
                    })?;
                }
            }
        }
        self.check_likelihood()?;
        if let ModelSpec::Saved(path) = &self.model {
            let found = Checkpoint::load(path)?;
            if let Some((data, _)) = self.data.iter().find(|(data, _)| data.it.dim() != found.net.dim) {
                return Err(Error::Input(format!(
                    "{}: model.path = {}: this model is of {}-dimensional points, {} is of {}",
                    self.file,
                    path.display(),
                    found.net.dim,
                    data.label,
                    data.it.dim()
                )));
            }
        }
        for metric in &self.metrics {
            let most = if metric.label == "w2" { 10_000 } else { usize::MAX };
            if self.samples < 2 || self.samples > most {
                let rule = format!(
                    "the metric {} needs 2 samples or more, and w2 takes 10000 at most",
                    metric.label
                );
                return Err(Error::Input(format!("{}: samples = {}: {rule}", self.file, self.samples)));
            }
        }
        for (data, standardise) in &self.data {
            if matches!(self.model, ModelSpec::Mlp { .. }) {
                coordinates(&*data.it, *standardise)
                    .map_err(|e| Error::Input(format!("{}: data {}: {e}", self.file, data.label)))?;
            }
        }
        for (data, _) in &self.data {
            if matches!(self.model, ModelSpec::Exact) && data.it.mixture().is_none() {
                return Err(Error::Input(format!(
                    "{}: model = \"exact\" needs data with a closed-form score, and {} has none yet; use a mixture (eight-gaussians, \
                     twenty-five-gaussians, mixture) or model = \"mlp\"",
                    self.file, data.label
                )));
            }
            for metric in self.metrics.iter().filter(|m| m.label.starts_with("mode-")) {
                if data.it.mixture().is_none() {
                    return Err(Error::Input(format!(
                        "{}: the metric {} needs data with known modes, and {} has none; use sliced-w2, energy or mmd",
                        self.file, metric.label, data.label
                    )));
                }
            }
        }
        Ok(())
    }

    /// The likelihood's grid on every SDE: it must start at T, where the prior is.
    fn check_likelihood(&self) -> Result<()> {
        let Some(spec) = self.likelihood.as_ref().filter(|spec| !spec.method.it.adaptive()) else {
            return Ok(());
        };
        for sde in &self.sdes {
            let span = sde.it.span(Use::Likelihood);
            let place = format!("{}: likelihood.grid {} on {}", self.file, spec.grid.label, sde.label);
            let grid = spec.grid.it.grid(&*sde.it, span, spec.grid.it.fixed_steps().unwrap_or(spec.steps));
            let grid = grid.map_err(|e| Error::Input(format!("{place}: {e}")))?;
            if grid.first() < span.end {
                return Err(Error::Input(format!(
                    "{place}: it starts at {}, but it must start at T = {}",
                    grid.first(),
                    span.end
                )));
            }
        }
        Ok(())
    }

    /// The step counts of a grid: the recipe's, or the one that the grid fixes.
    pub fn steps_on(&self, grid: &dyn Spacing) -> Vec<usize> {
        grid.fixed_steps().map_or_else(|| self.steps.clone(), |n| vec![n])
    }

    /// The network for a data set: the dimension and σ_d are the data's.
    ///
    /// # Errors
    /// If a number of the network is out of its domain.
    pub fn network(&self, dim: usize, deviation: f64) -> Result<Option<MlpConfig>> {
        let ModelSpec::Mlp { config, sigma_data } = &self.model else { return Ok(None) };
        let config = MlpConfig { dim, sigma_data: sigma_data.unwrap_or(deviation), ..config.clone() };
        Ok(Some(config.checked()?))
    }
}

/// The coordinates that a network works in, fitted to 20 000 points of the data, and the deviation per coordinate there.
///
/// # Errors
/// If a coordinate is constant.
pub fn coordinates(data: &dyn Data, standardise: bool) -> Result<(Option<Standardise>, f64)> {
    let points = data.sample(&tweedie_solvers::Key::root(0).branch("coordinates"), 0, 20_000);
    let fitted = Standardise::fit(&points)?;
    let mean_square = fitted.deviation.iter().map(|s| s * s).sum::<f64>() / fitted.deviation.len() as f64;
    Ok(if standardise { (Some(fitted), 1.0) } else { (None, mean_square.sqrt()) })
}

/// Numbers the labels that occur before: lists are not spelled out in labels, so two mixtures would share one.
fn distinct<'a>(labels: impl Iterator<Item = &'a mut String>) {
    let mut seen: Vec<String> = Vec::new();
    for label in labels {
        let plain = label.clone();
        let before = seen.iter().filter(|s| **s == plain).count();
        if before > 0 {
            label.push_str(&format!("#{}", before + 1));
        }
        seen.push(plain);
    }
}

fn one<T: ?Sized>(section: &Section, build: impl Fn(&Section) -> Result<Box<T>>) -> Result<Named<T>> {
    Ok(Named { label: expand::label(section), table: section.table().clone(), it: build(section)? })
}

fn named_all<T: ?Sized>(
    sections: &[Section],
    build: impl Fn(&Section) -> Result<Box<T>>,
) -> Result<Vec<Named<T>>> {
    sections.iter().map(|section| one(section, &build)).collect()
}

fn many<T: ?Sized>(
    top: &Section,
    key: &'static str,
    default: &str,
    build: impl Fn(&Section) -> Result<Box<T>>,
) -> Result<Vec<Named<T>>> {
    named_all(&expand::choices(top, key, default)?, build)
}
