"""Fresh memory under expandable_segments:True: address ranges that are mapped granule by granule.

ExpandableSegment, find_expandable_block, map_block, unmap_block of CUDACachingAllocator.cpp.
"""

from __future__ import annotations

from typing import Final

from tunesmith.memory.allocator.blocks import Block, Pool
from tunesmith.memory.allocator.device import DeviceMemory

_UNLIMITED_RANGE_BYTES: Final = 1 << 45
"""Addresses of a range when the card has no size: more than any card will have."""


class ExpandableSegments:
    """Ranges of addresses, one a pool and stream, that grow where they end and shrink in whole granules."""

    def __init__(self, device: DeviceMemory, device_bytes: int | None) -> None:
        self._device = device
        # Address space is reserved for 1 1/8 of the card, so that holes may be left behind.
        self._range_bytes = (
            _UNLIMITED_RANGE_BYTES if device_bytes is None else device_bytes + device_bytes // 8
        )

    def new_block(self, pool: Pool, stream: int, size: int, segment_bytes: int) -> Block | None:
        """Return a block of at least *size* at the lowest address where one can grow."""
        block = self._growable(pool, stream, size)
        if not block.mapped and not self._map(block, min(block.size, size)):
            return None
        while block.size < size:
            behind = block.next
            assert behind is not None and not behind.mapped
            if not self._map(behind, min(size - block.size, behind.size)):
                return None
            block = behind
        pool.remove(block)
        return block

    def make_room(self, pool: Pool, stream: int, size: int) -> bool:
        """Return False: ranges are given back only all at once."""
        return False

    def release_free(self, pool: Pool) -> None:
        """Unmap every whole granule that is free."""
        for block in list(pool):
            self._unmap(block)
            if not block.mapped and not block.is_split:
                pool.remove(block)  # nothing of the range is mapped: the range itself is given up

    def _growable(self, pool: Pool, stream: int, size: int) -> Block:
        """Return the first block of *size* free or unmapped bytes in a row, in a new range if need be."""
        for _, block in pool.unmapped.get(stream, []):
            before = block.previous
            start = before if before is not None and not before.allocated else block
            if _reach(start, size) >= size:
                return start
        granules = -(-self._range_bytes // pool.granule_bytes)
        address = self._device.reserve(granules * pool.granule_bytes)
        fresh = Block(pool, stream, address, granules * pool.granule_bytes)
        fresh.mapped = False
        fresh.range_start = address
        pool.insert(fresh)
        return fresh

    def _map(self, block: Block, size: int) -> bool:
        """Map the granules that the first *size* bytes of *block* touch, and join them to what is free."""
        pool = block.pool
        assert block.range_start is not None
        end = block.address - block.range_start + size
        mapped_bytes = -(-end // pool.granule_bytes) * pool.granule_bytes + block.range_start - block.address
        if not self._device.map(block.address, mapped_bytes):
            return False
        pool.remove(block)
        if mapped_bytes < block.size:
            pool.insert(block.cut(mapped_bytes))
        block.mapped = True
        pool.absorb_neighbours(block)
        pool.insert(block)
        return True

    def _unmap(self, block: Block) -> None:
        """Unmap the whole granules inside a free block; its edges stay mapped and free."""
        pool = block.pool
        assert block.range_start is not None
        granule = pool.granule_bytes
        first = -(-(block.address - block.range_start) // granule) * granule + block.range_start
        end = (block.address + block.size - block.range_start) // granule * granule + block.range_start
        if first >= end:
            return
        pool.remove(block)
        self._device.unmap(first, end - first)
        if end < block.address + block.size:
            pool.insert(block.cut(end - block.address))
        if block.address < first:
            _split_front(block, first)
        block.mapped = False
        pool.absorb_neighbours(block)
        pool.insert(block)


def _reach(block: Block | None, size: int) -> int:
    """Return how many bytes in a row are not in use from *block* on, counting no further than *size*."""
    reach = 0
    while block is not None and not block.allocated and reach < size:
        reach += block.size
        block = block.next
    return reach


def _split_front(block: Block, address: int) -> None:
    """Make what lies before *address* a free block of its own; *block* keeps the rest."""
    front = Block(block.pool, block.stream, block.address, address - block.address)
    front.range_start = block.range_start
    front.previous = block.previous
    front.next = block
    if block.previous is not None:
        block.previous.next = front
    block.previous = front
    block.size -= front.size
    block.address = address
    block.pool.insert(front)
