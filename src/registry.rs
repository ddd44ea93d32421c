//! Every public name of the program, spelled once. To add an SDE, a method, a grid, a data set or a metric: write its file and add
//! its line here; the command line, recipes, `tweedie list`, the generic tests and the docs take it from these shelves.

use std::path::Path;

use tweedie_solvers::exact::Mixture;
use tweedie_solvers::grid::{Explicit, Karras, Quadratic, Spacing, UniformLogSnr, UniformT};
use tweedie_solvers::method::{
    Ancestral, AnnealedLangevin, Coupling, Dopri, DopriOrder, EulerMaruyama, Flow, Langevin, Method, Norm,
    PredictorCorrector, ReverseDiffusion, Rk45, Rule, RungeKutta,
};
use tweedie_solvers::sde::{Edm, LinearSde, SubVp, Ve, Vp, VpCosine};

use crate::data::{
    Checkerboard, Circles, Data, EightGaussians, Empirical, GaussianMixture, Pinwheel, Ring, Rings, SCurve,
    SwissRoll, TwentyFiveGaussians, TwoMoons, TwoSpirals,
};
use crate::error::{Error, Result, suggest};
use crate::files::read_points;
use crate::metrics::{C2st, Energy, Kl, Metric, Mmd, ModeCoverage, ModeWeights, OffSupport, SlicedW2, W2};
use crate::recipe::Section;

/// A name, what it is, and how it is made from its options.
#[derive(Debug)]
pub struct Entry<T: ?Sized> {
    /// What users type.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
    build: fn(&Section) -> Result<Box<T>>,
}

/// All things of a kind.
#[derive(Debug)]
pub struct Shelf<T: ?Sized + 'static> {
    what: &'static str,
    /// Names that can stand in their place and are made elsewhere.
    elsewhere: &'static [&'static str],
    /// In the order in which they are listed.
    pub entries: &'static [Entry<T>],
}

impl<T: ?Sized> Shelf<T> {
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<T> {
        self.entries.iter().map(|e| e.name)
    }

    /// The thing that a section names, made from its other keys.
    ///
    /// # Errors
    /// If the name is missing or not known, or a key is not known or out of its domain.
    pub fn build(&self, section: &Section) -> Result<Box<T>> {
        let name = section.text("name", "")?;
        if name.is_empty() {
            return Err(section.missing("name"));
        }
        let entry = self.entries.iter().find(|e| e.name == name);
        let entry = entry.ok_or_else(|| {
            let known = suggest(&name, self.names().chain(self.elsewhere.iter().copied()));
            Error::Input(format!("{}: there is no {} `{name}`; {known}", section.file(), self.what))
        })?;
        let built = (entry.build)(section)?;
        section.finish()?;
        Ok(built)
    }

    /// The options of an entry with their defaults, as its own constructor asks for them.
    pub fn options(&self, entry: &Entry<T>) -> Vec<(&'static str, String)> {
        let section = Section::empty();
        // Built for its questions only; what must be given is missing here, and that is no error.
        let _ = (entry.build)(&section);
        section.options()
    }
}

