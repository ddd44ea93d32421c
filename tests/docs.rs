//! What the documents say is what the program says.

use std::path::Path;
use std::process::Command;

use tweedie::registry::METHODS;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// `docs/samplers.md` holds the tables that `list` prints today, and a measured order, a source and an update for every method.
#[test]
fn samplers_are_documented() {
    let page = read("docs/samplers.md");
    let printed = Command::new(env!("CARGO_BIN_EXE_tweedie"))
        .args(["list", "methods", "--format", "markdown"])
        .output();
    let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
    for line in printed.lines() {
        assert!(page.contains(line), "docs/samplers.md lacks: {line}");
    }
    let sources = page.split("## Updates and sources").nth(1).unwrap().split("\n## ").next().unwrap();
    for name in METHODS.names() {
        // `-3s` stands for the sibling of a name before it.
        let short = name.rfind('-').map(|i| format!("`{}`", &name[i..]));
        let found = sources.contains(&format!("`{name}`")) || short.is_some_and(|s| sources.contains(&s));
        assert!(found, "docs/samplers.md has no update of {name}");
    }
}

/// A method is one file, its two lines in `method/mod.rs`, and one entry of the registry: nothing else that runs knows its name, but for the
/// defaults of recipes and commands.
#[test]
fn a_method_is_named_once() {
    fn files(dir: &Path, out: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, out) } else { out.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for dir in ["src", "solvers/src"] {
        files(&root.join(dir), &mut sources);
    }
    // Checks of one method by name, and unit tests.
    let apart = |p: &Path| p.starts_with(root.join("src/verify")) || p.ends_with("tests.rs");
    let code = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
    };
    let texts: Vec<(String, String)> = sources
        .iter()
        .filter(|p| !apart(p))
        .map(|p| (p.strip_prefix(root).unwrap().display().to_string(), code(p)))
        .collect();
    // What stands for a name that is not given.
    let defaults = ["euler-maruyama", "reverse-diffusion", "rk45", "edm-heun", "heun", "langevin"];
    for name in METHODS.names().filter(|n| !defaults.contains(n)) {
        let quoted = format!("\"{name}\"");
        let places: Vec<&str> =
            texts.iter().filter(|(_, text)| text.contains(&quoted)).map(|(path, _)| path.as_str()).collect();
        let registry = places.iter().filter(|p| p.starts_with("src/registry/methods/")).count();
        assert_eq!((places.len(), registry), (registry, registry), "{name}: {places:?}");
        assert!(registry >= 1, "{name}");
    }
}

/// The example of EXTENDING.md is complete in under 60 lines; that it compiles and converges is a documentation test.
#[test]
fn the_example_is_short() {
    let page = read("EXTENDING.md");
    let example = page.split("```rust").nth(1).unwrap().split("```").next().unwrap();
    let shown = example.lines().filter(|line| !line.starts_with("# ") && !line.starts_with("#     ")).count();
    assert!(shown < 60 && example.contains("impl OdeMethod") && example.contains("Entry {"));
}
