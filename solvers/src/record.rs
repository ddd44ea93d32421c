//! How a tape is recorded: the sampler runs once on a single row that holds coefficients instead of a point.
//!
//! The row has a column for each of the last 64 elements (the start, answers, normals, states), and one more with a signature of its own
//! for each element. A state that the sampler makes says with which coefficients it is made from them; had it kept something from before
//! the window, the signatures would not add up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{D, DType, Device, Tensor};

use crate::clock::Step;
use crate::dynamics::Problem;
use crate::integrate::Sampler;
use crate::kernel::{Kernel, Target};
use crate::method::{Method, Order, Stepper};
use crate::model::{self, ScoreModel, read};
use crate::noise::{self, Brownian, Draw, Noise, Stream};
use crate::tape::{self, Op, Tape};
use crate::{Error, Key, Result};

/// Elements that a state may be made of: enough for all methods but restarts of many steps.
const WINDOW: usize = 64;

impl Sampler<'_> {
    /// The run as a tape; `None` if it is not linear, or looks back too far. That it is linear the method says, and points show: on random ones
    /// of three sizes, around a model that is not linear, the tape must do what the sampler does.
    ///
    /// # Errors
    /// Those of the method.
    pub fn record(&self) -> Result<Option<Tape>> {
        match self.recorded()? {
            Some(tape) if self.confirms(&tape)? => Ok(Some(tape)),
            _ => Ok(None),
        }
    }

    /// Whether the tape does to points what the sampler does.
    fn confirms(&self, tape: &Tape) -> Result<bool> {
        let model = Bent { dim: self.problem.model.dim(), target: self.problem.model.target() };
        let sampler = Sampler { problem: Problem { model: &model, ..self.problem }, ..*self };
        let key = Key::root(0).branch("confirm");
        let sigma = self.problem.sde.kernel(self.grid.first()).sigma;
        let on = (&Device::Cpu, DType::F64);
        let start = noise::prior(&key, sigma, (0, SIZES.len(), model.dim), on)?;
        let start = model::scale(&start, &SIZES)?;
        let noise = Stream::new(&key, 0);
        let want = sampler.run(start.clone(), &noise, &mut ())?;
        let got = read(&tape.play(&model, &start, &noise, tape::sum)?)?;
        let want = (read(&want.x)?, want.evals);
        let size = want.0.iter().fold(1.0, |most, v| f64::max(most, v.abs()));
        let near = got.iter().zip(&want.0).all(|(a, b)| (a - b).abs() <= CONFIRMED * size);
        Ok(near && want.1.iter().all(|n| *n == tape.evals))
    }

    /// The same on the method's word alone, which is quicker, and holds for runs whose points overflow.
    ///
    /// # Errors
    /// Those of the method.
    pub fn recorded(&self) -> Result<Option<Tape>> {
        if !self.method.linear() {
            return Ok(None);
        }
        let recorder = Recorder {
            target: self.problem.model.target(),
            ops: Mutex::default(),
            lost: AtomicBool::new(false),
        };
        let problem = Problem { model: &recorder, ..self.problem };
        let method = Rebased { method: self.method, recorder: &recorder };
        let found = Sampler { problem, method: &method, ..*self }
            .run(unit(0)?, &recorder, &mut ())
            .and_then(|end| Ok((recorder.element(&end.x)?, end.evals[0])));
        if recorder.lost.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (end, evals) = found?;
        Ok(Some(Tape::new(recorder.ops().clone(), end, evals)))
    }
}

/// Sizes of the points that a tape is compared on, in deviations of the prior.
const SIZES: [f64; 3] = [0.1, 1.0, 10.0];

/// How near a tape must come to its sampler, as a part of the largest number: rounding of methods that make much of it is below.
const CONFIRMED: f64 = 1e-6;

/// A model that is not linear: sin x + cos of each row's mean, whatever the kernel.
#[derive(Debug)]
struct Bent {
    dim: usize,
    target: Target,
}

impl ScoreModel for Bent {
    fn dim(&self) -> usize {
        self.dim
    }

    fn target(&self) -> Target {
        self.target
    }

