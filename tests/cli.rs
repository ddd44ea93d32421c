//! What the commands do, each run as a user would.

use std::process::Command;

use super::workbench::{Bench, MIXTURE};

/// One row for each check, on the terminal or for pandas; 1 where a check fails, 2 where the input is wrong.
#[test]
fn verify_says_what_it_checked() {
    let bench = Bench::new();
    let done = bench.tweedie(&["verify", "schedules", "kernels", "--format", "csv"]);
    let text = String::from_utf8(done.stdout).unwrap();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        rows.headers().unwrap(),
        vec!["group", "check", "expected", "measured", "tolerance", "passes"]
    );
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert!(done.status.success() && rows.len() > 50 && rows.iter().all(|r| &r[5] == "true"));
    assert!(rows.iter().any(|r| &r[0] == "schedules") && rows.iter().any(|r| &r[0] == "kernels"));

    let case = |end: &str| {
        format!(
            r#"{{"targets": {{"one": {{"weights": [1], "means": [[0, 0]], "covs": [[[1, 0], [0, 1]]]}}}}, "cases": [
            {{"target": "one", "sde": {{"name": "edm"}}, "method": "euler", "options": {{}}, "finish": "stop",
              "grid": {{"name": "two", "times": [1.0, 0.5]}}, "x_init": [[2.0, 0.0]], "x_final": [[{end}, 0.0]]}},
            {{"target": "one", "sde": {{"name": "edm"}}, "method": "magic", "x_init": [[0, 0]], "x_final": [[0, 0]]}}]}}"#
        )
    };
    // dx/dt = t x/(1 + t²): 2 − ½ · 1 = 1.5.
    let (right, wrong) = (bench.write("right.json", case("1.5")), bench.write("wrong.json", case("1.4")));
    let done = bench.tweedie(&["verify", "--reference", right.to_str().unwrap()]);
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && text.contains("1 of 1 checks passed"), "{text}");
    assert!(text.contains("1 case is not covered: method `magic` is not registered"), "{text}");
    let done = bench.tweedie(&["verify", "--reference", wrong.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8(done.stdout).unwrap().contains("FAIL"));
    assert!(String::from_utf8(done.stderr).unwrap().contains("1 of 1 checks failed"));

    bench.refuses(&["verify", "ordres"], &["ordres", "`orders`"]);
    bench.refuses(&["verify", "--format", "jsn"], &["--format jsn", "table", "csv"]);
    bench.refuses(&["verify", "--reference", "none.json"], &["none.json", "no such file"]);
    let broken = bench.write("broken.json", "{}");
    bench.refuses(&["verify", "--reference", broken.to_str().unwrap()], &["broken.json", "targets"]);
    let text = case("1.5").replace("\"edm\"", "\"edn\"");
    let name = bench.write("name.json", text);
    bench.refuses(&["verify", "--reference", name.to_str().unwrap()], &["case 0", "edn", "`edm`"]);
}

