"""CachingAllocator: the decisions of PyTorch's CUDA caching allocator, one request at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tunesmith.memory.allocator.blocks import Block, Pool
from tunesmith.memory.allocator.device import DeviceMemory, OutOfMemory
from tunesmith.memory.allocator.expandable import ExpandableSegments
from tunesmith.memory.allocator.segments import FixedSegments, SegmentSource
from tunesmith.memory.allocator.settings import (
    MIN_BLOCK_BYTES,
    SMALL_BYTES,
    SMALL_SEGMENT_BYTES,
    AllocatorSettings,
)

_DEFAULTS = AllocatorSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentBlock:
    """A block as a snapshot shows it."""

    address: int
    """Where it starts."""
    bytes: int
    """Its size, which memory_allocated() counts while it is in use."""
    requested_bytes: int
    """What was asked for; 0 if it is free."""
    allocated: bool
    """Whether it is in use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch of reserved memory without gaps, and the blocks that tile it."""

    address: int
    """Where it starts."""
    bytes: int
    """Its size, which memory_reserved() counts."""
    stream: int
    """The stream whose requests it serves."""
    small: bool
    """Whether it serves requests of up to 1 MiB."""
    expandable: bool
    """Whether it is part of an address range that can grow."""
    blocks: tuple[SegmentBlock, ...]
    """Its blocks in order of address."""


class CachingAllocator:
    """Where every request would lie on a card, and how much memory is reserved for it.

    ``total_bytes`` is what cudaMalloc can hand out in all: the card less the CUDA context and other
    processes; None is without limit. ``device_bytes`` is the whole card, of which the process may take
    ``settings.per_process_memory_fraction``. ``device`` replaces the memory and its addresses.

    >>> allocator = CachingAllocator()
    >>> address = allocator.malloc(1_000)
    >>> allocator.allocated_bytes, allocator.reserved_bytes
    (1024, 2097152)
    """

    def __init__(
        self,
        *,
        total_bytes: int | None = None,
        settings: AllocatorSettings = _DEFAULTS,
        device_bytes: int | None = None,
        device: DeviceMemory | None = None,
    ) -> None:
        self.settings = settings
        self.device = DeviceMemory(total_bytes) if device is None else device
        self.device_bytes = total_bytes if device_bytes is None else device_bytes
        self.allocated_bytes = 0
        self.peak_allocated_bytes = 0
        self.num_alloc_retries = 0
        self.allowed_bytes: int | None = None
        if self.device_bytes is not None and settings.per_process_memory_fraction < 1:
            self.allowed_bytes = int(settings.per_process_memory_fraction * self.device_bytes)
        expandable = settings.expandable_segments
        self._small = Pool(
            small=True,
            granule_bytes=SMALL_SEGMENT_BYTES,
            smallest_rest=MIN_BLOCK_BYTES,
            split_below=settings.max_split_size_bytes,
        )
        self._large = Pool(
            small=False,
            granule_bytes=settings.large_segment_size_bytes,
            smallest_rest=MIN_BLOCK_BYTES if expandable else SMALL_BYTES + 1,
            split_below=settings.max_split_size_bytes,
        )
        self._fixed = FixedSegments(self.device)
        self._source: SegmentSource = (
            ExpandableSegments(self.device, self.device_bytes) if expandable else self._fixed
        )
        self._oversize_slack = settings.max_non_split_rounding_bytes or settings.large_segment_size_bytes
        self._live: dict[int, Block] = {}

    @property
    def reserved_bytes(self) -> int:
        """Return what is held from the card now, as torch.cuda.memory_reserved()."""
        return self.device.held_bytes

    @property
    def peak_reserved_bytes(self) -> int:
        """Return the most that was held since the start or reset_peak()."""
        return self.device.peak_held_bytes

    @property
    def num_device_alloc(self) -> int:
        """Return how many times memory was taken from the card."""
        return self.device.num_allocations

    @property
    def num_device_free(self) -> int:
        """Return how many times memory was given back to the card."""
        return self.device.num_releases

    def reset_peak(self) -> None:
        """Start both peaks anew from what is held now."""
        self.peak_allocated_bytes = self.allocated_bytes
        self.device.peak_held_bytes = self.device.held_bytes

    def malloc(self, requested_bytes: int, stream: int = 0) -> int:
        """Return the address of a block for *requested_bytes*; 0 for 0 bytes, which take nothing.

        Raises:
            OutOfMemory: the card is full, also after all that is free was given back.
        """
        if requested_bytes == 0:
            return 0
        size = self.settings.round_request(requested_bytes)
        pool = self._small if size <= SMALL_BYTES else self._large
        block = self._cached(pool, stream, size) or self._fresh(pool, stream, size)
        if block is None:
            raise self._out_of_memory(requested_bytes, size)
        if block.size - size >= pool.smallest_rest and self._may_split(pool, size):
            pool.insert(block.cut(size))
        block.allocated = True
        block.requested_bytes = requested_bytes
        self._live[block.address] = block
        self.allocated_bytes += block.size
        if self.allocated_bytes > self.peak_allocated_bytes:
            self.peak_allocated_bytes = self.allocated_bytes
        return block.address

    def free(self, address: int) -> None:
        """Give back what malloc returned at *address*; the block joins its free neighbours."""
        if address == 0:
            return
        block = self._live.pop(address)
        self.allocated_bytes -= block.size
        block.allocated = False
        block.requested_bytes = 0
        block.pool.absorb_neighbours(block)
        block.pool.insert(block)

    def empty_cache(self) -> None:
        """Give all memory that nothing uses back to the card, as torch.cuda.empty_cache()."""
        self._source.release_free(self._large)
        self._source.release_free(self._small)

    def segments(self) -> list[Segment]:
        """Return the layout of all reserved memory, ordered by address."""
        return sorted(self._layout(), key=lambda segment: segment.address)

    def _may_split(self, pool: Pool, size: int) -> bool:
        """Return whether a block may be cut for *size*: should_split."""
        if pool.split_below is None or pool.small or self.settings.expandable_segments:
            return True
        return size < pool.split_below

    def _cached(self, pool: Pool, stream: int, size: int) -> Block | None:
        """Return the best free block for *size*, taken out of its pool: get_free_block."""
        pool.searches += 1
        free, index = pool.first_at_least(size, stream)
        if index == len(free):
            return None
        block = free[index][2]
        if block.range_start is not None:
            # What can grow counts with the room it has, so that the end of a range is used last.
            while index + 1 < len(free) and free[index + 1][2].room < block.room:
                index += 1
                block = free[index][2]
        if pool.split_below is not None:
            if size < pool.split_below <= block.size:
                return None
            if size >= pool.split_below and block.size >= size + self._oversize_slack:
                return None
        del free[index]
        return block

    def _fresh(self, pool: Pool, stream: int, size: int) -> Block | None:
        """Return a block from the card, giving back more and more until there is room: lines 1758-1792."""
        if self.allowed_bytes is not None and self.settings.garbage_collection_threshold is not None:
            self._collect_garbage(self.settings.garbage_collection_threshold * self.allowed_bytes)
        block = self._new_block(pool, stream, size)
        if block is None and self._source.make_room(pool, stream, size):
            block = self._new_block(pool, stream, size)
        if block is None:
            self.empty_cache()
            self.num_alloc_retries += 1
            block = self._new_block(pool, stream, size)
        return block

    def _new_block(self, pool: Pool, stream: int, size: int) -> Block | None:
        """Return a block from the card; None beyond the card or the process's share: alloc_block."""
        segment_bytes = self.settings.segment_bytes(size)
        if self.allowed_bytes is not None and self.reserved_bytes + segment_bytes > self.allowed_bytes:
            return None
        return self._source.new_block(pool, stream, size, segment_bytes)

    def _collect_garbage(self, threshold: float) -> None:
        """Give back the large segments that have been idle longest: garbage_collect_cached_blocks."""
        excess = self.reserved_bytes - int(threshold)
        idle = [block for block in self._large if not block.is_split and block.range_start is None]
        ages = [self._large.searches - block.freed_at for block in idle]
        total_age = sum(ages)
        while excess > 0 and idle:
            # The mean is of before the round; all above it go, so that the next collection is not soon.
            mean_age = total_age / len(idle)
            for block, age in zip(idle, ages, strict=True):
                if age >= mean_age:
                    self._fixed.release(block)
                    excess -= block.size
                    total_age -= age
            kept = [(block, age) for block, age in zip(idle, ages, strict=True) if age < mean_age]
            idle, ages = [block for block, _ in kept], [age for _, age in kept]

    def _out_of_memory(self, requested_bytes: int, size: int) -> OutOfMemory:
        return OutOfMemory(
            requested_bytes=requested_bytes,
            segment_bytes=self.settings.segment_bytes(size),
            allocated_bytes=self.allocated_bytes,
            reserved_bytes=self.reserved_bytes,
            free_bytes=self.device.free_bytes,
            device_bytes=self.device_bytes,
            allowed_bytes=self.allowed_bytes,
            advice=not self.settings.expandable_segments,
        )

    def _layout(self) -> Iterator[Segment]:
        """Yield every run of mapped blocks that nothing mapped precedes."""
        for block in [*self._large, *self._small, *self._live.values()]:
            if block.previous is None or not block.previous.mapped:
                blocks = tuple(_run(block))
                yield Segment(
                    address=block.address,
                    bytes=sum(each.bytes for each in blocks),
                    stream=block.stream,
                    small=block.pool.small,
                    expandable=block.range_start is not None,
                    blocks=blocks,
                )


def _run(block: Block | None) -> Iterator[SegmentBlock]:
    """Yield *block* and those behind it, up to the end of what is mapped."""
    while block is not None and block.mapped:
        yield SegmentBlock(
            address=block.address,
            bytes=block.size,
            requested_bytes=block.requested_bytes,
            allocated=block.allocated,
        )
        block = block.next
