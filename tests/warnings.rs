//! What can be foreseen is said by every command, and the grids that stand for `default` are called by their names.

use std::path::Path;
use std::process::Command;

use tweedie::recipe::Recipe;

/// The exit code, and what is said on stderr and stdout.
fn tweedie(dir: &Path, arguments: &str) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_tweedie"))
        .args(arguments.split(' '))
        .args(if arguments.starts_with("list") { &[][..] } else { &["--device", "cpu"] })
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stderr), text(done.stdout))
}

const MODEL: &str = "out/models/two-moons-ve_sigma-max_2";

/// A network knows its data, its SDE and its levels: `train`, `sample` and `likelihood` say of it what a recipe or a target says.
#[test]
fn networks_are_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let text = "data = \"two-moons\"\nsde = { name = \"ve\", sigma-max = 2 }\nmethod = \"heun\"\n[train]\nsteps = 2\nbatch = 8\n\
                [model]\nname = \"mlp\"\nwidth = 8\ndepth = 0\nembedding = 2\n";
    std::fs::write(dir.path().join("r.toml"), text).unwrap();
    let tweedie = |arguments: &str| tweedie(dir.path(), arguments);
    let (code, said, _) = tweedie("train r.toml --out out");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("warning: two-moons, ve(sigma-max=2): at t = 1, where samplers start"), "{said}");
    assert!(!said.contains("heun"), "{said}");

    let (code, said, out) =
        tweedie(&format!("sample --model {MODEL} --method heun --steps 3 -n 5 --out x.csv --overwrite"));
    assert_eq!(code, 0, "{said}");
    let place = format!("warning: {MODEL} (two-moons), ve(sigma-max=2): at t = 1, where samplers start");
    assert!(said.contains(&place) && said.contains("heun on uniform-t at 3 steps misses even"), "{said}");
    assert!(out.contains(", 3 steps on uniform-t"), "{out}");
    // Another SDE: levels up to 152 where the network saw 2.
    let (code, said, _) = tweedie(&format!(
        "sample --model {MODEL} --sde vp --method heun --steps 3 -n 5 --out x.csv --overwrite"
    ));
    assert!(
        code == 0 && said.contains("trained at noise levels σ/α from 0.01 to 2 (ve(sigma-max=2))"),
        "{said}"
    );
    assert!(said.contains("beyond them by a factor of 76.1"), "{said}");
    let (code, said, _) =
        tweedie(&format!("likelihood --model {MODEL} --points x.csv --sde vp --out p.csv --overwrite"));
    assert!(code == 0 && said.contains("trained at noise levels"), "{said}");
    let (code, said, _) =
        tweedie(&format!("likelihood --model {MODEL} --points x.csv --out p.csv --overwrite"));
    assert!(code == 0 && said.contains(&place), "{said}");
    for command in ["sample --method heun -n 5", "likelihood --points x.csv"] {
        let (code, said, _) =
            tweedie(&format!("{command} --model {MODEL} --sde edm:sigma-max=300 --out z.csv"));
        assert!(code == 2 && said.contains("a factor of 150, more than 100: nothing sensible"), "{said}");
    }

    let recipe = format!(
        "data = \"eight-gaussians\"\nsde = \"vp\"\nmethod = \"heun\"\nsteps = 3\nsamples = 5\nfigures = false\n\
         model = {{ name = \"saved\", path = \"{MODEL}\" }}\n"
    );
    std::fs::write(dir.path().join("s.toml"), recipe).unwrap();
    let (code, said, _) = tweedie("run s.toml --out saved");
    assert!(code == 0 && said.contains("trained on two-moons, not on eight-gaussians"), "{said}");
    assert!(said.contains("beyond them by a factor of 76.1"), "{said}");
    let (code, said, _) = tweedie("run s.toml --out far --set sde.name=edm --set sde.sigma-max=300");
    assert!(
        code == 2 && said.contains("nothing sensible can come") && !dir.path().join("far/samples").exists()
    );
    // One network for two SDEs, of which the second asks for more.
    let shared = "sde = [\"ve\", \"vp\"]\ntrain.sde = \"ve\"\nmethod = \"heun\"";
    let recipe = Recipe::build("r".into(), "r.toml", shared.parse().unwrap()).unwrap();
    let found = tweedie::run::lore::warnings(&recipe).unwrap();
    let found: Vec<_> =
        found.iter().filter(|w| w.contains("train.sde, vp: the network was trained")).collect();
    assert_eq!(found.len(), 1);
}

/// `grid` left out is the method's own under each SDE: in jobs, rows, manifests and lists; with others beside it each runs once.
#[test]
fn default_grids_are_called_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let text = "data = \"eight-gaussians\"\nmodel = \"exact\"\nsde = [\"vp\", \"edm\"]\nmethod = [\"heun\", \"dpmpp-2m\", \"deis\", \"rk45\"]\n\
                steps = 6\nsamples = 20\nfigures = true\n";
    std::fs::write(dir.path().join("r.toml"), text).unwrap();
    let (code, said, out) = tweedie(dir.path(), "run r.toml --out run");
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("deis, quadratic") && out.contains("dpmpp-2m, uniform-log-snr"), "{out}");
    let mut reader = csv::Reader::from_path(dir.path().join("run/summary.csv")).unwrap();
    let rows = reader.records().map(Result::unwrap).filter(|r| &r[3] != "data" && &r[6] == "sliced-w2");
    let rows: Vec<[String; 3]> = rows.map(|r| [r[1].into(), r[3].into(), r[4].into()]).collect();
    let wanted = [
        ["vp", "heun", "uniform-t"],
        ["vp", "dpmpp-2m", "uniform-log-snr"],
        ["vp", "deis", "quadratic"],
        ["vp", "rk45", "adaptive"],
        ["edm", "heun", "karras"],
        ["edm", "dpmpp-2m", "karras"],
        ["edm", "deis", "karras"],
        ["edm", "rk45", "adaptive"],
    ];
    assert_eq!(rows, wanted.map(|row| row.map(str::to_owned)));
    let bytes = std::fs::read(dir.path().join("run/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(manifest["default_grids"][0], serde_json::json!(["vp", "heun", "uniform-t"]));
    assert_eq!(manifest["recipe"]["grid"], serde_json::json!([{ "name": "default" }]));
    assert!(["avx-512", "avx2", "neon", "one lane"].contains(&manifest["instructions"].as_str().unwrap()));

    let build = |text: &str| Recipe::build("r".into(), "r.toml", text.parse().unwrap()).unwrap();
    let both =
        build("sde = [\"vp\", \"edm\"]\nmethod = [\"heun\", \"edm-heun\"]\ngrid = [\"karras\", \"default\"]");
    let names = |sde, method| -> Vec<&str> {
        both.grids_of(sde, method).iter().map(|&g| both.grids[g].label.as_str()).collect()
    };
    assert_eq!((names(0, 0), names(0, 1)), (vec!["karras", "uniform-t"], vec!["karras"]));
    assert_eq!((names(1, 0), names(1, 1)), (vec!["karras"], vec!["karras"]));
    let again = Recipe::build("r".into(), "r.toml", both.table.clone()).unwrap();
    assert_eq!(again.table, both.table);
    assert!(build("grid = \"karras\"").default_grids().is_empty());

    let (_, _, list) = tweedie(dir.path(), "list methods");
    let line = |name: &str| list.lines().find(|l| l.trim_start().starts_with(name)).unwrap().to_owned();
    assert!(line("deis ").contains("; on quadratic") && line("euler-maruyama ").contains("; on uniform-t"));
    assert!(!line("rk45 ").contains("; on "), "{list}");
}
