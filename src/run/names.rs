//! Where the files of a run go, and what they are called.

use std::path::{Path, PathBuf};

use rand::RngCore;
use tweedie_solvers::Key;

use crate::error::{Error, Result};

/// Longer names are cut, so that a suffix and the mark of a temporary file still fit.
const LONGEST_NAME: usize = 180;

/// A label as a file name. Where it is cut, or holds what a file name cannot keep, a number made of the whole label keeps it apart from others.
pub fn file_name(label: &str) -> String {
    let mut name = String::new();
    // Marks of our own labels become `_`, which none of our names holds.
    let mut lost = false;
    for c in label.chars() {
        lost |= !(c.is_ascii_alphanumeric() || "-.()=, #".contains(c));
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => name.push(c),
            ')' => {}
            _ if name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    if name.len() > LONGEST_NAME || lost {
        name.truncate(LONGEST_NAME - 17);
        name += &format!("-{:016x}", Key::root(0).branch(label).rng(0).next_u64());
    }
    name
}

/// Makes a folder and those above it.
///
/// # Errors
/// If the system refuses.
pub fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| {
        Error::Input(format!(
            "{}: the folder cannot be made ({e}); choose another with --out",
            path.display()
        ))
    })
}

/// The folder of a model under a run.
pub fn model_dir(out: &Path, data: &str, sde: &str) -> PathBuf {
    out.join("models").join(file_name(&format!("{data}-{sde}")))
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn file_names_are_readable_and_differ() {
        assert_eq!(file_name("vp-euler-maruyama(lambda=0.5)"), "vp-euler-maruyama_lambda_0.5");
        let labels = ["q_a.csv", "q/a.csv", "q,a.csv", "αβ.csv", "данные.csv", "データ.csv"];
        let mut names: Vec<String> = labels.map(|l| file_name(&format!("points(file={l})"))).to_vec();
        names.extend([file_name(&"a".repeat(300)), file_name(&"a".repeat(301))]);
        assert!(names.iter().all(|n| n.len() <= 180 && n.is_ascii() && !n.contains('/')));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 8);
    }
}
