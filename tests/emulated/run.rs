//! Compiles a kernel with a harness, and runs it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Numbers as the harness reads them.
macro_rules! bytes {
    ($list:expr) => {
        $list.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()
    };
}

/// Compiles a harness and gives it lists; what it prints is numbers.
pub(crate) fn run(name: &str, defined: &[(&str, usize)], lists: &[Vec<u8>]) -> Vec<f32> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join(name);
    let mut compiler = Command::new(std::env::var("CC").unwrap_or("cc".into()));
    compiler.current_dir(root).args(["-std=gnu11", "-O1", "-pthread", "-x", "c", "-Isrc/device/kernels"]);
    compiler.args(defined.iter().map(|(name, value)| format!("-D{name}={value}")));
    compiler.arg(format!("tests/emulated/{name}.c")).arg("-lm").arg("-o").arg(&program);
    assert!(compiler.status().unwrap().success());
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for list in lists {
        input.write_all(&(list.len() as u64).to_le_bytes()).unwrap();
        input.write_all(list).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    output.stdout.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}
