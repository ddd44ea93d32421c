//! Nothing of a user's is lost: a run's folder is claimed by one process, holds a manifest that lists its files, and only those are removed;
//! outputs replace nothing unless told; what cannot be written is told.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::workbench::Bench;

/// A run of a second or less.
const SMALL: &str = "model = \"exact\"\nsamples = 20\nsteps = [2, 3]\nmethod = \"heun\"\nseed = [0, 1]\n";
/// One that trains until it is stopped.
const ENDLESS: &str = "[model]\nwidth = 8\n[train]\nsteps = 100000000\nbatch = 8\n";

fn run(bench: &Bench, more: &[&str]) -> Output {
    bench.tweedie(&[&["run", "r.toml", "--out", "out", "--threads", "1"], more].concat())
}

fn succeeds(done: &Output) {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The files in a folder, by their paths within it.
fn files(bench: &Bench, dir: &str) -> Vec<String> {
    fn walk(dir: &std::path::Path, root: &std::path::Path, out: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, out);
            } else {
                out.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let (root, mut out) = (bench.path(dir), Vec::new());
    walk(&root, &root, &mut out);
    out.sort();
    out
}

fn manifest(bench: &Bench) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(bench.path("out/manifest.json")).unwrap()).unwrap()
}

fn listed(bench: &Bench) -> Vec<String> {
    let files = manifest(bench)["files"].clone();
    files.as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_manifest_lists_the_files_of_its_run() {
    let bench = Bench::new();
    for recipe in [
        SMALL.to_owned() + "evals = [4, 6]\nmetrics = [\"sliced-w2\", \"energy\"]\n",
        "samples = 20\nsteps = [2, 3]\nsde = [\"vp\", \"edm\"]\nmethod = [\"heun\", \"ddim\"]\nseed = [0, 1]\n[model]\nwidth = 8\n[train]\nsteps = 3\n\
         [decompose]\nsamples = 20\nreference-steps = 8\n[paired]\nbaseline = \"heun\"\n[likelihood]\npoints = 5\n"
            .to_owned(),
    ] {
        bench.write("r.toml", recipe.replace("steps = [2, 3]\nmethod = \"heun\"", "method = \"heun\""));
        succeeds(&run(&bench, &[]));
        let mut there = files(&bench, "out");
        there.retain(|name| name != ".lock");
        assert_eq!(there, listed(&bench));
        fs::remove_dir_all(bench.path("out")).unwrap();
    }
}

/// What is in the folder and not of the run stays: under our names too, and a data file that the recipe reads.
#[test]
fn overwriting_removes_the_run_and_nothing_else() {
    let bench = Bench::new();
    bench.write("r.toml", SMALL);
    succeeds(&run(&bench, &[]));
    let old = files(&bench, "out");
    fs::create_dir(bench.path("out/models")).unwrap();
    let own = ["out/models/mine.pt", "out/figures/mine.png", "out/notes.txt", "out/data.csv"];
    for name in own {
        bench.write(name, "1,2\n3,4\n5,6\n1,3\n2,2\n0,1\n");
    }
    let recipe = "data = { name = \"points\", file = \"out/data.csv\", holdout = 0 }\nmodel = \"exact\"\nsamples = 5\nsteps = 2\nfigures = false\n\
                  save-samples = false\n";
    bench.write("r.toml", recipe);
    succeeds(&run(&bench, &["--overwrite"]));
    let new = files(&bench, "out");
    assert!(own.iter().all(|name| bench.path(name).exists()), "{new:?}");
    let gone = |name: &&String| {
        name.starts_with("samples/") || (name.starts_with("figures/") && !name.contains("mine"))
    };
    assert!(old.iter().any(|n| gone(&n)) && !new.iter().any(|n| gone(&n)), "{new:?}");
    // The manifest is itself a recipe, and may be run into its own folder.
    succeeds(&bench.tweedie(&["run", "out/manifest.json", "--out", "out", "--overwrite"]));
    assert_eq!(files(&bench, "out"), new);
    // A file of the run that the new recipe reads.
    bench.write("r.toml", SMALL);
    succeeds(&run(&bench, &["--overwrite"]));
    let sample = files(&bench, "out").into_iter().find(|name| name.starts_with("samples/")).unwrap();
    bench.write(
        "r.toml",
        format!("data = {{ name = \"points\", file = \"out/{sample}\" }}\nmodel = \"exact\"\n"),
    );
    bench
        .refuses(&["run", "r.toml", "--out", "out", "--overwrite"], &[&sample, "the recipe reads this file"]);
}

#[test]
fn folders_that_hold_no_run_are_left_alone() {
    let bench = Bench::new();
    bench.write("r.toml", SMALL);
    for (name, text) in [
        ("results.csv", "mine"),
        ("manifest.json", "{}"),
        ("manifest.json", "{\"program\": \"tweedie\"}"),
        ("manifest.json", "[1]"),
        ("figures", "a file"),
    ] {
        fs::create_dir(bench.path("mine")).unwrap();
        bench.write(&format!("mine/{name}"), text);
        for flag in ["--overwrite", "--resume"] {
            bench
                .refuses(&["run", "r.toml", "--out", "mine", flag], &["mine", "holds no run", flag, "--out"]);
        }
        bench.refuses(&["run", "r.toml", "--out", "mine"], &["not empty"]);
        fs::remove_dir_all(bench.path("mine")).unwrap();
    }
    // A list that leads out of its folder, or to what the user has put there since.
    bench.write("precious.csv", "mine");
    fs::create_dir(bench.path("mine")).unwrap();
    bench.write("mine/manifest.json", "{\"program\": \"tweedie\", \"files\": [\"../precious.csv\"]}");
    succeeds(&bench.tweedie(&["run", "r.toml", "--out", "mine", "--overwrite"]));
    assert!(bench.path("precious.csv").exists());
    succeeds(&run(&bench, &[]));
    bench.write("out/ranking.csv", "mine");
    bench.refuses(&["run", "r.toml", "--out", "out", "--overwrite"], &["ranking.csv", "not of the run"]);
}

/// A run that was killed before it had a manifest leaves a lock and half a file: that is an empty folder.
#[test]
fn what_a_killed_run_left_is_no_obstacle() {
    let bench = Bench::new();
    bench.write("r.toml", SMALL);
    fs::create_dir(bench.path("out")).unwrap();
    bench.write("out/.lock", "123");
    bench.write("out/manifest.json.123-0.tmp", "{");
    succeeds(&run(&bench, &[]));
    let there = files(&bench, "out");
    assert!(there.iter().all(|name| !name.ends_with(".tmp")), "{there:?}");
    bench.write("out/figures/a.png.9-9.tmp", "half");
    succeeds(&run(&bench, &["--overwrite"]));
    assert!(!bench.path("out/figures/a.png.9-9.tmp").exists());
}

#[test]
fn another_recipe_does_not_go_on() {
    let bench = Bench::new();
    bench.write(
        "r.toml",
        "samples = 20\nsteps = 2\nfigures = false\n[model]\nwidth = 8\n[train]\nsteps = 3\n",
    );
    succeeds(&bench.tweedie(&["train", "r.toml", "--out", "out"]));
    succeeds(&run(&bench, &["--resume"]));
    let (before, results) = (files(&bench, "out"), fs::read(bench.path("out/results.csv")).unwrap());
    bench.refuses(
        &["run", "r.toml", "--out", "out", "--resume", "--set", "method=\"heun\"", "--set", "samples=30"],
        &["belongs to another recipe", "method, samples", "--overwrite"],
    );
    succeeds(&run(&bench, &["--resume"]));
    assert_eq!((files(&bench, "out"), fs::read(bench.path("out/results.csv")).unwrap()), (before, results));
}

/// One of two is refused while the other works, and not when that one is gone, however it went.
#[cfg(unix)]
#[test]
fn one_process_works_in_a_folder() {
    let bench = Bench::new();
    bench.write("r.toml", SMALL);
    bench.write("endless.toml", ENDLESS);
    let mut first = Command::new(env!("CARGO_BIN_EXE_tweedie"))
        .args(["train", "endless.toml", "--out", "out", "--threads", "1"])
        .current_dir(bench.path(""))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !bench.path("out/models/two-moons-vp").exists() {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let process = format!("process {}", first.id());
    for _ in 0..20 {
        // The first one goes on writing, so that only the answer is looked at.
        let second = run(&bench, &["--overwrite"]);
        let message = String::from_utf8(second.stderr).unwrap();
        assert_eq!(second.status.code(), Some(2), "{message}");
        assert!(
            message.contains("another tweedie works in this folder") && message.contains(&process),
            "{message}"
        );
    }
    first.kill().unwrap();
    first.wait().unwrap();
    succeeds(&run(&bench, &["--overwrite"]));
}

const SAMPLE: [&str; 8] = ["sample", "--target", "t.toml", "--method", "heun", "--steps", "2", "--out"];

#[test]
fn outputs_replace_nothing_unless_told() {
    let bench = Bench::new();
    bench.write("t.toml", super::workbench::MIXTURE);
    bench.write("s.csv", "mine");
    bench.write("p.csv", "0,0\n1,1\n");
    let likelihood = ["likelihood", "--target", "t.toml", "--points", "p.csv", "--out"];
    for command in [&SAMPLE[..], &likelihood[..]] {
        let command = [command, &["s.csv"]].concat();
        bench.write("s.csv", "mine");
        bench.refuses(&command, &["s.csv", "there is such a file", "--overwrite"]);
        assert_eq!(fs::read_to_string(bench.path("s.csv")).unwrap(), "mine");
        succeeds(&bench.tweedie(&[&command[..], &["--overwrite"]].concat()));
        assert_ne!(fs::read_to_string(bench.path("s.csv")).unwrap(), "mine");
    }
}

#[cfg(unix)]
#[test]
fn outputs_go_through_links_and_pipes() {
    let bench = Bench::new();
    bench.write("t.toml", super::workbench::MIXTURE);
    std::os::unix::fs::symlink("real.csv", bench.path("link.csv")).unwrap();
    succeeds(&bench.tweedie(&[&SAMPLE[..], &["link.csv", "-n", "5"]].concat()));
    assert!(fs::symlink_metadata(bench.path("link.csv")).unwrap().is_symlink());
    let whole = fs::read_to_string(bench.path("real.csv")).unwrap();
    assert_eq!(whole.lines().count(), 6);
    assert!(Command::new("mkfifo").arg(bench.path("pipe.csv")).status().unwrap().success());
    let reader = Command::new("cat").arg(bench.path("pipe.csv")).stdout(Stdio::piped()).spawn().unwrap();
    succeeds(&bench.tweedie(&[&SAMPLE[..], &["pipe.csv", "-n", "5"]].concat()));
    assert_eq!(String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap(), whole);
    assert!(!bench.path("pipe.csv").is_file());
}

/// `/dev/full` fails every write, as a disk that is full does.
#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_no_success_and_stderr_fails_nothing() {
    let bench = Bench::new();
    // Two long steps, of which a warning is given.
    bench.write("r.toml", SMALL.replace("heun", "euler-maruyama"));
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let tweedie = |arguments: &[&str], out: Stdio, err: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tweedie"));
        command.args(arguments).current_dir(bench.path("")).stdin(Stdio::null()).stdout(out).stderr(err);
        command.spawn().unwrap().wait_with_output().unwrap()
    };
    for arguments in [&["verify", "kernels"][..], &["list", "sdes"], &["--help"], &["--version"]] {
        let done = tweedie(arguments, full(), Stdio::piped());
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
    }
    let done = tweedie(&["list", "sdes"], full(), Stdio::piped());
    assert!(String::from_utf8(done.stderr).unwrap().starts_with("error: stdout cannot be written ("));
    let quiet = tweedie(&["run", "r.toml", "--out", "a"], Stdio::piped(), Stdio::piped());
    assert!(String::from_utf8(quiet.stderr).unwrap().contains("warning: "));
    assert_eq!(tweedie(&["run", "r.toml", "--out", "b"], Stdio::null(), full()).status.code(), Some(0));
    assert_eq!(tweedie(&["run", "no.toml", "--out", "c"], Stdio::null(), full()).status.code(), Some(2));
    assert_eq!(tweedie(&["nonsense"], Stdio::null(), full()).status.code(), Some(2));
}

