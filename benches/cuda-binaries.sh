#!/usr/bin/env bash
# Builds what gpu.sh runs, with --features cuda, and checks it with clippy: the program and the two test programs, stripped, into a folder.
# Needs nvcc, not a card; see docs/gpu.md.
#
#   benches/cuda-binaries.sh [DIR]   default: target/cuda-binaries
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-target/cuda-binaries}
cargo clippy --release --features cuda --all-targets -- -D warnings
cargo build --release --features cuda
mkdir -p "$dir"
cp "${CARGO_TARGET_DIR:-target}/release/tweedie" "$dir/tweedie"
# The test programs, by what cargo says that it made.
cargo test --release --features cuda -p tweedie --no-run --message-format json |
    sed -n 's/.*"target":{"kind":\["\(lib\|test\)"\].*"profile":{.*"test":true}.*"executable":"\([^"]*\)".*/\1 \2/p' |
    while read -r kind made; do
        [ "$kind" = test ] && kind=tests
        cp "$made" "$dir/$kind"
    done
strip "$dir/tweedie" "$dir/lib" "$dir/tests"
ls -l "$dir"
