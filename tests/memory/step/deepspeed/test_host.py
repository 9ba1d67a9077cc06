"""What lies in the memory of the host: pinned memory in powers of two, states by optimizer, NVMe."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.host import HostBlock
from tunesmith.memory.step.deepspeed.host import Host, pinned_bytes
from tunesmith.memory.step.deepspeed.settings import settings_of
from tunesmith.recipe import Recipe

MODEL: Any = SimpleNamespace(config=SimpleNamespace(hidden_size=64))
"""A model of which only the hidden size is asked."""


def host(optim: str = "adamw_torch", **choices: Any) -> tuple[Host, list[HostBlock]]:
    """Return a host for a run under stage 3, and the blocks it will hold."""
    mapping = {"model": "gpt2", "method": "full", "sharding": "zero3", "optim": optim, **choices}
    blocks: list[HostBlock] = []
    return Host(blocks, settings_of(Recipe.from_mapping(mapping), MODEL), optim), blocks


@given(st.integers(1, 1 << 50))
def test_pinned_memory_is_the_next_power_of_two(count: int) -> None:
    """It is no smaller than asked, and less than twice as large."""
    rounded = pinned_bytes(count)
    assert rounded.bit_count() == 1 and count <= rounded < 2 * count


@pytest.mark.parametrize(
    ("optim", "states"), [("adamw_torch", 8), ("sgd", 8), ("adagrad", 4), ("lion_32bit", 4)]
)
def test_states_are_those_of_deepspeeds_own_optimizers(optim: str, states: int) -> None:
    """All become DeepSpeedCPUAdam but Adagrad and Lion; weights and gradients take four bytes each."""
    held, blocks = host(optim, offload={"optimizer": "cpu"})
    held.hold_optimizer(1000)
    assert {block.what: block.bytes for block in blocks} == {
        "optimizer states": (4 + states) * 1000,
        "gradients": 4 * 1000,
    }


def test_equal_blocks_are_one() -> None:
    """Two shares of a kind are shown as one block, apart from pinned ones."""
    held, blocks = host()
    held.hold("gradients", 100)
    held.hold("gradients", 100)
    held.hold("gradients", 100, pinned=True)
    assert [(block.bytes, block.pinned) for block in blocks] == [(200, False), (128, True)]


def test_nvme_keeps_what_exceeds_a_billion_elements() -> None:
    """offload_param.max_in_cpu elements of what learns stay in the host, the rest goes to the disk."""
    held, blocks = host(offload={"parameters": "nvme"})
    held.hold_parameters([1_500_000_000], 2, flat=True)
    held.hold_swap_buffers(1000, torch.bfloat16)
    assert {(block.what, block.place): block.bytes for block in blocks} == {
        ("weights", "cpu"): pinned_bytes(2_000_000_000),
        ("weights", "nvme"): 1_000_000_000,
        ("communication buffers", "cpu"): 5 * 100_000_000 * 2,
    }
