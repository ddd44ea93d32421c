//! Tests of the figures: files that are whole, errors that are told, ticks and labels that are right.

use std::fs;
use std::path::{Path, PathBuf};

use super::axes::{Scale, robust_range};
use super::outline::dashes;
use super::*;

/// A fresh folder of this test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tweedie-plot-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn stem(&self) -> PathBuf {
        self.0.join("figure.v1")
    }

    /// Checks that the folder holds one PNG and one SVG and nothing else; returns the SVG.
    fn check(&self) -> String {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["figure.v1.png", "figure.v1.svg"]);
        let png = fs::read(self.0.join("figure.v1.png")).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 1000);
        let svg = fs::read_to_string(self.0.join("figure.v1.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "a value that cannot be drawn was drawn");
        svg
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn labels(scale: Scale, count: usize) -> Vec<String> {
    scale.ticks(count).into_iter().map(|(_, label)| label).collect()
}

const BAD: [f64; 4] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];

#[test]
fn log_ticks_use_one_notation() {
    assert_eq!(labels(Scale::log(5.0, 1000.0), 6), ["10", "100", "1000"]);
    assert_eq!(labels(Scale::log(0.011, 0.9), 6), ["0.01", "0.1", "1"]);
    assert_eq!(labels(Scale::log(0.02, 0.4), 6), ["0.03", "0.1", "0.3"]);
    assert_eq!(labels(Scale::log(1e-6, 1e-2), 6), ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]);
    assert_eq!(labels(Scale::log(2e-5, 8e-5), 6), ["2×10⁻⁵", "3×10⁻⁵", "5×10⁻⁵", "7×10⁻⁵"]);
    assert!(labels(Scale::log(1e-9, 1e9), 6).len() <= 7);
}

#[test]
fn linear_ticks_share_their_decimals() {
    assert_eq!(labels(Scale::linear(-1.0, 1.0), 4), ["−1.0", "−0.5", "0", "0.5", "1.0"]);
    assert_eq!(labels(Scale::linear(0.0, 0.052), 5), ["0", "0.02", "0.04"]);
    assert_eq!(labels(Scale::linear(0.0, 4e6), 4), ["0", "1×10⁶", "2×10⁶", "3×10⁶", "4×10⁶"]);
    assert!(!labels(Scale::linear(3.0, 3.0), 4).is_empty());
    assert!(!labels(Scale::linear(f64::NAN, 3.0), 4).is_empty());
}

#[test]
fn range_ignores_what_diverged() {
    let values = (0..1000).map(f64::from).chain(BAD);
    let (lo, hi) = robust_range(values, 0.01, 0.0);
    assert!((9.0..11.0).contains(&lo) && (989.0..995.0).contains(&hi), "{lo} {hi}");
}

#[test]
fn labels_wrap_and_shorten() {
    let lines = text::wrap("predictor-corrector (reverse-diffusion, snr 0.16)", 11, 124.0);
    assert_eq!(lines, ["predictor-corrector", "(reverse-diffusion,", "snr 0.16)"]);
    assert!(text::wrap(&"x".repeat(200), 11, 100.0).iter().all(|line| text::width(line, 11) <= 100.0));
    let short = text::shorten(&"m".repeat(100), 10, 90.0);
    assert!(short.ends_with('…') && text::width(&short, 10) <= 90.0);
}

#[test]
fn dashes_go_on_around_corners() {
    let pieces = dashes(&[[0.0, 0.0], [3.0, 0.0], [3.0, 7.0]], &[4.0, 2.0]);
    assert_eq!(pieces, [vec![[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]], vec![[3.0, 3.0], [3.0, 7.0]]]);
}

#[test]
fn samples_survive_bad_points_and_missing_panels() {
    let folder = Folder::new("samples");
    let data: Vec<[f64; 2]> = (0..400).map(|i| [f64::from(i % 20), f64::from(i / 20)]).collect();
    let mixed: Vec<[f64; 2]> =
        data.iter().copied().chain(BAD.map(|v| [v, 1.0])).chain([[99.0, 0.0]; 40]).collect();
    let lost = BAD.map(|v| [v, v]);
    let panel = |points, note: Option<&str>| Some(SamplePanel { points, note: note.map(str::to_owned) });
    let rows = [
        SampleRow { label: "ode & $heun$ <2>", panels: vec![panel(&mixed, Some("diverged: 4")), None] },
        SampleRow { label: "adaptive", panels: vec![panel(&lost, None)] },
        SampleRow { label: "", panels: Vec::new() },
    ];
    samples(&folder.stem(), "title", &data, &["10 steps".to_owned(), "20 steps".to_owned()], &rows).unwrap();
    let svg = folder.check();
    assert!(
        svg.contains("ode &amp; $heun$ &lt;2&gt;")
            && svg.contains("diverged: 4")
            && svg.contains("10 % outside")
    );
    samples(&folder.stem(), "", &[], &[], &[]).unwrap();
    folder.check();
}

