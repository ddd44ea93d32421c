//! What the defaults train, level by level.

use super::workbench::Bench;

/// Networks of the default shape and loss, after a tenth of the default updates, are nearer to the exact score than a network that
/// says 0 at every level that samplers and likelihoods use, under every kind of SDE; with the defaults of before (uniform times,
/// no finest scale) at least two of the three are not, and the program says so.
#[test]
fn networks_are_better_than_none_at_every_level() {
    let bench = Bench::new();
    let text = "data = \"two-moons\"\nsde = [\"sub-vp\", \"ve\", \"edm\"]\nmethod = \"euler\"\nsteps = 4\nsamples = 8\n\
                figures = false\nsave-samples = false\n[model]\nwidth = 64\n[train]\nsteps = 600\n";
    let recipe = bench.write("r.toml", text);
    let worst = |out: &str, more: &[&str]| {
        let done = bench.tweedie(&[&["run", recipe.to_str().unwrap(), "--out", out], more].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let mut rows = csv::Reader::from_path(bench.path(out).join("excess.csv")).unwrap();
        let rows: Vec<std::collections::HashMap<String, String>> =
            rows.deserialize().collect::<Result<_, _>>().unwrap();
        let of = |sde: &str| {
            let mine = rows.iter().filter(|r| r["sde"] == sde);
            let ratio = |r: &std::collections::HashMap<String, String>| {
                r["excess"].parse::<f64>().unwrap() / r["zero"].parse::<f64>().unwrap()
            };
            mine.map(ratio).fold(0.0, f64::max)
        };
        (["sub-vp", "ve", "edm"].map(of), String::from_utf8(done.stderr).unwrap())
    };
    let (now, said) = worst("now", &[]);
    assert!(now.iter().all(|w| *w > 0.0 && *w < 1.0), "{now:?}");
    assert!(!said.contains("a network that says 0"), "{said}");
    let before = ["model.finest=0", "train.times=uniform", "train.weighting=noise"];
    let before: Vec<&str> = before.iter().flat_map(|set| ["--set", set]).collect();
    let (then, said) = worst("before", &before);
    assert!(then[0] > 10.0 && then[2] > 1.0, "{then:?}");
    for sde in ["sub-vp", "edm"] {
        let worse = format!("two-moons, {sde}: at t = ");
        assert!(said.lines().any(|l| l.contains(&worse) && l.contains("a network that says 0")), "{said}");
    }
    // What the law of times leaves out is foreseen.
    assert!(said.contains("edm: train.times draws 0.002 %") && said.contains("times = \"level\""), "{said}");
}
