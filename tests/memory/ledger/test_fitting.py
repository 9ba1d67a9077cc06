"""A ledger says what a trace says, wherever it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tunesmith.architecture import parse_architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.ledger import Ledger, Trace, fit
from tunesmith.memory.timeline import Timeline
from tunesmith.recipe import Recipe

MODEL: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,
    "vocab_size": 1000,
    "max_position_embeddings": 65536,
    "num_hidden_layers": 5,
}
RUNS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora"},
    "full": {"method": "full", "trainer": "loop", "gradient_checkpointing": False, "optim": "adamw_torch"},
}


def recipe_of(run: str, **changes: Any) -> Recipe:
    start = {"model": MODEL, "per_device_train_batch_size": 2, "sequence_length": 512}
    return Recipe.from_mapping({**start, **RUNS[run], **changes})


@pytest.fixture(scope="module")
def ledgers(real_trace: Trace, card: Gpu) -> dict[str, Ledger]:
    return {run: fit(parse_architecture(MODEL), recipe_of(run), card, trace=real_trace) for run in RUNS}


def live(timeline: Timeline) -> tuple[int, list[tuple[str, int, int]]]:
    """Return the most that lives, in whole blocks, and each phase's peak and end."""
    now = 0
    phases = []
    for phase in timeline.phases:
        most = now
        for event in timeline.events[phase.start : phase.end]:
            blocks = -(-timeline.storages[abs(event) - 1].bytes // 512) * 512
            now += blocks if event > 0 else -blocks
            most = max(most, now)
        phases.append((phase.name, most, now))
    return max(most for _, most, _ in phases), phases


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(run=st.sampled_from(sorted(RUNS)), batch=st.integers(2, 16), length=st.integers(256, 2048))
def test_a_ledger_gives_the_bytes_of_a_full_trace_at_any_batch_and_length_it_holds_for(
    run: str, batch: int, length: int, ledgers: dict[str, Ledger], real_trace: Trace, card: Gpu
) -> None:
    ledger = ledgers[run]
    if not ledger.range.holds(batch, length):
        with pytest.raises(UnsupportedError, match="outside this ledger"):
            ledger.evaluate(batch, length)
        return
    recipe = recipe_of(run, per_device_train_batch_size=batch, sequence_length=length)
    most, phases = live(real_trace(parse_architecture(MODEL), recipe, card).timeline)
    found = ledger.evaluate(batch, length)
    assert found.live_bytes == ledger.live_bytes(batch, length) == most
    assert list(found.phases) == phases
    assert sum(found.parts.values()) == most


@pytest.mark.parametrize("run", sorted(RUNS))
def test_a_ledger_states_its_residual_at_a_point_that_it_was_not_fitted_to(
    run: str, ledgers: dict[str, Ledger]
) -> None:
    assert ledgers[run].residual["live_bytes"] == 0
    assert set(ledgers[run].residual) == {"live_bytes", "allocated_bytes", "reserved_bytes"}
    assert ledgers[run].allocated_ratio[0] >= 1


def test_where_one_sequence_runs_other_operations_the_ledger_holds_for_one(
    real_trace: Trace, card: Gpu
) -> None:
    recipe = recipe_of("lora", trainer="trainer", gradient_checkpointing=False, per_device_train_batch_size=1)
    ledger = fit(parse_architecture(MODEL), recipe, card, trace=real_trace)
    assert ledger.range.batch == (1, 1)
    longer = recipe.replace(sequence_length=776)
    most, _ = live(real_trace(parse_architecture(MODEL), longer, card).timeline)
    assert ledger.live_bytes(1, 776) == most


@pytest.mark.parametrize("run", sorted(RUNS))
def test_a_ledger_survives_json(run: str, ledgers: dict[str, Ledger]) -> None:
    kept = json.loads(json.dumps(ledgers[run].to_mapping()))
    assert Ledger.from_mapping(kept) == ledgers[run]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("columns", [[[512, [9, 9, 1, 0, 0, 0]]]]),
        ("columns", []),
        ("phases", [{"name": "x", "candidates": [], "end": []}]),
        ("allocated_ratio", [2.0, 1.0]),
        ("range", {"batch": [0, 1], "length": [1, 2], "tokens": [1, 2], "length_multiple": 1}),
        ("num_traces", "7"),
        ("residual", None),
    ],
)
def test_a_file_that_is_no_ledger_is_told_from_one(
    place: str, value: object, ledgers: dict[str, Ledger]
) -> None:
    kept = json.loads(json.dumps(ledgers["lora"].to_mapping()))
    with pytest.raises(ValueError):
        Ledger.from_mapping(kept | {place: value})
