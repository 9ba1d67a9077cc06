"""What sharding saves: shares add up to the whole, later stages and offload take less of each card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tunesmith.architecture import load_architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Traced
from tunesmith.memory.ledger import scaled_trace
from tunesmith.recipe import Recipe

Trace = Callable[..., Traced]

STATES = ("weights", "gradients", "optimizer states")
STAGES = ("zero1", "zero2", "zero3")
BARE = {"stage3_max_reuse_distance": 0, "stage3_param_persistence_threshold": 0}
"""Stage 3 without parameters that stay whole, so that only shares are left between steps."""


def held(answer: Traced, phase: str, *categories: str) -> int:
    """Return the bytes of *categories* that live when *phase* ends."""
    end = next(p.end for p in answer.timeline.phases if p.name == phase)
    total = 0
    for event in answer.timeline.events[:end]:
        storage = answer.timeline.storages[abs(event) - 1]
        if storage.category in categories:
            total += storage.bytes if event > 0 else -storage.bytes
    return total


def peak(answer: Traced) -> int:
    """Return the most that lives at a time."""
    live = most = 0
    for event in answer.timeline.events:
        size = answer.timeline.storages[abs(event) - 1].bytes
        live += size if event > 0 else -size
        most = max(most, live)
    return most


@pytest.fixture
def under(traced: Trace) -> Trace:
    """Return a function from a stage, a number of cards and changes to a traced run of full fine-tuning."""

    def run(stage: str, cards: int, card: str = "A100-80GB", **changes: Any) -> Traced:
        return traced(
            method="full",
            trainer="trainer",
            sharding=stage,
            hardware={"gpu": card, "gpus": cards},
            **({"deepspeed": BARE} if stage == "zero3" else {}) | changes,
        )

    return run


@pytest.mark.parametrize("cards", [1, 2, 3, 8])
@pytest.mark.parametrize("stage", STAGES)
def test_the_shares_of_all_cards_are_the_whole_and_some_padding(stage: str, cards: int, under: Trace) -> None:
    """Float32 weights and AdamW's two states, 12 bytes a parameter, are cut into as many shares as cards."""
    answer = under(stage, cards)
    states = cards * held(answer, "step2.end", "optimizer states")
    whole = 12 * answer.trainable_parameters
    padded = (
        2 * cards * 2 if stage != "zero3" else cards * 32
    )  # elements: of two groups, or of each parameter
    assert whole <= states <= whole + 12 * padded + 8 * cards * 2


@pytest.mark.parametrize("cards", [2, 8])
def test_each_stage_keeps_no_more_than_the_one_before(cards: int, under: Trace) -> None:
    """Weights, gradients and states after the backward pass: stage 1 >= stage 2 >= stage 3."""
    first, second, third = (held(under(stage, cards), "step2.backward", *STATES) for stage in STAGES)
    assert first >= second >= third


@pytest.mark.parametrize("stage", STAGES)
def test_more_cards_never_need_more_of_each(stage: str, under: Trace) -> None:
    """States a card fall as cards are added."""
    held_by = [held(under(stage, cards), "step2.end", *STATES) for cards in (1, 2, 3, 8)]
    assert held_by == sorted(held_by, reverse=True)


@pytest.mark.parametrize("stage", STAGES)
def test_offload_moves_states_from_the_card_to_the_host(stage: str, under: Trace) -> None:
    """What no longer lives on the card is on the host, and the card's peak falls."""
    near, far = under(stage, 2), under(stage, 2, offload={"optimizer": "cpu"})
    assert peak(far) < peak(near)
    assert not near.host and not held(far, "step2.end", "optimizer states")
    on_host = sum(block.bytes for block in far.host if block.what == "optimizer states")
    assert on_host >= held(near, "step2.end", "optimizer states") - 64


def test_offloaded_parameters_leave_the_card(under: Trace) -> None:
    """Under stage 3 with both offloads nothing of the shares is left on the card between steps."""
    offload = {"optimizer": "cpu", "parameters": "cpu"}
    answer = under("zero3", 2, offload=offload)
    assert held(answer, "step2.end", *STATES) == 0
    weights = sum(block.bytes for block in answer.host if block.what == "weights")
    assert weights >= answer.parameters  # two bytes each over two cards


def test_nvme_takes_what_the_host_does_not_keep(under: Trace) -> None:
    """States lie on the disk, and locked buffers in the host lead there."""
    answer = under("zero3", 2, offload={"optimizer": "nvme", "parameters": "nvme"})
    places = {block.what: block.place for block in answer.host if block.what != "weights"}
    assert places["optimizer states"] == "nvme"
    assert any(block.pinned and block.what == "communication buffers" for block in answer.host)


def test_deepspeeds_own_rule_of_thumb_is_above_what_is_kept(under: Trace) -> None:
    """estimate_zero2_model_states_mem_needs() says 4 bytes a parameter and 16 over the cards; less is kept.

    deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage_1_and_2.py.
    """
    for cards in (2, 8):
        answer = under("zero2", cards)
        folk = 4 * answer.parameters + 16 * answer.parameters // cards
        assert folk / 2 < held(answer, "step2.backward", *STATES) < folk


def test_adapters_alone_are_cut_under_stage_2_and_the_base_too_under_stage_3(traced: Trace) -> None:
    """Frozen weights lie whole on every card until stage 3."""

    def weights(stage: str) -> int:
        choices = {"deepspeed": BARE} if stage == "zero3" else {}
        hardware = {"gpu": "A100-80GB", "gpus": 8}
        answer = traced(method="lora", trainer="trainer", sharding=stage, hardware=hardware, **choices)
        return held(answer, "step2.end", "weights")

    assert weights("zero3") < weights("zero2") / 6


def test_a_small_card_flattens_on_the_host(under: Trace) -> None:
    """Where a copy of the weights does not fit, they come to the card flat, and no more of it is needed."""
    config = {"model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 6}
    config |= {"num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 32000}
    config |= {"max_position_embeddings": 64}
    small = under("zero2", 64, card="T4", model=config, precision={"weights": "float16"})
    large = under("zero2", 64, model=config, precision={"weights": "float16"})
    made = [max(held_in(answer, "trainer_built")) / (2 * answer.parameters) for answer in (small, large)]
    assert made[0] < 1.2 and made[1] > 1.9


def held_in(answer: Traced, phase: str) -> list[int]:
    """Return what lives after every event of *phase*."""
    found, live = [], 0
    span = next(p for p in answer.timeline.phases if p.name == phase)
    for position, event in enumerate(answer.timeline.events[: span.end]):
        size = answer.timeline.storages[abs(event) - 1].bytes
        live += size if event > 0 else -size
        if position >= span.start:
            found.append(live)
    return found


def test_layers_of_a_run_under_zero_are_traced_one_and_all() -> None:
    """A few layers do not tell the whole, so scaling refuses instead of being nearly right."""
    recipe = Recipe.from_mapping({"model": "meta-llama/Llama-2-7b-hf", "sharding": "zero2"})
    with pytest.raises(UnsupportedError, match="all layers have to be traced"):
        scaled_trace(load_architecture(recipe.model), recipe, gpu("A100-80GB"), trace=never)


def never(*_: Any) -> Traced:
    """Fail, for no layer needs to be traced to refuse."""
    raise AssertionError
