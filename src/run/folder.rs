//! The folder of a run: one process at a time writes in it, and of what is in it only the run's own files are ever touched.
//!
//! A run is a folder with a manifest of this program, which lists the run's files. While it is worked in, `.lock` is locked; the lock goes
//! with the process, however that ends.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Job, make_dir, model_dir};
use crate::error::{Error, Result};
use crate::files::{FileError, is_temporary, sweep};
use crate::recipe::{ModelSpec, Recipe};
use crate::report::{MANIFEST, Manifest, PROGRAM, figure_names};

/// What may be in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    New,
    /// A run, which is removed.
    Overwrite,
    /// A run of the same recipe, whose training goes on.
    Resume,
}

const LOCK: &str = ".lock";

/// The tables of a run.
pub const TABLES: [&str; 6] =
    ["results.csv", "summary.csv", "paired.csv", "ranking.csv", "excess.csv", "timings.csv"];

/// The files that a run of the recipe may write, by their paths within its folder.
pub fn planned(recipe: &Recipe) -> Vec<String> {
    let mut files: BTreeSet<String> = TABLES.map(str::to_owned).into();
    files.insert(MANIFEST.to_owned());
    let pictures = figure_names(recipe);
    files.extend(pictures.iter().flat_map(|n| ["png", "svg"].map(|end| format!("figures/{n}.{end}"))));
    if recipe.save_samples {
        files.extend(Job::all(recipe).iter().map(|job| format!("samples/{}.npy", job.stem(recipe))));
    }
    if matches!(recipe.model, ModelSpec::Mlp { .. }) {
        let under = recipe.sdes.iter().map(|sde| recipe.train_sde.as_ref().unwrap_or(sde));
        for sde in under {
            for (data, _) in &recipe.data {
                let dir = model_dir(Path::new(""), &data.label, &sde.label);
                files.extend(
                    [crate::train::FILE, "loss.csv"].map(|name| dir.join(name).display().to_string()),
                );
            }
        }
    }
    files.into_iter().collect()
}

/// A folder that this process alone writes in, until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    claim: Claim,
    /// The files of the run that is there.
    old: Vec<String>,
    _lock: File,
}

impl Folder {
    /// Claims a folder for a run of the recipe, and removes what killed processes left in it. Nothing else is changed before
    /// [`Folder::begin`].
    ///
    /// # Errors
    /// If it holds what the claim does not allow, another process works in it, or a file of somebody else, or an input of the recipe, stands
    /// where the run would write.
    pub fn claim(path: &Path, claim: Claim, recipe: &Recipe) -> Result<Self> {
        // Looked at before anything is made, so that a folder that is refused stays as it is; and again when it is locked.
        allowed(path, claim, recipe)?;
        make_dir(path)?;
        let lock = lock(path)?;
        sweep(path)?;
        let old = allowed(path, claim, recipe)?;
        let said = |name: &str| path.join(name).display().to_string();
        let foreign = |name: &&String| {
            *name != MANIFEST && !old.contains(name) && fs::symlink_metadata(path.join(name)).is_ok()
        };
        if let Some(name) = planned(recipe).iter().find(foreign) {
            return Err(Error::Input(format!(
                "{}: this file is not of the run in {}, and would be replaced; move it, or take another folder with --out",
                said(name),
                path.display()
            )));
        }
        let inputs = inputs(recipe);
        let is_input = |name: &&String| {
            let file = path.join(name).canonicalize().ok();
            file.is_some_and(|file| inputs.iter().any(|input| file.starts_with(input)))
        };
        // The manifest stays a recipe, which means the same.
        let lost = old.iter().filter(|name| *name != MANIFEST && claim == Claim::Overwrite).find(is_input);
        if let Some(name) = lost {
            return Err(Error::Input(format!(
                "{}: the recipe reads this file, and --overwrite would remove it; take another folder with --out",
                said(name)
            )));
        }
        Ok(Self { path: path.to_owned(), claim, old, _lock: lock })
    }

    /// Writes the manifest of the run that begins; then the files of the one that it replaces go, and those alone.
    ///
    /// # Errors
    /// If something cannot be written or removed.
    pub fn begin(&self, mut manifest: Manifest) -> Result<()> {
        // Listed until they are gone, so that after an end in between the next run can remove them.
        let mine = manifest.files.clone();
        manifest.files.extend(self.old.iter().filter(|name| !mine.contains(name)).cloned());
        manifest.write(&self.path)?;
        if self.claim != Claim::Overwrite {
            return Ok(());
        }
        let mut folders = BTreeSet::new();
        for name in self.old.iter().filter(|name| *name != MANIFEST) {
            let file = self.path.join(name);
            if let Err(error) = fs::remove_file(&file)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(FileError::system(&file, "the file cannot be removed", &error).into());
            }
            let above = Path::new(name).ancestors().skip(1).filter(|p| !p.as_os_str().is_empty());
            folders.extend(above.map(Path::to_owned));
        }
        // The deepest first; one that holds something else stays.
        for folder in folders.iter().rev() {
            let _ = fs::remove_dir(self.path.join(folder));
        }
        Ok(())
    }
}

