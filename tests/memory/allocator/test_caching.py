"""Where blocks go, when memory is taken from the card, and what happens when it is full."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.allocator import AllocatorSettings, CachingAllocator, OutOfMemory, Segment
from tunesmith.units import KIB, MIB

SETTINGS = st.builds(
    AllocatorSettings,
    expandable_segments=st.booleans(),
    max_split_size_bytes=st.sampled_from([None, 20 * MIB, 33 * MIB]),
    roundup_power2_divisions=st.sampled_from([(0,) * 16, (4,) * 16]),
    garbage_collection_threshold=st.sampled_from([None, 0.3]),
    per_process_memory_fraction=st.sampled_from([1.0, 0.7]),
)
SIZES = st.one_of(st.integers(0, 4 * KIB), st.integers(0, 3 * MIB), st.integers(0, 70 * MIB))
# A number below 0 frees: it counts from the newest of what is live. None empties the cache.
STEPS = st.lists(st.one_of(SIZES, SIZES, st.integers(-8, -1), st.none()), max_size=60)


def check(allocator: CachingAllocator, live: dict[int, int]) -> None:
    """Assert what must hold after every step; *live* holds requested sizes by address."""
    segments = allocator.segments()
    blocks = [block for segment in segments for block in segment.blocks]
    assert sum(block.bytes for block in blocks) == allocator.reserved_bytes
    assert allocator.allocated_bytes <= allocator.reserved_bytes <= allocator.peak_reserved_bytes
    assert {block.address: block.requested_bytes for block in blocks if block.allocated} == live
    in_use = [block.bytes for block in blocks if block.allocated]
    assert sum(in_use) == allocator.allocated_bytes <= allocator.peak_allocated_bytes
    assert all(block.bytes >= block.requested_bytes for block in blocks)
    for segment in segments:
        check_tiling(segment)
    for segment, following in pairwise(segments):
        assert segment.address + segment.bytes <= following.address


def check_tiling(segment: Segment) -> None:
    """Assert that blocks fill the segment in order, with no two free ones side by side."""
    at = segment.address
    for block in segment.blocks:
        assert block.address == at
        at += block.bytes
    assert at == segment.address + segment.bytes
    assert all(left.allocated or right.allocated for left, right in pairwise(segment.blocks))


@given(settings=SETTINGS, total_mib=st.sampled_from([None, 64, 200]), steps=STEPS)
def test_blocks_tile_segments_and_every_byte_is_counted(
    settings: AllocatorSettings, total_mib: int | None, steps: list[int | None]
) -> None:
    """After any requests and releases the parts sum to the total, and in the end all is given back."""
    total_bytes = None if total_mib is None else total_mib * MIB
    allocator = CachingAllocator(total_bytes=total_bytes, settings=settings)
    live: dict[int, int] = {}
    for step in steps:
        if step is None:
            allocator.empty_cache()
        elif step < 0:
            if live:
                address = list(live)[max(step, -len(live))]
                allocator.free(address)
                del live[address]
        else:
            try:
                address = allocator.malloc(step, stream=step % 2)
            except OutOfMemory as error:
                assert total_bytes is not None
                assert error.reserved_bytes == allocator.reserved_bytes
            else:
                assert address not in live
                if address:
                    live[address] = step
        check(allocator, live)
        assert total_bytes is None or allocator.reserved_bytes <= total_bytes
    for address in live:
        allocator.free(address)
    allocator.empty_cache()
    assert (allocator.allocated_bytes, allocator.reserved_bytes) == (0, 0)
    assert allocator.segments() == []


def test_a_request_for_nothing_takes_nothing() -> None:
    """PyTorch returns a null pointer, which may be freed."""
    allocator = CachingAllocator()
    assert allocator.malloc(0) == 0
    allocator.free(0)
    assert allocator.reserved_bytes == allocator.num_device_alloc == 0


def test_small_requests_share_a_segment() -> None:
    """Two blocks of up to 1 MiB lie side by side in 2 MiB."""
    allocator = CachingAllocator()
    first, second = allocator.malloc(1), allocator.malloc(MIB)
    assert second == first + 512
    assert allocator.reserved_bytes == 2 * MIB


def test_a_large_block_keeps_a_rest_of_up_to_1_mib() -> None:
    """memory_allocated() then counts more than was asked for."""
    allocator = CachingAllocator()
    allocator.malloc(11 * MIB)
    assert allocator.allocated_bytes == 12 * MIB
    allocator.malloc(11 * MIB - 512)
    assert allocator.allocated_bytes == 23 * MIB - 512
    assert allocator.reserved_bytes == 24 * MIB


def test_the_smallest_block_that_fits_is_taken() -> None:
    """A free block of 12 MiB serves 12 MiB although one of 30 MiB was freed later."""
    allocator = CachingAllocator()
    small, large = allocator.malloc(12 * MIB), allocator.malloc(30 * MIB)
    allocator.free(small)
    allocator.free(large)
    assert allocator.malloc(12 * MIB) == small


def test_streams_do_not_share_free_blocks() -> None:
    """What one stream freed, another cannot have."""
    allocator = CachingAllocator()
    allocator.free(allocator.malloc(MIB, stream=0))
    allocator.malloc(MIB, stream=7)
    assert allocator.reserved_bytes == 4 * MIB
    assert {segment.stream for segment in allocator.segments()} == {0, 7}


def test_a_full_card_gets_back_what_is_free_and_is_asked_again() -> None:
    """The retry is counted, and the request is met."""
    allocator = CachingAllocator(total_bytes=100 * MIB)
    allocator.free(allocator.malloc(60 * MIB))
    allocator.malloc(70 * MIB)
    assert (allocator.num_alloc_retries, allocator.reserved_bytes) == (1, 70 * MIB)


def test_running_out_says_what_pytorch_says() -> None:
    """The message names the segment, the card, what is free and what is in use."""
    allocator = CachingAllocator(total_bytes=100 * MIB, device_bytes=128 * MIB)
    allocator.malloc(60 * MIB)
    allocator.free(allocator.malloc(1))
    with pytest.raises(OutOfMemory) as caught:
        allocator.malloc(41 * MIB)
    assert caught.value.requested_bytes == 41 * MIB
    assert str(caught.value) == (
        "CUDA out of memory. Tried to allocate 42.00 MiB. GPU 0 has a total capacity of 128.00 MiB of which "
        "40.00 MiB is free. Including non-PyTorch memory, this process has 88.00 MiB memory in use. "
        "Of the allocated memory 60.00 MiB is allocated by PyTorch, and 0 bytes is reserved by PyTorch but "
        "unallocated. If reserved but unallocated memory is large try setting "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
    )


def test_the_process_cannot_take_more_than_its_share() -> None:
    """Half of a card is full at half."""
    settings = AllocatorSettings(per_process_memory_fraction=0.5)
    allocator = CachingAllocator(total_bytes=100 * MIB, settings=settings)
    allocator.malloc(40 * MIB)
    with pytest.raises(OutOfMemory, match=r"50\.00 MiB allowed;"):
        allocator.malloc(2 * MIB)  # for which a segment of 20 MiB would be made
    allocator.malloc(1)
    assert allocator.reserved_bytes == 42 * MIB


def test_idle_segments_are_collected_above_the_threshold() -> None:
    """With a share and a threshold, new memory replaces the idle instead of adding to it."""
    settings = AllocatorSettings(per_process_memory_fraction=0.9, garbage_collection_threshold=0.1)
    allocator = CachingAllocator(total_bytes=1000 * MIB, settings=settings)
    allocator.free(allocator.malloc(200 * MIB))
    allocator.malloc(300 * MIB)
    assert allocator.reserved_bytes == 300 * MIB
    assert allocator.num_alloc_retries == 0


def test_blocks_beyond_the_split_limit_stay_whole() -> None:
    """A block of 64 MiB serves neither a small request nor one that would waste too much."""
    allocator = CachingAllocator(settings=AllocatorSettings(max_split_size_bytes=32 * MIB))
    block = allocator.malloc(64 * MIB)
    allocator.free(block)
    allocator.malloc(30 * MIB)
    assert allocator.reserved_bytes == 94 * MIB
    assert allocator.malloc(45 * MIB) == block
    assert allocator.allocated_bytes == 94 * MIB


def test_a_whole_block_may_be_less_than_20_mib_too_large() -> None:
    """At 20 MiB more than was asked for, it is left alone."""
    allocator = CachingAllocator(settings=AllocatorSettings(max_split_size_bytes=32 * MIB))
    block = allocator.malloc(64 * MIB)
    allocator.free(block)
    other = allocator.malloc(44 * MIB)
    assert other != block
    assert allocator.malloc(44 * MIB + 1) == block


def test_peaks_start_anew_after_reset() -> None:
    """Then they count from what is held now."""
    allocator = CachingAllocator()
    allocator.free(allocator.malloc(40 * MIB))
    allocator.reset_peak()
    assert (allocator.peak_allocated_bytes, allocator.peak_reserved_bytes) == (0, 40 * MIB)
