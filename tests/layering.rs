//! The floors of the house: a file names only floors below its own.

use std::path::Path;

/// The floor of each module of a crate, as DESIGN.md draws them.
fn check(root: &str, floors: &[(&str, u32)]) {
    let floor = |module: &str| floors.iter().find(|(name, _)| *name == module).map(|(_, f)| *f);
    let mut files = Vec::new();
    collect(Path::new(root), &mut files);
    assert!(files.len() > 10, "{root}");
    for file in files {
        let inside = file.strip_prefix(root).unwrap();
        let own = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if own == "lib" || own == "main" {
            continue;
        }
        let mine = floor(own).unwrap_or_else(|| {
            panic!("{} stands on no floor: add it to tests/layering.rs", inside.display())
        });
        // Tests may look up.
        if file.file_name().unwrap() == "tests.rs" {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String = code.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        for used in code.split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(theirs) = floor(&name) {
                assert!(theirs <= mine, "{} on floor {mine} uses {name} on floor {theirs}", inside.display());
            }
        }
    }
}

fn collect(dir: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn nothing_looks_up_in_the_mathematics() {
    let floors = [
        ("error", 0),
        ("key", 0),
        ("clock", 0),
        ("kernel", 0),
        ("lanes", 0),
        ("model", 0),
        ("noise", 1),
        ("sde", 1),
        ("grid", 2),
        ("exact", 3),
        ("count", 3),
        ("blocks", 3),
        ("dynamics", 4),
        ("observe", 4),
        ("tape", 4),
        ("method", 5),
        ("integrate", 6),
        ("record", 6),
        ("likelihood", 7),
    ];
    check("solvers/src", &floors);
}

#[test]
fn nothing_looks_up_in_the_workshop() {
    let floors = [
        ("error", 5),
        ("points", 0),
        ("device", 0),
        ("files", 0),
        ("data", 1),
        ("net", 2),
        ("metrics", 3),
        ("train", 4),
        ("registry", 5),
        ("recipe", 5),
        ("report", 6),
        ("run", 6),
        ("verify", 6),
        ("bench", 6),
        ("cli", 7),
    ];
    check("src", &floors);
}
