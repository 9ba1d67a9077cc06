"""Runs under ZeRO on the CPU, as DeepSpeed itself was run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import pytest
import torch
from bitsandbytes import functional

from tunesmith.architecture import load_architecture
from tunesmith.memory import loading, step
from tunesmith.memory.host import HostBlock
from tunesmith.memory.recorder import Recorder
from tunesmith.memory.step.deepspeed.engine import engine_recipe
from tunesmith.memory.timeline import Timeline
from tunesmith.recipe import Recipe


class Counted(NamedTuple):
    """What a phase leaves alive, and the most that lives in it."""

    live: int
    peak: int


class CpuRun(NamedTuple):
    """A run under ZeRO on the CPU."""

    phases: dict[str, Counted]
    host: list[HostBlock]


def counted(timeline: Timeline) -> dict[str, Counted]:
    """Return the bytes alive at the end of every phase of *timeline*, and at most within it."""
    live, found = 0, {}
    for phase in timeline.phases:
        peak = live
        for event in timeline.events[phase.start : phase.end]:
            size = timeline.storages[abs(event) - 1].bytes
            live += size if event > 0 else -size
            peak = max(peak, live)
        found[phase.name] = Counted(live, peak)
    return found


@pytest.fixture(scope="session")
def on_cpu() -> Callable[[dict[str, Any]], CpuRun]:
    """Return a function from a recipe to its run on the CPU, as rank 0 without the others."""

    def run(mapping: dict[str, Any]) -> CpuRun:
        recipe, device = Recipe.from_mapping(mapping), torch.device("cpu")
        model = loading.build(load_architecture(recipe.model), engine_recipe(recipe))
        recorder = Recorder(device)
        # Each run is a process of its own, in which bitsandbytes makes its tables once.
        with mock.patch.dict(functional.name2qmap, clear=True), warnings.catch_warnings(), recorder:
            warnings.simplefilter("ignore")
            recorder.paused = not step.loads_on_card(recipe)
            for moment in step.run(model, recipe, device, label=recorder.label):
                if recorder.paused:
                    recorder.paused = False
                else:
                    recorder.end_phase(moment.moment)
        return CpuRun(counted(recorder.timeline()), moment.host)

    return run
