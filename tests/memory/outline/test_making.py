"""Outlines are made from a few traces, kept on disk, and refused where layers do not repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.architecture import Architecture, load_architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.ledger import Trace
from tunesmith.memory.outline import Outline, Variation, outline
from tunesmith.memory.outline.making import cast_class, one_card
from tunesmith.recipe import Recipe

Recipes = Callable[..., Recipe]


def never(*_: object) -> Any:
    """Stand for a trace that must not run."""
    raise AssertionError("a trace was run")


def test_an_outline_is_kept(
    llama: Architecture, recipe_for: Recipes, outlined: Callable[[str], Outline], card: Gpu
) -> None:
    """Asked again, for another member of its class too, it comes from disk; only new optimizers are run."""
    first = outlined("full")
    again = outline(
        llama,
        recipe_for("full", gradient_accumulation_steps=4, per_device_train_batch_size=8),
        card,
        trace=never,
        optims=("adamw_torch", "adamw_8bit", "sgd"),
    )
    assert again == first
    assert again.peak_bytes(Variation(batch=2, length=256)) == first.peak_bytes(
        Variation(batch=2, length=256)
    )


def test_four_small_traces_are_enough(outlined: Callable[[str], Outline]) -> None:
    """Three points of the fewest layers, one of one more."""
    assert outlined("full").num_traces == 4
    assert outlined("full").trainable_parameters == outlined("full").parameters


def test_a_model_of_three_layers_has_no_outline(
    llama: Architecture,
    recipe_for: Recipes,
    real_trace: Trace,
    card: Gpu,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Where too few layers repeat, the answer is a reason to trace instead."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    short = load_architecture(llama.to_dict() | {"num_hidden_layers": 3})
    with pytest.raises(UnsupportedError, match="too few layers"):
        outline(short, recipe_for("full"), card, trace=never)


def test_the_class_of_a_recipe_is_one_card_and_one_pass(recipe_for: Recipes) -> None:
    """What an outline leaves open is taken out of the recipe that is traced."""
    many = recipe_for(
        "full",
        gradient_accumulation_steps=4,
        sharding="fsdp",
        **{"hardware.gpus": 8, "gradient_checkpointing_kwargs.every_n_layers": 2},
    )
    assert one_card(many) == one_card(recipe_for("full"))


def test_mixed_precision_is_computed_in_16_bits_on_many_cards(recipe_for: Recipes) -> None:
    """FSDP and ZeRO cast weights as they use them, so their activations are those of 16-bit weights."""
    mixed = one_card(recipe_for("full", **{"precision.weights": "float32", "precision.autocast": "bfloat16"}))
    assert cast_class(mixed) == one_card(recipe_for("full"))
    assert cast_class(one_card(recipe_for("full"))) is None
