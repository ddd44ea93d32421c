//! The shelf of metrics.

use super::{Entry, Family, NLL, Shelf};
use crate::metrics::{C2st, Energy, Kl, Metric, Mmd, ModeCoverage, ModeWeights, OffSupport, SlicedW2, W2};

/// Distances between samples and data.
pub const METRICS: Shelf<dyn Metric> = Shelf {
    what: "metric",
    elsewhere: &[NLL],
    families: &[Family {
        name: "",
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
            Entry {
                name: "w2",
                about: "exact 2-Wasserstein distance (assignment)",
                build: |_| Ok(Box::new(W2)),
            },
            Entry {
                name: "energy",
                about: "squared energy distance, unbiased",
                build: |_| Ok(Box::new(Energy)),
            },
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
                about: "accuracy of a classifier that tells samples from data, 0.5 for equal laws: a small network, or with \
                        classifier = \"neighbours\" and neighbours = 5 the nearest neighbours",
                build: |s| {
                    let network =
                        s.choice("classifier", &[("network", true), ("neighbours", false)], "network")?;
                    if network {
                        s.excluded(&["neighbours"], "be left out unless classifier = \"neighbours\"")?;
                        return Ok(Box::new(C2st::Network));
                    }
                    let neighbours = s.integer("neighbours", 5, 1..=9999)? as usize;
                    Ok(Box::new(C2st::neighbours(neighbours).map_err(|e| s.wrap(e))?))
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
    }],
};
