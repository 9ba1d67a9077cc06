"""What a ledger costs beside a trace: fitted once, then evaluated; ratios within one run.

    python benchmarks/ledger.py [MODEL]

Prints how long one trace of the whole model takes, the same unrolled from a few layers, the fit of a
ledger, and one evaluation, each also as a multiple of the evaluation. Fitting includes its own check.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from tunesmith.architecture import load_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.ledger import fit, scaled_trace
from tunesmith.recipe import Recipe

RUNS = {
    "lora": {"method": "lora"},
    "full, no checkpointing": {"method": "full", "gradient_checkpointing": False},
}
EVALUATIONS = 2_000


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    warnings.simplefilter("ignore")
    from tunesmith.memory.trace import trace

    name = sys.argv[1] if len(sys.argv) > 1 else "HuggingFaceTB/SmolLM2-135M"
    model, card = load_architecture(name), gpu("A100-80GB")
    for label, choices in RUNS.items():
        start = {"model": name, "sequence_length": 1024, "per_device_train_batch_size": 2}
        recipe = Recipe.from_mapping({**start, **choices})
        trace(model, recipe, card)  # the first run pays for what libraries load lazily
        whole, _ = timed(lambda recipe=recipe: trace(model, recipe, card))
        few, _ = timed(lambda recipe=recipe: scaled_trace(model, recipe, card, trace=trace))
        fitting, ledger = timed(lambda recipe=recipe: fit(model, recipe, card, trace=trace))
        ledger.live_bytes(4, 1024)
        points = [(2 + n % 6, 1024 + 8 * (n % 100)) for n in range(EVALUATIONS)]
        spent, _ = timed(lambda ledger=ledger, points=points: [ledger.live_bytes(*p) for p in points])
        each = spent / EVALUATIONS
        print(f"{name}, {label} ({ledger.num_traces} small traces, residual {dict(ledger.residual)})")
        for what, seconds in (
            ("trace of all layers", whole),
            ("unrolled from few layers", few),
            ("fit of the ledger", fitting),
            ("one evaluation", each),
        ):
            print(f"  {what:<26}{seconds:>14.6f} s {seconds / each:>12,.0f} evaluations")
        print(f"  {1 / each:,.0f} evaluations a second; {1 / whole:.2f} traces a second")


if __name__ == "__main__":
    main()
