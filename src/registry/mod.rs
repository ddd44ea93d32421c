//! Every public name of the program, spelled once. To add an SDE, a method, a grid, a data set or a metric: write its file and add
//! its line to the shelf; the command line, recipes, `tweedie list`, the generic tests and the docs take it from these shelves.

mod data;
mod grids;
mod methods;
mod metrics;
mod sdes;

use crate::error::{Error, Result, suggest};
use crate::recipe::Section;

pub use data::DATA;
pub use grids::GRIDS;
pub use methods::METHODS;
pub use metrics::METRICS;
pub use sdes::SDES;

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

/// The name of the metric that the likelihood gives.
pub const NLL: &str = "nll";
