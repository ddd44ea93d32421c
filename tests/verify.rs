//! `tweedie verify` passes, and can fail.

use std::path::Path;

use tweedie::report::Progress;
use tweedie::verify::{Check, GROUPS, reference, verify};

#[test]
fn every_check_passes() {
    let threads = std::thread::available_parallelism().unwrap().get();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let checks = pool.install(|| verify(&[], &Progress::default())).unwrap();
    let failed: Vec<&Check> = checks.iter().filter(|c| !c.passes()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(checks.len() >= 150, "{}", checks.len());
    for group in GROUPS {
        assert!(checks.iter().any(|c| c.group == group.name), "{}", group.name);
    }
    // Names are unique: a row can be found again.
    let mut names: Vec<(&str, &str)> = checks.iter().map(|c| (c.group, c.name.as_str())).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn what_is_outside_its_tolerance_fails() {
    let check = |measured| Check { group: "", name: String::new(), expected: 1.0, measured, tolerance: 0.1 };
    assert!(check(1.09).passes() && check(0.91).passes());
    assert!([1.2, 0.8, f64::NAN, f64::INFINITY].into_iter().all(|v| !check(v).passes()));
}

/// End points of the authors' own code: dpm-solver, UniPC and k-diffusion.
#[test]
fn methods_are_the_authors() {
    let found = reference(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/end_points.json")).unwrap();
    assert!(found.left_out.is_empty() && found.checks.len() == 23);
    for check in &found.checks {
        assert!(check.passes(), "{check:?}");
    }
}

/// End points and log-densities of scipy's DOP853 at rtol 1e-12 on exact mixture scores.
#[test]
fn the_flow_is_scipys() {
    let found = reference(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flow.json")).unwrap();
    assert!(found.left_out.is_empty());
    // Six cases: exact log-densities and scores, and two numbers for each of three methods.
    assert_eq!(found.checks.len(), 6 * (2 + 2 * 3));
    for check in &found.checks {
        assert!(check.passes(), "{check:?}");
    }
}