/// Forward diffusions.
pub const SDES: Shelf<dyn LinearSde> = Shelf {
    what: "sde",
    elsewhere: &[],
    entries: &[
        Entry {
            name: "vp",
            about: "variance preserving, linear β(t) (DDPM's limit)",
            build: |s| {
                let (min, max, epsilon) =
                    (s.number("beta-min", 0.1)?, s.number("beta-max", 20.0)?, s.number("epsilon", 1e-3)?);
                Ok(Box::new(Vp::new(min, max, epsilon).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "vp-cosine",
            about: "variance preserving, improved DDPM's cosine schedule",
            build: |s| {
                let (offset, epsilon) = (s.number("offset", 0.008)?, s.number("epsilon", 1e-3)?);
                Ok(Box::new(VpCosine::new(offset, epsilon).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "ve",
            about: "variance exploding, geometric σ(t) (NCSN's limit)",
            build: |s| {
                let (min, max, epsilon) =
                    (s.number("sigma-min", 0.01)?, s.number("sigma-max", 50.0)?, s.number("epsilon", 1e-5)?);
                Ok(Box::new(Ve::new(min, max, epsilon).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "sub-vp",
            about: "sub-VP, linear β(t), variance bounded by VP's",
            build: |s| {
                let (min, max, epsilon) =
                    (s.number("beta-min", 0.1)?, s.number("beta-max", 20.0)?, s.number("epsilon", 1e-3)?);
                Ok(Box::new(SubVp::new(min, max, epsilon).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "edm",
            about: "EDM: α = 1, σ(t) = t",
            build: |s| {
                let (min, max) = (s.number("sigma-min", 0.002)?, s.number("sigma-max", 80.0)?);
                Ok(Box::new(Edm::new(min, max).map_err(|e| s.wrap(e))?))
            },
        },
    ],
};

/// Samplers.
pub const METHODS: Shelf<dyn Method> = Shelf {
    what: "method",
    elsewhere: &[],
    entries: &[
        Entry {
            name: "euler-maruyama",
            about: "Euler–Maruyama on the reverse SDE with noise level lambda",
            build: |s| Ok(Box::new(EulerMaruyama::new(s.number("lambda", 1.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "reverse-diffusion",
            about: "reverse-diffusion predictor of the score-SDE paper",
            build: |_| Ok(Box::new(ReverseDiffusion)),
        },
        Entry {
            name: "ancestral",
            about: "ancestral sampling (DDPM, SMLD), posterior variance",
            build: |_| Ok(Box::new(Ancestral)),
        },
        Entry {
            name: "predictor-corrector",
            about: "any predictor, then Langevin corrections at every node",
            build: predictor_corrector,
        },
        Entry {
            name: "langevin",
            about: "annealed Langevin dynamics alone (NCSN)",
            build: |s| Ok(Box::new(AnnealedLangevin(langevin(s)?))),
        },
        Entry {
            name: "euler",
            about: "Euler on the probability flow",
            build: |_| Ok(Box::new(Flow(RungeKutta::EULER))),
        },
        Entry {
            name: "heun",
            about: "Heun on the probability flow",
            build: |_| Ok(Box::new(Flow(RungeKutta::HEUN))),
        },
        Entry {
            name: "rk4",
            about: "classical Runge–Kutta on the probability flow",
            build: |_| Ok(Box::new(Flow(RungeKutta::RK4))),
        },
        Entry {
            name: "rk45",
            about: "adaptive Dormand–Prince on the flow, steps per sample, any device",
            build: |s| {
                let (rtol, atol) = tolerances(s)?;
                Ok(Box::new(Flow(Rk45::new(rtol, atol).map_err(|e| s.wrap(e))?)))
            },
        },
        Entry {
            name: "dopri5",
            about: "adaptive Dormand–Prince 5(4) of ode_solvers, f64 on the CPU",
            build: |s| dopri(s, DopriOrder::Five),
        },
        Entry {
            name: "dop853",
            about: "adaptive Dormand–Prince 8(5,3) of ode_solvers, f64 on the CPU",
            build: |s| dopri(s, DopriOrder::Eight),
        },
    ],
};

fn predictor_corrector(s: &Section) -> Result<Box<dyn Method>> {
    let predictor = METHODS.build(&s.nested("predictor", "reverse-diffusion")?)?;
    Ok(Box::new(PredictorCorrector::new(predictor, langevin(s)?).map_err(|e| s.wrap(e))?))
}

fn tolerances(s: &Section) -> Result<(f64, f64)> {
    Ok((s.number("rtol", 1e-5)?, s.number("atol", 1e-5)?))
}

fn dopri(s: &Section, order: DopriOrder) -> Result<Box<dyn Method>> {
    let (rtol, atol) = tolerances(s)?;
    let coupling =
        s.choice("coupling", &[("sample", Coupling::Sample), ("batch", Coupling::Batch)], "sample")?;
    Ok(Box::new(Flow(Dopri::new(order, rtol, atol, coupling).map_err(|e| s.wrap(e))?)))
}

fn langevin(s: &Section) -> Result<Langevin> {
    let rule = match s.optional("step-size", "set by snr")? {
        Some(size) => {
            s.excluded(&["snr", "norm"], "be left out where step-size is given")?;
            Rule::Fixed(size)
        }
        None => {
            let names = [("kernel", Norm::Kernel), ("batch", Norm::Batch), ("sample", Norm::Sample)];
            Rule::Snr { snr: s.number("snr", 0.16)?, norm: s.choice("norm", &names, "kernel")? }
        }
    };
    let corrections = s.integer("corrections", 1, 1..=10_000)? as usize;
    Langevin::new(rule, corrections).map_err(|e| s.wrap(e))
}

/// Time grids.
pub const GRIDS: Shelf<dyn Spacing> = Shelf {
    what: "grid",
    elsewhere: &[],
    entries: &[
        Entry { name: "uniform-t", about: "equal steps of t", build: |_| Ok(Box::new(UniformT)) },
        Entry {
            name: "uniform-log-snr",
            about: "equal steps of ln(α/σ)",
            build: |_| Ok(Box::new(UniformLogSnr)),
        },
        Entry {
            name: "karras",
            about: "equal steps of (σ/α)^(1/rho)",
            build: |s| Ok(Box::new(Karras::new(s.number("rho", 7.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry { name: "quadratic", about: "equal steps of √t", build: |_| Ok(Box::new(Quadratic)) },
        Entry {
            name: "explicit",
            about: "the nodes themselves, from noise to data",
            build: |s| {
                Ok(Box::new(Explicit::new(s.numbers("times", "must be given")?).map_err(|e| s.wrap(e))?))
            },
        },
    ],
};

/// Data sets.
pub const DATA: Shelf<dyn Data> = Shelf {
    what: "data set",
    elsewhere: &[],
    entries: &[
        Entry {
            name: "two-moons",
            about: "two half circles; exact score by quadrature",
            build: |s| Ok(Box::new(TwoMoons::new(s.number("noise", 0.1)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "eight-gaussians",
            about: "eight modes on a circle (FFJORD); exact score in closed form",
            build: |s| {
                let (radius, deviation) = (
                    s.number("radius", EightGaussians::RADIUS)?,
                    s.number("deviation", EightGaussians::DEVIATION)?,
                );
                Ok(Box::new(EightGaussians::new(radius, deviation).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "twenty-five-gaussians",
            about: "a 5 × 5 grid of narrow modes; exact score in closed form",
            build: |s| {
                let (spacing, deviation) = (s.number("spacing", 2.0)?, s.number("deviation", 0.05)?);
                Ok(Box::new(TwentyFiveGaussians::new(spacing, deviation).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "checkerboard",
            about: "eight of sixteen squares (FFJORD); exact score by error functions",
            build: |s| Ok(Box::new(Checkerboard::new(s.number("scale", 2.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "swiss-roll",
            about: "a spiral, denser inside; exact score by quadrature",
            build: |s| Ok(Box::new(SwissRoll::new(s.number("noise", 0.2)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "two-spirals",
            about: "two spirals, each the other turned by π; exact score by quadrature",
            build: |s| Ok(Box::new(TwoSpirals::new(s.number("noise", 0.1)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "circles",
            about: "two circles about one centre; exact score by quadrature",
            build: |s| {
                let (factor, noise) = (s.number("factor", 0.5)?, s.number("noise", 0.08)?);
                Ok(Box::new(Circles::new(factor, noise).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "rings",
            about: "four circles about one centre; exact score by quadrature",
            build: |s| Ok(Box::new(Rings::new(s.number("noise", 0.08)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "pinwheel",
            about: "five bent arms; exact score by quadrature",
            build: |s| Ok(Box::new(Pinwheel::new(s.number("scale", 2.0)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "s-curve",
            about: "two arcs joined as an S; exact score by quadrature",
            build: |s| Ok(Box::new(SCurve::new(s.number("noise", 0.1)?).map_err(|e| s.wrap(e))?)),
        },
        Entry {
            name: "ring",
            about: "one circle; exact score by quadrature",
            build: |s| {
                let (radius, noise) = (s.number("radius", 1.0)?, s.number("noise", 0.1)?);
                Ok(Box::new(Ring::new(radius, noise).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "mixture",
            about: "a Gaussian mixture, given; exact score in closed form",
            build: |s| {
                let asked = "must be given";
                let (weights, means) = (s.numbers("weights", asked)?, s.matrix("means", asked)?);
                let mixture =
                    Mixture::new(weights, means, &s.matrices("covs", asked)?).map_err(|e| s.wrap(e))?;
                Ok(Box::new(GaussianMixture(mixture)))
            },
        },
        Entry {
            name: "points",
            about: "your own points, from a CSV or NPY file; exact score by the kernel sum",
            build: |s| {
                let file = s.text("file", "must be given")?;
                if !s.has("file") {
                    return Err(s.missing("file"));
                }
                let points = read_points(Path::new(&file))?;
                Ok(Box::new(Empirical::new(points, file).map_err(|e| s.wrap(e))?))
            },
        },
    ],
};

/// Distances between samples and data.
pub const METRICS: Shelf<dyn Metric> = Shelf {
    what: "metric",
    elsewhere: &[NLL],
    entries: &[
        Entry {
            name: "sliced-w2",
            about: "sliced 2-Wasserstein distance",
            build: |s| {
                Ok(Box::new(
                    SlicedW2::new(s.integer("projections", 128, 1..=100_000)? as usize, 0)
                        .map_err(|e| s.wrap(e))?,
                ))
            },
        },
        Entry { name: "w2", about: "exact 2-Wasserstein distance (assignment)", build: |_| Ok(Box::new(W2)) },
        Entry { name: "energy", about: "squared energy distance, unbiased", build: |_| Ok(Box::new(Energy)) },
        Entry {
            name: "mmd",
            about: "squared MMD, unbiased, mean of RBF kernels",
            build: |s| {
                let widths = s.maybe_numbers("bandwidths", "median distance × ¼ … 4")?;
                Ok(Box::new(Mmd::new(widths).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "mode-coverage",
            about: "fraction of modes missed (mixtures)",
            build: |_| Ok(Box::new(ModeCoverage)),
        },
        Entry {
            name: "mode-weights",
            about: "total variation of the modes' weights (mixtures)",
            build: |_| Ok(Box::new(ModeWeights)),
        },
        Entry {
            name: "c2st",
            about: "accuracy of nearest neighbours that tell samples from data, 0.5 for equal laws",
            build: |s| {
                let neighbours = s.integer("neighbours", 5, 1..=9999)? as usize;
                Ok(Box::new(C2st::new(neighbours).map_err(|e| s.wrap(e))?))
            },
        },
        Entry {
            name: "off-support",
            about: "fraction of samples where the data have next to no density",
            build: |_| Ok(Box::new(OffSupport)),
        },
        Entry {
            name: "kl",
            about: "KL of the data from the samples on a grid, nats (1-D and 2-D densities)",
            build: |s| {
                let cells = s.integer("cells", 32, 2..=1000)? as usize;
                Ok(Box::new(Kl::new(cells).map_err(|e| s.wrap(e))?))
            },
        },
    ],
};

/// The name of the metric that the likelihood gives.
pub const NLL: &str = "nll";
