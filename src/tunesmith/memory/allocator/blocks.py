"""Blocks and the pools of free ones: best fit, split and merge.

Block, BlockPool and try_merge_blocks of CUDACachingAllocator.cpp.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator


class Block:
    """A stretch of addresses, in use or free, with its neighbours in the same segment."""

    __slots__ = (
        "address",
        "allocated",
        "freed_at",
        "mapped",
        "next",
        "pool",
        "previous",
        "range_start",
        "requested_bytes",
        "size",
        "stream",
    )

    def __init__(self, pool: Pool, stream: int, address: int, size: int) -> None:
        self.pool = pool
        self.stream = stream
        self.address = address
        self.size = size
        self.requested_bytes = 0
        self.allocated = False
        self.mapped = True
        self.range_start: int | None = None  # of the expandable segment it lies in
        self.freed_at = 0  # the pool's count of searches when the block became free
        self.previous: Block | None = None
        self.next: Block | None = None

    @property
    def is_split(self) -> bool:
        """Return whether it is only a part of its segment."""
        return self.previous is not None or self.next is not None

    @property
    def room(self) -> int:
        """Return its size and that of the unmapped addresses behind it, into which it could grow."""
        behind = self.next
        return self.size if behind is None or behind.mapped else self.size + behind.size

    def cut(self, size: int) -> Block:
        """Return what is left after the first *size* bytes, as a block of its own that is in no pool."""
        rest = Block(self.pool, self.stream, self.address + size, self.size - size)
        rest.mapped = self.mapped
        rest.range_start = self.range_start
        rest.previous = self
        rest.next = self.next
        if self.next is not None:
            self.next.previous = rest
        self.next = rest
        self.size = size
        return rest


class Pool:
    """The free blocks of one size class: those of each stream ordered by size, then address."""

    __slots__ = ("free", "granule_bytes", "searches", "small", "smallest_rest", "split_below", "unmapped")

    def __init__(
        self, *, small: bool, granule_bytes: int, smallest_rest: int, split_below: int | None
    ) -> None:
        self.small = small
        self.granule_bytes = granule_bytes  # of what an expandable segment maps at once
        self.smallest_rest = smallest_rest  # what must remain of a block for it to be split
        self.split_below = split_below  # larger requests get a whole block; None: no such limit
        self.searches = 0  # a clock for garbage collection
        self.free: dict[int, list[tuple[int, int, Block]]] = {}
        self.unmapped: dict[int, list[tuple[int, Block]]] = {}

    def __iter__(self) -> Iterator[Block]:
        """Yield the free, mapped blocks by stream, size and address."""
        for stream in sorted(self.free):
            for _, _, block in self.free[stream]:
                yield block

    def insert(self, block: Block) -> None:
        """Enter *block* among the free, or among the unmapped."""
        if block.mapped:
            block.freed_at = self.searches
            free = self.free.get(block.stream)
            if free is None:
                free = self.free[block.stream] = []
            insort(free, (block.size, block.address, block))
        else:
            insort(self.unmapped.setdefault(block.stream, []), (block.address, block))

    def remove(self, block: Block) -> None:
        """Strike *block* out, which must be in the pool."""
        if block.mapped:
            free = self.free[block.stream]
            del free[bisect_left(free, (block.size, block.address))]
        else:
            unmapped = self.unmapped[block.stream]
            del unmapped[bisect_left(unmapped, (block.address,))]

    def first_at_least(self, size: int, stream: int) -> tuple[list[tuple[int, int, Block]], int]:
        """Return the stream's free blocks and the index of the smallest that holds *size*."""
        free = self.free.get(stream, [])
        return free, bisect_left(free, (size,))

    def absorb_neighbours(self, block: Block) -> None:
        """Grow *block*, which is in no pool, by the free neighbours that are mapped as it is."""
        before = block.previous
        if before is not None and not before.allocated and before.mapped is block.mapped:
            self.remove(before)
            block.address = before.address
            block.size += before.size
            block.previous = before.previous
            if block.previous is not None:
                block.previous.next = block
        behind = block.next
        if behind is not None and not behind.allocated and behind.mapped is block.mapped:
            self.remove(behind)
            block.size += behind.size
            block.next = behind.next
            if block.next is not None:
                block.next.previous = block
