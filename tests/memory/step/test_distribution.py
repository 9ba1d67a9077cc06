"""Properties of every sharding: which way memory moves, what parts add up to, what shares make together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tunesmith.errors import TunesmithError
from tunesmith.hardware import gpu
from tunesmith.memory.estimate import Estimate, Traced, estimate_from
from tunesmith.memory.timeline import CATEGORIES
from tunesmith.recipe import Recipe
from tunesmith.recipe.names import SHARDINGS

Trace = Callable[..., Traced]

FEW = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
SIZES = {
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 128,
}
BARE = {"stage3_max_reuse_distance": 0, "stage3_param_persistence_threshold": 0}
"""Stage 3 without parameters that stay whole, so that only shares are left between steps."""
LASTING = ("weights", "adapter weights", "optimizer states")
ROOM = {"sequence_length": 64, "per_device_train_batch_size": 2}
"""Sizes at which what is compared outweighs the rounding and the temporaries of one layer."""


def run(traced: Trace, sharding: str, cards: int, **changes: Any) -> Traced:
    """Return the trace of a tiny run on *cards*; what Tunesmith refuses is no example."""
    choices: dict[str, Any] = {
        "method": "full",
        "trainer": "trainer",
        "sharding": sharding,
        "optim": "adamw_torch_fused",
        "hardware": {"gpu": "A100-80GB", "gpus": cards},
        **({"deepspeed": BARE} if sharding == "zero3" else {}),
        **changes,
    }
    try:
        return traced(**choices)
    except TunesmithError:
        assume(False)
        raise


def held(answer: Traced, phase: str, *categories: str) -> int:
    """Return the bytes of *categories* that live when *phase* ends."""
    end = next(p.end for p in answer.timeline.phases if p.name == phase)
    total = 0
    for event in answer.timeline.events[:end]:
        storage = answer.timeline.storages[abs(event) - 1]
        if storage.category in categories:
            total += storage.bytes if event > 0 else -storage.bytes
    return total


def last_backward(answer: Traced) -> str:
    """Return the name of the last backward pass of the second step."""
    return [p.name for p in answer.timeline.phases if p.name.startswith("step2") and "backward" in p.name][-1]


def peak(answer: Traced) -> int:
    """Return the most that lives at a time."""
    live = most = 0
    for event in answer.timeline.events:
        size = answer.timeline.storages[abs(event) - 1].bytes
        live += size if event > 0 else -size
        most = max(most, live)
    return most


def config(width: int, vocabulary: int, *, layers: int = 2, tied: bool = False) -> dict[str, Any]:
    """Return a model of four heads of *width*, whose sizes seldom divide by a number of cards."""
    sizes = {"hidden_size": 4 * width, "intermediate_size": 11 * width, "vocab_size": vocabulary}
    return SIZES | sizes | {"num_hidden_layers": layers, "tie_word_embeddings": tied}


# -- which way memory moves ---------------------------------------------------------------------------


@FEW
@given(
    sharding=st.sampled_from(SHARDINGS),
    cards=st.integers(1, 6),
    method=st.sampled_from(["full", "lora", "qlora"]),
    checkpointing=st.booleans(),
    larger=st.sampled_from(
        [{"sequence_length": 112}, {"per_device_train_batch_size": 4}, {"model": config(16, 256, layers=4)}]
    ),
)
def test_memory_never_falls_as_a_size_rises_under_any_sharding(
    traced: Trace, sharding: str, cards: int, method: str, checkpointing: bool, larger: dict[str, Any]
) -> None:
    """A longer sequence, a larger batch or more layers take no less of any card."""
    smaller = ROOM | {"model": config(16, 256), "method": method, "gradient_checkpointing": checkpointing}
    few, many = (run(traced, sharding, cards, **smaller | more) for more in ({}, larger))
    assert peak(few) <= peak(many)


@FEW
@given(
    sharding=st.sampled_from([name for name in SHARDINGS if name not in ("none", "ddp", "fsdp_hybrid")]),
    method=st.sampled_from(["full", "lora"]),
    cards=st.sampled_from([(1, 2), (2, 4), (2, 3), (3, 8), (4, 16)]),
    trainer=st.sampled_from(["trainer", "sft"]),
)
def test_more_shards_never_hold_more_of_weights_and_states(
    traced: Trace, sharding: str, method: str, cards: tuple[int, int], trainer: str
) -> None:
    """What lasts from step to step falls, or stays, as the same run is spread over more cards."""
    fewer, more = (run(traced, sharding, count, method=method, trainer=trainer) for count in cards)
    assert held(more, "step2.end", *LASTING) <= held(fewer, "step2.end", *LASTING)


@FEW
@given(
    sharding=st.sampled_from(["zero1", "zero2", "zero3", "fsdp"]),
    cards=st.integers(1, 6),
    accumulation=st.integers(1, 2),
)
def test_offload_never_takes_more_of_the_card(
    traced: Trace, sharding: str, cards: int, accumulation: int
) -> None:
    """States that lie on the host are not on the card, and the host says how much they are."""
    offload = {"optimizer": "cpu", "parameters": "cpu" if sharding in ("zero3", "fsdp") else "none"}
    choices: dict[str, Any] = {"gradient_accumulation_steps": accumulation, "model": config(16, 515)}
    near = run(traced, sharding, cards, **choices)
    far = run(traced, sharding, cards, **choices, offload=offload)
    assert held(far, "step2.end", *LASTING) < held(near, "step2.end", *LASTING)
    assert peak(far) <= peak(near)
    assert not near.host and sum(block.bytes for block in far.host) > 0


@pytest.mark.parametrize("sharding", ["ddp", "zero2", "zero3", "fsdp"])
def test_a_4_bit_base_takes_no_more_of_any_card(traced: Trace, sharding: str) -> None:
    """Where layers are large beside their constants, quantised weights are smaller, whole or in shares."""
    large = {"model": config(64, 256, layers=4), "adapter": {"r": 2, "lora_dropout": 0.0}, "trainer": "sft"}
    packed, plain = (run(traced, sharding, 2, **large, method=method) for method in ("qlora", "lora"))
    assert held(packed, "step2.end", *LASTING) < held(plain, "step2.end", *LASTING)


# -- parts --------------------------------------------------------------------------------------------


@FEW
@given(
    sharding=st.sampled_from(SHARDINGS),
    cards=st.integers(1, 8),
    nodes=st.integers(1, 2),
    method=st.sampled_from(["full", "lora", "qlora", "freeze"]),
    trainer=st.sampled_from(["loop", "trainer", "sft"]),
    accumulation=st.integers(1, 3),
)
def test_parts_sum_to_the_peak_of_every_card(
    traced: Trace, sharding: str, cards: int, nodes: int, method: str, trainer: str, accumulation: int
) -> None:
    """Parts are whole positive numbers, sum to the allocator's total, and no phase exceeds the peak."""
    changes: dict[str, Any] = {
        "method": method,
        "trainer": trainer,
        "gradient_accumulation_steps": accumulation,
        "hardware": {"gpu": "A100-80GB", "gpus": cards, "nodes": nodes},
        **({"freeze": {"last_n_layers": 1}} if method == "freeze" else {}),
    }
    answer = told(run(traced, sharding, cards, **changes), {"sharding": sharding, **changes})
    assert all(type(part) is int and part > 0 for part in answer.parts.values())
    assert set(answer.parts) <= set(CATEGORIES)
    assert sum(answer.parts.values()) == answer.peak.allocated_bytes
    assert max(phase.allocated_peak_bytes for phase in answer.phases) == answer.peak.allocated_bytes
    assert all(p.allocated_end_bytes <= p.allocated_peak_bytes <= p.reserved_bytes for p in answer.phases)
    assert answer.peak.allocated_bytes <= answer.peak.reserved_bytes <= answer.peak.process_bytes