    fn raw(&self, x: &Tensor, _: &[Kernel]) -> Result<Tensor> {
        Ok(x.sin()?.broadcast_add(&x.mean_keepdim(D::Minus1)?.cos()?)?)
    }
}

/// The model and the noise of a recording.
#[derive(Debug)]
struct Recorder {
    target: Target,
    /// Op i makes element i + 1.
    ops: Mutex<Vec<Op>>,
    /// Whether something was asked for that is no longer in the window.
    lost: AtomicBool,
}

impl Recorder {
    fn ops(&self) -> MutexGuard<'_, Vec<Op>> {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self) -> Error {
        self.lost.store(true, Ordering::Relaxed);
        Error::Unsupported(format!("a tape looks back {WINDOW} elements at most"))
    }

    /// A new element.
    fn push(&self, op: impl FnOnce(usize) -> Op) -> Result<Tensor> {
        let element = self.ops().len() + 1;
        self.ops().push(op(element));
        unit(element)
    }

    /// The element that a row stands for: one that is there, or a new sum.
    fn element(&self, row: &Tensor) -> Result<usize> {
        let row = read(row)?;
        let newest = self.ops().len();
        let mut terms = Vec::new();
        let (mut total, mut size) = (0.0, 0.0);
        for (column, &c) in row[..WINDOW].iter().enumerate().filter(|(_, c)| **c != 0.0) {
            // The latest element of this column.
            let Some(behind) = newest.checked_sub(column) else { return Err(self.lose()) };
            let element = newest - behind % WINDOW;
            total += c * signature(element);
            size += f64::abs(c);
            terms.push((element, c));
        }
        if f64::abs(total - row[WINDOW]) > 1e-9 * size {
            return Err(self.lose());
        }
        if let [(element, 1.0)] = terms[..] {
            return Ok(element);
        }
        self.push(|into| Op::Sum { terms, into })?;
        Ok(newest + 1)
    }
}

/// The row that stands for an element.
fn unit(element: usize) -> Result<Tensor> {
    let mut row = vec![0.0; WINDOW + 1];
    row[element % WINDOW] = 1.0;
    row[WINDOW] = signature(element);
    Ok(Tensor::from_vec(row, (1, WINDOW + 1), &Device::Cpu)?)
}

/// A number in [1, 2) for each element, far from those of others.
fn signature(element: usize) -> f64 {
    1.0 + (element as f64 * 0.618_033_988_749_894_9).fract()
}

impl ScoreModel for Recorder {
    fn dim(&self) -> usize {
        WINDOW + 1
    }

    fn target(&self) -> Target {
        self.target
    }

    fn raw(&self, x: &Tensor, at: &[Kernel]) -> Result<Tensor> {
        let from = self.element(x)?;
        self.push(|into| Op::Ask { from, at: at[0], into })
    }
}

impl Noise for Recorder {
    fn normal(&self, step: Step, draw: Draw, _: &Tensor) -> Result<Tensor> {
        self.push(|into| Op::Normal { step, draw, into })
    }

    fn path(&self, end: f64) -> Brownian {
        Brownian::new(&Key::root(0), 0, end)
    }
}

/// A method under which every step begins with an element.
#[derive(Debug)]
struct Rebased<'a> {
    method: &'a dyn Method,
    recorder: &'a Recorder,
}

impl Method for Rebased<'_> {
    fn order(&self) -> Order {
        self.method.order()
    }

    fn evals(&self, steps: usize) -> Option<usize> {
        self.method.evals(steps)
    }

    fn has_noise(&self) -> bool {
        self.method.has_noise()
    }

    fn stepper<'a>(&'a self, problem: Problem<'a>) -> Result<Box<dyn Stepper + 'a>> {
        Ok(Box::new(RebasedStepper(self.method.stepper(problem)?, self.recorder)))
    }
}

struct RebasedStepper<'a>(Box<dyn Stepper + 'a>, &'a Recorder);

impl Stepper for RebasedStepper<'_> {
    fn step(&mut self, x: &Tensor, step: Step, noise: &dyn Noise) -> Result<Tensor> {
        let end = self.1.element(&self.0.step(x, step, noise)?)?;
        unit(end)
    }
}
