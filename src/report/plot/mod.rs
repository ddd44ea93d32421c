//! Draws the figures of a report, each as a PNG and an SVG file with the same stem.
//!
//! Plain slices go in and files come out. Only `canvas.rs` knows the drawing crate, so that another one can
//! take its place. Values that are not finite are left out of a picture and never cause a panic.

mod axes;
mod canvas;
mod curve;
mod density;
mod legend;
mod levels;
mod outline;
mod parts;
mod quality;
mod samples;
mod text;
mod trajectories;

use std::path::PathBuf;

use crate::files::FileError;

pub use curve::{Curve, curve};
pub use density::{Arrow, Field, density};
pub use levels::{LevelSeries, levels};
pub use parts::{PartsPanel, parts};
pub use quality::{Floor, Quality, QualityPanel, QualitySeries, quality};
pub use samples::{SamplePanel, SampleRow, samples};
pub use trajectories::{TrajectoryPanel, trajectories};

/// Why a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// The picture could not be encoded.
    #[error("cannot draw the figure {}: {reason}", path.display())]
    Draw {
        /// The file.
        path: PathBuf,
        /// What the drawing crate said.
        reason: String,
    },
    /// A grid does not have the number of values that its sides ask for.
    #[error("a grid of {nx} x {ny} cells needs {} values, but {len} were given", nx * ny)]
    Grid {
        /// Cells along x.
        nx: usize,
        /// Cells along y.
        ny: usize,
        /// Values given.
        len: usize,
    },
}

#[cfg(test)]
mod tests;
