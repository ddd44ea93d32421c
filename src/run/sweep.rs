//! The sampling runs of a recipe. On a card those around one model share a launch: one of a thousand rows leaves much of it idle.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use tweedie_solvers::clock::Grid;
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::integrate::sampling_grid;
use tweedie_solvers::{Error, Key, Result};

use super::draw::{Drawn, Target, draw, launched, start};
use super::{Job, Model, Place};
use crate::device::{self, Played, Run, memory};
use crate::points::Points;
use crate::recipe::Recipe;

/// What `then` makes of the samples of each job and the seconds that they took, or their share of them; or the error of its grid, its
/// method, its model or `then`.
pub(super) fn sample<T: Send>(
    recipe: &Recipe,
    models: &[Vec<Model>],
    jobs: &[Job],
    place: &Place<'_>,
    then: impl Fn(&Job, Drawn, f64) -> crate::error::Result<T> + Sync,
) -> Vec<crate::error::Result<T>> {
    // Jobs that differ in their seeds alone share a grid and a tape.
    let kin: Vec<&[Job]> = jobs.chunk_by(|a, b| Job { seed: 0, ..*a } == Job { seed: 0, ..*b }).collect();
    let grid = |jobs: &&[Job]| -> Result<Grid> {
        let (job, spacing) = (&jobs[0], &recipe.grids[jobs[0].grid].it);
        let steps = job.steps.or(spacing.fixed_steps()).unwrap_or(1);
        let spacing = models[job.data][job.sde].spacing(recipe, job.grid)?;
        sampling_grid(&*recipe.sdes[job.sde].it, spacing, &*recipe.methods[job.method].it, steps)
    };
    let grids: Vec<Result<Grid>> = kin.par_iter().map(grid).collect();
    let target = |(jobs, grid): (&&[Job], _)| {
        let job = &jobs[0];
        let problem = Problem { sde: &*recipe.sdes[job.sde].it, model: &*models[job.data][job.sde].score };
        let method = &*recipe.methods[job.method].it;
        let target = Target { problem, method, grid, finish: recipe.finish, driver: recipe.driver };
        (target, jobs.iter().map(|job| Key::root(job.seed)).collect())
    };
    let gridded = || kin.iter().zip(&grids).filter_map(|(jobs, grid)| Some((jobs, grid.as_ref().ok()?)));
    let targets: Vec<(Target<'_>, Vec<Key>)> = gridded().map(target).collect();
    let on = (place.device, recipe.dtype);
    let of_a_model =
        |a: &(Target<'_>, _), b: &(Target<'_>, _)| std::ptr::addr_eq(a.0.problem.model, b.0.problem.model);
    let of_models: Vec<_> = targets.chunk_by(of_a_model).collect();
    let swept = of_models.par_iter().flat_map(|targets| -> Vec<Result<Option<(Drawn, f64)>>> {
        // What a launch takes is shared by evaluations.
        let clock = Instant::now();
        let drawn = match sweep(targets, recipe.samples, on) {
            Ok(drawn) => drawn,
            Err(error) => return targets.iter().flat_map(|(_, keys)| keys).map(|_| again(&error)).collect(),
        };
        let evals: f64 = drawn.iter().flatten().map(|drawn| drawn.evals).sum();
        let share = clock.elapsed().as_secs_f64() / evals;
        let timed = |drawn: Drawn| {
            let seconds = share * drawn.evals;
            (drawn, seconds)
        };
        drawn.into_iter().map(|drawn| Ok(drawn.map(timed))).collect()
    });
    let swept: Vec<_> = swept.collect();
    let each = targets.iter().flat_map(|(target, keys)| keys.iter().map(move |key| (target, key)));
    let each: Vec<_> = gridded().flat_map(|(jobs, _)| jobs.iter()).zip(each).zip(swept).collect();
    let each = each.into_par_iter().map(|((job, (target, key)), swept)| {
        let clock = Instant::now();
        let (drawn, seconds) = match swept? {
            Some(swept) => swept,
            None => {
                let drawn = draw(*target, key, recipe.samples, None, on)?;
                (drawn, clock.elapsed().as_secs_f64())
            }
        };
        then(job, drawn, seconds)
    });
    let mut each = each.collect::<Vec<_>>().into_iter();
    let mut all = Vec::with_capacity(jobs.len());
    for (jobs, grid) in kin.iter().zip(&grids) {
        match grid {
            Ok(_) => all.extend(each.by_ref().take(jobs.len())),
            Err(error) => all.extend(jobs.iter().map(|_| Ok(again(error)?))),
        }
    }
    all
}

/// An error that several jobs share.
fn again<T>(error: &Error) -> Result<T> {
    Err(Error::Solve(error.to_string()))
}

/// `count` samples for each key of each target, target by target, as [`draw`] gives them: all targets have the same model.
/// `None` for what has to be drawn alone: runs that are no tape or do not fit, and those whose samples are not all finite.
///
/// # Errors
/// Those of the methods, and if a launch fails.
fn sweep(of: &[(Target<'_>, Vec<Key>)], count: usize, on: (&Device, DType)) -> Result<Vec<Option<Drawn>>> {
    if on.0.is_cpu() || on.1 != DType::F32 {
        return Ok(of.iter().flat_map(|(_, keys)| keys).map(|_| None).collect());
    }
    let _turn = device::turn(on.0);
    by(of, count, on, |runs, x| launched(runs, of[0].0.problem.model, x))
}

fn by(
    of: &[(Target<'_>, Vec<Key>)],
    count: usize,
    on: (&Device, DType),
    launch: impl Fn(&[Run<'_>], &Tensor) -> Result<Option<Played>>,
) -> Result<Vec<Option<Drawn>>> {
    let mut drawn: Vec<Option<Drawn>> = of.iter().flat_map(|(_, keys)| keys).map(|_| None).collect();
    let mut tapes = Vec::new();
    for (target, _) in of {
        tapes.push(target.sampler().record()?);
    }
    let each =
        of.iter().zip(&tapes).flat_map(|((target, keys), tape)| keys.iter().map(move |k| (target, k, tape)));
    let mut jobs = Vec::new();
    for (i, (target, key, tape)) in each.enumerate() {
        let noise = target.driver.noise(key, 0, target.end());
        if let Some(tape) = tape.as_ref().filter(|tape| noise.stream().is_some() || !tape.draws()) {
            jobs.push((i, target, key, tape, noise));
        }
    }
    // The points, a copy of them, and the prior's; a launch numbers its coordinates in 32 bits.
    let dim = of.first().map_or(1, |(target, _)| target.problem.model.dim());
    let most =
        memory::fitting(4 * on.1.size_in_bytes() * dim, on.0).min(u32::MAX as usize / dim) / count.max(1);
    if most == 0 {
        return Ok(drawn);
    }
    for jobs in jobs.chunks(most) {
        let runs: Vec<Run<'_>> =
            jobs.iter().map(|(.., tape, noise)| (*tape, noise.stream(), count)).collect();
        let starts = jobs.iter().map(|(_, target, key, ..)| start(target, key, (0, count), on));
        let starts = Tensor::cat(&starts.collect::<Result<Vec<_>>>()?, 0)?;
        let Some(Played { end: ends, asked }) = launch(&runs, &starts)? else { continue };
        let values: Vec<f64> = ends.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let dim = ends.dim(1)?;
        for (((i, ..), values), asked) in jobs.iter().zip(values.chunks(count * dim)).zip(asked.chunks(count))
        {
            if values.iter().all(|v| v.is_finite()) {
                let points = Points::new(dim, values.to_vec());
                let evals = asked.iter().map(|&n| f64::from(n)).sum::<f64>() / count as f64;
                drawn[*i] = Some(Drawn { points, evals, diverged: None });
            }
        }
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::present;
    use crate::net::{Mlp, MlpConfig, frozen};
    use crate::recipe::{Section, named};
    use crate::registry::METHODS;
    use tweedie_solvers::count::Counted;
    use tweedie_solvers::dynamics::Problem;
    use tweedie_solvers::exact::Mixture;
    use tweedie_solvers::grid::UniformLogSnr;
    use tweedie_solvers::integrate::{Finish, sampling_grid};
    use tweedie_solvers::model::ScoreModel;
    use tweedie_solvers::noise::{Driver, Noise};
    use tweedie_solvers::sde::Vp;
    use tweedie_solvers::tape::sum;

    /// What a sweep gives is what each of its runs gives alone, on a card; and on the CPU, where its tapes are played one by one. Adaptive
    /// methods and Brownian normals are left alone.
    #[test]
    fn a_sweep_is_its_runs() {
        let vp = Vp::default();
        let means = vec![vec![-1.0, 0.3], vec![1.2, 0.0]];
        let mixture = Mixture::isotropic(vec![0.4, 0.6], means, 0.3).unwrap();
        let built = |name: &str| METHODS.build(&Section::new("test", "method", named(name))).unwrap();
        let methods = ["euler-maruyama", "heun", "rk45", "dpmpp-2m-sde"].map(built);
        for device in present() {
            let config = MlpConfig { width: 32, ..MlpConfig::reference(2) };
            let (weights, frequencies) = Mlp::fresh(&config, &Key::root(8), &device).unwrap();
            let net = frozen(Mlp::new(config, &weights, &frequencies).unwrap(), &device).unwrap();
            for (model, driver) in [
                (&*net, Driver::Independent),
                (&mixture as &dyn ScoreModel, Driver::Independent),
                (&mixture, Driver::Brownian),
            ] {
                let problem = Problem { sde: &vp, model };
                let grids: Vec<_> = methods
                    .iter()
                    .flat_map(|method| {
                        [5, 9].map(|steps| {
                            (method, sampling_grid(&vp, &UniformLogSnr, &**method, steps).unwrap())
                        })
                    })
                    .collect();
                let targets: Vec<_> = grids
                    .iter()
                    .map(|(method, grid)| Target {
                        problem,
                        method: &***method,
                        grid,
                        finish: Finish::Denoise,
                        driver,
                    })
                    .map(|target| (target, vec![Key::root(3), Key::root(4)]))
                    .collect();
                let (on, count) = ((&device, DType::F32), 70);
                let swept = if device.is_cpu() {
                    let played = |runs: &[Run<'_>], x: &Tensor| {
                        let mut asked = Vec::new();
                        let ends = runs.iter().enumerate().map(|(i, (tape, stream, rows))| {
                            let none = driver.noise(&Key::root(0), 0, 1.0);
                            let noise = stream.map_or(&*none, |s| s as &dyn Noise);
                            let counted = Counted::new(model);
                            let end = tape.play(&counted, &x.narrow(0, i * count, *rows)?, noise, sum);
                            asked.extend(counted.per_row(*rows, None).into_iter().map(|n| n as u32));
                            end
                        });
                        let end = Tensor::cat(&ends.collect::<Result<Vec<_>>>()?, 0)?;
                        Ok(Some(Played { end, asked }))
                    };
                    by(&targets, count, on, played).unwrap()
                } else {
                    sweep(&targets, count, on).unwrap()
                };
                let keys =
                    targets.iter().flat_map(|(target, keys)| keys.iter().map(move |key| (target, key)));
                for ((target, key), swept) in keys.zip(swept) {
                    let brownian = driver == Driver::Brownian && target.method.has_noise();
                    let alone = target.method.adaptive() || brownian;
                    assert_eq!(swept.is_none(), alone, "{device:?} {target:?}");
                    let Some(swept) = swept else { continue };
                    let want = draw(*target, key, count, None, on).unwrap();
                    assert_eq!(swept.evals, want.evals);
                    assert_eq!(swept.points.len(), count);
                    for (got, want) in swept.points.values().iter().zip(want.points.values()) {
                        assert!(
                            (got - want).abs() < 2e-5 * (1.0 + want.abs()),
                            "{device:?} {target:?}: {got} {want}"
                        );
                    }
                }
            }
        }
    }
}
