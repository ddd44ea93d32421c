//! Data of a user's own, of the shapes that people have, through the whole program with its
//! defaults alone: pictures with constant pixels and whole levels, thirty columns of different
//! units, one column, whole numbers, heavy tails. All but the length of training, which is
//! shortened for the sake of time, is as it is where nothing is said.

use std::collections::BTreeMap;

use tweedie::data::{Data, Empirical, Standardise};
use tweedie::files::read_points;
use tweedie::metrics::Known;
use tweedie::points::Points;
use tweedie::recipe::{Recipe, Section, named};
use tweedie::registry::METRICS;
use tweedie_solvers::Key;

use super::workbench::Bench;

/// Metrics that any points can be measured by.
const ASKED: [&str; 4] = ["sliced-w2", "energy", "mmd", "c2st"];

fn normals(label: &str, n: usize, dim: usize) -> Points {
    Points::new(dim, Key::root(11).branch(label).normals(0, 0, n, dim))
}

/// 8 × 8 pictures of a seven-segment digit, in levels 0 to 16; the outermost columns of pixels are
/// never inked.
fn digits(n: usize) -> Points {
    const ENDS: [[f64; 4]; 7] = [
        [2.0, 1.0, 5.0, 1.0],
        [5.0, 1.0, 5.0, 3.5],
        [5.0, 3.5, 5.0, 6.0],
        [2.0, 6.0, 5.0, 6.0],
        [2.0, 3.5, 2.0, 6.0],
        [2.0, 1.0, 2.0, 3.5],
        [2.0, 3.5, 5.0, 3.5],
    ];
    const LIT: [u8; 10] = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];
    let (key, z) = (Key::root(12), normals("strokes", n, 3));
    let mut out = Vec::new();
    for (which, z) in key.uniforms(0, 0, n).into_iter().zip(z.rows()) {
        let lit = LIT[(10.0 * which) as usize];
        let ink = |x: f64, y: f64| {
            let (x, y) = (x - 0.2 * z[0], y - 0.2 * z[1]);
            let on = ENDS.iter().enumerate().filter(|(i, _)| lit >> i & 1 == 1);
            let strokes = on.map(|(_, [a, b, c, d])| {
                let (u, v) = (c - a, d - b);
                let t = (((x - a) * u + (y - b) * v) / (u * u + v * v)).clamp(0.0, 1.0);
                let square = (x - a - t * u).powi(2) + (y - b - t * v).powi(2);
                (-square / (0.5 + 0.1 * z[2].tanh())).exp()
            });
            strokes.fold(0.0, f64::max)
        };
        for pixel in 0..64 {
            let (x, y) = (f64::from(pixel % 8), f64::from(pixel / 8));
            let edge = x == 0.0 || x == 7.0;
            out.push(if edge { 0.0 } else { (16.0 * ink(x, y)).round() });
        }
    }
    Points::new(64, out)
}

/// Four factors behind thirty columns whose units run over nine powers of ten, about means of twice
/// their size; the first factor has two modes.
fn thirty(n: usize) -> Points {
    let (factors, noise, by) = (normals("factors", n, 4), normals("noise", n, 30), normals("by", 30, 4));
    let mut out = Vec::new();
    for (f, e) in factors.rows().zip(noise.rows()) {
        for (j, (e, by)) in e.iter().zip(by.rows()).enumerate() {
            let unit = 10f64.powf(-4.0 + 9.0 * j as f64 / 29.0);
            let first = f[0].signum() + 0.2 * f[0];
            let value: f64 = by[0] * first + (1..4).map(|k| by[k] * f[k]).sum::<f64>();
            out.push(unit * (4.0 + value + 0.2 * e));
        }
    }
    Points::new(30, out)
}

/// Two modes of one column, far from 0.
fn column(n: usize) -> Points {
    let values = normals("column", n, 2);
    Points::new(1, values.rows().map(|z| 1e6 + 40.0 * z[0].signum() + 5.0 * z[1]).collect())
}

