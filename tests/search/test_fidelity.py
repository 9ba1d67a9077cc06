"""Fidelity orders recipes by how close they come to full fine-tuning in 32 bits."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.recipe import Recipe
from tunesmith.search.fidelity import FULL, fidelity

MASTERS = {"weights": "float32", "autocast": "bfloat16"}


def scored(**keys: Any) -> int:
    """Return the fidelity of a recipe with *keys*."""
    return fidelity(Recipe.from_mapping({"model": "gpt2", **keys}))


def test_full_fine_tuning_in_32_bits_is_the_measure() -> None:
    """Nothing is above it."""
    assert scored(method="full", precision=MASTERS) == FULL


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"method": "full", "precision": MASTERS}, {"method": "full"}),
        ({"method": "full"}, {"method": "lora", "adapter": {"r": 256}}),
        ({"method": "lora", "adapter": {"r": 64}}, {"method": "lora", "adapter": {"r": 8}}),
        ({"method": "lora"}, {"method": "qlora"}),
        ({"method": "full"}, {"method": "full", "optim": "adamw_8bit"}),
        ({"method": "full", "optim": "adamw_8bit"}, {"method": "full", "optim": "sgd"}),
        ({"method": "full"}, {"method": "freeze", "freeze": {"last_n_layers": 2}}),
    ],
)
def test_what_gives_less_up_comes_first(better: dict[str, Any], worse: dict[str, Any]) -> None:
    """Each pair differs in one thing whose loss somebody has measured."""
    assert scored(**better) > scored(**worse)


def test_deepspeed_keeps_32_bit_masters() -> None:
    """16-bit weights under ZeRO lose no small updates."""
    assert scored(method="full", sharding="zero2") == FULL
