//! The shelf of data sets.

use std::path::Path;

use tweedie_solvers::exact::Mixture;

use super::{Entry, Family, Shelf};
use crate::data::{
    Checkerboard, Circles, Data, EightGaussians, Empirical, GaussianMixture, Pinwheel, Ring, Rings, SCurve,
    SwissRoll, TwentyFiveGaussians, TwoMoons, TwoSpirals,
};
use crate::files::read_columns;

/// A key of every data set: whether models work in coordinates of mean 0 and deviation 1. On for points, whose units are anybody's; off
/// for the others, which are near that and whose exact scores are in their own coordinates.
pub const STANDARDISE: &str = "standardise";

/// The data set that is a user's own.
pub const OWN: &str = "points";

/// Data sets.
pub const DATA: Shelf<dyn Data> = Shelf {
    what: "data set",
    elsewhere: &[],
    families: &[Family {
        name: "",
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
                name: OWN,
                about: "your own points, from a CSV or NPY file; exact score by the kernel sum",
                build: |s| {
                    s.boolean(STANDARDISE, true)?;
                    let file = s.text("file", "must be given")?;
                    s.known("test-file");
                    let test = if s.has("test-file") {
                        s.excluded(&["holdout"], "be left out where a test-file is given")?;
                        Some(s.text("test-file", "")?)
                    } else {
                        None
                    };
                    let holdout = if test.is_none() { s.number("holdout", 0.2)? } else { 0.0 };
                    if !(0.0..1.0).contains(&holdout) {
                        return Err(s.broken("holdout", holdout, "lie in [0, 1)"));
                    }
                    if !s.has("file") {
                        return Err(s.missing("file"));
                    }
                    s.known("header");
                    let header = s.has("header").then(|| s.boolean("header", true)).transpose()?;
                    let (points, names) = read_columns(Path::new(&file), header)?;
                    let own = Empirical::new(points, file).map_err(|e| s.wrap(e))?.named(names);
                    let own = match &test {
                        Some(test) => own.test(read_columns(Path::new(test), header)?.0, test),
                        None => own.holdout(holdout),
                    };
                    Ok(Box::new(own.map_err(|e| s.wrap(e))?))
                },
            },
        ],
    }],
};
