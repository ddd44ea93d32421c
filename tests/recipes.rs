//! The recipes that ship parse, and a small run leaves what it promises.

use std::path::Path;

use tweedie::recipe::Recipe;

#[test]
fn every_shipped_recipe_is_understood() {
    let files: Vec<_> = std::fs::read_dir("experiments").unwrap().map(|f| f.unwrap().path()).collect();
    let recipes: Vec<_> = files.iter().filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    assert!(recipes.len() >= 3);
    for path in recipes {
        let recipe = Recipe::read(path, &[]).unwrap_or_else(|e| panic!("{e}"));
        assert!(!recipe.about.is_empty(), "{}: a recipe says what it is about", path.display());
        let again = Recipe::build("again".into(), "again.toml", recipe.table.clone()).unwrap();
        assert_eq!(again.table, recipe.table, "{}", path.display());
    }
}

fn columns(path: &Path) -> Vec<String> {
    csv::Reader::from_path(path).unwrap().headers().unwrap().iter().map(str::to_owned).collect()
}

/// A run with the exact score: files, columns, rows, and that `--threads` changes none of them.
#[test]
fn a_run_leaves_what_it_promises() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = dir.path().join("small.toml");
    let text = "about = \"t\"\ndata = \"eight-gaussians\"\nsde = [\"vp\", \"ve\"]\nmethod = [\"heun\", \"rk45\", { name = \"euler-maruyama\", \
        lambda = [0.5, 1.0] }]\ngrid = [\"uniform-t\", \"optimised\"]\nsteps = [4, 8]\nseed = [0, 1]\nsamples = 300\nmetrics = [\"sliced-w2\", \
        \"w2\", \"energy\", \"mmd\", \"mode-coverage\", \"mode-weights\", \"c2st\", \"off-support\", \"kl\", { name = \"kl\", cells = 8 }, \"nll\"]\nmodel = { name = \"exact\" }\n[likelihood]\nmethod = \
        \"rk4\"\ngrid = \"optimised\"\nsteps = 20\npoints = 20\ndivergence = \"hutchinson\"\nprobes = 2\n";
    std::fs::write(&recipe, text).unwrap();
    let run = |recipe: &Path, threads: &str, out: &str| {
        let out = dir.path().join(out);
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_tweedie"))
            .args([
                "run",
                recipe.to_str().unwrap(),
                "--threads",
                threads,
                "--device",
                "cpu",
                "--out",
                out.to_str().unwrap(),
            ])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        (out, String::from_utf8(done.stdout).unwrap())
    };
    let (one, table) = run(&recipe, "1", "one");
    let read =
        |path: &Path| serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap();
    let manifest = read(&one.join("manifest.json"));
    // The manifest's recipe, which spells out every default, repeats the run; on two threads this time.
    let spelled: toml::Table = serde_json::from_value(manifest["recipe"].clone()).unwrap();
    assert!(!spelled.contains_key("train") && spelled["dtype"].as_str() == Some("f32"));
    let full = dir.path().join("full.toml");
    std::fs::write(&full, spelled.to_string()).unwrap();
    let (two, again) = run(&full, "2", "two");
    assert_eq!(table.lines().take(12).collect::<Vec<_>>(), again.lines().take(12).collect::<Vec<_>>());
    // So does the manifest itself.
    let stored = Recipe::read(&one.join("manifest.json"), &[]).unwrap();
    assert_eq!(serde_json::to_value(&stored.table).unwrap(), manifest["recipe"]);
    assert_eq!(read(&two.join("manifest.json"))["recipe"], manifest["recipe"]);
    assert!(manifest["packages"]["candle-core"].as_str().unwrap().starts_with("0."));
    assert!(table.contains("sliced-w2 of 300 samples of eight-gaussians under ve; floor"));
    assert!(table.contains("euler-maruyama(lambda=0.5), optimised") && table.contains("adaptive"));
    let wanted = ["data", "sde", "model", "method", "grid", "steps", "evals", "seed", "metric", "value"];
    assert_eq!(columns(&one.join("results.csv")), wanted);
    for file in ["results.csv", "summary.csv"] {
        assert_eq!(std::fs::read(one.join(file)).unwrap(), std::fs::read(two.join(file)).unwrap(), "{file}");
    }
    let names = |out: &Path| {
        let mut names: Vec<String> =
            std::fs::read_dir(out).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let samples = names(&one.join("samples"));
    // 2 SDEs × (3 methods × 2 grids × 2 step counts + rk45) × 2 seeds.
    assert_eq!(samples.len(), 2 * (3 * 2 * 2 + 1) * 2);
    for name in &samples {
        assert_eq!(
            std::fs::read(one.join("samples").join(name)).unwrap(),
            std::fs::read(two.join("samples").join(name)).unwrap()
        );
    }
    let figures = names(&one.join("figures"));
    for stem in [
        "quality-eight-gaussians-w2",
        "samples-eight-gaussians-vp",
        "density-eight-gaussians-ve",
        "trajectories-eight-gaussians-vp",
    ] {
        assert!(
            figures.contains(&format!("{stem}.png")) && figures.contains(&format!("{stem}.svg")),
            "{stem} {figures:?}"
        );
    }
    assert_eq!(
        (manifest["finished"].as_bool(), manifest["recipe"]["samples"].as_i64()),
        (Some(true), Some(300))
    );
    // With the exact score and eight Heun steps on Karras' grid, W2 lies within three times its floor.
    let mut reader = csv::Reader::from_path(one.join("summary.csv")).unwrap();
    let rows: Vec<std::collections::BTreeMap<String, String>> =
        reader.deserialize().map(Result::unwrap).collect();
    let number =
        |row: &std::collections::BTreeMap<String, String>, key: &str| row[key].parse::<f64>().unwrap();
    let floor = |metric: &str| {
        let row = rows.iter().find(|r| r["method"] == "data" && r["metric"] == metric);
        number(row.unwrap(), "mean")
    };
    assert!((floor("c2st") - 0.5).abs() < 0.1 && floor("off-support") < 0.01);
    assert!(0.0 < floor("kl(cells=8)") && floor("kl(cells=8)") < floor("kl"));
    let best =
        rows.iter().find(|r| r["sde"] == "vp" && r["method"] == "rk45" && r["metric"] == "w2").unwrap();
    assert!(
        number(best, "mean") < 3.0 * number(best, "floor")
            && number(best, "seeds") == 2.0
            && number(best, "evals") > 20.0
    );
}