#[test]
fn quality_survives_bad_points_and_names_each_series_once() {
    let folder = Folder::new("quality");
    let point = |evals, mean| Quality { evals, mean, low: -1.0, high: mean * 2.0 };
    let bad = BAD.iter().flat_map(|v| [point(10.0, *v), point(*v, 0.1)]);
    let points: Vec<_> =
        [point(100.0, 0.1), point(10.0, 0.4), point(200.0, -0.01)].into_iter().chain(bad).collect();
    let series = |name, points| QualitySeries { name, points };
    let panel = |title| QualityPanel {
        title,
        series: vec![
            series("heun", points.clone()),
            series("rk45", vec![point(35.0, 0.2)]),
            series("none", vec![]),
        ],
    };
    let floor = Some(Floor { mean: 0.01, low: 0.0, high: f64::NAN });
    let panels = [panel("vp"), panel("ve"), panel("sub-vp")];
    quality(&folder.stem(), ["t", "distance", "over three seeds"], &panels, floor).unwrap();
    let svg = folder.check();
    assert!(svg.contains("over three seeds; 3 means at or below 0 have no place on this axis"));
    assert_eq!(svg.matches(">heun<").count(), 1);
    assert_eq!(svg.matches(">floor<").count(), 1);
    quality(&folder.stem(), ["t", "distance", "one seed"], &[], None).unwrap();
    assert!(folder.check().contains(">one seed<"));
}

#[test]
fn other_figures_survive_bad_values() {
    let folder = Folder::new("others");
    let loss: Vec<_> =
        (0..500).map(|i| (f64::from(i), if i % 7 == 0 { BAD[i as usize % 4] } else { 1.0 })).collect();
    curve(&folder.stem(), "t", &[("a".to_owned(), loss), ("b".to_owned(), Vec::new())]).unwrap();
    folder.check();
    curve(&folder.stem(), "t", &[]).unwrap();
    folder.check();

    let bad = BAD.map(|v| (v, v));
    let line = |name: &str, points: &[(f64, f64)], bound: &[(f64, f64)]| LevelSeries {
        name: name.to_owned(),
        points: points.to_vec(),
        bound: bound.to_vec(),
    };
    levels(
        &folder.stem(),
        "t",
        ("y", "dashed: nothing"),
        &[
            line("a", &[(0.0, 1.0), (1.0, 0.1)], &[(0.0, 2.0), (1.0, 1.0)]),
            line("b", &bad, &[]),
            line("c", &[], &bad),
        ],
    )
    .unwrap();
    assert!(folder.check().contains("dashed: nothing"));
    levels(&folder.stem(), "t", ("y", ""), &[]).unwrap();
    folder.check();

    let points = vec![
        (8.0, vec![0.1, 0.2, 0.25]),
        (16.0, BAD[..3].to_vec()),
        (32.0, vec![0.0, 0.0, 0.0]),
        (64.0, vec![0.1, 0.1, 0.1]),
    ];
    let panel = PartsPanel { title: "heun", points, note: "slope −2".to_owned() };
    let empty = PartsPanel { title: "", points: vec![], note: String::new() };
    parts(&folder.stem(), "t", &["solver", "prior", "total"], &[panel, empty]).unwrap();
    assert!(folder.check().contains("slope −2"));
    parts(&folder.stem(), "t", &["total"], &[]).unwrap();
    folder.check();

    let paths = [vec![[0.0, 0.0], [f64::NAN, 0.0], [1.0, 1.0], [1e300, 1.0]], vec![[2.0, 2.0]], Vec::new()];
    let panel = TrajectoryPanel { title: "", paths: &paths };
    trajectories(&folder.stem(), "t", &[panel, TrajectoryPanel { title: "x", paths: &[] }]).unwrap();
    folder.check();

    let arrows = [(0.0, 0.0, 0.0, 0.0), (0.5, 0.5, f64::NAN, 1.0), (0.2, 0.2, 1e9, 1.0)];
    let mut field = Field {
        log_density: &[0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -50.0, -1.0],
        nx: 3,
        ny: 2,
        x_range: (0.0, 3.0),
        y_range: (0.0, 1.0),
        arrows: &arrows,
        exact: &arrows[..2],
        note: "at t = 0.1",
    };
    density(&folder.stem(), "t", &field).unwrap();
    let svg = folder.check();
    assert!(svg.contains("log p (nats)") && svg.contains("clipped below") && svg.contains("at t = 0.1"));
    field.nx = 4;
    assert!(matches!(density(&folder.stem(), "t", &field), Err(PlotError::Grid { nx: 4, ny: 2, len: 6 })));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = Folder::new("unwritable");
    let error = curve(&folder.0.join("missing/figure"), "t", &[]).unwrap_err();
    assert!(
        matches!(&error, PlotError::Write(file) if file.to_string().contains("missing/figure.png: the file cannot")),
        "{error}"
    );
    fs::create_dir(folder.0.join("taken.png")).unwrap();
    curve(&folder.0.join("taken"), "t", &[]).unwrap_err();
    let names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [Path::new("taken.png").as_os_str()], "a draft was left behind");
}
