//! `tweedie sample`.

use std::path::PathBuf;

use clap::Args;
use tweedie_solvers::Key;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::integrate::{Finish, sampling_grid};
use tweedie_solvers::sde::Use;

use super::target::{Source, choose};
use super::{Machine, check_out, must_exist, not_both, one_of, say, warn};
use crate::error::{Error, Result};
use crate::files::{check_suffix, numbered, read_columns, write_points};
use crate::recipe::{DRIVERS, DTYPES};
use crate::registry::{DEFAULT, GRIDS, METHODS, SDES, default_grid};
use crate::run::lore::{Digits, Plan, foresee, numbers};
use crate::run::{Target, draw, far_off};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The SDE, with options as in sub-vp:beta-max=10; by default the one that the model was trained under, or vp
    #[arg(long)]
    sde: Option<String>,
    /// The method, with options as in predictor-corrector:snr=0.1,predictor=ancestral
    #[arg(long)]
    method: String,
    /// The time grid, with options as in karras:rho=5; default is the method's own under the SDE, which `list methods` names
    #[arg(long, default_value = DEFAULT)]
    grid: String,
    /// Steps; adaptive methods need none
    #[arg(long, default_value_t = 100, value_name = "N")]
    steps: usize,
    /// How many samples; 1000 by default, or as many as --init has, whose points are taken in turn
    #[arg(short = 'n', value_name = "N")]
    count: Option<usize>,
    /// The seed; sample i depends on the seed and on i alone
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Start from these points (CSV or NPY) instead of the prior
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// Whether the first line of a CSV file of --init holds names; by default the line tells
    #[arg(long, value_name = "BOOL")]
    header: Option<bool>,
    /// One more evaluation at the end: the result is the denoised point
    #[arg(long)]
    denoise: bool,
    /// What drives a method with noise: independent normals, or a brownian path that all step counts and grids share
    #[arg(long, default_value = "independent", value_name = "NOISE")]
    noise: String,
    /// The dtype of the state, f32 or f64
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Where the samples go, CSV or NPY by suffix
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace FILE if it is there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    pub(super) machine: Machine,
}

pub(super) fn sample(a: &Arguments) -> Result<()> {
    check_suffix(&a.out)?;
    let method = choose(&METHODS, "method", &a.method)?;
    let typed_grid = (a.grid != DEFAULT).then(|| choose(&GRIDS, "grid", &a.grid)).transpose()?;
    let dtype = one_of("--dtype", &a.dtype, &DTYPES)?;
    let driver = one_of("--noise", &a.noise, &DRIVERS)?;
    if let Some(count) = a.count.filter(|n| !(1..=100_000_000).contains(n)) {
        return Err(Error::Input(format!("-n {count}, but it must be from 1 to 100000000")));
    }
    if let Some(init) = &a.init {
        must_exist("--init", init)?;
        not_both(("--init", init), &a.out)?;
    }
    let typed_sde = a.sde.as_deref().map(|typed| choose(&SDES, "sde", typed)).transpose()?;
    check_out(&a.out, a.overwrite)?;
    let device = a.machine.open()?;
    let score = a.source.open(&device)?;
    let sde = score.sde(typed_sde)?;
    let spacing = typed_grid.map_or_else(|| default_grid(&*sde.it, &*method.it), Ok)?;
    let steps = spacing.it.fixed_steps().unwrap_or(a.steps);
    let fitted = spacing.it.fit(&*sde.it, &*score.model, sde.it.span(Use::Sampling), &device)?;
    let grid = sampling_grid(&*sde.it, fitted.as_deref().unwrap_or(&*spacing.it), &*method.it, steps)?;
    let start = a.init.as_ref().map(|path| {
        let (points, names) = read_columns(path, a.header)?;
        if let Some(said) = numbered(names.as_deref()) {
            warn(&format!("--init {}: {said}; --header false reads it as a point", path.display()));
        }
        let dim = score.model.dim();
        if points.dim() != dim {
            return Err(Error::Input(format!(
                "--init {}: the points have dimension {}, the model {dim}",
                path.display(),
                points.dim()
            )));
        }
        Ok(points)
    });
    let start = start.transpose()?;
    let count = a.count.or(start.as_ref().map(crate::points::Points::len)).unwrap_or(1000);
    score.warn_outside(&sde, Use::Sampling)?;
    if let Some(law) = score.law()? {
        let (methods, grids) = (std::slice::from_ref(&method), std::slice::from_ref(&spacing));
        let pairs: &[(usize, usize)] = if method.it.adaptive() { &[] } else { &[(0, 0)] };
        let plan = Plan { methods, grids, pairs, steps: &|_, _| vec![steps], given: a.init.is_some() };
        foresee(&[law], &sde, plan)?.iter().for_each(|text| warn(text));
    }
    let able = method.it.check(count, score.model.dim());
    able.map_err(|e| Error::Input(format!("--method {}: {e}", a.method)))?;
    let digits = Digits { dtype, network: score.is_network() };
    let found = numbers(std::slice::from_ref(&method), &sde, score.model.dim(), digits);
    found.iter().for_each(|text| warn(text));
    let finish = if a.denoise { Finish::Denoise } else { Finish::Stop };
    let problem = Problem { sde: &*sde.it, model: &*score.model };
    let target = Target { problem, method: &*method.it, grid: &grid, finish, driver };
    let drawn = draw(target, &Key::root(a.seed), count, start.as_ref(), (&device, dtype))?;
    let points = score.standardise.as_ref().map_or_else(|| drawn.points.clone(), |s| s.undo(&drawn.points));
    write_points(&a.out, &points, None)?;
    let on =
        if method.it.adaptive() { String::new() } else { format!(", {steps} steps on {}", spacing.label) };
    let out = a.out.display();
    say(&format!("{count} samples in {out}, {:.1} evaluations of the model each{on}", drawn.evals));
    if let Some(far) = score.data().and_then(|data| far_off(&*data, &points, "samples")) {
        say(&far);
    }
    if let Some((bad, step)) = drawn.diverged {
        let at =
            if method.it.adaptive() { String::new() } else { format!(", the first after step {}", step + 1) };
        let mend = if method.it.adaptive() {
            "take tolerances that its dtype can meet, and an SDE and data of ordinary size"
        } else {
            "take more steps, or a grid with shorter steps near the data"
        };
        return Err(Error::Run(format!("{bad} of {count} samples are not finite{at}; {mend}")));
    }
    Ok(())
}