/// Pairs of counts that grow together.
fn counts(n: usize) -> Points {
    let z = normals("counts", n, 3);
    let pair = |z: &[f64]| [8.0 + 5.0 * z[0].signum() + z[1], 20.0 - 9.0 * z[0].signum() + 2.0 * z[2]];
    Points::new(2, z.rows().flat_map(|z| pair(z).map(|v| v.round().max(0.0))).collect())
}

/// Student's law of 3 degrees of freedom in one coordinate, and its image in a curve in the other.
fn student(n: usize) -> Points {
    let z = normals("student", n, 5);
    let pair = |z: &[f64]| {
        let t = z[0] / ((z[1] * z[1] + z[2] * z[2] + z[3] * z[3]) / 3.0).sqrt();
        [t, t.abs() + 0.2 * z[4]]
    };
    Points::new(2, z.rows().flat_map(pair).collect())
}

fn cauchy(n: usize) -> Points {
    let u = Key::root(13).uniforms(0, 0, 2 * n);
    Points::new(2, u.into_iter().map(|u| (std::f64::consts::PI * (u - 0.5)).tan()).collect())
}

/// What a run left.
struct Ran {
    bench: Bench,
    said: String,
    printed: String,
    values: BTreeMap<String, f64>,
}

/// Runs the program on a file with its defaults, but for `extra`.
fn ran(points: &Points, data: &str, extra: &str) -> Ran {
    let bench = Bench::new();
    tweedie::files::write_points(&bench.path("own.csv"), points, None).unwrap();
    let asked = ASKED.map(|m| format!("\"{m}\"")).join(", ");
    let text = format!("metrics = [{asked}]\n{extra}\n[data]\nname = \"points\"\nfile = \"own.csv\"\n{data}");
    bench.write("r.toml", text);
    let done = bench.tweedie(&["run", "r.toml", "--out", "out", "--device", "cpu"]);
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    let mut values = BTreeMap::new();
    let mut reader = csv::Reader::from_path(bench.path("out/results.csv")).unwrap();
    for row in reader.deserialize::<BTreeMap<String, String>>().map(Result::unwrap) {
        if row["method"] != "data" {
            values.insert(row["metric"].clone(), row["value"].parse().unwrap());
        }
    }
    Ran { bench, said, printed: String::from_utf8(done.stdout).unwrap(), values }
}

fn metric(name: &str) -> Box<dyn tweedie::metrics::Metric> {
    METRICS.build(&Section::new("t", "metrics", named(name))).unwrap()
}

/// Every metric of the run against that of noise, which is what an untrained sampler draws: normals
/// with the mean and the deviation of each column. The run must be better by a tenth or more, and
/// in the accuracy of a classifier, which ends at 1, at all.
fn better_than_noise(points: &Points, ran: &Ran) {
    let own = Empirical::new(points.clone(), "own.csv").unwrap().holdout(0.2).unwrap();
    let map = Standardise::fit(own.training()).unwrap();
    let reference = map.apply(&own.held_out(&Key::root(0).branch("reference"), 1000));
    let mut noise = normals("noise", reference.len(), points.dim());
    noise = map.apply(&map.undo(&noise));
    let title = format!("sliced-w2 of {} samples of points(file=own.csv)", reference.len());
    assert!(ran.printed.contains(&title), "{}", ran.printed);
    for name in ASKED {
        let bound = metric(name).measure(&noise, &reference, &Known::default()).unwrap();
        let got = ran.values[name];
        let part = if name == "c2st" { 1.0 } else { 0.9 };
        assert!(got < part * bound, "{name}: {got}, and noise has {bound}\n{}", ran.said);
    }
}

const SHORT: &str = "figures = false\n[train]\nsteps = 1500";

