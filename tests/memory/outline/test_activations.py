"""An outline of offloaded activations answers for other batches, lengths and cards what a trace does."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import estimate_from
from tunesmith.memory.outline import Outline, Variation, outline
from tunesmith.memory.trace import trace
from tunesmith.recipe import Recipe

MODEL: dict[str, Any] = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128}
MODEL |= {"num_hidden_layers": 12, "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 256}
CARD = gpu("A100-80GB")
RECIPE = Recipe.from_mapping(
    {"model": MODEL, "method": "full", "sequence_length": 1024, "activation_offloading": True}
)


@pytest.fixture(scope="module")
def found() -> Outline:
    """Return the outline of the class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outline(load_architecture(MODEL), RECIPE, CARD, trace=trace)


@pytest.mark.parametrize(("batch", "length"), [(1, 1024), (3, 2048)])
def test_card_and_host_are_those_of_a_trace(found: Outline, batch: int, length: int) -> None:
    """To half a percent on the card; of the host's blocks those that do not grow with tokens are left out."""
    recipe = RECIPE.replace(per_device_train_batch_size=batch, sequence_length=length)
    needs = found.needs(Variation.of(recipe))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = trace(load_architecture(MODEL), recipe, CARD)
    answer = estimate_from(traced, model="tiny", recipe=recipe, gpu=CARD)
    assert needs.allocated_bytes == pytest.approx(answer.peak.allocated_bytes, rel=0.005)
    assert needs.host_bytes == pytest.approx(answer.host_bytes, rel=0.05)
    assert needs.host_pinned_bytes == needs.host_bytes


def test_every_card_of_a_node_has_its_own(found: Outline) -> None:
    """Two cards with a copy each keep twice as much on their host."""
    one = found.needs(Variation(batch=2, length=1024))
    two = found.needs(Variation(batch=2, length=1024, gpus=2, sharding="ddp"))
    assert two.host_bytes == 2 * one.host_bytes > 0


def test_copies_are_work(found: Outline) -> None:
    """What goes over PCIe is proportional to the tokens."""

    def copied(batch: int) -> int:
        return sum(
            each.moved_bytes
            for phase, works in found.work(batch, 1024).items()
            if phase.startswith("step2.")
            for each in works
            if each.kind == "host_copy"
        )

    assert copied(1) > 12 * 1024 * 64 * 2
    assert copied(4) == pytest.approx(4 * copied(1), rel=0.02)
