#!/usr/bin/env bash
# Everything that is to be known about a CUDA card, in one command and less than 8 minutes: the parity tests, then tweedie beside PyTorch.
#
#   benches/gpu.sh [OUT]             builds with --features cuda, runs, writes its records into OUT (default: gpu-records)
#   BINARIES=DIR benches/gpu.sh      the same with programs that were built elsewhere: DIR/tweedie, DIR/lib, DIR/tests (see docs/gpu.md)
#
# Exit 0: all of it ran. 1: a test failed or tweedie gave no reading. 3: something is missing; the last line says what.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-gpu-records}

missing() {
    echo "gpu.sh: $1" >&2
    exit 3
}

command -v nvidia-smi >/dev/null ||
    missing "there is no nvidia-smi: this needs a machine with an NVIDIA card and its driver"
card=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>/dev/null) && [ -n "$card" ] ||
    missing "nvidia-smi sees no card: $(nvidia-smi 2>&1 | head -1)"
command -v python3 >/dev/null || missing "there is no python3, which runs PyTorch and prints the table"
python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null ||
    missing "python3 has no PyTorch that can use the card: pip install torch"

if [ -z "${BINARIES:-}" ]; then
    command -v cargo >/dev/null || missing "there is no cargo: install Rust, or set BINARIES to a folder of programs that were built elsewhere"
    command -v nvcc >/dev/null || missing "there is no nvcc: install the CUDA toolkit, or set BINARIES to a folder of programs that were built elsewhere"
    BINARIES=target/cuda-binaries
    benches/cuda-binaries.sh "$BINARIES" || exit 1
fi
for name in tweedie lib tests; do
    [ -x "$BINARIES/$name" ] || missing "there is no program $BINARIES/$name: benches/cuda-binaries.sh makes it"
done

# PyTorch's wheels bring the CUDA libraries with them; the toolkit's, where it is installed, are found without this.
wheels=$(python3 -c 'import nvidia, pathlib
for root in nvidia.__path__:
    print(*sorted({str(p.parent) for p in pathlib.Path(root).rglob("lib*.so*")}), sep=":")' 2>/dev/null)
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${wheels}
"$BINARIES/tweedie" --version >/dev/null || missing "$BINARIES/tweedie does not start: a CUDA library is missing (see above)"

mkdir -p "$out" 2>/dev/null && [ -w "$out" ] || missing "the folder $out cannot be written: name another, benches/gpu.sh OUT"
# As the program sets them for itself.
export CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=1
{ date -u +%F; echo "$card"; python3 -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda)'; } | tee "$out/card.txt"

echo "parity:"
failed=0
# Without the test that compiles kernels for the CPU: it wants the sources where the programs were built.
for tests in "lib train::engine run::sweep --skip the_kernels_of_a_card" "tests parity"; do
    read -r program filters <<<"$tests"
    # shellcheck disable=SC2086
    timeout 90 "$BINARIES/$program" $filters --test-threads 1 2>&1 | tee "$out/$program.txt"
    code=${PIPESTATUS[0]}
    skipped=$(grep -o -m 1 'SKIPPED on CUDA.*' "$out/$program.txt") && missing "$skipped"
    [ "$code" = 124 ] && echo "gpu.sh: $program was stopped after 90 seconds" >&2
    grep -q '^running [1-9]' "$out/$program.txt" || { echo "gpu.sh: $program holds no such test" >&2; code=1; }
    [ "$code" = 0 ] || failed=1
done

# The speed is of interest also where a test failed.
timeout 290 python3 benches/compare.py --device cuda --rounds 1 --limit 90 --program "$BINARIES/tweedie" --out "$out/records.jsonl" |
    tee "$out/table.md" || failed=1
exit "$failed"
