"""Estimates beside measured runs: PyTorch's own CUDA allocator, and published measurements on real cards."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path

import pytest

from tunesmith.api import estimate
from tunesmith.memory.estimate import Estimate

TRUTH = Path(__file__).parent / "truth"
CUDA_BUILD, CARDS = (
    {row["id"]: row for row in map(json.loads, (TRUTH / name).read_text().splitlines())}
    for name in ("cuda_build.jsonl", "cards.jsonl")
)
ALLOCATED, RESERVED, PHASE_END = 0.001, 0.01, 0.001
"""Largest relative errors against PyTorch's CUDA build."""
CARD_ALLOCATED, CARD_RESERVED = 0.01, 0.07
"""The same on cards, whose libraries are up to a year older."""


@cache
def answer(identifier: str) -> Estimate:
    """Return the estimate for one row."""
    recipe = {**CUDA_BUILD, **CARDS}[identifier]["recipe"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimate(recipe)


def error(estimated: int, measured: int) -> float:
    """Return the relative error."""
    return abs(estimated / measured - 1)


@pytest.mark.parametrize("identifier", CUDA_BUILD)
def test_allocated_and_reserved_are_those_of_pytorchs_cuda_build(identifier: str) -> None:
    measured, peak = CUDA_BUILD[identifier]["measured"], answer(identifier).peak
    assert error(peak.allocated_bytes, measured["allocated_bytes"]) < ALLOCATED
    assert error(peak.reserved_bytes, measured["reserved_bytes"]) < RESERVED


@pytest.mark.parametrize("identifier", CUDA_BUILD)
def test_every_phase_ends_with_what_pytorchs_cuda_build_held(identifier: str) -> None:
    phases = {phase.name: phase for phase in answer(identifier).phases}
    for measured in CUDA_BUILD[identifier]["phases"]:
        ours = phases[measured["name"]]
        assert error(ours.allocated_end_bytes, measured["allocated_end_bytes"]) < PHASE_END, ours.name
        assert error(ours.allocated_peak_bytes, measured["allocated_peak_bytes"]) < 0.002, ours.name


@pytest.mark.parametrize("identifier", CARDS)
def test_real_cards_held_what_was_estimated(identifier: str) -> None:
    measured, peak = CARDS[identifier]["measured"], answer(identifier).peak
    assert error(peak.allocated_bytes, measured["allocated_bytes"]) < CARD_ALLOCATED
    assert error(peak.reserved_bytes, measured["reserved_bytes"]) < CARD_RESERVED
    assert error(peak.process_bytes, measured["process_bytes"]) < CARD_RESERVED


@pytest.mark.parametrize("identifier", CUDA_BUILD)
def test_parameters_are_those_of_the_measured_model(identifier: str) -> None:
    row = CUDA_BUILD[identifier]
    assert answer(identifier).parameters == row["parameters"]
    assert answer(identifier).trainable_parameters == row["trainable"]
