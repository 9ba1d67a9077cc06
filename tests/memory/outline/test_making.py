"""Outlines are made from a few traces, kept on disk, and of all layers where they do not repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.architecture import Architecture, load_architecture
from tunesmith.hardware import Gpu
from tunesmith.memory.estimate import estimate_from
from tunesmith.memory.ledger import Trace
from tunesmith.memory.outline import Outline, Variation, outline
from tunesmith.memory.outline.making import cast_class, one_card
from tunesmith.recipe import Recipe

Recipes = Callable[..., Recipe]
FLASH = "flash_attention_2"


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


def test_a_model_of_three_layers_is_traced_whole(
    llama: Architecture,
    recipe_for: Recipes,
    real_trace: Trace,
    card: Gpu,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Where too few layers repeat, all are traced at three points, and a fourth is met."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path))
    short = load_architecture(llama.to_dict() | {"num_hidden_layers": 3})
    found = outline(short, recipe_for("full"), card, trace=real_trace, optims=("sgd",))
    assert found.num_traces == 3
    assert "sgd" in found.optimizers
    for optim, near in (("adamw_torch_fused", 1e-3), ("sgd", 1e-2)):
        variation = Variation(batch=8, length=256, optim=optim)
        recipe = recipe_for("full", **variation.changes())
        traced = estimate_from(real_trace(short, recipe, card), model="", recipe=recipe, gpu=None)
        assert found.peak_bytes(variation) == pytest.approx(traced.peak.allocated_bytes, rel=near)


@pytest.mark.parametrize("name", ["full", "lora"])
def test_flash_attn_takes_what_pytorchs_flash_kernel_takes(
    name: str, llama: Architecture, recipe_for: Recipes, real_trace: Trace, card: Gpu
) -> None:
    """So one outline serves both, to the byte, and packed examples to a thousandth."""
    two = load_architecture(llama.to_dict() | {"num_hidden_layers": 2})
    peaks = []
    for changes in ({}, {"attn_implementation": FLASH}, {"attn_implementation": FLASH, "packing": True}):
        recipe = recipe_for(name, per_device_train_batch_size=4, **changes)
        traced = estimate_from(real_trace(two, recipe, card), model="", recipe=recipe, gpu=None)
        peaks.append((traced.peak.allocated_bytes, traced.peak.reserved_bytes))
    assert peaks[0] == peaks[1]
    assert peaks[2] == pytest.approx(peaks[0], rel=2e-3)


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
