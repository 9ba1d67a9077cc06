"""Which single changes are worth computing for a recipe."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.memory.suggestions import candidates
from tunesmith.recipe import Recipe


def changes_of(**recipe: Any) -> list[dict[str, Any]]:
    return [dict(change) for change, _, _ in candidates(Recipe.from_mapping({"model": "gpt2", **recipe}))]


@pytest.mark.parametrize(
    ("recipe", "change"),
    [
        ({"method": "lora", "gradient_checkpointing": False}, {"gradient_checkpointing": True}),
        ({"method": "full"}, {"optim": "adamw_8bit"}),
        ({"method": "full"}, {"method": "lora"}),
        ({"method": "lora"}, {"method": "qlora"}),
        ({"method": "lora", "attn_implementation": "eager"}, {"attn_implementation": "sdpa"}),
        ({"method": "lora", "trainer": "trainer"}, {"loss": "chunked"}),
        ({"method": "qlora", "quantization": {"double_quant": False}}, {"quantization.double_quant": True}),
        (
            {"method": "lora", "per_device_train_batch_size": 4},
            {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
        ),
        ({"method": "lora", "sequence_length": 2048}, {"sequence_length": 1024}),
        (
            {"method": "full", "precision": {"weights": "float32"}},
            {"precision.weights": "bfloat16", "precision.autocast": None},
        ),
    ],
)
def test_what_a_recipe_does_not_do_yet_is_a_candidate(recipe: dict[str, Any], change: dict[str, Any]) -> None:
    assert change in changes_of(**recipe)


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        ({"method": "lora", "gradient_checkpointing": True}, "gradient_checkpointing"),
        ({"method": "lora", "per_device_train_batch_size": 1}, "per_device_train_batch_size"),
        ({"method": "qlora"}, "method"),
        ({"method": "qlora"}, "optim"),
        ({"method": "full", "optim": "sgd"}, "optim"),
        ({"method": "lora", "hardware": {"alloc_conf": "expandable_segments:True"}}, "hardware.alloc_conf"),
    ],
)
def test_what_a_recipe_does_already_is_no_candidate(recipe: dict[str, Any], key: str) -> None:
    assert not [change for change in changes_of(**recipe) if key in change]


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_every_candidate_is_a_valid_recipe_with_a_reason_in_both_languages(method: str) -> None:
    recipe = Recipe.from_mapping({"model": "gpt2", "method": method, "per_device_train_batch_size": 2})
    for change, reason, reason_zh in candidates(recipe):
        assert recipe.replace(**change) != recipe
        assert reason.endswith(".")
        assert reason_zh.endswith("。")
