"""The space holds recipes that can be asked for, each family with the outline that serves it."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.errors import RecipeError
from tunesmith.hardware import Cluster, gpu
from tunesmith.recipe import Recipe
from tunesmith.search import Layout, Wish
from tunesmith.search.space import FLASH, Family, families, recipe, trainer, variations

MODEL = "meta-llama/Llama-3.1-8B"
BOTH = (Layout(fill=0.5, attention=0.4), Layout(packing=True, fill=0.9, attention=0.1, examples=4.0))


def asked(card: str, model: str = "HuggingFaceTB/SmolLM2-135M", **wishes: Any) -> Wish:
    """Return a wish for one card."""
    cluster = Cluster(gpu=gpu(card), gpus=1)
    return Wish(model=model, architecture=load_architecture(model), cluster=cluster, **wishes)


def found(wish: Wish) -> list[Family]:
    """Return the families of *wish*."""
    assert wish.cluster is not None
    return list(families(wish, wish.cluster))


def recipes(wish: Wish) -> list[Recipe]:
    """Return a recipe of each family of *wish*."""
    assert wish.cluster is not None
    firsts = [(each, next(variations(each, wish, wish.cluster))) for each in found(wish)]
    return [recipe(family, wish, first, gpu=wish.cluster.gpu.name) for family, first in firsts]


def test_packed_examples_are_kept_apart_by_flash_attn_since_ampere() -> None:
    """They share the outline of plain sequences; a card before has a mask, and an outline of its own."""
    for card, attention in (("RTX 4090", FLASH), ("T4-16GB", "")):
        packed = [each for each in found(asked(card, layouts=BOTH)) if each.packing]
        assert packed
        assert {each.attention for each in packed} == {attention}
        assert {each.shared.packing for each in packed} == {attention == ""}
        assert {each.shared in found(asked(card, layouts=BOTH)) for each in packed} == {True}


def test_every_family_is_a_recipe_that_can_be_run() -> None:
    """With its packing and attention in it; without data nothing is packed."""
    told = {(each.packing, each.attn_implementation) for each in recipes(asked("RTX 4090", layouts=BOTH))}
    assert told == {(False, None), (True, FLASH)}
    assert not any(each.packing for each in recipes(asked("RTX 4090")))


def test_a_window_that_is_shorter_than_the_sequence_asks_for_flash_attn() -> None:
    """Masks are what sdpa needs for it, so both are weighed, each by an outline of its own."""
    for length, kinds in ((1024, {""}), (8192, {"", FLASH})):
        windowed = found(asked("RTX 4090", "mistralai/Mistral-7B-v0.1", sequence_length=length))
        assert {each.attention for each in windowed} == kinds
        assert {each.shared.attention for each in windowed} == kinds


def test_eight_bits_are_weighed_where_quality_or_quantised_weights_are_asked_for() -> None:
    """Between 16 and 4 bits; 4 bits are NF4."""
    assert {each.quantization.bits for each in recipes(asked("RTX 4090")) if each.quantization} == {4}
    for wishes in ({"goal": "quality"}, {"method": "qlora"}):
        kinds = [each.quantization for each in recipes(asked("RTX 4090", **wishes)) if each.quantization]
        assert {(kind.bits, kind.quant_type) for kind in kinds} == {(8, "int8"), (4, "nf4")}


def test_a_fixed_key_is_in_every_recipe_that_has_it() -> None:
    """DoRA in those with an adapter, another attention in all."""
    fixed = {"adapter.use_dora": True, "attn_implementation": "eager", "quantization.quant_type": "fp4"}
    for each in recipes(asked("RTX 4090", fixed=fixed)):
        assert each.attn_implementation == "eager"
        assert each.adapter is None or each.adapter.use_dora
        assert each.quantization is None or each.quantization.quant_type == "fp4"


@pytest.mark.parametrize("key", ["adapter.r", "sharding", "hardware.gpus", "optim", "precision.weights"])
def test_a_key_that_the_search_decides_cannot_be_fixed(key: str) -> None:
    """With what to do instead."""
    with pytest.raises(RecipeError, match=rf"{key}: the search decides it.*tunesmith estimate"):
        asked("RTX 4090", fixed={key: 1})


def test_models_that_do_not_predict_the_next_token_have_transformers_trainer() -> None:
    """An encoder with a decoder, and one with masked tokens; nothing of theirs is packed."""
    for model, expected in (("google-t5/t5-base", "trainer"), ("google-bert/bert-base-cased", "trainer")):
        wish = asked("T4-16GB", model, layouts=BOTH)
        assert trainer(wish) == expected
        assert {each.trainer for each in recipes(wish)} == {expected}
        assert not any(each.packing for each in recipes(wish))
    assert trainer(asked("T4-16GB")) is None


def test_packed_sequences_are_as_many_as_hold_the_usual_examples() -> None:
    """Where a batch is asked for, it is that of the sequences."""
    assert asked("T4-16GB", layouts=BOTH).batch(1, packing=True) == 8
    assert asked("T4-16GB", layouts=BOTH).batch(1) == 32
    assert asked("T4-16GB", layouts=BOTH, global_batch=16).batch(1, packing=True) == 16


def long_wish(length: int, card: str) -> tuple[Wish, Cluster]:
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
    made, cluster = long_wish(length, card)
    assert any(each.activations_on_host for each in families(made, cluster, offload=True)) == weighed
    assert not any(each.activations_on_host for each in families(made, cluster))


def test_their_recipes_say_so() -> None:
    """Layers are checkpointed, every one of them, and TRL's trainer offloads their inputs."""
    made, cluster = long_wish(32768, "RTX4090-24GB")
    family = next(each for each in families(made, cluster, offload=True) if each.activations_on_host)
    first, *rest = variations(family, made, cluster)
    found = recipe(family, made, first, gpu=cluster.gpu.name)
    assert found.activation_offloading and found.gradient_checkpointing and found.trainer == "sft"
    assert {each.every_n_layers for each in rest} == {1}
    assert family.twin.activations_on_host is False