#[test]
fn pictures_with_constant_pixels() {
    let points = digits(1500);
    let ran = ran(&points, "", SHORT);
    better_than_noise(&points, &ran);
    let said = "16 of 64 columns do not vary (1 (`x0`), 8 (`x7`)";
    assert!(ran.said.contains(said) && ran.said.contains("come back as they are"), "{}", ran.said);
    // In the samples as in the data: bit for bit.
    let folder = std::fs::read_dir(ran.bench.path("out/samples")).unwrap().next().unwrap().unwrap();
    let samples = read_points(&folder.path()).unwrap();
    assert!(
        samples.rows().all(|row| (0..8).all(|y| row[8 * y].to_bits() == 0 && row[8 * y + 7].to_bits() == 0))
    );
    let words: Vec<&str> = ran.printed.split_whitespace().collect();
    assert!(words.join(" ").contains("in deviations of each column"), "{}", ran.printed);
}

/// In the file's own units constant pixels are no obstacle either.
#[test]
fn pictures_in_their_own_units() {
    let extra = "figures = false\nsamples = 20\nsteps = 5\n[train]\nsteps = 3\n[likelihood]\npoints = 5\nmethod = \"euler\"\nsteps = 3";
    let ran = ran(&digits(300), "standardise = false", extra);
    assert!(ran.said.contains("come back with the noise of ε"), "{}", ran.said);
    assert!(
        ran.said.contains("nll: columns 1 (`x0`)") && ran.said.contains("of which a density has no bound")
    );
    assert!(ran.said.contains("set standardise = true in the data"), "{}", ran.said);
    assert!(!ran.said.contains("set beta-max"), "{}", ran.said);
}

#[test]
fn thirty_columns_of_different_units() {
    let points = thirty(2000);
    let ran = ran(&points, "", SHORT);
    better_than_noise(&points, &ran);
    assert!(ran.said.lines().all(|line| line.contains("metrics and floors compare")), "{}", ran.said);
}

#[test]
fn one_column() {
    let points = column(2000);
    better_than_noise(&points, &ran(&points, "", SHORT));
}

#[test]
fn whole_numbers() {
    let points = counts(2000);
    let ran = ran(&points, "", SHORT);
    better_than_noise(&points, &ran);
    assert!(ran.said.contains("different points, so the law is that of levels"), "{}", ran.said);
}

#[test]
fn heavy_tails() {
    let points = student(2000);
    better_than_noise(&points, &ran(&points, "", SHORT));
    // Cauchy's law has no deviation to work in, which is said; samples are finite and no outliers.
    let ran = ran(&cauchy(2000), "", "figures = false\n[train]\nsteps = 50");
    assert!(
        ran.said.contains("column 1 (`x0`) has heavy tails") && ran.said.contains("take asinh(x/"),
        "{}",
        ran.said
    );
    assert!(!ran.values.contains_key("diverged") && !ran.values.contains_key("outliers"));
}

