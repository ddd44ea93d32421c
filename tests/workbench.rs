//! A folder to run the program in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(super) struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(super) fn tweedie(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tweedie"))
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }

    /// Runs it, wants exit code 2 and all the parts in one message, and no file that was not there before.
    pub(super) fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        let before = listing(self.dir.path());
        let done = self.tweedie(arguments);
        let message = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {message}");
        for part in parts {
            assert!(message.contains(part), "{arguments:?}: no `{part}` in: {message}");
        }
        assert!(!message.contains("panicked") && message.lines().count() <= 6, "{message}");
        assert_eq!(listing(self.dir.path()), before, "{arguments:?} left something behind");
    }
}

fn listing(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(listing(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

pub(super) const MIXTURE: &str = "weights = [0.5, 0.5]\nmeans = [[-1.0, 0.0], [1.0, 0.0]]\ncovs = [[[0.1, 0.0], [0.0, 0.1]], [[0.1, 0.0], [0.0, 0.1]]]\n";