def told(answer: Traced, changes: dict[str, Any]) -> Estimate:
    """Return the estimate of a traced run, replayed by the allocator."""
    recipe = Recipe.from_mapping({"model": config(16, 256), **changes})
    return estimate_from(answer, model="tiny", recipe=recipe, gpu=gpu("A100-80GB"))


# -- shares -------------------------------------------------------------------------------------------


@FEW
@given(
    cards=st.integers(1, 8),
    width=st.sampled_from([6, 10, 16]),
    vocabulary=st.integers(97, 515),
    tied=st.booleans(),
    accumulation=st.integers(1, 2),
)
def test_each_stage_holds_no_more_than_the_one_before(
    traced: Trace, cards: int, width: int, vocabulary: int, tied: bool, accumulation: int
) -> None:
    """ZeRO 1 >= 2 >= 3 in weights, gradients and states after the backward pass, up to padding."""
    choices = {"model": config(width, vocabulary, tied=tied), "gradient_accumulation_steps": accumulation}
    first, second, third = (
        held(answer, last_backward(answer), *LASTING, "gradients")
        for answer in (run(traced, stage, cards, **choices) for stage in ("zero1", "zero2", "zero3"))
    )
    padding = 16 * cards * 21  # stage 3 rounds each of 21 tensors up to the cards, in 16 bytes an element
    assert first >= second
    assert second + padding >= third


@FEW
@given(
    sharding=st.sampled_from(["zero1", "zero2", "zero3", "fsdp"]),
    cards=st.integers(2, 9),
    width=st.sampled_from([6, 10, 16]),
    vocabulary=st.integers(97, 515),
)
def test_shares_of_all_cards_are_the_whole_and_some_padding(
    traced: Trace, sharding: str, cards: int, width: int, vocabulary: int
) -> None:
    """States of one card, times the cards, are those of one card alone, rounded up to whole shares."""
    model = config(width, vocabulary)
    alone, shared = (
        held(run(traced, sharding, count, model=model), "step2.end", "optimizer states")
        for count in (1, cards)
    )
    tensors, row = 21, 11 * width
    element = 12 if sharding.startswith("zero") else 4  # masters and two states, or two 16-bit states
    rounded = {"fsdp": tensors * row, "zero3": tensors}.get(sharding, 2 * 2 + 2)
    steps = 8 * tensors * cards  # a step count for each tensor, which is not shared
    assert alone - steps <= cards * shared <= alone + cards * rounded * element + steps


@FEW
@given(
    sharding=st.sampled_from(["ddp", "fsdp", "fsdp_grad_op"]),
    method=st.sampled_from(["full", "lora"]),
    weights=st.sampled_from(["bfloat16", "float32"]),
)
def test_a_world_of_one_card_shards_nothing(traced: Trace, sharding: str, method: str, weights: str) -> None:
    """Weights and states of one card alone are those without a sharding."""
    choices = {"method": method, "precision": {"weights": weights, "autocast": None}}
    alone, plain = (run(traced, name, 1, **choices) for name in (sharding, "none"))
    assert held(alone, "step2.end", *LASTING) == held(plain, "step2.end", *LASTING)
