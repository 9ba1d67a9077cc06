"""The work of a card that sees a part of every sequence, from the work of one alone: as a trace counts it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import parse_architecture
from tunesmith.hardware import gpu
from tunesmith.memory.trace import trace
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe
from tunesmith.throughput import Ring, around

CONFIG: dict[str, Any] = {"model_type": "llama", "hidden_size": 512, "intermediate_size": 1024}
CONFIG |= {"num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 256}
LENGTH = 2048
ALONE = {
    "step2.forward": [Work(kind="attention", dtype="bf16", flops=100, moved_bytes=10, kernels=2)],
    "step2.step": [Work(kind="optimizer", dtype="fp32", flops=0, moved_bytes=80, kernels=1)],
}


@functools.cache
def traced(cards: int) -> Mapping[str, Sequence[Work]]:
    """Return the work of one of so many *cards*, each with a part of LENGTH tokens."""
    recipe = Recipe.from_mapping(
        {
            "model": CONFIG,
            "method": "full",
            "trainer": "trainer",
            "sequence_length": cards * LENGTH,
            "sharding": "fsdp",
            "hardware": {"gpus": 4},
            "parallel": {"context": cards},
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return trace(parse_architecture(CONFIG, name="tiny"), recipe, gpu("A100")).work


def counted(phase: str, kind: str, *, cards: int) -> Work:
    """Return what one of so many *cards* does of one *kind* in a *phase*."""
    found = [each for each in traced(cards)[phase] if each.kind == kind]
    return found[0] if found else Work(kind=kind, dtype="bf16", flops=0, moved_bytes=0, kernels=0)


@pytest.mark.parametrize("phase", ["step2.forward", "step2.backward"])
def test_what_is_derived_is_what_a_trace_counts(phase: str) -> None:
    """Arithmetic and what is sent are the same; merging moves as much, to a tenth."""
    ring = Ring.of(parse_architecture(CONFIG, name="tiny"), cards=4, tokens=LENGTH)
    kinds = ("attention", "elementwise", "awaited")
    alone = {phase: [counted(phase, kind, cards=1) for kind in kinds]}
    derived = around(ring, alone, checkpointed=True)[phase]
    for kind in kinds:
        seen = counted(phase, kind, cards=4)
        assert sum(each.flops for each in derived if each.kind == kind) == seen.flops
        moved = sum(each.moved_bytes for each in derived if each.kind == kind)
        if kind != "attention":
            assert moved == pytest.approx(seen.moved_bytes, rel=0.1 if kind == "elementwise" else 0.001)


@given(cards=st.integers(2, 64), tokens=st.integers(1, 1 << 17))
def test_more_parts_are_more_rounds(cards: int, tokens: int) -> None:
    """Attention grows with the number of parts, what steps the optimizer does not."""
    ring = Ring.of(parse_architecture(CONFIG, name="tiny"), cards=cards, tokens=tokens)
    found = around(ring, ALONE, checkpointed=False)
    assert found["step2.forward"][0].flops == 100 * cards
    assert found["step2.step"] == ALONE["step2.step"]
    fewer = around(
        Ring.of(parse_architecture(CONFIG, name="tiny"), cards=cards - 1, tokens=tokens),
        ALONE,
        checkpointed=False,
    )
    for more, less in zip(found["step2.forward"], fewer["step2.forward"], strict=True):
        assert more.moved_bytes >= less.moved_bytes
