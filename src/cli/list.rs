//! `tweedie list`: the shelves of the registry.

use clap::Args;

use super::{markdown, one_of, say};
use crate::error::{Error, Result, suggest};
use crate::recipe::{Section, named};
use crate::registry::{DATA, Family, GRIDS, METHODS, METRICS, NLL, SDES, Shelf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// sdes, methods, grids, data or metrics; all of them by default
    what: Option<String>,
    /// text, or markdown: the methods as tables for a document
    #[arg(long, default_value = "text")]
    format: String,
}

pub(super) fn list(arguments: &Arguments) -> Result<()> {
    const KINDS: [&str; 5] = ["sdes", "methods", "grids", "data", "metrics"];
    if let Some(what) = arguments.what.as_deref().filter(|w| !KINDS.contains(w)) {
        return Err(Error::Input(format!("list {what}: there is no such list; {}", suggest(what, KINDS))));
    }
    if one_of("--format", &arguments.format, &[("text", false), ("markdown", true)])? {
        if arguments.what.as_deref() != Some("methods") {
            return Err(Error::Input(
                "--format markdown: only methods are tables; type list methods --format markdown".into(),
            ));
        }
        say(markdown::methods()?.trim_end());
        return Ok(());
    }
    for kind in KINDS.into_iter().filter(|k| arguments.what.as_deref().is_none_or(|w| w == *k)) {
        let lines = match kind {
            "sdes" => shelf(&SDES),
            "methods" => methods()?,
            "grids" => shelf(&GRIDS),
            "data" => shelf(&DATA),
            _ => {
                shelf(&METRICS)
                    + &line(NLL, "negative log-likelihood of held-out points, by [likelihood]", &[])
            }
        };
        say(&format!("{kind}\n{lines}"));
    }
    Ok(())
}

/// The methods, each with the grid that goes with it.
fn methods() -> Result<String> {
    let mut out = String::new();
    for family in METHODS.families {
        out += &format!(" {}\n", family.name);
        for entry in family.entries {
            let method = METHODS.build(&Section::new("list", "", named(entry.name)))?;
            let grid = markdown::grid(&*method);
            let about =
                if grid == "–" { entry.about.to_owned() } else { format!("{}; on {grid}", entry.about) };
            out += &line(entry.name, &about, &METHODS.options(entry));
        }
    }
    Ok(
        out + "  (on: the grid where none is named, but karras for all under edm, and uniform-log-snr for quadratic under ve)\n"
    )
}

fn shelf<T: ?Sized>(shelf: &Shelf<T>) -> String {
    let family = |family: &Family<T>| -> String {
        let title = if family.name.is_empty() { String::new() } else { format!(" {}\n", family.name) };
        title + &family.entries.iter().map(|e| line(e.name, e.about, &shelf.options(e))).collect::<String>()
    };
    shelf.families.iter().map(family).collect()
}

fn line(name: &str, about: &str, options: &[(&'static str, String)]) -> String {
    let options: Vec<String> = options.iter().map(|(key, default)| format!("{key} = {default}")).collect();
    let options = if options.is_empty() { String::new() } else { format!("  [{}]", options.join(", ")) };
    format!("  {name:<22} {about}{options}\n")
}