/// The lock of a folder, or an error that says who has it.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let bad = |e: &std::io::Error| Error::from(FileError::system(&path, "the folder cannot be locked", e));
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).open(&path).map_err(|e| bad(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut who = String::new();
            let _ = file.read_to_string(&mut who);
            let who = if who.is_empty() { who } else { format!(" (process {who})") };
            return Err(Error::Input(format!(
                "{}: another tweedie works in this folder{who}; wait until it has ended, or take another folder with --out",
                folder.display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(bad(&error)),
    }
    let process = std::process::id().to_string();
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(process.as_bytes()));
    written.map_err(|e| bad(&e))?;
    Ok(file)
}

/// The files of the run that is in a folder, none where there is nothing, if the claim allows for it.
fn allowed(folder: &Path, claim: Claim, recipe: &Recipe) -> Result<Vec<String>> {
    let at = folder.display();
    let full = match fs::read_dir(folder) {
        Ok(mut entries) => entries.any(|e| e.is_ok_and(|e| !is_of_nobody(&e.path()))),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => {
            return Err(Error::Input(format!("{at}: this is not a folder that can be read ({error})")));
        }
    };
    match (full, claim) {
        (false, Claim::Resume) => {
            Err(Error::Input(format!("{at}: there is no training to go on with; run without --resume")))
        }
        (false, _) => Ok(vec![]),
        (true, Claim::New) => Err(Error::Input(format!(
            "{at}: the folder is not empty; --overwrite replaces the run in it, --resume goes on with its training, --out DIR takes another"
        ))),
        (true, _) => {
            let run = run_in(folder).ok_or_else(|| {
                let flag = if claim == Claim::Overwrite { "--overwrite" } else { "--resume" };
                Error::Input(format!(
                    "{at}: this folder holds no run (no {MANIFEST} of tweedie that lists its files), so {flag} leaves it alone; take another \
                     with --out"
                ))
            })?;
            if claim == Claim::Resume {
                same(folder, &run, recipe)?;
            }
            let listed = run["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
            Ok(listed.filter(|name| is_within(name)).map(str::to_owned).collect())
        }
    }
}

/// Whether a path is the lock, or a file that a killed process was writing.
fn is_of_nobody(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == LOCK) || is_temporary(path)
}

/// The manifest of a folder, if it is one of this program that lists files.
fn run_in(folder: &Path) -> Option<Value> {
    let text = fs::read_to_string(folder.join(MANIFEST)).ok()?;
    let found: Value = serde_json::from_str(&text).ok()?;
    (found["program"] == PROGRAM && found["files"].is_array()).then_some(found)
}

/// Whether a path of a list stays within its folder.
fn is_within(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

/// An error unless the run that is there is of this recipe: another one would replace its numbers.
fn same(folder: &Path, run: &Value, recipe: &Recipe) -> Result<()> {
    let mine = serde_json::to_value(&recipe.table).map_err(|e| Error::Run(e.to_string()))?;
    let theirs = &run["recipe"];
    let keys =
        |table: &Value| table.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect::<Vec<_>>();
    let all: BTreeSet<String> = keys(&mine).into_iter().chain(keys(theirs)).collect();
    let changed: Vec<&str> =
        all.iter().filter(|key| mine[*key] != theirs[*key]).map(String::as_str).collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::Input(format!(
        "{}: the run in this folder belongs to another recipe (it differs in: {}), and --resume would lose its numbers; run again with \
         --overwrite, or into another folder with --out",
        folder.display(),
        changed.join(", ")
    )))
}

/// The files and folders that a recipe reads.
fn inputs(recipe: &Recipe) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(&recipe.file)];
    for (data, _) in &recipe.data {
        let named = ["file", "test-file"].into_iter().filter_map(|key| data.table.get(key)?.as_str());
        paths.extend(named.map(PathBuf::from));
    }
    if let ModelSpec::Saved(path) = &recipe.model {
        paths.push(path.clone());
    }
    paths.iter().filter_map(|path| path.canonicalize().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_does_not_lead_out_of_its_folder() {
        assert!(is_within("results.csv") && is_within("samples/a.npy"));
        assert!(["../a", "/etc/passwd", "samples/../../a", "./a"].iter().all(|name| !is_within(name)));
    }
}
