"""DeviceMemory: what cudaMalloc and the driver's mapping calls hand out; OutOfMemory when they do not.

This is the one seam of the replay: a test can stand in for it with the addresses that a real card gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from tunesmith.units import GIB, KIB, MIB

_FIRST_ADDRESS: Final = 0x7F00_0000_0000
_GAP_BYTES: Final = 2 * MIB
"""Left between segments, so that two neighbours are never mistaken for one."""


class DeviceMemory:
    """A budget of bytes and fresh addresses, always higher ones.

    Addresses decide only between free blocks of equal size, where the lowest wins. Handed out in this
    order they stand for the age of segments, by which PyTorch 2.14 decides
    (https://github.com/pytorch/pytorch/pull/183591); up to 2.11 the driver's addresses did.
    """

    __slots__ = (
        "_next_address",
        "held_bytes",
        "num_allocations",
        "num_releases",
        "peak_held_bytes",
        "total_bytes",
    )

    def __init__(self, total_bytes: int | None = None) -> None:
        self.total_bytes = total_bytes
        self.held_bytes = 0
        self.peak_held_bytes = 0
        self.num_allocations = 0
        self.num_releases = 0
        self._next_address = _FIRST_ADDRESS

    @property
    def free_bytes(self) -> int | None:
        """Return what could still be handed out; None without a limit."""
        return None if self.total_bytes is None else self.total_bytes - self.held_bytes

    def allocate(self, size: int) -> int | None:
        """Return the address of a new segment, as cudaMalloc; None if the card is full."""
        return self.reserve(size) if self._take(size) else None

    def release(self, address: int, size: int) -> None:
        """Take back a segment, as cudaFree."""
        self._give(size)

    def reserve(self, size: int) -> int:
        """Return the start of *size* addresses without memory behind them, as cuMemAddressReserve."""
        address = self._next_address
        self._next_address = address + size + _GAP_BYTES
        return address

    def map(self, address: int, size: int) -> bool:
        """Put memory behind reserved addresses, as cuMemCreate and cuMemMap; False if the card is full."""
        return self._take(size)

    def unmap(self, address: int, size: int) -> None:
        """Take back the memory behind reserved addresses, as cuMemUnmap."""
        self._give(size)

    def _take(self, size: int) -> bool:
        held = self.held_bytes + size
        if self.total_bytes is not None and held > self.total_bytes:
            return False
        self.held_bytes = held
        self.peak_held_bytes = max(held, self.peak_held_bytes)
        self.num_allocations += 1
        return True

    def _give(self, size: int) -> None:
        self.held_bytes -= size
        self.num_releases += 1


@dataclass(kw_only=True, eq=False)
class OutOfMemory(Exception):
    """The allocator found no memory for a request, even after giving back all it could."""

    requested_bytes: int
    """What was asked for."""
    segment_bytes: int
    """What the card was asked for in the end, which PyTorch's message names."""
    allocated_bytes: int
    """What was in use."""
    reserved_bytes: int
    """What was held from the card, in use or not."""
    free_bytes: int | None = None
    """What the card had left."""
    device_bytes: int | None = None
    """The whole card."""
    allowed_bytes: int | None = None
    """The share of it that the process may take, if it has one."""
    advice: bool = True
    """Whether the message recommends expandable segments."""
    event: int | None = None
    """Index of the event in the Timeline that was replayed."""

    def __reduce__(self) -> tuple[partial[OutOfMemory], tuple[()]]:
        """Return how to copy it, also into another process."""
        return partial(OutOfMemory, **vars(self)), ()

    def __str__(self) -> str:
        """Return PyTorch's own message (CUDACachingAllocator.cpp:1928-1953)."""
        sentences = [f"CUDA out of memory. Tried to allocate {_format_size(self.segment_bytes)}."]
        if self.device_bytes is not None and self.free_bytes is not None:
            in_use = self.device_bytes - self.free_bytes
            sentences.append(
                f"GPU 0 has a total capacity of {_format_size(self.device_bytes)} "
                f"of which {_format_size(self.free_bytes)} is free. "
                f"Including non-PyTorch memory, this process has {_format_size(in_use)} memory in use."
            )
        if self.allowed_bytes is not None:
            sentences.append(f"{_format_size(self.allowed_bytes)} allowed;")
        unallocated = self.reserved_bytes - self.allocated_bytes
        sentences.append(
            f"Of the allocated memory {_format_size(self.allocated_bytes)} is allocated by PyTorch, "
            f"and {_format_size(unallocated)} is reserved by PyTorch but unallocated."
        )
        if self.advice:
            sentences.append(
                "If reserved but unallocated memory is large try setting "
                "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
            )
        return " ".join(sentences)


def _format_size(size: int) -> str:
    """Return *size* as PyTorch's messages write it: format_size of CUDACachingAllocator.cpp."""
    if size <= KIB:
        return f"{size} bytes"
    for unit, name in ((MIB, "KiB"), (GIB, "MiB")):
        if size <= unit:
            return f"{size * KIB / unit:.2f} {name}"
    return f"{size / GIB:.2f} GiB"
