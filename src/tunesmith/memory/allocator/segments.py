"""Fresh memory as cudaMalloc gives it: one segment at a time, never grown."""

from __future__ import annotations

from typing import Protocol

from tunesmith.memory.allocator.blocks import Block, Pool
from tunesmith.memory.allocator.device import DeviceMemory


class SegmentSource(Protocol):
    """Where an allocator gets memory that its pools do not hold, and what it can give back."""

    def new_block(self, pool: Pool, stream: int, size: int, segment_bytes: int) -> Block | None:
        """Return a block of at least *size* that is in no pool; None if the card is full."""

    def make_room(self, pool: Pool, stream: int, size: int) -> bool:
        """Return whether giving back a few oversize blocks may have freed *size* bytes."""

    def release_free(self, pool: Pool) -> None:
        """Give back all free memory of *pool* that can be given back."""


class FixedSegments:
    """Segments of cudaMalloc: given back whole, once nothing in them is in use."""

    def __init__(self, device: DeviceMemory) -> None:
        self._device = device

    def new_block(self, pool: Pool, stream: int, size: int, segment_bytes: int) -> Block | None:
        """Return a new segment as one block; None if the card is full."""
        address = self._device.allocate(segment_bytes)
        return None if address is None else Block(pool, stream, address, segment_bytes)

    def release(self, block: Block) -> None:
        """Give back a free block that is a whole segment: release_block, line 4141."""
        block.pool.remove(block)
        self._device.release(block.address, block.size)

    def make_room(self, pool: Pool, stream: int, size: int) -> bool:
        """Give back oversize blocks, the best fit or the largest first: from line 4002."""
        if pool.split_below is None:
            return False
        wanted = max(size, pool.split_below)
        free, index = pool.first_at_least(wanted, stream)
        if index < len(free):
            self.release(free[index][2])
            return True
        released = 0
        while free and released < wanted and free[-1][0] >= pool.split_below:
            released += free[-1][0]
            self.release(free[-1][2])
        return released >= wanted

    def release_free(self, pool: Pool) -> None:
        """Give back every segment that is wholly free: release_blocks, lines 4251-4275."""
        for block in list(pool):
            if not block.is_split:
                self.release(block)
