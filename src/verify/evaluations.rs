//! Evaluations of every registered method, counted by a model of our own, against what the method declares and what a run reports.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{DType, Device, Tensor};
use tweedie_solvers::dynamics::Problem;
use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::UniformT;
use tweedie_solvers::integrate::{Finish, Sampler, sampling_grid};
use tweedie_solvers::kernel::{Kernel, Target};
use tweedie_solvers::model::ScoreModel;
use tweedie_solvers::sde::Vp;
use tweedie_solvers::{Key, Result};

use super::{Job, methods, near};

const ROWS: usize = 5;
const STEPS: usize = 7;

pub(super) fn jobs() -> Vec<Job> {
    vec![Box::new(|| {
        let vp = Vp::default();
        let mut rows = Vec::new();
        for (name, method) in methods()? {
            let tally = Tally { inner: Mixture::gaussian(vec![1.0, 0.0], 0.5)?, rows: AtomicU64::new(0) };
            let problem = Problem { sde: &vp, model: &tally };
            let grid = sampling_grid(&vp, &UniformT, &*method, STEPS)?;
            let sampler = Sampler { problem, method: &*method, grid: &grid, finish: Finish::Stop };
            let reported = sampler.draw(&Key::root(0), 0, ROWS, &Device::Cpu, DType::F64)?.evals;
            let counted = tally.rows.load(Ordering::Relaxed) as f64;
            if let Some(declared) = method.evals(STEPS) {
                let each = counted / ROWS as f64;
                rows.push(near(format!("{name}: evaluations in {STEPS} steps"), declared as f64, each, 0.0));
            }
            let sum = reported.iter().sum();
            rows.push(near(format!("{name}: reported for {ROWS} samples"), counted, sum, 1e-9));
        }
        Ok(rows)
    })]
}

/// Counts the rows that it is asked about.
struct Tally {
    inner: Mixture,
    rows: AtomicU64,
}

impl ScoreModel for Tally {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn target(&self) -> Target {
        self.inner.target()
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        self.rows.fetch_add(x.dim(0)? as u64, Ordering::Relaxed);
        self.inner.raw(x, at)
    }
}
