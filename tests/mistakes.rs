//! Bad input ends with exit code 2, a sentence that names the place, the rule and the nearest name, and nothing written.

use std::path::Path;

use super::workbench::{Bench, MIXTURE};

#[test]
fn recipes_with_mistakes() {
    let bench = Bench::new();
    let many = (0..2000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let choices = format!("method = {{ name = \"rk45\", rtol = [{many}], atol = [{many}] }}");
    let runs = format!("seed = [{many}]\nsteps = [{}]", many.replacen("0, ", "", 1));
    let cases: [(&str, &[&str]); 52] = [
        (&choices, &["of 4000000 choices", "at most 1000"]),
        (&runs, &["up to 3998000 sampling runs", "1999 steps × 2000 seed", "at most 1000000"]),
        ("sde = \"vpp\"", &["r.toml", "there is no sde `vpp`", "did you mean `vp`"]),
        ("method = \"huen\"", &["there is no method `huen`", "did you mean `heun`"]),
        ("data = \"two-moon\"", &["`two-moon`", "`two-moons`"]),
        ("grid = \"karas\"", &["`karras`"]),
        ("metrics = [\"w3\"]", &["there is no metric `w3`", "w2"]),
        ("metrics = [\"nnl\"]", &["there is no metric `nnl`", "did you mean `nll`"]),
        ("metrics = [{ name = \"nll\", points = 3 }]", &["metrics.points", "not known"]),
        ("method = { name = \"langevin\", step-size = 0.1, snr = 0.2 }", &["method.snr = 0.2", "left out"]),
        ("[likelihood]\nprobes = 4", &["likelihood.probes = 4", "hutchinson"]),
        ("[train]\ntimes-mean = 1.0", &["train.times-mean = 1.0", "log-normal"]),
        ("[model]\nname = \"saved\"\npath = \"gone\"", &["r.toml: model.path", "gone/model.safetensors"]),
        ("steps = -1", &["steps = -1", "1 or more"]),
        ("evls = [4]", &["the key `evls`", "did you mean `evals`"]),
        ("[paired]\nbasline = \"heun\"", &["paired.baseline must be given", "`basline`"]),
        ("method = [\"heun\", { name = \"ddim\", lambda = 1 }]", &["method[1].lambda", "not known"]),
        ("method = { name = \"restart\", inner = \"rk45\" }", &["method.inner = rk45", "fixed steps"]),
        (
            "method = { name = \"restart\", inner = \"euler-maruyama\" }",
            &["method.inner = euler-maruyama", "without noise"],
        ),
        (
            "method = { name = \"predictor-corrector\", predictor = \"rk45\" }",
            &["method.predictor = rk45", "fixed steps"],
        ),
        ("data = { name = \"points\", fil = \"x.csv\" }", &["data.file must be given", "`fil`"]),
        ("[[method]]\nnme = \"heun\"", &["method.name must be given", "`nme`"]),
        (
            "evals = [8]\nmethod = \"heun\"\ngrid = { name = \"explicit\", times = [1.0, 0.1] }",
            &["evals decide", "explicit"],
        ),
        ("smaples = 10", &["the key `smaples` is not known", "did you mean `samples`"]),
        ("sde = { name = \"vp\", beta_min = 0.1 }", &["sde.beta_min", "did you mean `beta-min`"]),
        ("[train]\nstep = 10", &["train.step", "`steps`"]),
        ("[model]\npredicton = \"v\"", &["model.predicton", "`prediction`"]),
        ("[model]\nprediction = \"vv\"", &["model.prediction = \"vv\"", "`v`"]),
        ("samples = \"many\"", &["samples = \"many\"", "whole number"]),
        ("samples = 2.5", &["samples = 2.5", "whole number"]),
        ("steps = 0", &["steps = 0", "1 or more"]),
        ("steps = [10, 0]", &["steps = 0"]),
        ("steps = 1000000000000", &["steps = 1000000000000", "1000000 or less"]),
        ("[model]\nwidth = 1000000000", &["model.width = 1000000000", "from 1 to 16384"]),
        ("steps = []", &["steps = []"]),
        ("seed = -1", &["seed = -1"]),
        ("sde = { name = \"vp\", beta-min = -0.1 }", &["sde.beta-min = -0.1", "above 0"]),
        ("sde = { name = \"vp\", epsilon = 1.0 }", &["sde.epsilon = 1", "below T = 1"]),
        ("sde = { name = \"ve\", sigma-max = 0.001 }", &["sde.sigma-max = 0.001", "exceed sigma-min"]),
        ("grid = { name = \"karras\", rho = 0 }", &["grid.rho = 0", "above 0"]),
        ("grid = { name = \"explicit\", times = [0.1, 1.0] }", &["grid.times", "fall"]),
        ("grid = { name = \"explicit\", times = [2.0, 0.1] }", &["explicit", "not exceed T"]),
        ("method = { name = \"rk45\", rtol = -1 }", &["method.rtol = -1"]),
        (
            "method = { name = \"predictor-corrector\", predictor = \"rk45\" }",
            &["method.predictor", "fixed steps"],
        ),
        ("data = { name = \"points\", file = \"none.csv\" }", &["none.csv", "cannot be read"]),
        ("metrics = [\"mode-coverage\"]", &["mode-coverage", "two-moons has none"]),
        (
            "metrics = { name = \"c2st\", classifier = \"neighbours\", neighbours = 4 }",
            &["metrics.neighbours = 4", "odd"],
        ),
        (
            "metrics = { name = \"c2st\", classifier = \"neighbours\", neighbours = 0 }",
            &["metrics.neighbours = 0", "from 1 to 9999"],
        ),
        ("metrics = { name = \"c2st\", neighbours = 5 }", &["metrics.neighbours = 5", "classifier"]),
        ("metrics = { name = \"c2st\", classifier = \"net\" }", &["metrics.classifier = \"net\"", "network"]),
        ("metrics = { name = \"kl\", cells = 1 }", &["metrics.cells = 1", "from 2 to 1000"]),
        ("this is not toml", &["r.toml", "line 1", "not TOML"]),
    ];
    for (text, parts) in cases {
        let path = bench.write("r.toml", text);
        bench.refuses(&["run", path.to_str().unwrap()], parts);
        std::fs::remove_file(path).unwrap();
    }
    bench.write("mine.csv", "0,1\n2,3\n4,5\n");
    let own = "data = { name = \"points\", file = \"mine.csv\", holdout = 0 }";
    let thin = "data = { name = \"two-moons\", noise = 1e-9 }";
    let space = "data = { name = \"mixture\", weights = [1.0], means = [[0, 0, 0]], \
        covs = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]] }";
    for (data, metric, parts) in [
        (own, "off-support", &["off-support needs data with a density", "has none", "c2st"][..]),
        (own, "kl", &["kl needs data with a density", "has none"]),
        (thin, "off-support", &["off-support on two-moons", "noise = 0.000000001"]),
        (space, "kl", &["kl takes data of one or two dimensions", "has 3; use sliced-w2"]),
    ] {
        let path = bench.write("r.toml", format!("{data}\nmetrics = \"{metric}\""));
        bench.refuses(&["run", path.to_str().unwrap()], parts);
        std::fs::remove_file(path).unwrap();
    }
    let exact = "data = \"eight-gaussians\"\nmodel = \"exact\"\n";
    for (extra, parts) in [
        ("samples = 20000\nmetrics = \"w2\"", &["samples = 20000", "10000"][..]),
        ("samples = 1\nmetrics = \"energy\"", &["metric energy", "samples = 1", "at least 2 samples"]),
        ("samples = 9\nmetrics = \"c2st\"", &["metric c2st", "samples = 9", "at least 10 samples"]),
        (
            "samples = 6\nmetrics = { name = \"c2st\", classifier = \"neighbours\", neighbours = 7 }",
            &["samples = 6", "at least 7 samples"],
        ),
        (
            "[likelihood]\nmethod = \"heun\"\ngrid = { name = \"explicit\", times = [0.5, 0.1] }",
            &["likelihood.grid", "must start at T = 1"],
        ),
    ] {
        let path = bench.write("r.toml", format!("{exact}{extra}"));
        bench.refuses(&["run", path.to_str().unwrap()], parts);
        std::fs::remove_file(path).unwrap();
    }
    let many = "steps = [8, 16]\nmethod = \"heun\"\n";
    for (extra, parts) in [
        (
            "[decompose]\nreference-steps = 20",
            &["decompose.reference-steps = 20", "twice the largest of steps or more, 32"][..],
        ),
        ("[decompose]\ndistance = \"w1\"", &["decompose.distance = \"w1\"", "`w2`"]),
        ("[decompose]\nsamples = 1", &["decompose.samples = 1", "from 2 to 10000"]),
        ("[decompose]\nsample = 9", &["decompose.sample", "`samples`"]),
        ("[strong]", &["[strong] needs noise = \"brownian\""]),
        ("noise = \"brown\"", &["noise = \"brown\"", "independent, brownian"]),
        ("seed = [0, 1]\n[paired]\nbaseline = \"huen\"", &["paired.baseline = \"huen\"", "`heun`"]),
        ("seed = [0, 1]\n[paired]", &["paired.baseline must be given"]),
        ("[paired]\nbaseline = \"heun\"", &["[paired] compares two methods or more over two seeds"]),
        ("[likelihood]\nflow-kl = 1", &["likelihood.flow-kl = 1", "true or false"]),
    ] {
        let path = bench.write("r.toml", format!("{exact}{many}{extra}"));
        bench.refuses(&["run", path.to_str().unwrap()], parts);
        std::fs::remove_file(path).unwrap();
    }
    for (methods, parts) in [
        ("[\"heun\", \"langevin\"]", &["[decompose]", "langevin", "leave it out"][..]),
        ("\"rk45\"", &["[decompose]", "chooses its own steps"]),
    ] {
        let path = bench.write("r.toml", format!("{exact}method = {methods}\n[decompose]"));
        bench.refuses(&["run", path.to_str().unwrap()], parts);
        std::fs::remove_file(path).unwrap();
    }
    let path = bench.write(
        "r.toml",
        "data = { name = \"two-moons\", standardise = true }\nmethod = \"heun\"\n[decompose]",
    );
    bench.refuses(&["run", path.to_str().unwrap()], &["decompose on two-moons", "standardise = false"]);
    let exact_in = "data = { name = \"two-moons\", standardise = true }\nmodel = \"exact\"";
    let path = bench.write("r.toml", exact_in);
    bench.refuses(
        &["run", path.to_str().unwrap()],
        &["model = \"exact\" on two-moons", "standardise = false"],
    );
    bench.write("six.csv", "0,1\n2,3\n4,5\n6,8\n8,9\n9,1\n");
    bench.write("three.csv", "4,1,2\n1,2,3\n");
    bench.write("equal.csv", "3,1\n3,1\n3,1\n3,1\n3,1\n3,1\n3,1\n3,1\n");
    bench.write("comma.csv", "0,25;1,5\n2,25;3,75\n");
    for (options, parts) in [
        (
            "file = \"six.csv\", holdout = 0.0001",
            &["data.holdout = 0.0001", "2 or more points of six.csv", "holdout = 0"][..],
        ),
        ("file = \"six.csv\", holdout = 1", &["data.holdout = 1", "lie in [0, 1)"]),
        (
            "file = \"six.csv\", test-file = \"six.csv\", holdout = 0.5",
            &["data.holdout = 0.5", "left out where a test-file"],
        ),
        (
            "file = \"six.csv\", test-file = \"three.csv\"",
            &["data.test-file = three.csv of 3", "2 coordinates"],
        ),
        ("file = \"six.csv\", test-file = \"no.csv\"", &["no.csv", "cannot be read"]),
        ("file = \"six.csv\", holdout = 0, test-fil = \"t.csv\"", &["data.test-fil", "`test-file`"]),
        ("file = \"equal.csv\", holdout = 0", &["points = 8", "all are equal"]),
        ("file = \"comma.csv\"", &["comma.csv: line 1: `0,25` has a decimal comma", "decimal=','"]),
    ] {
        let path = bench.write("r.toml", format!("data = {{ name = \"points\", {options} }}"));
        bench.refuses(&["run", path.to_str().unwrap()], parts);
        std::fs::remove_file(path).unwrap();
    }
    let explicit = "grid = { name = \"explicit\", times = [1.0, 0.1] }\nmethod = \"heun\"\n[decompose]";
    let path = bench.write("r.toml", format!("{exact}{explicit}"));
    bench.refuses(
        &["run", path.to_str().unwrap()],
        &["[decompose] needs grids of any number of steps", "explicit"],
    );
    let path = bench.write("r.toml", exact);
    bench.refuses(&["train", path.to_str().unwrap()], &["nothing to train"]);
    bench.refuses(
        &["run", path.to_str().unwrap(), "--threads", "1000000"],
        &["--threads 1000000", "1 to 1024"],
    );
    let missing = "model={name=\"saved\", path=\"nope\"}";
    bench.refuses(&["run", path.to_str().unwrap(), "--set", missing], &["nope"]);
    bench.refuses(&["run", "no.toml"], &["no.toml", "cannot be read", "experiments/"]);
    let thin = "data = { name = \"ring\", noise = 1e-9 }\nmodel = { name = \"exact\" }";
    let path = bench.write("r.toml", thin);
    bench.refuses(&["run", path.to_str().unwrap()], &["exact", "ring", "noise = 0.000000001", "20000th"]);
    bench.refuses(&["run", path.to_str().unwrap(), "--set", "nonsense"], &["--set nonsense", "KEY=VALUE"]);
    bench.refuses(
        &["run", path.to_str().unwrap(), "--set", "data=eight-gaussians", "--device", "gpu"],
        &["--device gpu", "cuda"],
    );
    bench.refuses(&["list", "method"], &["`methods`"]);
    if !candle_core::utils::cuda_is_available() {
        bench.refuses(
            &["run", path.to_str().unwrap(), "--set", "data=eight-gaussians", "--device", "cuda"],
            &["built without CUDA", "--features cuda"],
        );
    }
}

#[test]
fn point_files_with_mistakes() {
    let bench = Bench::new();
    let target = bench.write("m.toml", MIXTURE);
    let cases: [(&str, &str, &[&str]); 7] = [
        ("p.csv", "1,2\n\"3,4\n", &["p.csv", "line 2", "never closed"]),
        ("p.csv", "1,2\n3\n", &["p.csv", "line 2"]),
        ("p.csv", "1,2\n3,x\n", &["p.csv", "line 2, column 2", "`x`"]),
        ("p.csv", "1,2\n3,nan\n", &["`nan`", "is not finite"]),
        ("p.csv", "1,2,3\n", &["dimension 3, the model 2"]),
        ("p.txt", "1,2\n", &["p.txt", ".csv or .npy"]),
        ("p.npy", "not numpy", &["p.npy", "np.save"]),
    ];
    for (name, text, parts) in cases {
        let points = bench.write(name, text);
        let (target, points_arg) = (target.to_str().unwrap(), points.to_str().unwrap());
        bench.refuses(&["likelihood", "--target", target, "--points", points_arg, "--out", "o.csv"], parts);
        bench.refuses(
            &["sample", "--target", target, "--method", "heun", "--init", points_arg, "--out", "o.npy"],
            parts,
        );
        std::fs::remove_file(points).unwrap();
    }
    let target = target.to_str().unwrap();
    bench.refuses(
        &["sample", "--target", target, "--method", "heun", "--out", "o.json"],
        &["o.json", ".csv or .npy"],
    );
    bench.refuses(&["sample", "--target", target, "--method", "huen", "--out", "o.csv"], &["`heun`"]);
    bench.refuses(
        &["sample", "--target", target, "--method", "heun", "--steps", "0", "--out", "o.csv"],
        &["steps = 0"],
    );
    bench.refuses(
        &["sample", "--target", target, "--method", "heun", "--out", "no/o.csv"],
        &["no/o.csv", "cannot be written"],
    );
    bench.refuses(
        &["sample", "--target", target, "--method", "heun", "--dtype", "f23", "--out", "o.csv"],
        &["--dtype f23", "`f32`"],
    );
    bench
        .refuses(&["sample", "--target", target, "--method", "heun:lambda=1", "--out", "o.csv"], &["lambda"]);
    bench.refuses(&["sample", "--method", "heun", "--out", "o.csv"], &["--model"]);
    let points = bench.write("p.csv", "0,0\n");
    bench.refuses(
        &[
            "likelihood",
            "--target",
            target,
            "--points",
            points.to_str().unwrap(),
            "--out",
            "o.csv",
            "--method",
            "ancestral",
        ],
        &["ancestral", "probability flow", "rk45"],
    );
    for (flag, value, parts) in [
        ("--divergence", "exat", ["--divergence exat", "`exact`"]),
        ("--probe", "gausian", ["--probe gausian", "`gaussian`"]),
        ("--probes", "0", ["--probes 0", "from 1"]),
        ("--out", "no/o.csv", ["no/o.csv", "cannot be written"]),
    ] {
        let mut arguments = vec!["likelihood", "--target", target, "--points", points.to_str().unwrap()];
        if flag != "--out" {
            arguments.extend(["--out", "o.csv"]);
        }
        arguments.extend([flag, value]);
        bench.refuses(&arguments, &parts);
    }
    for text in
        ["{}", "weights = [1.0]\nmeans = [[0.0, 0.0]]\ncovs = [[[1.0, 2.0], [2.0, 1.0]]]", "weights = 3"]
    {
        let bad = bench.write("bad.toml", text);
        bench.refuses(
            &["sample", "--target", bad.to_str().unwrap(), "--method", "heun", "--out", "o.csv"],
            &["bad.toml"],
        );
    }
}

#[test]
fn checkpoints_with_mistakes() {
    let bench = Bench::new();
    let recipe = bench.write("r.toml", "[model]\nwidth = 8\n[train]\nsteps = 2\nbatch = 8\n");
    let done = bench.tweedie(&["train", recipe.to_str().unwrap(), "--out", "t"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let model = bench.path("t/models/two-moons-vp");
    let file = model.join("model.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let sample = |dir: &Path, out: &str| -> Vec<String> {
        [
            "sample",
            "--model",
            dir.to_str().unwrap(),
            "--method",
            "heun",
            "--steps",
            "3",
            "-n",
            "5",
            "--out",
            out,
        ]
        .map(str::to_owned)
        .into()
    };
    let arguments = sample(&model, "o.csv");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert!(bench.tweedie(&arguments).status.success());
    std::fs::remove_file(bench.path("o.csv")).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    bench.refuses(&arguments, &["model.safetensors", "not a whole safetensors file"]);
    std::fs::write(&file, b"{}").unwrap();
    bench.refuses(&arguments, &["model.safetensors"]);
    std::fs::remove_file(&file).unwrap();
    bench.refuses(&arguments, &["model.safetensors"]);
    bench.refuses(
        &["sample", "--model", "nowhere", "--method", "heun", "--out", "o.csv"],
        &["nowhere", "no such"],
    );
    std::fs::write(&file, &whole).unwrap();
    let points = bench.write("p.csv", "1,2,3\n");
    bench.refuses(
        &[
            "likelihood",
            "--model",
            model.to_str().unwrap(),
            "--points",
            points.to_str().unwrap(),
            "--out",
            "o.csv",
        ],
        &["dimension 3, the model 2"],
    );
    // Another recipe must not go on from this checkpoint, and no run is written over another.
    bench.refuses(&["train", recipe.to_str().unwrap(), "--out", "t"], &["--overwrite", "--resume"]);
    bench.refuses(
        &["train", recipe.to_str().unwrap(), "--out", "t", "--resume", "--set", "train.rate=0.1"],
        &["belongs to another recipe"],
    );
    bench.refuses(
        &["train", recipe.to_str().unwrap(), "--out", "fresh", "--resume"],
        &["no training to go on with"],
    );
    std::fs::create_dir(bench.path("mine")).unwrap();
    bench.write("mine/thesis.tex", "x");
    bench.refuses(&["train", recipe.to_str().unwrap(), "--out", "mine", "--overwrite"], &["holds no run"]);
    bench.refuses(&["train", recipe.to_str().unwrap(), "--out", "r.toml"], &["not a folder"]);
}
