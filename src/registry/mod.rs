//! Every public name of the program, spelled once. To add an SDE, a method, a grid, a data set or a metric: write its file and add
//! its line to the shelf; the command line, recipes, `tweedie list`, the generic tests and the docs take it from these shelves.

mod data;
mod grids;
mod methods;
mod metrics;
mod sdes;

use crate::error::{Error, Result, suggest};
use crate::recipe::Section;

pub use data::{DATA, OWN, STANDARDISE};
pub use grids::{DEFAULT, GRIDS, default_grid, default_name};
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

/// Things that belong together.
#[derive(Debug)]
pub struct Family<T: ?Sized + 'static> {
    /// What they are; empty where a shelf has one family.
    pub name: &'static str,
    /// In the order in which they are listed.
    pub entries: &'static [Entry<T>],
}

/// All things of a kind.
#[derive(Debug)]
pub struct Shelf<T: ?Sized + 'static> {
    what: &'static str,
    /// Names that can stand in their place and are made elsewhere.
    elsewhere: &'static [&'static str],
    /// In the order in which they are listed.
    pub families: &'static [Family<T>],
}

impl<T: ?Sized> Shelf<T> {
    /// All of them.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry<T>> + Clone + use<T> {
        self.families.iter().flat_map(|f| f.entries)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<T> {
        self.entries().map(|e| e.name)
    }

    /// The family of a name; empty if there is none.
    pub fn family(&self, name: &str) -> &'static str {
        let found = self.families.iter().find(|f| f.entries.iter().any(|e| e.name == name));
        found.map_or("", |f| f.name)
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
        let entry = self.entries().find(|e| e.name == name);
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
