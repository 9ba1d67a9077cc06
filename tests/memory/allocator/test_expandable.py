"""Ranges of addresses that grow and shrink by whole granules."""

from __future__ import annotations

import pytest

from tunesmith.memory.allocator import AllocatorSettings, CachingAllocator, OutOfMemory
from tunesmith.units import MIB

EXPANDABLE = AllocatorSettings(expandable_segments=True)


def test_requests_of_all_sizes_lie_in_one_range() -> None:
    """Large blocks follow one another without gaps; memory comes in 20 MiB."""
    allocator = CachingAllocator(settings=EXPANDABLE)
    first, second = allocator.malloc(3 * MIB), allocator.malloc(30 * MIB)
    assert second == first + 3 * MIB
    assert allocator.reserved_bytes == 40 * MIB
    assert len(allocator.segments()) == 1


def test_large_blocks_are_cut_to_512_bytes() -> None:
    """No rest is wasted, unlike in segments of cudaMalloc."""
    allocator = CachingAllocator(settings=EXPANDABLE)
    allocator.malloc(11 * MIB + 1)
    assert allocator.allocated_bytes == 11 * MIB + 512


def test_whole_granules_in_the_middle_are_given_back() -> None:
    """What is left of the range are two segments, and the hole is filled first."""
    allocator = CachingAllocator(settings=EXPANDABLE)
    blocks = [allocator.malloc(20 * MIB) for _ in range(3)]
    allocator.free(blocks[1])
    allocator.empty_cache()
    assert allocator.reserved_bytes == 40 * MIB
    assert [segment.address for segment in allocator.segments()] == [blocks[0], blocks[2]]
    assert allocator.malloc(20 * MIB) == blocks[1]
    assert len(allocator.segments()) == 1


def test_the_end_of_a_range_is_used_last() -> None:
    """A free block with room to grow counts as large, so a larger hole is preferred to it."""
    allocator = CachingAllocator(settings=EXPANDABLE)
    hole, _ = allocator.malloc(12 * MIB), allocator.malloc(2 * MIB)
    allocator.free(hole)
    assert allocator.malloc(5 * MIB) == hole


def test_a_full_card_unmaps_what_is_free_before_giving_up() -> None:
    """Memory of the small pool's range goes to the large pool's."""
    allocator = CachingAllocator(total_bytes=40 * MIB, settings=EXPANDABLE)
    allocator.free(allocator.malloc(MIB))
    allocator.malloc(40 * MIB)
    assert (allocator.num_alloc_retries, allocator.reserved_bytes) == (1, 40 * MIB)
    with pytest.raises(OutOfMemory) as caught:
        allocator.malloc(1)
    assert "expandable_segments" not in str(caught.value)


def test_a_range_without_memory_is_given_up() -> None:
    """The next request opens another."""
    allocator = CachingAllocator(settings=EXPANDABLE)
    first = allocator.malloc(3 * MIB)
    allocator.free(first)
    allocator.empty_cache()
    assert allocator.malloc(3 * MIB) != first