/// The exact score of points remembers them, and the run says so; held-out rows or a test-file are
/// needed to see it.
#[test]
fn remembered_points_are_seen() {
    // With steps that are short near the data: longer ones leave an error of the solver that hides
    // the points.
    let extra = "model = \"exact\"\nmethod = \"heun\"\ngrid = \"uniform-log-snr\"\nsamples = 200\nsteps = 60\nfigures = false";
    let points = normals("plain", 600, 2);
    let ran_on = |data: &str| ran(&points, data, extra);
    let split = ran_on("");
    assert!(split.values["memorisation"] > 0.9, "{:?}", split.values);
    let warned = "lie nearer to training rows than to held-out ones";
    assert!(split.said.contains(warned) && split.said.contains("no model of new ones"), "{}", split.said);
    assert!(split.printed.contains("memorisation on points(file=own.csv)"), "{}", split.printed);
    let manifest = std::fs::read_to_string(split.bench.path("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["warnings"].to_string().contains(warned));
    let rows = &manifest["splits"]["points(file=own.csv)"];
    let (training, kept) = (rows["training"].as_u64().unwrap(), rows["held_out"].as_u64().unwrap());
    assert!(training + kept == 600 && (90..150).contains(&kept), "{rows}");
    assert_eq!(manifest["recipe"]["data"][0]["holdout"].as_f64(), Some(0.2));
    assert_eq!(manifest["recipe"]["data"][0]["standardise"].as_bool(), Some(true));
    let whole = ran(
        &points,
        "holdout = 0",
        &format!("{extra}\n[likelihood]\npoints = 3\nmethod = \"euler\"\nsteps = 2"),
    );
    assert!(whole.said.contains("nll: the exact law of points is one of atoms"), "{}", whole.said);
    assert!(whole.said.contains("no rows are held out") && !whole.values.contains_key("memorisation"));
    assert!(whole.printed.contains("negative log-likelihood of the training points of points("));
}

/// A model knows the rows that it was trained on: where their likelihood is asked for, and where
/// training is to go on.
#[test]
fn trained_rows_are_known() {
    let ran = ran(
        &normals("plain", 300, 2),
        "",
        "figures = false\nsamples = 20\nsteps = 5\n[model]\nname = \"mlp\"\nwidth = 8\n[train]\nsteps = 3\n[likelihood]\npoints = 100\nmethod = \"euler\"\nsteps = 5",
    );
    assert!(ran.said.contains("held-out rows for every seed"), "{}", ran.said);
    assert!(ran.values["nll-rows-error"] > 0.01);
    let model = ran.bench.path("out/models/points_file_own.csv-vp");
    let score = |file: &str| {
        let arguments = [
            "likelihood",
            "--model",
            model.to_str().unwrap(),
            "--points",
            file,
            "--method",
            "euler",
            "--steps",
            "5",
            "--out",
            "o.csv",
            "--overwrite",
        ];
        let done = ran.bench.tweedie(&arguments);
        assert!(done.status.success());
        String::from_utf8(done.stderr).unwrap()
    };
    let own = Empirical::new(normals("plain", 300, 2), "own.csv").unwrap().holdout(0.2).unwrap();
    let (training, kept) = (own.training().len(), own.kept().unwrap().clone());
    let said = score("own.csv");
    let wanted = format!(
        "own.csv: the model was trained on {training} of the 300 points; the NLL of the other {}",
        kept.len()
    );
    assert!(said.contains(&wanted), "{said}");
    tweedie::files::write_points(&ran.bench.path("new.npy"), &kept, None).unwrap();
    assert_eq!(score("new.npy"), "");
    let far = Points::new(2, kept.values().iter().map(|v| v + 1e6).collect());
    tweedie::files::write_points(&ran.bench.path("far.npy"), &far, None).unwrap();
    let said = score("far.npy");
    assert!(
        said.contains(&format!("{0} of {0} points are finite but more than 20 diameters", kept.len())),
        "{said}"
    );
    assert!(said.contains("the model has learned nothing there"), "{said}");
    let resume = ["train", "r.toml", "--out", "out", "--resume", "--device", "cpu"];
    assert!(ran.bench.tweedie(&resume).status.success());
    // Rows in another order are the same rows; one more is another training set, unless it is held
    // out.
    let longer = [own.file().values(), &[0.25, 0.25, 0.5, 0.5, 0.75, 0.75]].concat();
    tweedie::files::write_points(&ran.bench.path("own.csv"), &Points::new(2, longer), None).unwrap();
    ran.bench.refuses(&resume, &["holds other rows for training than when this checkpoint was made"]);
    let back: Vec<f64> = (0..300).rev().flat_map(|i| own.file().row(i).to_vec()).collect();
    tweedie::files::write_points(&ran.bench.path("own.csv"), &Points::new(2, back), None).unwrap();
    assert!(ran.bench.tweedie(&resume).status.success());
}

/// Samples that are finite and far from the data are counted, named with what they do to the first
/// metric, and kept in the manifest.
#[test]
fn outliers_are_named() {
    // Langevin steps of twenty times the variance: each takes x to −19 x and a little noise, five
    // of them to 10⁶.
    let extra = "model = \"exact\"\nsamples = 100\nsteps = 5\nfigures = false\n[[method]]\nname = \"langevin\"\nstep-size = 20.0";
    let ran = ran(&normals("plain", 300, 2), "", extra);
    let count = ran.values["outliers"];
    assert!(count > 50.0 && !ran.values.contains_key("diverged"), "{:?}", ran.values);
    let note = format!("{count} of 100 samples are finite but more than 20 diameters of the data away");
    assert!(ran.printed.contains(&note) && ran.printed.contains("sliced-w2 is "), "{}", ran.printed);
    assert!(ran.values["sliced-w2"] > 100.0 && ran.values["outliers-largest-norm"] > 1e3);
    let manifest = std::fs::read_to_string(ran.bench.path("out/manifest.json")).unwrap();
    assert!(manifest.contains(&note));
    // So does `sample`, of a target here.
    ran.bench.write("m.toml", super::workbench::MIXTURE);
    let arguments = ["sample", "--target", "m.toml", "--method", "langevin:step-size=20", "--steps", "5"];
    let done = ran.bench.tweedie(&[&arguments[..], &["-n", "50", "--out", "x.npy"]].concat());
    let printed = String::from_utf8(done.stdout).unwrap();
    assert!(printed.contains(" of 50 samples are finite but more than 20 diameters"), "{printed}");
}

/// Labels name what differs from the defaults, and tables spell out all and mean the same when read
/// again.
#[test]
fn labels_and_tables_of_points() {
    let bench = Bench::new();
    let file = bench.path("own.npy");
    tweedie::files::write_points(&file, &normals("plain", 100, 2), None).unwrap();
    let file = file.display();
    for (options, label, keys) in [
        ("", "", "file, holdout, name, standardise"),
        (", standardise = true, holdout = 0.2", "", "file, holdout, name, standardise"),
        (", standardise = false", "standardise=false, ", "file, holdout, name, standardise"),
        (", holdout = 0.5", ", holdout=0.5", "file, holdout, name, standardise"),
        (", test-file = 'FILE'", ", test-file=FILE", "file, name, standardise, test-file"),
    ] {
        let with = |text: &str| text.replace("FILE", &file.to_string());
        let text = format!("data = {{ name = 'points', file = '{file}'{} }}", with(options));
        let recipe = Recipe::build("r".into(), "r.toml", text.parse().unwrap()).unwrap();
        let (data, _) = &recipe.data[0];
        let (before, after) = if label.starts_with(',') { ("", label) } else { (label, "") };
        assert_eq!(data.label, with(&format!("points({before}file={file}{after})")));
        let mut found: Vec<&str> = data.table.keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found.join(", "), keys);
        let again = Recipe::build("r".into(), "r.toml", recipe.table.clone()).unwrap();
        assert_eq!((&again.table, &again.data[0].0.label), (&recipe.table, &data.label));
    }
    let laws = Recipe::build("r".into(), "r.toml", "data = 'two-moons'".parse().unwrap()).unwrap();
    assert!(!laws.data[0].1 && laws.data[0].0.label == "two-moons");
}

/// Errors are taken apart for points as they are: behind their map, with the exact score of
/// training rows.
#[test]
fn errors_of_points_are_taken_apart() {
    let extra = "model = \"exact\"\nmethod = \"heun\"\nsamples = 30\nsteps = [8, 16]\nfigures = false\n[decompose]\nreference-steps = 64\nsamples = 30";
    let ran = ran(&thirty(200), "", extra);
    // The exact model has no error of a network; the solver's is of standardised size, not of units
    // up to 10⁵.
    assert_eq!(ran.values["error-network"], 0.0);
    assert!((1e-4..10.0).contains(&ran.values["error-solver"]), "{:?}", ran.values);
}
