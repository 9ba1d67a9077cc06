"""What a file runs otherwise: keys left to the trainer are compared as what the trainer does."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.recipe import Recipe
from tunesmith.trainers.differences import MATERIAL, differences

BASE: dict[str, Any] = {"model": "gpt2", "method": "lora"}


def between(one: dict[str, Any], other: dict[str, Any]) -> dict[str, bool]:
    """Return the keys that differ, and whether each decides memory."""
    found = differences(Recipe.from_mapping(BASE | one), Recipe.from_mapping(BASE | other), launched=True)
    return {each.key: each.material for each in found}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"precision": {"adapter": "float32"}}, {}),
        ({"loss": "chunked"}, {"loss": None}),
        ({"adapter": {"target_modules": ["c_attn"]}}, {"adapter": {"target_modules": r".*\.c_attn"}}),
        (
            {"gradient_checkpointing": False},
            {"gradient_checkpointing": False, "gradient_checkpointing_kwargs": {}},
        ),
        ({"hardware": {"gpus": 8}, "sharding": "ddp"}, {}),
        ({"attention_mask": True}, {}),
        ({"hardware": {"gpu": "T4-16GB"}}, {}),
    ],
)
def test_what_runs_the_same_does_not_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two ways to say the same are no difference."""
    assert between(one, other) == {}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({}, {"sequence_length": 9}, {"sequence_length": True}),
        ({}, {"precision": {"adapter": "bfloat16"}}, {"precision.adapter": False}),
        ({}, {"precision": {"autocast": "bfloat16"}}, {"precision.autocast": False}),
        ({}, {"precision": {"autocast": "float16"}}, {"precision.autocast": True}),
        ({"loss": "chunked"}, {"loss": "standard"}, {"loss": True}),
        ({}, {"loss": "standard"}, {"loss": False}),
        ({"attn_implementation": "sdpa"}, {"attn_implementation": "eager"}, {"attn_implementation": True}),
        ({"sharding": "zero2"}, {"sharding": "fsdp"}, {"sharding": True}),
    ],
)
def test_what_runs_otherwise_is_told_and_judged(
    one: dict[str, Any], other: dict[str, Any], found: dict[str, bool]
) -> None:
    """A difference names its key, and whether it may need more than the recipe was judged by."""
    judged = between(one, other)
    assert {key: judged[key] for key in found} == found


def test_keys_that_decide_memory_are_keys() -> None:
    """Every key that is called material is one of a recipe, or of its checkpointing arguments."""
    from tunesmith.recipe import flags

    known = {flag.key for flag in flags()}
    assert {key for key in MATERIAL if not key.startswith("gradient_checkpointing_kwargs.")} <= known
