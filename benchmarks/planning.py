"""What a plan takes from a cold start and from a warm one, and what of a trace repeated operations save.

    python benchmarks/planning.py [MODEL [GPU [GPUS]]]

A cold start is a new process and an empty cache. Times are of this machine: compare ratios, not seconds. The
CPU's seconds are those of both processes; what the clock says more or less than half of them is waiting.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

from tunesmith.architecture import load_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.ledger import layers_for, with_layers
from tunesmith.recipe import Recipe

MODEL, CARD = "mistralai/Mistral-7B-v0.1", "RTX 4090"
ADAPTER = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}
CLASSES = {
    "full": {"method": "full"},
    "LoRA": {"method": "lora", "adapter": ADAPTER, "precision": {"autocast": "bfloat16"}},
    "QLoRA": {"method": "qlora", "adapter": ADAPTER, "precision": {"autocast": "bfloat16"}},
}
TIMES = 8


def main() -> None:
    """Print the times of a plan, and of traces of a few layers with and without repeats."""
    model, card, cards = (*sys.argv[1:], *(MODEL, CARD, "1")[len(sys.argv) - 1 :])[:3]
    with tempfile.TemporaryDirectory() as folder:
        for start in ("cold", "warm"):
            clock, processor = planned([model, "--gpu", card, "--gpus", cards], cache=folder)
            print(f"plan {model} on {cards} x {card}, {start}: {clock:.1f} s, {processor:.1f} s of CPU")
    repeats()


def planned(question: list[str], *, cache: str) -> tuple[float, float]:
    """Return the clock's and the CPU's seconds of one ``tunesmith plan``."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tunesmith", "plan", *question, "--json"],
        env={**os.environ, "TUNESMITH_CACHE": cache},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, used


def repeats() -> None:
    """Print what a trace of the fewest layers takes, every operation run and each form run once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tunesmith.memory import meta
        from tunesmith.memory.repeating import Repeats
        from tunesmith.memory.trace import trace

    ways = {"each form once": Repeats(), "every operation": lambda func, args, kwargs: func(*args, **kwargs)}
    architecture, card = load_architecture(MODEL), gpu(CARD)
    for name, keys in CLASSES.items():
        recipe = Recipe.from_mapping(
            {"model": MODEL, "sequence_length": 2048, "gradient_checkpointing": True, **keys}
        )
        layers = layers_for(architecture, recipe)
        few = with_layers(architecture, layers, layers.fewest)
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(2 * TIMES + 2):
            way = list(ways)[number % 2]
            meta._repeats = ways[way]  # type: ignore[assignment]
            started = time.process_time()
            trace(few, recipe, card)
            if number > 1:  # the first of each imports what it needs
                seconds[way].append(time.process_time() - started)
        once, every = (statistics.median(seconds[way]) for way in ways)
        print(
            f"trace of {name}: {once:.3f} s, {every:.3f} s with every operation run: {every / once:.2f} times"
        )


if __name__ == "__main__":
    main()
