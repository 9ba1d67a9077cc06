"""Pinned memory is counted in the host allocator's blocks, and storages are told apart for good."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.memory.host import HostBlock
from tunesmith.memory.pinned import PinnedMemory


def pinned(memory: PinnedMemory, count: int) -> torch.Tensor:
    """Return a pinned tensor of *count* bytes."""
    kwargs = {"dtype": torch.uint8, "device": torch.device("cpu"), "pin_memory": True}
    tensor: torch.Tensor = memory(torch.ops.aten.empty.memory_format, ([count],), kwargs)
    return tensor


def plain(func: torch._ops.OpOverload, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
    """Run an operation as it is."""
    return func(*args, **kwargs)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_blocks_are_powers_of_two_that_serve_their_own_size(sizes: list[int]) -> None:
    """What lives at once is held at once; what is freed is used again, for the same power of two only."""
    memory = PinnedMemory(plain)
    held = [pinned(memory, size) for size in sizes]
    del held
    again = [pinned(memory, size) for size in sizes]
    wanted = sum(1 << (size - 1).bit_length() for size in sizes)
    assert sum(block.bytes for block in memory.blocks("activations")) == wanted
    assert len(again) == len(sizes)


def test_one_after_the_other_takes_one_block() -> None:
    """A block is free as soon as its tensor is; one of another size is another block."""
    memory = PinnedMemory(plain)
    for _ in range(3):
        pinned(memory, 1000)
    pinned(memory, 1025)
    first, second = memory.blocks("activations")
    assert first == HostBlock(what="activations", bytes=1024, pinned=True)
    assert second == HostBlock(what="activations", bytes=2048, pinned=True)


def test_what_is_not_pinned_is_not_counted() -> None:
    """Every other operation runs as it did."""
    memory = PinnedMemory(plain)
    memory(torch.ops.aten.empty.memory_format, ([1000],), {"dtype": torch.uint8})
    assert memory.blocks("activations") == []
