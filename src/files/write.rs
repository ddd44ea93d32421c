//! How files are written: whole or not at all, and with nothing left behind.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::FileError;

const CANNOT: &str = "the file cannot be written";

/// The temporary files of this process that are there.
static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Writes a whole file, or nothing: a reader meets the old file or the new one, never half of one. A symbolic link stays, and what it points
/// to is written; a pipe or a device is written to.
///
/// # Errors
/// What the system says; the temporary file is removed.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = match destination(path) {
        Ok(Some(file)) => rename_to(&file, bytes),
        Ok(None) => OpenOptions::new().write(true).open(path).and_then(|mut stream| stream.write_all(bytes)),
        Err(error) => Err(error),
    };
    written.map_err(|e| FileError::system(path, CANNOT, &e))
}

/// Checks that a file can be written, before the work whose result it is to hold; leaves nothing behind.
///
/// # Errors
/// If its folder is missing or not writable, or the path is a folder.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let tried = match destination(path) {
        Ok(Some(file)) if file.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(Some(file)) => Temporary::beside(&file).and_then(|(_, it)| it.remove()),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    tried.map_err(|e| FileError::system(path, CANNOT, &e))
}

/// Removes the temporary files of this process, which is about to end in the midst of its work.
pub fn abandon() {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    for path in std::mem::take(&mut *live) {
        let _ = fs::remove_file(path);
    }
}

/// Removes the temporary files that processes that were killed have left in a folder and those within it. Whoever calls this knows that no
/// other process writes there.
///
/// # Errors
/// If the folder cannot be read, or a file not removed.
pub fn sweep(folder: &Path) -> Result<(), FileError> {
    let bad = |e: io::Error| FileError::system(folder, "the folder cannot be read", &e);
    for entry in fs::read_dir(folder).map_err(bad)? {
        let entry = entry.map_err(bad)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(bad)?);
        if kind.is_dir() {
            sweep(&path)?;
        } else if is_temporary(&path) {
            fs::remove_file(&path)
                .map_err(|e| FileError::system(&path, "the temporary file cannot be removed", &e))?;
        }
    }
    Ok(())
}

/// The file that is replaced when this path is written; none for what is no file, a pipe or a device.
fn destination(path: &Path) -> io::Result<Option<PathBuf>> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() || found.is_dir() => fs::canonicalize(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(match fs::read_link(path) {
            // A link to a file that is not there yet.
            Ok(target) => path.parent().map_or_else(|| target.clone(), |folder| folder.join(&target)),
            Err(_) => path.to_owned(),
        })),
        Err(error) => Err(error),
    }
}

fn rename_to(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut handle, temporary) = Temporary::beside(file)?;
    let written = handle.write_all(bytes).and_then(|()| handle.sync_all()).and_then(|()| {
        if let Ok(old) = fs::metadata(file) {
            fs::set_permissions(&temporary.path, old.permissions())?;
        }
        fs::rename(&temporary.path, file)
    });
    match written {
        Ok(()) => temporary.forget(),
        // What went wrong first is what is reported.
        Err(_) => drop(temporary.remove()),
    }
    written
}

/// A file that is there while another one is being written.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// A new one beside a file, under a name that no other thread or process uses.
    fn beside(file: &Path) -> io::Result<(File, Self)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let it = Self { path: file.with_file_name(name) };
        // Known before it is there, so that an end in between leaves nothing.
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).insert(it.path.clone());
        match File::create(&it.path) {
            Ok(handle) => Ok((handle, it)),
            Err(error) => {
                it.forget();
                Err(error)
            }
        }
    }

    fn forget(&self) {
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }

    fn remove(self) -> io::Result<()> {
        let removed = fs::remove_file(&self.path);
        self.forget();
        removed
    }
}

/// Whether a name is `NAME.PROCESS-NUMBER.tmp`, as those of files are that are being written.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let marks =
        name.strip_suffix(".tmp").and_then(|rest| rest.rsplit_once('.')).and_then(|(_, m)| m.split_once('-'));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    marks.is_some_and(|(process, count)| number(process) && number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_rights_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/real"), "old").unwrap();
        fs::set_permissions(at("far/real"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("far/real", at("link")).unwrap();
        symlink("far/new", at("dangling")).unwrap();
        for (link, file) in [("link", "far/real"), ("dangling", "far/new")] {
            check_writable(&at(link)).unwrap();
            replace(&at(link), b"new").unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
            assert_eq!(fs::read(at(file)).unwrap(), b"new");
        }
        assert_eq!(fs::metadata(at("far/real")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((names(&at("far")), names(dir.path()).len()), (vec!["new".into(), "real".into()], 3));
    }

    /// A device takes what is written to it, and one that is full fails as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_to() {
        replace(Path::new("/dev/null"), b"bytes").unwrap();
        let error = replace(Path::new("/dev/full"), b"bytes").unwrap_err();
        assert!(
            error.failed() && error.to_string().starts_with("/dev/full: the file cannot be written"),
            "{error}"
        );
        assert!(!replace(Path::new("/no/such/folder"), b"").unwrap_err().failed());
    }

    /// What a killed process left goes, whatever only looks like it stays.
    #[test]
    fn temporary_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("models")).unwrap();
        for name in [
            "a.csv.17-0.tmp",
            "models/m.safetensors.1234-99.tmp",
            "mine.tmp",
            "notes.1-x.tmp",
            "b.-1.tmp",
            "c.1-.tmp",
        ] {
            fs::write(at(name), "x").unwrap();
        }
        sweep(dir.path()).unwrap();
        assert_eq!(names(dir.path()), ["b.-1.tmp", "c.1-.tmp", "mine.tmp", "models", "notes.1-x.tmp"]);
        assert!(names(&at("models")).is_empty());
    }
}
