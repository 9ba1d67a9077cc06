"""How long a user waits: for help, a cached and a first answer, beside a bare Python and importing torch.

    python benchmarks/startup.py [--runs 5]

Seconds differ between machines and with what else they do, so every figure also stands as a ratio to a
process timed in the same round: ``python -c pass``, or ``python -c 'import torch'``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

MODEL = ["meta-llama/Llama-2-7b-hf", "--method", "lora", "--gpu", "A100-80GB"]
TUNESMITH = [sys.executable, "-m", "tunesmith"]
FITS_OR_NOT = (0, 1)


def main() -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        cached, empty = Path(folder) / "cached", Path(folder) / "empty"
        seconds([*TUNESMITH, "estimate", *MODEL, "--json"], cache=cached)
        commands = {
            "python -c pass": ([sys.executable, "-c", "pass"], empty),
            "python -c 'import torch'": ([sys.executable, "-c", "import torch"], empty),
            "tunesmith --help": ([*TUNESMITH, "--help"], empty),
            "estimate, answered before": ([*TUNESMITH, "estimate", *MODEL, "--json"], cached),
            "estimate 7B, first answer": ([*TUNESMITH, "estimate", *MODEL, "--json"], None),
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(runs):  # in rounds, so that all meet the same load
            for name, (command, cache) in commands.items():
                fresh = Path(folder) / f"fresh-{number}"
                taken[name].append(seconds(command, cache=fresh if cache is None else cache))
    bare, torch = median(taken["python -c pass"]), median(taken["python -c 'import torch'"])
    sys.stdout.write(f"{'':28}{'seconds':>10}{'x python':>10}{'x torch':>10}\n")
    for name, found in taken.items():
        middle = median(found)
        sys.stdout.write(f"{name:28}{middle:>10.2f}{middle / bare:>10.1f}{middle / torch:>10.2f}\n")


def seconds(command: list[str], *, cache: Path) -> float:
    """Return the wall time of one run of *command* with its cache in the folder *cache*."""
    environment = {**os.environ, "TUNESMITH_CACHE": str(cache)}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode not in FITS_OR_NOT:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stderr}")
    return taken


if __name__ == "__main__":
    main()
