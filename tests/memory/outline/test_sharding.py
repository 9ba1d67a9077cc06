"""Many cards: closed forms beside FSDP2's and ZeRO's own traced runs, and laws that hold for any number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import Architecture
from tunesmith.hardware import Gpu
from tunesmith.memory.estimate import Estimate, estimate_from
from tunesmith.memory.ledger import Trace
from tunesmith.memory.outline import Outline, Variation, outline
from tunesmith.recipe import Recipe

Outlined = Callable[[str], Outline]
Exact = Callable[[str, Variation], Estimate]

OFFLOADED = {"offload_optimizer": "cpu", "offload_parameters": "cpu"}
TRACED: list[tuple[str, dict[str, Any]]] = [
    ("full", {"sharding": "fsdp", "gpus": 4}),
    ("full", {"sharding": "fsdp", "gpus": 8, "accumulation": 2, "batch": 8}),
    ("full, no checkpointing", {"sharding": "fsdp_grad_op", "gpus": 2}),
    ("lora", {"sharding": "fsdp", "gpus": 8, "batch": 8}),
    ("full", {"sharding": "fsdp", "gpus": 4, "accumulation": 3, "sync_each_batch": True}),
    ("lora", {"sharding": "fsdp", "gpus": 4, "accumulation": 2, **OFFLOADED}),
    ("qlora", {"sharding": "fsdp", "gpus": 2, "quantizes_on_host": True}),
    ("qlora", {"sharding": "fsdp", "gpus": 4, "quantizes_on_host": True, **OFFLOADED}),
    ("full", {"sharding": "zero2", "gpus": 8}),
    ("full, no checkpointing", {"sharding": "zero3", "gpus": 4, "batch": 8}),
]


@pytest.mark.parametrize(("name", "changes"), TRACED)
def test_a_card_of_many_is_met_to_five_hundredths(
    name: str, changes: dict[str, Any], outlined: Outlined, exact: Exact
) -> None:
    """What one card takes by the rules is within 5 % of the run of FSDP2's or ZeRO's own code."""
    variation = Variation(**({"batch": 2, "length": 256} | changes))
    true = exact(name, variation).peak.allocated_bytes
    assert outlined(name).peak_bytes(variation) == pytest.approx(true, rel=0.05)


MANY = st.builds(
    Variation,
    batch=st.integers(1, 16),
    length=st.sampled_from([128, 256, 1024]),
    accumulation=st.integers(1, 2),
    sharding=st.sampled_from(["zero1", "zero2", "zero3", "fsdp", "fsdp_grad_op"]),
    gpus=st.sampled_from([2, 4, 8]),
)


@given(variation=MANY)
def test_more_cards_never_need_more_of_each(variation: Variation, outlined: Outlined) -> None:
    """Twice the cards hold at most what half of them did, and never less than their share."""
    known = outlined("full")
    few, many = known.peak_bytes(variation), known.peak_bytes(replace(variation, gpus=2 * variation.gpus))
    assert few / 2 <= many <= few


@given(variation=MANY)
def test_each_stage_shares_more(variation: Variation, outlined: Outlined) -> None:
    """ZeRO 1 needs at least what ZeRO 2 needs; FSDP that reshards needs at most what FSDP that does not."""
    known = outlined("full")

    def of(sharding: str) -> int:
        return known.peak_bytes(replace(variation, sharding=sharding))

    assert of("zero1") >= of("zero2")
    assert of("fsdp_grad_op") >= of("fsdp")


@given(variation=MANY)
def test_what_leaves_the_card_lies_on_the_host(variation: Variation, outlined: Outlined) -> None:
    """Offload never needs more of the card, and the host holds what was there."""
    known = outlined("full")
    away = replace(
        variation,
        offload_optimizer="cpu",
        offload_parameters="cpu" if variation.sharding in ("zero3", "fsdp", "fsdp_grad_op") else "none",
    )
    here, there = known.needs(variation), known.needs(away)
    assert here.host_bytes == here.host_pinned_bytes == 0
    assert there.host_bytes >= there.host_pinned_bytes
    assert there.host_bytes > 0
    assert there.allocated_bytes <= here.allocated_bytes + 2 * known.at(1, 128).head


def test_hybrid_sharding_shares_inside_a_node_only(outlined: Outlined) -> None:
    """A second node changes nothing about what a card of the first one holds."""
    known = outlined("full")
    one = Variation(batch=2, length=256, sharding="fsdp_hybrid", gpus=4, nodes=1)
    assert known.peak_bytes(one) == known.peak_bytes(replace(one, nodes=4))
    assert known.peak_bytes(one) == known.peak_bytes(replace(one, sharding="fsdp"))


def test_split_layers_are_met_to_a_hundredth(
    llama: Architecture, recipe_for: Callable[..., Recipe], real_trace: Trace, card: Gpu
) -> None:
    """An outline of cards that split every layer knows them alone, and beside transformers' own FSDP2."""
    base = recipe_for("full", **{"parallel.tensor": 4, "hardware.gpus": 4})
    found = outline(llama, base, card, trace=real_trace)
    for changes in (
        {"gpus": 4, "batch": 2},
        {"gpus": 8, "sharding": "fsdp", "batch": 4},
        {"gpus": 8, "sharding": "fsdp", "batch": 2, "accumulation": 2},
    ):
        variation = Variation(length=1024, tensor=4, **changes)
        recipe = base.replace(**variation.changes())
        run = real_trace(llama, recipe, card)
        true = estimate_from(run, model="llama", recipe=recipe, gpu=None).peak.allocated_bytes
        assert found.peak_bytes(variation) == pytest.approx(true, rel=0.01)