def full_wish(*, gpus: int, nodes: int = 1, batch: int | None = None) -> tuple[Wish, Cluster]:
    """Return a wish for full fine-tuning on so many cards."""
    cluster = Cluster(gpu=gpu("H100-80GB"), gpus=gpus, nodes=nodes)
    architecture = load_architecture(MODEL)
    made = Wish(model=MODEL, architecture=architecture, cluster=cluster, method="full", global_batch=batch)
    return made, cluster


@pytest.mark.parametrize(("gpus", "weighed"), [(1, set()), (2, {2}), (6, {2}), (8, {2, 4, 8})])
def test_layers_are_split_inside_a_node_by_what_divides_heads(gpus: int, weighed: set[int]) -> None:
    """Powers of two that divide the cards of a node and the heads, and only where it is asked for."""
    made, cluster = full_wish(gpus=gpus)
    assert {each.tensor for each in families(made, cluster, split=True)} - {1} == weighed
    assert {each.tensor for each in families(made, cluster)} == {1}


def test_cards_that_split_layers_see_one_batch() -> None:
    """Two sequences suffice for eight cards where four of them see each; the others share by FSDP2."""
    made, cluster = full_wish(gpus=8, batch=2)
    found = [
        (each.tensor, recipe(each, made, variation, gpu=None))
        for each in families(made, cluster, split=True)
        for variation in variations(each, made, cluster)
    ]
    assert {tensor for tensor, _ in found} == {4, 8}
    assert {(tensor, made.sharding) for tensor, made in found} == {(4, "fsdp"), (8, "none")}
    assert all(made.parallel is not None and made.parallel.tensor == tensor for tensor, made in found)
    assert {made.optim for _, made in found} == {"adamw_torch_fused"}
