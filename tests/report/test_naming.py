"""Recipes in few words: what is shared is said once, what differs beside each, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.recipe import Recipe
from tunesmith.recipe.names import SHARDINGS
from tunesmith.report.naming import cards, choices, differing, in_common, method_name, named, shared
from tunesmith.report.words import tell

CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"method": "full"},
    {"method": "full", "optim": "adamw_8bit", "precision.weights": "float32"},
    {"method": "qlora", "adapter.r": 64},
    {"method": "qlora", "quantization.quant_type": "fp4", "packing": True},
    {"adapter.use_dora": True, "gradient_checkpointing": False},
    {"adapter.peft_type": "LOHA", "loss": "chunked"},
    {"gradient_checkpointing_kwargs.every_n_layers": 3, "max_grad_norm": None},
    {"sharding": "zero3", "offload.optimizer": "cpu", "offload.parameters": "nvme"},
    {"activation_offloading": True},
    {"gradient_checkpointing_kwargs.offload": True},
)


def recipe(**changes: Any) -> Recipe:
    return Recipe(model="gpt2").replace(**changes)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"method": "full"}, "full fine-tuning"),
        ({"method": "freeze", "freeze.last_n_layers": 2}, "partial fine-tuning"),
        ({"method": "qlora", "adapter.r": 8}, "QLoRA r 8"),
        ({"adapter.use_dora": True}, "DoRA r 16"),
        ({"method": "qlora", "adapter.use_dora": True}, "QDoRA r 16"),
    ],
)
def test_a_method_is_named_as_people_name_it(changes: dict[str, Any], name: str) -> None:
    """The method stands with the rank of its adapter, and DoRA is not called LoRA."""
    assert method_name(recipe(**changes))[0] == name


@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=5))
def test_what_differs_tells_recipes_apart(changes: list[dict[str, Any]]) -> None:
    """Two recipes with the same name and the same differences are the same recipe."""
    recipes = [recipe(**each) for each in changes]
    same = shared(recipes)
    told = [(method_name(each), differing(each, same, "en")) for each in recipes]
    for one, one_told in zip(recipes, told, strict=True):
        for other, other_told in zip(recipes, told, strict=True):
            assert (one_told == other_told) == (one == other)


@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=5), st.sampled_from(["en", "zh"]))
def test_nothing_is_said_both_in_common_and_of_one(changes: list[dict[str, Any]], lang: str) -> None:
    """A choice that all share is not repeated beside each of them."""
    recipes = [recipe(**each) for each in changes]
    same = shared(recipes)
    common = set(in_common(recipes[0], same, lang).split(" · ")) - {""}
    assert all(not common & set(differing(each, same, lang).split(" · ")) for each in recipes)


def test_one_recipe_alone_is_named_by_what_decides_its_memory() -> None:
    """Method, quantisation, sharding, offload, checkpointing and optimizer are in the name."""
    one = recipe(method="full", sharding="zero3", optim="adamw_8bit", **{"offload.optimizer": "cpu"})
    assert named(one, "en") == "full fine-tuning · ZeRO-3 · optimizer on CPU · checkpointing · adamw_8bit"
    assert named(one, "zh") == "全参数微调 · ZeRO-3 · 优化器在 CPU · 检查点 · adamw_8bit"


@pytest.mark.parametrize("sharding", SHARDINGS)
def test_every_sharding_has_a_name(sharding: str) -> None:
    """No sharding is shown as the recipe spells it, but for none, which is not shown."""
    name = choices(recipe(sharding=sharding))["sharding"][0]
    assert (name == "") == (sharding == "none")
    assert name != sharding


def test_a_cluster_is_counted_in_nodes_only_if_it_has_several() -> None:
    """One node is not mentioned."""
    assert cards("T4-16GB", 2, 1, tell("en")) == "2 × T4-16GB"
    assert cards("T4-16GB", 2, 3, tell("zh")) == "3 个节点，各 2 × T4-16GB"
