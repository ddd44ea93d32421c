//! A network where it was not trained: on other data, or at noise levels that it has not seen. It is told the level alone, σ/α, and scales
//! its input by its own deviation, so that only the range of levels counts, whatever the SDE that they come from.

use toml::{Table, Value};
use tweedie_solvers::sde::{LinearSde, Span, Use};

use super::short;
use crate::data::Data;
use crate::error::{Error, Result};
use crate::recipe::{Named, Section, data_set, one, same_law};
use crate::registry::SDES;
use crate::train::Checkpoint;

/// Levels that differ by less than this factor are the same to a network.
const SAME: f64 = 1.01;

/// Beyond this factor outside the levels of its training a network is refused: its features of the level, sines of ¼ ln(σ/α) among them,
/// have then turned to where no weight was fitted.
const FAR: f64 = 100.0;

/// The noise levels σ/α that a network was trained at.
#[derive(Clone, Debug)]
pub struct Domain {
    /// What the network is called.
    name: String,
    /// What it was trained under.
    sde: String,
    /// From the least to the largest.
    levels: [f64; 2],
}

fn levels(sde: &dyn LinearSde, span: Span) -> [f64; 2] {
    [span.start, span.end].map(|t| sde.kernel(t).ratio())
}

impl Domain {
    /// That of a network that is trained under an SDE.
    pub fn new(name: &str, label: &str, sde: &dyn LinearSde) -> Self {
        Self { name: name.into(), sde: label.into(), levels: levels(sde, sde.span(Use::Training)) }
    }

    /// That of a checkpoint.
    ///
    /// # Errors
    /// If the SDE that it names is not known.
    pub fn of(name: &str, found: &Checkpoint) -> Result<Self> {
        let sde = one(&Section::new(name, "sde", found.sde.clone()), |s| SDES.build(s))?;
        Ok(Self::new(name, &sde.label, &*sde.it))
    }

    /// A sentence where an SDE leaves these levels over one of some spans.
    ///
    /// # Errors
    /// If it leaves them so far that nothing sensible can come.
    pub fn left(&self, sde: &Named<dyn LinearSde>, spans: &[Span]) -> Result<Option<String>> {
        let asked = spans.iter().map(|span| levels(&*sde.it, *span));
        let [low, high] = asked.fold([f64::INFINITY, 0.0], |a, b| [a[0].min(b[0]), a[1].max(b[1])]);
        let beyond = (self.levels[0] / low).max(high / self.levels[1]);
        if beyond <= SAME {
            return Ok(None);
        }
        let what = format!(
            "{}, {}: the network was trained at noise levels σ/α from {} to {} ({}) and is asked at {} to {}, beyond them by a factor of {}",
            self.name,
            sde.label,
            short(self.levels[0]),
            short(self.levels[1]),
            self.sde,
            short(low),
            short(high),
            short(beyond)
        );
        if beyond > FAR {
            return Err(Error::Input(format!(
                "{what}, more than {FAR}: nothing sensible can come of that; take an SDE within its levels, or train under {}",
                sde.label
            )));
        }
        Ok(Some(format!(
            "{what}, where its answers are guesses; take an SDE within its levels, or train under {}",
            sde.label
        )))
    }
}

/// A sentence where a network was trained on other data than these.
pub fn strangers(name: &str, found: &Checkpoint, data: &Named<dyn Data>) -> Option<String> {
    (!same_law(&found.data, &data.table)).then(|| {
        // Files may be gone; a name is enough.
        let section = Section::new(name, "data", found.data.clone());
        let trained = one(&section, data_set).map_or_else(|_| data_name(&found.data), |d| d.label);
        format!(
            "{name}: the network was trained on {trained}, not on {}, which its samples and densities are held against",
            data.label
        )
    })
}

/// The name alone.
fn data_name(table: &Table) -> String {
    let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("name"), text("file")).trim_end().to_owned()
}
