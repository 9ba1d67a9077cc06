"""Attention: the kernel that each card would choose, and the tensors of that kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from tunesmith.errors import UnsupportedError
from tunesmith.hardware import gpu
from tunesmith.memory.allocator import replay
from tunesmith.memory.estimate import Traced
from tunesmith.memory.meta import cuda_behaviour

Trace = Callable[..., Traced]


def kernels(
    card: str, dtype: torch.dtype, *, width: int = 64, masked: bool = False, dims: int = 4
) -> set[str]:
    """Return the kernels that *card* runs for one attention."""
    shape = (2, 4, 32, width)[-dims:]
    query, key, value = (torch.zeros(shape, dtype=dtype, device="meta") for _ in range(3))
    mask = torch.ones((32, 32), dtype=torch.bool, device="meta") if masked else None
    with cuda_behaviour(gpu(card)) as functions:
        out = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert out.shape == query.shape
    return set(functions.attention.kernels)


@pytest.mark.parametrize(
    ("card", "dtype", "changes", "kernel"),
    [
        ("A100-80GB", torch.bfloat16, {}, "flash"),
        ("A100-80GB", torch.float16, {"width": 256}, "flash"),
        ("A100-80GB", torch.bfloat16, {"width": 288}, "efficient"),
        ("A100-80GB", torch.float32, {}, "efficient"),
        ("A100-80GB", torch.bfloat16, {"masked": True}, "efficient"),
        ("A100-80GB", torch.float64, {}, "math"),
        ("T4-16GB", torch.float16, {}, "efficient"),
        ("T4-16GB", torch.bfloat16, {}, "math"),
        ("RTX4090-24GB", torch.bfloat16, {}, "flash"),
        ("A100-80GB", torch.bfloat16, {"dims": 3}, "math"),
    ],
)
def test_the_kernel_follows_card_dtype_width_and_mask(
    card: str, dtype: torch.dtype, changes: dict[str, Any], kernel: str
) -> None:
    assert kernels(card, dtype, **changes) == {kernel}


def test_no_choice_is_made_outside_the_block() -> None:
    chosen = functional.scaled_dot_product_attention
    with cuda_behaviour(gpu("A100-80GB")):
        pass
    query = torch.zeros(1, 1, 4, 8)
    assert torch.equal(chosen(query, query, query), query)


def test_answers_name_the_kernel_they_assume(traced: Trace) -> None:
    flash = traced(trainer="sft", attn_implementation="sdpa")
    assert any("flash" in sentence for sentence in flash.assumptions)
    old = traced(
        trainer="sft",
        attn_implementation="sdpa",
        hardware={"gpu": "T4-16GB"},
        precision={"weights": "float16"},
    )
    assert any("efficient" in sentence for sentence in old.assumptions)


def test_eager_attention_keeps_its_scores(traced: Trace) -> None:
    changes = {"sequence_length": 128, "method": "full"}
    eager, sdpa = (traced(**changes, attn_implementation=kind) for kind in ("eager", "sdpa"))
    scores = 4 * 128 * 128 * 2
    kept = [s for s in eager.timeline.storages if s.bytes == scores and s.category == "activations"]
    assert len(kept) >= 2 * 2, "two layers, two steps"
    assert not [s for s in sdpa.timeline.storages if s.bytes == scores and s.category == "activations"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_flash_attn_package_takes_what_pytorchs_flash_kernel_takes(traced: Trace, method: str) -> None:
    package, pytorch = (
        replay(traced(method=method, attn_implementation=kind).timeline).allocated_bytes
        for kind in ("flash_attention_2", "sdpa")
    )
    assert package == pytorch


def test_packed_rows_need_no_mask_with_flash_attn(traced: Trace) -> None:
    packed = {"trainer": "sft", "packing": True, "per_device_train_batch_size": 4, "sequence_length": 40}
    flash, sdpa = (traced(**packed, attn_implementation=kind) for kind in ("flash_attention_2", "sdpa"))
    pairs = (4 * 40) ** 2
    assert any(storage.bytes == pairs for storage in sdpa.timeline.storages)
    assert not any(storage.bytes == pairs for storage in flash.timeline.storages)


def test_flash_attn_is_refused_on_a_card_that_cannot_run_it(traced: Trace) -> None:
    with pytest.raises(UnsupportedError, match=r"compute capability 7\.5"):
        traced(attn_implementation="flash_attention_2", hardware={"gpu": "T4-16GB"})
