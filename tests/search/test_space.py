"""The space of recipes: which families are weighed where."""

from __future__ import annotations

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.hardware import Cluster, gpu
from tunesmith.search.space import families, recipe, variations
from tunesmith.search.wish import Wish

MODEL = "meta-llama/Llama-3.1-8B"


def wish(length: int, card: str) -> tuple[Wish, Cluster]:
    """Return a wish for sequences of *length* on one *card*."""
    cluster = Cluster(gpu=gpu(card))
    made = Wish(
        model=MODEL,
        architecture=load_architecture(MODEL),
        cluster=cluster,
        method="lora",
        sequence_length=length,
    )
    return made, cluster


@pytest.mark.parametrize(
    ("length", "card", "weighed"),
    [(2048, "RTX4090-24GB", False), (32768, "RTX4090-24GB", True), (32768, "H200-141GB", True)],
)
def test_activations_go_to_the_host_where_they_take_a_good_part(
    length: int, card: str, weighed: bool
) -> None:
    """Families with activations on the host are weighed for long sequences, and with offload only."""
    made, cluster = wish(length, card)
    assert any(each.activations_on_host for each in families(made, cluster, offload=True)) == weighed
    assert not any(each.activations_on_host for each in families(made, cluster))


def test_their_recipes_say_so() -> None:
    """Layers are checkpointed, every one of them, and TRL's trainer offloads their inputs."""
    made, cluster = wish(32768, "RTX4090-24GB")
    family = next(each for each in families(made, cluster, offload=True) if each.activations_on_host)
    first, *rest = variations(family, made, cluster)
    found = recipe(family, made, first, gpu=cluster.gpu.name)
    assert found.activation_offloading and found.gradient_checkpointing and found.trainer == "sft"
    assert {each.every_n_layers for each in rest} == {1}
    assert family.twin.activations_on_host is False
