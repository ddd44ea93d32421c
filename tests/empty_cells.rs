//! One metric that fails costs its own cells: the others stand, a sentence says why, and the run is not lost.

use std::sync::Mutex;

use tweedie::recipe::Recipe;

use super::workbench::Bench;

/// The recipe run: the rows of `results.csv`, the warnings, and the manifest.
fn run(text: &str) -> (Vec<[String; 3]>, Vec<String>, String) {
    let recipe = Recipe::build("r".into(), "r.toml", text.parse().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (progress, device) = (tweedie::report::Progress::default(), candle_core::Device::Cpu);
    let place = tweedie::run::Place { out: dir.path(), device: &device, resume: false, progress: &progress };
    let said = Mutex::new(Vec::new());
    tweedie::run::run(&recipe, &place, &|text| said.lock().unwrap().push(text.to_owned())).unwrap();
    let mut reader = csv::Reader::from_path(dir.path().join("results.csv")).unwrap();
    let rows = reader.deserialize().map(|row| {
        let row: std::collections::BTreeMap<String, String> = row.unwrap();
        ["method", "metric", "value"].map(|key| row[key].clone())
    });
    let rows = rows.collect();
    (rows, said.into_inner().unwrap(), std::fs::read_to_string(dir.path().join("manifest.json")).unwrap())
}

fn value(rows: &[[String; 3]], method: &str, metric: &str) -> f64 {
    let found = rows.iter().find(|[m, what, _]| m == method && what == metric);
    found.unwrap_or_else(|| panic!("{method} {metric}")).clone()[2].parse().unwrap()
}

/// Langevin's steps of 10¹⁰ carry samples to 10¹⁵⁹, which is finite and whose square is not.
#[test]
fn a_metric_that_fails_leaves_the_others() {
    let text = "data = { name = \"mixture\", weights = [1.0], means = [[0.0, 0.0]], covs = [[[1.0, 0.0], [0.0, 1.0]]] }\n\
        model = \"exact\"\ndtype = \"f64\"\nsamples = 20\nsteps = 16\nseed = [0, 1]\nmethod = [\"heun\", { name = \"langevin\", \
        step-size = 1e10 }]\nmetrics = [\"sliced-w2\", \"mmd\", \"c2st\"]\n";
    let (rows, said, manifest) = run(text);
    let langevin = "langevin(step-size=10000000000)";
    let langevin =
        rows.iter().map(|[m, ..]| m.as_str()).find(|m| m.starts_with("langevin")).unwrap_or(langevin);
    assert!(value(&rows, langevin, "sliced-w2").is_nan() && value(&rows, langevin, "mmd") > 0.5);
    assert!(value(&rows, "heun", "sliced-w2") < 2.0 && value(&rows, "data", "sliced-w2") < 2.0);
    assert!(value(&rows, "heun", "c2st") <= 1.0);
    let about: Vec<&String> = said.iter().filter(|text| text.contains("sliced-w2 of langevin")).collect();
    let [sentence] = about[..] else { panic!("{said:?}") };
    let cut = "16 steps, seed 0: it cannot be taken, so that the cell is empty";
    assert!(
        sentence.contains(cut) && sentence.ends_with("distances overflow; likewise 1 more"),
        "{sentence}"
    );
    assert!(manifest.contains("the cell is empty") && manifest.contains("\"finished\": true"));
}

/// What the data alone make impossible is refused before training, with nothing written: half of all pairs are one point twice.
#[test]
fn bandwidths_of_a_point_are_refused_before_training() {
    let bench = Bench::new();
    bench.write("mine.csv", "0,1\n0,1\n0,1\n0,1\n0,1\n0,1\n0,1\n0,1\n2,3\n4,5\n");
    let recipe =
        bench.write("r.toml", "data = { name = \"points\", file = \"mine.csv\", holdout = 0 }\nmetrics = \"mmd\"\nmodel = \"exact\"\n");
    let parts = [
        "the metric mmd on points",
        "median distance of the reference points is 0",
        "bandwidths = [0.5, 1.0]",
    ];
    bench.refuses(&["run", recipe.to_str().unwrap()], &parts);
}

/// A sampling run and a likelihood that end before they arrive, and pictures with a file in their way, cost themselves alone: everything
/// else is written, each failure is named, and the program says that the work failed.
#[test]
fn what_fails_after_training_leaves_the_rest() {
    let bench = Bench::new();
    let recipe = bench.write(
        "r.toml",
        "data = \"two-moons\"\nmodel = \"exact\"\nsamples = 60\nsteps = [4, 8]\nseed = [0, 1]\nsde = \"vp\"\nmetrics = \"sliced-w2\"\n\
         method = [\"heun\", { name = \"rk45\", max-steps = 1 }]\n[likelihood]\npoints = 20\nmethod = { name = \"rk45\", max-steps = 1 }\n",
    );
    std::fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/figures", "not a folder");
    bench.write("out/manifest.json", "{\"program\": \"tweedie\", \"files\": []}");
    let done = bench.tweedie(&["run", recipe.to_str().unwrap(), "--out", "out", "--overwrite"]);
    let (said, told) = (String::from_utf8(done.stderr).unwrap(), String::from_utf8(done.stdout).unwrap());
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(
        said.contains("5 parts of the run failed, and their cells are empty")
            && said.contains("manifest.json"),
        "{said}"
    );
    assert!(told.contains("heun") && told.contains("not found"), "{told}");
    let manifest = std::fs::read_to_string(bench.path("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let failures: Vec<&str> =
        manifest["failures"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    let begins = [
        "likelihood, two-moons vp, seed 0: ",
        "likelihood, two-moons vp, seed 1: ",
        "picture all: ",
        "samples, two-moons-vp-rk45_max-steps_1-seed0: ",
        "samples, two-moons-vp-rk45_max-steps_1-seed1: ",
    ];
    assert_eq!(failures.len(), begins.len(), "{failures:?}");
    for (failure, begin) in failures.iter().zip(begins) {
        assert!(failure.starts_with(begin), "{failure}");
    }
    assert_eq!(manifest["finished"], true);
    let summary = std::fs::read_to_string(bench.path("out/summary.csv")).unwrap();
    let of = |method: &str| summary.lines().filter(|l| l.contains(method) && l.contains("sliced-w2")).count();
    assert_eq!((of("heun"), of("rk45")), (2, 1), "{summary}");
    assert!(summary.lines().any(|l| l.contains("rk45") && l.contains("NaN")), "{summary}");
}
