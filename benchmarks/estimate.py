"""What tracing costs: seconds and memory from 135 M to 671 B parameters, each in a process of its own.

    python benchmarks/estimate.py [MODEL ...]

The largest are to stay under 60 seconds and 2 GiB on two cores.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import torch
import transformers

from tunesmith.api import estimate
from tunesmith.units import GIB

MODELS = (
    "HuggingFaceTB/SmolLM2-135M",
    "meta-llama/Llama-2-7b-hf",
    "meta-llama/Llama-2-70b-hf",
    "deepseek-ai/DeepSeek-V3",
)
RECIPE = {"method": "lora", "adapter": {"lora_dropout": 0.0}, "hardware": {"gpu": "A100-80GB"}}
"""Without dropout, which PEFT does not offer for the experts of a mixture."""
KIB = 1024


def main(models: list[str]) -> None:
    """Print one line for each model."""
    sys.stdout.write(
        f"torch {torch.__version__}, transformers {transformers.__version__}, {os.cpu_count()} cores\n"
    )
    sys.stdout.write(f"{'':32}{'parameters':>18}{'seconds':>10}{'GiB of RAM':>12}{'events':>10}\n")
    for model in models:
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, __file__, "--one", model]
            environment = {**os.environ, "TUNESMITH_CACHE": cache}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{model}:\n{done.stderr}")
        row = json.loads(done.stdout.splitlines()[-1])
        ram = f"{row['resident_bytes'] / GIB:.2f}"
        sys.stdout.write(
            f"{model:32}{row['parameters']:>18,}{row['seconds']:>10.1f}{ram:>12}{row['events']:>10,}\n"
        )


def one(model: str) -> None:
    """Print what one estimate took in this process; imports count in its memory, not in its time."""
    start = time.perf_counter()
    answer = estimate({"model": model, **RECIPE})
    taken = time.perf_counter() - start
    row = {
        "parameters": answer.parameters,
        "seconds": taken,
        "resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB,
        "events": len(answer.timeline.events) if answer.timeline is not None else 0,
    }
    sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2])
    else:
        main(sys.argv[1:] or list(MODELS))
