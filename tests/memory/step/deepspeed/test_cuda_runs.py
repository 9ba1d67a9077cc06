"""ZeRO on a card takes what DeepSpeed took of PyTorch's CUDA allocator: cuda_runs.json, see README.md."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.allocator import replay
from tunesmith.memory.trace import trace
from tunesmith.recipe import Recipe

RUNS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "cuda_runs.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("run", RUNS, ids=[run["name"] for run in RUNS])
def test_a_card_takes_what_deepspeed_took(run: dict[str, Any]) -> None:
    """Of each phase the end and the peak in allocated memory, and reserved memory after the last."""
    recipe = Recipe.from_mapping(run["recipe"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = trace(load_architecture(recipe.model), recipe, gpu("A100-80GB"))
    replayed = replay(traced.timeline)
    phases = {phase.name: phase for phase in replayed.phases}
    allocated, reserved = run["allocated_within"], run["reserved_within"]
    for name, live, peak, _ in run["phases"]:
        assert phases[name].allocated_end_bytes == pytest.approx(live, rel=allocated), name
        assert phases[name].allocated_peak_bytes == pytest.approx(peak, rel=allocated), name
    assert replayed.reserved_bytes == pytest.approx(max(row[3] for row in run["phases"]), rel=reserved)
