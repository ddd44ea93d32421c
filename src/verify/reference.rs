//! End points of public implementations against ours: a JSON file of targets (Gaussian mixtures) and cases, each a method on a grid from
//! given starts, or the flow from one time to another with log-densities.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::Value;
use tweedie_solvers::Key;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::{Exact, Mixture};
use tweedie_solvers::integrate::{Finish, Sampler};
use tweedie_solvers::likelihood::{Divergence, Flow};
use tweedie_solvers::method::OdeMethod;
use tweedie_solvers::noise::Stream;
use tweedie_solvers::sde::LinearSde;

use super::{Check, section};
use crate::error::{Error, Result};
use crate::recipe::{Section, named};
use crate::registry::{METHODS, SDES};

/// What a file of reference cases says about this program.
#[derive(Debug, Default)]
pub struct Compared {
    /// One check or more for each case that is covered.
    pub checks: Vec<Check>,
    /// Why the others are not, with how many there are of each.
    pub left_out: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct File {
    targets: BTreeMap<String, Target>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Target {
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covs: Vec<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
struct Case {
    target: String,
    sde: serde_json::Map<String, Value>,
    kind: Option<String>,
    method: Option<String>,
    #[serde(default)]
    options: serde_json::Map<String, Value>,
    grid: Option<Times>,
    finish: Option<String>,
    x_init: Vec<Vec<f64>>,
    x_final: Vec<Vec<f64>>,
    t_start: Option<f64>,
    t_end: Option<f64>,
    #[serde(default)]
    points: Vec<Vec<f64>>,
    #[serde(default)]
    log_p_flow: Vec<f64>,
    #[serde(default)]
    log_p_exact: Vec<f64>,
    #[serde(default)]
    score_exact: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Times {
    name: String,
    times: Vec<f64>,
}

/// Names of methods in such files, ours for them, and the option that the name stands for.
const ALSO: [(&str, &str, &str); 3] = [
    ("lms-4", "lms", "order = 4"),
    ("dpmpp-2m-sde-eta0", "dpmpp-2m-sde", "eta = 0.0"),
    ("dpmpp-3m-sde-eta0", "dpmpp-3m-sde", "eta = 0.0"),
];

/// Options that say what a name says already, and the one value of each that our methods have.
const FIXED: [(&str, &[&str]); 7] = [
    ("algorithm", &["\"dpmsolver\"", "\"dpmsolver++\""]),
    ("form", &["\"multistep\"", "\"singlestep_fixed\""]),
    ("solver_type", &["\"dpmsolver\""]),
    ("eta", &["0.0", "0"]),
    ("lower_order_final", &["false"]),
    ("corrector_on_last_step", &["false"]),
    ("order", &[]),
];

/// Methods that solve the flow to tolerances, at rtol 1e-9.
const ADAPTIVE: [&str; 3] = ["rk45", "dopri5", "dop853"];

/// Every case of a file whose method is registered: largest differences of end points (1e-9, or 1e-6 for the flow at rtol 1e-9) and of
/// log-densities (1e-5).
///
/// # Errors
/// If the file cannot be read or is not of this form.
pub fn reference(path: &Path) -> Result<Compared> {
    let refuse = |what: String| Error::Input(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| refuse(format!("the file cannot be read ({e})")))?;
    let file: File = serde_json::from_str(&text).map_err(|e| {
        refuse(format!("this is not a file of reference cases, an object with `targets` and `cases` ({e})"))
    })?;
    let mut out = Compared::default();
    for (number, case) in file.cases.iter().enumerate() {
        let place = |what: String| refuse(format!("case {number}: {what}"));
        let target = file.targets.get(&case.target);
        let target = target.ok_or_else(|| place(format!("there is no target `{}`", case.target)))?;
        let model = Mixture::new(target.weights.clone(), target.means.clone(), &target.covs)
            .map_err(|e| place(e.to_string()))?;
        let sde = sde(&case.sde).map_err(|e| place(e.to_string()))?;
        let done = if case.kind.as_deref() == Some("flow") {
            flow(case, &*sde, &model)
        } else {
            steps(case, &*sde, &model)
        };
        match done.map_err(|e| place(e.to_string()))? {
            Ok(checks) => {
                let named = |c: Check| Check { name: format!("{number}: {}", c.name), ..c };
                out.checks.extend(checks.into_iter().map(named));
            }
            Err(reason) => *out.left_out.entry(reason).or_default() += 1,
        }
    }
    Ok(out)
}

/// The SDE of a case: our names and options, with `_` for `-`; notes are passed over.
fn sde(table: &serde_json::Map<String, Value>) -> Result<Box<dyn LinearSde>> {
    let mut options = named(table.get("name").and_then(Value::as_str).unwrap_or_default());
    for (key, value) in table {
        if let Some(number) = value.as_f64() {
            options.insert(key.replace('_', "-"), toml::Value::Float(number));
        }
    }
    SDES.build(&Section::new("sde", "", options))
}

fn tensor(rows: &[Vec<f64>]) -> Result<Tensor> {
    let width = rows.first().map_or(0, Vec::len);
    if width == 0 || rows.iter().any(|r| r.len() != width) {
        return Err(Error::Input("its points must be rows of one length".into()));
    }
    Ok(Tensor::from_vec(rows.concat(), (rows.len(), width), &Device::Cpu)?)
}

/// The largest |a − b|.
fn gap(x: &Tensor, want: &[Vec<f64>]) -> Result<f64> {
    let got: Vec<f64> = x.flatten_all()?.to_vec1()?;
    let want = want.concat();
    if got.len() != want.len() {
        return Err(Error::Input(format!(
            "x_final has {} numbers where x_init has {}",
            want.len(),
            got.len()
        )));
    }
    Ok(largest(got.iter().zip(&want).map(|(a, b)| a - b)))
}

fn largest(differences: impl Iterator<Item = f64>) -> f64 {
    differences
        .fold(0.0, |worst: f64, d| if worst.is_nan() || d.is_nan() { f64::NAN } else { worst.max(d.abs()) })
}

fn check(name: String, measured: f64, tolerance: f64) -> Check {
    Check { group: "reference", name, expected: 0.0, measured, tolerance }
}

/// A case of a method, or why it is left out.
fn steps(
    case: &Case,
    sde: &dyn LinearSde,
    model: &Mixture,
) -> Result<std::result::Result<Vec<Check>, String>> {
    let name = case.method.as_deref().unwrap_or_default();
    let also = ALSO.iter().find(|(theirs, ..)| *theirs == name);
    let ours = also.map_or(name, |(_, ours, _)| ours);
    let Some(entry) = METHODS.entries().find(|e| e.name == ours) else {
        return Ok(Err(format!("method `{name}` is not registered")));
    };
    let Some(grid) = &case.grid else { return Err(Error::Input("a case of a method needs a grid".into())) };
    let (mut table, known) = (named(ours), METHODS.options(entry));
    for (key, value) in &case.options {
        let ours = key.replace('_', "-");
        if known.iter().any(|(option, _)| *option == ours) {
            table.insert(ours, option(value));
        } else if !FIXED.iter().any(|(k, values)| {
            k == key && (values.is_empty() || values.contains(&value.to_string().as_str()))
        }) {
            return Ok(Err(format!("method `{name}` has no option {key} = {value}")));
        }
    }
    let implied = also.map_or("", |(.., option)| option);
    table.extend(implied.parse::<toml::Table>().map_err(|e| Error::Run(e.to_string()))?);
    let method = METHODS.build(&Section::new("options", "", table))?;
    let nodes = Grid::new(grid.times.clone())?;
    let finish = if case.finish.as_deref() == Some("denoise") { Finish::Denoise } else { Finish::Stop };
    let sampler = Sampler { problem: Problem { sde, model }, method: &*method, grid: &nodes, finish };
    let end = sampler.run(tensor(&case.x_init)?, &Stream::new(&Key::root(0), 0), &mut ())?.x;
    // Public code of lms integrates by a quadrature of its own.
    let tolerance = if ours == "lms" { 1e-6 } else { 1e-9 };
    let what = format!("{name} on {} {}, {} × {}", case.sde_name(), case.target, grid.name, nodes.len());
    Ok(Ok(vec![check(format!("{what}: end points"), gap(&end, &case.x_final)?, tolerance)]))
}

/// A JSON value as one of a recipe, with `-` for `_` in texts.
fn option(value: &Value) -> toml::Value {
    match value {
        Value::Number(n) if n.is_u64() => toml::Value::Integer(n.as_i64().unwrap_or_default()),
        Value::Number(n) => toml::Value::Float(n.as_f64().unwrap_or_default()),
        Value::Bool(b) => toml::Value::Boolean(*b),
        other => toml::Value::String(other.as_str().unwrap_or_default().replace('_', "-")),
    }
}

impl Case {
    fn sde_name(&self) -> &str {
        self.sde.get("name").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A case of the flow, under every adaptive method.
fn flow(
    case: &Case,
    sde: &dyn LinearSde,
    model: &Mixture,
) -> Result<std::result::Result<Vec<Check>, String>> {
    let (Some(start), Some(end)) = (case.t_start, case.t_end) else {
        return Err(Error::Input("a case of the flow needs t_start and t_end".into()));
    };
    let grid = Grid::new(vec![start, end])?;
    let place = format!("{} {}", case.sde_name(), case.target);
    let at = sde.kernel(end);
    let densities =
        case.points.iter().zip(&case.log_p_exact).map(|(x, want)| model.log_density(x, at) - want);
    let scores = case.points.iter().zip(&case.score_exact).flat_map(|(x, want)| {
        let got = model.score(x, at);
        got.into_iter().zip(want).map(|(s, w)| (s - w) / w.abs().max(1.0)).collect::<Vec<_>>()
    });
    let mut checks = vec![
        check(format!("{place}: exact log-densities"), largest(densities), 1e-8),
        check(format!("{place}: exact scores, relatively"), largest(scores), 1e-9),
    ];
    for name in ADAPTIVE {
        let mut table = section(name).table().clone();
        table.extend(["rtol", "atol"].map(|key| (key.to_owned(), toml::Value::Float(1e-9))));
        let method = METHODS.build(&Section::new("verify", "", table))?;
        let Some(method): Option<&dyn OdeMethod> = method.ode() else { continue };
        let flow = Flow { problem: Problem { sde, model }, method, grid: &grid };
        let x = flow.decode(&tensor(&case.x_init)?)?;
        checks.push(check(
            format!("{name} on {place}: end points of the flow"),
            gap(&x, &case.x_final)?,
            1e-6,
        ));
        let found = flow.log_density(&tensor(&case.points)?, Divergence::Exact, &Key::root(0), 0)?;
        let gaps = found.log_p.iter().zip(&case.log_p_flow).map(|(a, b)| a - b);
        checks.push(check(format!("{name} on {place}: log-densities of the flow"), largest(gaps), 1e-5));
    }
    Ok(Ok(checks))
}
