//! Progress bars on the terminal; none where there is no terminal.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The bars of a run.
#[derive(Clone, Debug, Default)]
pub struct Progress(MultiProgress);

impl Progress {
    /// A bar over `total` pieces of work.
    pub fn bar(&self, what: &str, total: u64) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new(total));
        let style = ProgressStyle::with_template(
            "{prefix:28!} {bar:30} {pos:>6}/{len} {per_sec:>10} eta {eta:>4} {msg}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    }
}
