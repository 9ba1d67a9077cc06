"""A variation says what tells a recipe from the others of its class, and makes that recipe again."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.memory.outline import Variation
from tunesmith.recipe import Recipe

RUNS: list[dict[str, Any]] = [
    {"method": "full"},
    {"method": "lora", "adapter": {"r": 64}, "gradient_accumulation_steps": 4},
    {"method": "full", "sharding": "fsdp", "hardware": {"gpus": 8, "nodes": 2}},
    {"method": "full", "sharding": "zero3", "hardware": {"gpus": 4}, "offload": {"optimizer": "cpu"}},
    {"method": "lora", "gradient_checkpointing_kwargs": {"use_reentrant": False, "every_n_layers": 2}},
]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: "-".join(sorted(run)))
def test_a_recipe_is_made_again_from_its_variation(run: dict[str, Any]) -> None:
    """The changes of a recipe's variation, made to another recipe of its class, give the recipe."""
    recipe = Recipe.from_mapping({"model": "gpt2", "sequence_length": 512, **run})
    variation = Variation.of(recipe)
    other = recipe.replace(per_device_train_batch_size=7, optim="sgd", gradient_accumulation_steps=2)
    assert Variation.of(other) != variation
    assert other.replace(**variation.changes()) == recipe


def test_all_cards_of_all_nodes_count() -> None:
    """The world is every card of every node."""
    assert Variation(batch=1, length=128, gpus=8, nodes=3).world_size == 24