/// Things that print alike keep labels, files and rows of their own; and an adaptive method takes the ends of an explicit grid.
#[test]
fn like_labels_are_told_apart() {
    let mixture = |at: f64| {
        format!(
            "{{ name = \"mixture\", weights = [1.0], means = [[{at}, 0.0]], covs = [[[1.0, 0.0], [0.0, 1.0]]] }}"
        )
    };
    let text = format!(
        "data = [{}, {}]\nmodel = \"exact\"\nmethod = [\"heun\", \"rk45\"]\nsamples = 20\nfigures = false\ngrid = [{{ name = \"explicit\", times = \
         [1.0, 0.1] }}, {{ name = \"explicit\", times = [1.0, 0.2] }}]",
        mixture(0.0),
        mixture(9.0)
    );
    let dir = tempfile::tempdir().unwrap();
    let recipe = Recipe::build("r".into(), "r.toml", text.parse().unwrap()).unwrap();
    let labels: Vec<&str> = recipe.data.iter().map(|(d, _)| d.label.as_str()).collect();
    assert!(labels[0] != labels[1] && recipe.grids[0].label != recipe.grids[1].label, "{labels:?}");
    let progress = tweedie::report::Progress::default();
    let device = candle_core::Device::Cpu;
    let place = tweedie::run::Place { out: dir.path(), device: &device, resume: false, progress: &progress };
    let outcome = tweedie::run::run(&recipe, &place, &|_| ()).unwrap();
    // 2 data sets × (heun on 2 grids + rk45).
    assert_eq!(std::fs::read_dir(dir.path().join("samples")).unwrap().count(), 6);
    assert!(outcome.summary.iter().filter(|r| r.method != "data").all(|r| r.seeds == 1));
}

/// What can be foreseen is said once, before the work, and stands in the manifest; so is what the numbers give.
#[test]
fn warnings_are_said_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let narrow = "weights = [1.0]\nmeans = [[0.0, 0.0]]\ncovs = [[[0.0009, 0.0], [0.0, 0.0009]]]\nname = \"mixture\"\n";
    let text = format!(
        "model = \"exact\"\nmethod = [\"euler-maruyama\", \"rk45\"]\nsteps = [20, 50]\nsamples = 20\nfigures = false\nsave-samples = false\n\
         metrics = \"energy\"\n[data]\n{narrow}"
    );
    std::fs::write(dir.path().join("r.toml"), text).unwrap();
    std::fs::write(dir.path().join("m.toml"), narrow.replace("name = \"mixture\"\n", "")).unwrap();
    let tweedie = |arguments: &str| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_tweedie"))
            .args(arguments.split(' '))
            .current_dir(dir.path())
            .output()
            .unwrap();
        let message = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{message}");
        message
    };
    let euler = "by up to 9.67 of its deviations, above 0.5; take grid uniform-log-snr";
    let message = tweedie("run r.toml --out run");
    assert_eq!((message.lines().count(), message.matches(euler).count()), (1, 1), "{message}");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("run/manifest.json")).unwrap()).unwrap();
    let kept: Vec<String> = serde_json::from_value(manifest["warnings"].clone()).unwrap();
    assert_eq!(message, kept.iter().map(|w| format!("warning: {w}\n")).collect::<String>());
    // Of one seed nothing is said about the floor, so that samples are not what is asked for.
    let message = tweedie("run r.toml --out one --set steps=[100,200] --set method=\"heun\"");
    assert!(message.contains("1 seed is too few") && !message.contains("raise samples"), "{message}");
    let message = tweedie(
        "run r.toml --out two --set steps=[100,200] --set method=\"heun\" --set seed=[0,1,2,3,4,5,6,7,8,9]",
    );
    assert!(
        message.contains("20 samples cannot tell the methods apart by energy; raise samples above 20"),
        "{message}"
    );
    let manifest = std::fs::read_to_string(dir.path().join("two/manifest.json")).unwrap();
    assert!(manifest.contains("cannot tell the methods apart"));
    let drawn = tweedie("sample --target m.toml --method euler-maruyama --steps 20 -n 5 --out x.csv");
    assert!(
        drawn.starts_with("warning: m.toml, vp: euler-maruyama on uniform-t at 20 steps misses even"),
        "{drawn}"
    );
    assert_eq!((drawn.lines().count(), drawn.matches(euler).count()), (1, 1));
}
