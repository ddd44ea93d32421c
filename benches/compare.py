"""tweedie beside JAX, PyTorch, diffrax and POT on the same work, in turns on the same machine; the best of all rounds, and its ratios.

    pip install torch jax optax diffrax POT
    cargo build --release && python benches/compare.py [--rounds 3] [--threads 2] [task ...]

Tasks: gemm train sample exact likelihood w2. Writes every reading to compare.jsonl, prints a table in markdown. With --device cuda, on a CUDA
card beside PyTorch alone (gpu.sh calls it so).
"""
import argparse, json, os, pathlib, subprocess, sys

HERE = pathlib.Path(__file__).parent
TASKS = ["gemm", "train", "sample", "exact", "likelihood", "w2"]


def run(command, env, limit):
    """What a command reads; of one that is stopped after `limit` seconds, what it read until then."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    try:
        said, errors = running.communicate(timeout=limit)
        why = errors.strip().splitlines()[-1:] if running.returncode else None
    except subprocess.TimeoutExpired:
        running.kill()
        said, _ = running.communicate()
        why = f"stopped after {limit} seconds"
    if why is not None:
        print(f"{' '.join(map(str, command))}: {why}", file=sys.stderr)
    return [json.loads(line) for line in said.splitlines() if line.startswith("{") and line.endswith("}")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=float, help="seconds for each command")
    parser.add_argument("--out", default="compare.jsonl")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--program", default=HERE.parent / "target/release/tweedie")
    options = parser.parse_args()
    card = options.device == "cuda"
    tasks = options.tasks or ([t for t in TASKS if t != "w2"] if card else TASKS)
    of = lambda known: [t for t in tasks if t in known]
    jax = [] if card else of(["train", "sample", "exact", "likelihood"])
    torch = of(["gemm", "train", "sample", "exact", "w2"])
    compiled = [t for t in torch if t in ("train", "sample", "exact")]
    python, env = sys.executable, {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    own = [options.program, "bench", "--format", "json", "--threads", str(options.threads), "--device", options.device]
    # On a card one by one, so that none takes the others with it.
    commands = [[*own, task] for task in tasks] if card else [[*own, *tasks]]
    commands += [[python, HERE / "peers/jax_peer.py", *jax]] if jax else []
    commands += [[python, HERE / "peers/torch_peer.py", *torch]] if torch else []
    commands += [[python, HERE / "peers/torch_peer.py", "--compile", *compiled]] if compiled else []
    best = {}
    with open(options.out, "w") as log:
        for _ in range(options.rounds):
            for command in commands:
                for reading in run(command, env, options.limit):
                    log.write(json.dumps(reading) + "\n")
                    key, value = (reading["task"], reading["size"], reading["unit"]), reading["value"]
                    mine = best.setdefault(key, {})
                    more = reading["unit"] in ("steps/s", "GFLOP/s")
                    pick = max if more else min
                    mine[reading["peer"]] = pick(value, mine.get(reading["peer"], value))
    peers = ["torch-cuda", "torch.compile-cuda"] if card else ["jax", "jax hoisted", "torch", "torch.compile"]
    eager = ["times eager"] if card else []
    for (task, size, unit), values in list(best.items()):
        if task == "sample-hoisted":
            best.setdefault(("sample", size, unit), {})["jax hoisted"] = values["jax"]
            del best[(task, size, unit)]
    rate = best.get(("gemm", 2048, "GFLOP/s"), {}).get("tweedie")
    print("| " + " | ".join(["task", "unit", "tweedie", *peers, *eager, "times the best", "of the floor"]) + " |")
    print("|---" * (len(peers) + len(eager) + 5) + "|")
    for (task, size, unit), values in sorted(best.items()):
        own = values.get("tweedie")
        more = unit in ("steps/s", "GFLOP/s")
        ratios = {p: own / v if more else v / own for p, v in values.items() if own and p != "tweedie"}
        flop = {"train": 3 * 98304 * size, "sample": 98304 * size}.get(task)
        seconds = own and (1 / own if more else own * 1e-3)
        share = f"{flop / (rate * 1e9) / seconds:.0%}" if flop and rate and own else ""
        show = lambda v: "" if v is None else f"{v:.3g}" if v < 100 else f"{v:.0f}"
        cells = [show(own), *(show(values.get(p)) for p in peers)]
        cells += [f"{ratios['torch-cuda']:.2f}" if "torch-cuda" in ratios else "" for _ in eager]
        # The best of some peers is not the best of all.
        whole = not card or task == "gemm" or "torch.compile-cuda" in ratios
        cells += [f"{min(ratios.values()):.2f}" if ratios and whole else "", share]
        print(f"| {task} {size} | {unit} | " + " | ".join(cells) + " |")
    if not any("tweedie" in values for values in best.values()):
        sys.exit("tweedie gave no reading: see above")


if __name__ == "__main__":
    main()