/// Killed at any moment, a program leaves what was there whole: a manifest that says what is the run's, or nothing, and every file of the
/// user's. A signal that can be caught leaves no temporary file.
#[cfg(unix)]
#[test]
fn kills_lose_nothing() {
    let bench = Bench::new();
    bench.write("t.toml", super::workbench::MIXTURE);
    bench.write("r.toml", SMALL.to_owned() + "figures = \"quality\"\n");
    succeeds(&run(&bench, &[]));
    bench.write("out/mine.txt", "mine");
    bench.write("s.csv", "whole");
    let replace = [&SAMPLE[..], &["s.csv", "-n", "20000", "--overwrite"]].concat();
    let again = ["run", "r.toml", "--out", "out", "--overwrite", "--threads", "1"];
    for i in 0..12u64 {
        for (command, signal) in
            [(&again[..], "-KILL"), (&replace[..], "-KILL"), (&again[..], "-TERM"), (&replace[..], "-INT")]
        {
            let mut child = Command::new(env!("CARGO_BIN_EXE_tweedie"))
                .args(command)
                .current_dir(bench.path(""))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(17 * i));
            let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
            child.wait().unwrap();
            assert_eq!(fs::read_to_string(bench.path("out/mine.txt")).unwrap(), "mine");
            let samples = fs::read_to_string(bench.path("s.csv")).unwrap();
            assert!(samples == "whole" || samples.lines().count() == 20_001, "{}", samples.len());
            assert_eq!(manifest(&bench)["program"], "tweedie");
            let known = listed(&bench);
            let there = files(&bench, "out");
            let foreign = |n: &&String| {
                !known.contains(n) && !["mine.txt", ".lock"].contains(&n.as_str()) && !n.ends_with(".tmp")
            };
            assert_eq!(there.iter().find(foreign), None, "{i} {signal}");
            if signal != "-KILL" {
                assert!(there.iter().filter(|n| n.ends_with(&format!(".{}-", child.id()))).count() == 0);
            }
        }
    }
    succeeds(&run(&bench, &["--overwrite"]));
    assert!(files(&bench, "out").iter().all(|name| !name.ends_with(".tmp")));
}
