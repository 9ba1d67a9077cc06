"""Explaining: what one change would do is told of recipes that can be run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.hardware import Cluster, gpu
from tunesmith.memory.outline import Variation
from tunesmith.recipe import Recipe
from tunesmith.search import Wish, explaining, space
from tunesmith.search.space import Family
from tunesmith.search.weighing import Weighed
from tunesmith.throughput import Interval

MODEL = "HuggingFaceTB/SmolLM2-135M"


class Held:
    """As much of Scales as neighbours ask for; it weighs nothing."""

    def __init__(self, wish: Wish, cluster: Cluster) -> None:
        self.wish, self.cluster = wish, cluster
        self.available_bytes = 1

    def holds(self, family: Family, variation: Variation) -> bool:
        return True

    def weigh(self, family: Family, variation: Variation) -> Weighed:
        return Weighed(family, variation, 0, Interval(1.0, 1.0), 0)


@pytest.mark.parametrize("cluster", [("A100-80GB", 1, 1), ("A100-80GB", 4, 1), ("T4-16GB", 2, 2)])
@pytest.mark.parametrize("wished", [{}, {"method": "full", "sequence_length": 8192}])
def test_every_neighbour_of_a_recipe_can_be_read(cluster: Sequence[Any], wished: dict[str, Any]) -> None:
    """A recipe with one thing changed has nothing left over from what it was before."""
    card, gpus, nodes = cluster
    cards = Cluster(gpu=gpu(card), gpus=gpus, nodes=nodes)
    wish = Wish(model=MODEL, architecture=load_architecture(MODEL), cluster=cards, global_batch=16, **wished)
    scales: Any = Held(wish, cards)
    seen = set()
    for family in space.families(wish, cards, offload=True):
        for variation in space.variations(family, wish, cards, coarse=True):
            if (kind := (family, variation.sharding, variation.sync_each_batch, variation.batch)) in seen:
                continue
            seen.add(kind)
            for _, other, changed in explaining._neighbours(scales.weigh(family, variation), scales):
                recipe = space.recipe(other, wish, changed, gpu=card)
                assert Recipe.from_mapping(recipe.to_mapping()) == recipe
    assert len(seen) > 10