/// `-n 100` is the first hundred rows of `-n 600`, `--threads` changes nothing, and CSV and NPY hold the same numbers.
#[test]
fn sample_files_agree() {
    let bench = Bench::new();
    let target = bench.write("m.toml", MIXTURE);
    let run = |n: &str, threads: &str, out: &str| {
        let target = target.to_str().unwrap();
        let method = "predictor-corrector:predictor=ancestral,snr=0.1";
        let done = bench.tweedie(&[
            "sample",
            "--target",
            target,
            "--sde",
            "sub-vp",
            "--method",
            method,
            "--grid",
            "optimised:order=2",
            "--steps",
            "8",
            "-n",
            n,
            "--seed",
            "4",
            "--threads",
            threads,
            "--out",
            out,
        ]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        tweedie::files::read_points(&bench.path(out)).unwrap()
    };
    let (few, many, npy) = (run("100", "1", "a.csv"), run("600", "2", "b.csv"), run("600", "1", "c.npy"));
    assert_eq!(many.slice(0, 100), few);
    assert_eq!(many, npy);
}

/// A run whose samples overflow says how many and from which step, and fails with 1.
#[test]
fn divergence_is_reported() {
    let bench = Bench::new();
    let target = bench.write("m.toml", MIXTURE);
    // One Euler–Maruyama step from σ = 1e38 overflows f32.
    let done = bench.tweedie(&[
        "sample",
        "--target",
        target.to_str().unwrap(),
        "--sde",
        "edm:sigma-max=1e38",
        "--method",
        "euler-maruyama",
        "--steps",
        "3",
        "-n",
        "50",
        "--out",
        "d.csv",
    ]);
    let message = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{message}");
    assert!(message.contains("of 50 samples are not finite, the first after step"), "{message}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_leaves_a_checkpoint_and_says_how_to_go_on() {
    let bench = Bench::new();
    let recipe = bench.write("r.toml", "[model]\nwidth = 8\n[train]\nsteps = 1000000\nbatch = 8\n");
    let child = Command::new(env!("CARGO_BIN_EXE_tweedie"))
        .args(["train", recipe.to_str().unwrap(), "--out", "t"])
        .current_dir(bench.path(""))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let done = child.wait_with_output().unwrap();
    let message = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{message}");
    assert!(message.contains("interrupted at step") && message.contains("--resume"), "{message}");
    let checkpoint = tweedie::train::Checkpoint::load(&bench.path("t/models/two-moons-vp")).unwrap();
    assert!(checkpoint.step > 0);
}

/// A run in which nothing stays finite says so for every run and fails with 1; labels of any length make names that the system takes.
#[test]
fn a_run_that_diverges_fails_and_long_labels_are_cut() {
    let bench = Bench::new();
    let recipe = bench.write(
        "r.toml",
        "data = { name = \"mixture\", weights = [1.0], means = [[0.0, 0.0]], covs = [[[1.0, 0.0], [0.0, 1.0]]] }\nmodel = \"exact\"\nsde = \
         { name = \"edm\", sigma-max = 1e38, sigma-min = 0.00212345678901234567 }\nsteps = 3\nsamples = 20\nfigures = false\nmethod = { name \
         = \"predictor-corrector\", snr = 0.12345678901234567, predictor = { name = \"euler-maruyama\", lambda = 1.12345678901234567 } }\n\
         grid = { name = \"karras\", rho = 6.12345678901234567 }",
    );
    let done = bench.tweedie(&["run", recipe.to_str().unwrap(), "--out", "t"]);
    let (said, message) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    assert_eq!(done.status.code(), Some(1), "{message}");
    assert!(
        said.contains("of 20 samples are not finite") && message.contains("every run diverged"),
        "{said}{message}"
    );
    assert!(said.contains("results.csv") && !said.contains("figures"), "{said}");
    assert_eq!(std::fs::read_dir(bench.path("t/samples")).unwrap().count(), 1);
}

/// What is read is not written over; an option that is given twice, and a table that is none, are refused.
#[test]
fn nothing_is_written_over_what_is_read() {
    let bench = Bench::new();
    bench.write("m.toml", MIXTURE);
    bench.write("p.csv", "0.1,0.2\n0.3,0.4\n");
    let points = ["likelihood", "--target", "m.toml", "--points", "p.csv", "--out", "p.csv"];
    bench.refuses(&points, &["--out p.csv", "--points"]);
    let sample = ["sample", "--target", "m.toml", "--method", "heun", "--steps", "2"];
    bench.refuses(&[&sample[..], &["--init", "p.csv", "--out", "./p.csv"]].concat(), &["--out", "--init"]);
    let twice = ["sample", "--target", "m.toml", "--method", "ddim:eta=0.5,eta=0.7", "--out", "x.csv"];
    bench.refuses(&twice, &["`eta=0.7` is given twice"]);
    bench.refuses(&["verify", "schedules", "--format", "markdown"], &["orders"]);
    // -n takes the points of --init in turn.
    let done = bench.tweedie(&[&sample[..], &["--init", "p.csv", "-n", "5", "--out", "x.csv"]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let x = tweedie::files::read_points(&bench.path("x.csv")).unwrap();
    assert!(x.len() == 5 && x.row(0) == x.row(2) && x.row(0) != x.row(1));
}

/// `tweedie bench` measures what it is asked for, one JSON object a line.
#[test]
fn bench_measures() {
    let bench = Bench::new();
    let done = bench.tweedie(&["bench", "exact", "--format", "json"]);
    assert!(done.status.success());
    let lines = String::from_utf8(done.stdout).unwrap();
    let readings: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        readings.iter().map(|r| r["size"].as_u64().unwrap()).collect::<Vec<_>>(),
        [1000, 10_000, 100_000]
    );
    for r in readings {
        assert!(r["peer"] == "tweedie" && r["task"] == "exact" && r["unit"] == "ms/eval");
        assert!(r["value"].as_f64().unwrap() > 0.0);
    }
    bench.refuses(&["bench", "trian"], &["trian", "`train`"]);
}
