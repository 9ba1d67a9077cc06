"""Estimate: parts at the peak, phases under the callbacks' names, and whether a run fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.recipe import Recipe

Trace = Callable[..., Traced]

TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 128,
}


def estimated(traced: Trace, *, card: str | None = "A100-80GB", **changes: Any) -> Estimate:
    """Return the estimate of a tiny run."""
    recipe = Recipe.from_mapping({"model": TINY, "trainer": "loop", **changes})
    answer = traced(**changes)
    return estimate_from(answer, model="tiny", recipe=recipe, gpu=gpu(card) if card else None)


def test_a_run_fits_when_the_process_does(traced: Trace) -> None:
    answer = estimated(traced)
    assert answer.fits
    assert answer.margin_bytes == gpu("A100-80GB").memory_bytes - answer.peak.process_bytes


def test_without_a_card_nothing_is_said_of_fitting(traced: Trace) -> None:
    answer = estimated(traced, card=None)
    assert answer.fits is None
    assert answer.margin_bytes is None


def test_the_instant_of_the_peak_lies_in_a_phase_of_that_height(traced: Trace) -> None:
    answer = estimated(traced)
    highest = {p.name for p in answer.phases if p.allocated_peak_bytes == answer.peak.allocated_bytes}
    assert answer.peak_at.phase in highest


def test_a_trainers_phases_also_bear_the_names_of_its_callbacks(traced: Trace) -> None:
    names = [p.name for p in estimated(traced, trainer="trainer", gradient_accumulation_steps=2).phases]
    for name in ("step1.begin", "step1.substep", "step1.fwd_bwd_clip", "step1.step", "step1.end", "end"):
        assert name in names


def test_merged_phases_are_as_high_as_their_highest_part(traced: Trace) -> None:
    phases = {p.name: p for p in estimated(traced, trainer="trainer").phases}
    parts = [phases[f"step2.{part}"] for part in ("forward", "backward", "clip")]
    merged = phases["step2.fwd_bwd_clip"]
    assert merged.allocated_peak_bytes == max(part.allocated_peak_bytes for part in parts)
    assert merged.allocated_end_bytes == parts[-1].allocated_end_bytes


def test_the_mapping_is_json_and_holds_every_field_of_the_contract(traced: Trace) -> None:
    mapping = json.loads(json.dumps(estimated(traced).to_mapping()))
    expected = {
        "model",
        "recipe",
        "peak",
        "peak_at",
        "parts",
        "phases",
        "parameters",
        "trainable_parameters",
        "fits",
        "margin_bytes",
        "assumptions",
        "versions",
        "engine",
    }
    assert expected <= set(mapping)
    assert sum(mapping["parts"].values()) == mapping["peak"]["allocated_bytes"]
