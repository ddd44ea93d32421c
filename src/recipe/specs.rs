//! What a recipe asks for beyond choices from the registry.

use std::path::PathBuf;

use toml::{Table, Value};
use tweedie_solvers::grid::Spacing;
use tweedie_solvers::likelihood::Divergence;
use tweedie_solvers::method::Method;

use crate::net::MlpConfig;

/// A thing that a recipe names, with its label in tables and files, and the table that it was made from.
#[derive(Debug)]
pub struct Named<T: ?Sized> {
    /// The name, with the options that were given: `rk45(rtol=0.001)`.
    pub label: String,
    /// All its options, defaults included.
    pub table: Table,
    /// The thing.
    pub it: Box<T>,
}

impl<T: ?Sized> Named<T> {
    /// The name without options.
    pub fn name(&self) -> &str {
        self.table.get("name").and_then(Value::as_str).unwrap_or_default()
    }
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
    /// Whether KL(p_ε‖q) is measured, q the law of the flow, where p_ε is known.
    pub flow_kl: bool,
}

/// How strong errors are measured.
#[derive(Clone, Copy, Debug)]
pub struct StrongSpec {
    /// Steps of the reference, by the same method on the same path.
    pub reference_steps: usize,
}

/// How errors are taken apart.
#[derive(Clone, Copy, Debug)]
pub struct DecomposeSpec {
    /// How far apart two sets of matched samples are.
    pub distance: Distance,
    /// Steps of the reference, by the same method on the same path.
    pub reference_steps: usize,
    /// Samples.
    pub samples: usize,
}

/// How far apart two sets of matched samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// √E|x − y|² over matched samples: an upper bound of W₂ that has no floor, and falls with the order of the method.
    Pairs,
    /// The 2-Wasserstein distance of the two sets: samples may be matched anew. Below W₂ between two draws it says little.
    W2,
}

/// Which pictures a run draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// Every one.
    All,
    /// Those of quality against evaluations.
    Quality,
    /// None.
    None,
}
