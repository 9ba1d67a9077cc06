"""ZeRO as it is reproduced takes what DeepSpeed itself took: runs.json, of which README.md says how."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import UnsupportedError
from tunesmith.memory.step.deepspeed import host, zero_of
from tunesmith.memory.step.deepspeed.engine import engine_recipe
from tunesmith.recipe import Recipe

RUNS: dict[str, Any] = json.loads((Path(__file__).parent / "runs.json").read_text(encoding="utf-8"))
Run = Callable[[dict[str, Any]], Any]

SCALARS_BYTES = 160
"""Overflow flags and norms that DeepSpeed holds and Tunesmith does not."""
ROWS = {row["name"]: row for row in RUNS["rows"]}
ON_CARD = [name for name, row in ROWS.items() if not row["recipe"].get("offload")]
OFFLOADED = [name for name, row in ROWS.items() if row["recipe"].get("offload")]


def test_there_are_runs_of_every_stage() -> None:
    """Each stage was run with and without offload, adapters and accumulation."""
    assert len(ON_CARD) >= 10 and len(OFFLOADED) >= 3
    assert {row["recipe"]["sharding"] for row in ROWS.values()} == {"zero1", "zero2", "zero3"}


@pytest.mark.parametrize("name", ON_CARD)
def test_every_phase_takes_what_deepspeed_took(name: str, on_cpu: Run) -> None:
    """What lives at the end of each phase, and at most in it, differs by a few scalars at most."""
    row = ROWS[name]
    phases = on_cpu(row["recipe"]).phases
    for phase, live, peak in row["phases"]:
        assert abs(phases[phase].live - live) <= SCALARS_BYTES, phase
        assert abs(phases[phase].peak - peak) <= SCALARS_BYTES, phase


@pytest.mark.parametrize("name", OFFLOADED)
def test_host_and_card_together_take_what_deepspeed_took(
    name: str, on_cpu: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU host and card are one memory; after the last step all that is held on either is there."""
    monkeypatch.setattr(host, "pinned_bytes", lambda count: count)  # without a card nothing is pinned
    row = ROWS[name]
    run = on_cpu(row["recipe"])
    held = sum(block.bytes for block in run.host)
    phase, live, _ = row["phases"][-1]
    assert abs(run.phases[phase].live + held - live) <= SCALARS_BYTES
    assert held > run.phases[phase].live


def test_sixteen_bits_are_the_engines_whether_weights_or_autocast_ask_for_them() -> None:
    """Bfloat16 weights, and float32 weights under bfloat16 autocast, are one engine to DeepSpeed."""
    for precision in ({"weights": "bfloat16"}, {"weights": "float32", "autocast": "bfloat16"}):
        recipe = Recipe.from_mapping(
            {"model": "gpt2", "method": "full", "sharding": "zero2", "precision": precision}
        )
        assert engine_recipe(recipe).precision.weights == "bfloat16"
        assert engine_recipe(recipe).precision.autocast is None


def test_trl_checkpoints_adapters_reentrantly_under_stage_3() -> None:
    """TRL sets use_reentrant for adapters under stage 3, and leaves it alone under stage 2."""
    recipe = Recipe.from_mapping({"model": "gpt2", "method": "lora", "sharding": "zero3", "trainer": "sft"})
    assert engine_recipe(recipe).gradient_checkpointing_kwargs["use_reentrant"]
    assert not engine_recipe(recipe.replace(sharding="zero2")).gradient_checkpointing_kwargs["use_reentrant"]


def test_8_bit_weights_are_refused_under_stage_3() -> None:
    """Cutting an int8 parameter frees nothing of what bitsandbytes keeps whole; the error says what to do."""
    quantization = {"bits": 8, "quant_type": "int8"}
    choices = {"model": "gpt2", "method": "qlora", "sharding": "zero3", "quantization": quantization}
    with pytest.raises(UnsupportedError, match="zero2"):
        zero_of(Recipe.from_mapping(choices))


def test_packed_weights_of_another_floating_point_type_are_refused(on_cpu: Run) -> None:
    """The engine casts every floating-point parameter; packed weights among them would be destroyed."""
    row = ROWS["z3_q_bf"]["recipe"] | {"quantization": {"quant_storage": "float32"}}
    for sharding in ("zero2", "zero3"):
        with pytest.raises(UnsupportedError, match="bfloat16 or uint8"):
            on_cpu({**row, "sharding": sharding})


def test_packed_weights_are_cut_and_their_constants_stay_whole(on_cpu: Run) -> None:
    """A card of three keeps less than a card of two, but more than its share of everything."""
    rows = [ROWS[name]["recipe"] for name in ("z3_q_bf", "z3_q_w3")]
    two, three = (on_cpu(row).phases["step2.end"].live for row in rows)
    assert two > three > two / 2
