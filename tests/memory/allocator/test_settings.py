"""The allocator's settings mean what PyTorch's parser makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.errors import RecipeError
from tunesmith.memory.allocator import AllocatorSettings
from tunesmith.units import GIB, MIB


@pytest.fixture(autouse=True)
def pytorchs_settings_as_before() -> Iterator[None]:
    yield
    torch._C._accelerator_setAllocatorSettings("large_segment_size_mb:20")
    torch._C._accelerator_setAllocatorSettings("")


def test_every_key_that_moves_blocks_is_read() -> None:
    """Sizes given in MiB become bytes."""
    settings = AllocatorSettings.parse(
        "expandable_segments:True, max_split_size_mb:128,max_non_split_rounding_mb:64,"
        "garbage_collection_threshold:0.8,large_segment_size_mb:32,per_process_memory_fraction:0.5,"
        "roundup_power2_divisions:[1:2,4:4,>:8]"
    )
    assert settings == AllocatorSettings(
        expandable_segments=True,
        max_split_size_bytes=128 * MIB,
        max_non_split_rounding_bytes=64 * MIB,
        garbage_collection_threshold=0.8,
        large_segment_size_bytes=32 * MIB,
        per_process_memory_fraction=0.5,
        roundup_power2_divisions=(2, 0, 4, *[8] * 13),
    )


@pytest.mark.parametrize("text", ["", "backend:native", "pinned_use_background_threads:True,", " , "])
def test_what_does_not_concern_device_memory_changes_nothing(text: str) -> None:
    """Keys of host memory are accepted, as in PyTorch."""
    assert AllocatorSettings.parse(text) == AllocatorSettings()


def test_all_problems_are_reported_at_once_with_near_misses() -> None:
    """One message names every key, what was expected and what was given."""
    with pytest.raises(RecipeError) as caught:
        AllocatorSettings.parse("expandable_segment:True,max_split_size_mb:5,garbage_collection_threshold:2")
    message = str(caught.value)
    assert "expandable_segment: unknown key; did you mean expandable_segments?" in message
    assert "max_split_size_mb: expected at least 20 (the large segment size), got 5" in message
    assert "garbage_collection_threshold: expected a number between 0 and 1, both excluded, got 2" in message


@pytest.mark.parametrize("text", ["backend:cudaMallocAsync", "throw_on_cudamalloc_oom:True"])
def test_what_cannot_be_replayed_is_refused(text: str) -> None:
    """A wrong number would be worse than none."""
    with pytest.raises(RecipeError, match="leave the key out"):
        AllocatorSettings.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "expandable_segments:True",
        "expandable_segments:true",
        "expandable_segments:",
        "max_split_size_mb:19",
        "max_split_size_mb:20",
        "max_split_size_mb:many",
        "max_non_split_rounding_mb:19",
        "max_non_split_rounding_mb:20",
        "garbage_collection_threshold:0",
        "garbage_collection_threshold:0.5",
        "garbage_collection_threshold:1",
        "large_segment_size_mb:10",
        "large_segment_size_mb:11",
        "roundup_power2_divisions:0",
        "roundup_power2_divisions:3",
        "roundup_power2_divisions:4",
        "roundup_power2_divisions:[256:0]",
        "roundup_power2_divisions:[256:3]",
        "roundup_power2_divisions:[3:4]",
        "roundup_power2_divisions:[256:4",
        "roundup_power2_divisions:[>:4]",
    ],
)
def test_pytorchs_parser_accepts_and_refuses_the_same(text: str) -> None:
    """The installed PyTorch is asked."""
    try:
        torch._C._accelerator_setAllocatorSettings(text)
    except (ValueError, RuntimeError):
        with pytest.raises(RecipeError):
            AllocatorSettings.parse(text)
    else:
        AllocatorSettings.parse(text)


@pytest.mark.parametrize(
    ("requested", "size"),
    [(1, 512), (512, 512), (513, 1024), (MIB, MIB), (MIB + 1, MIB + 512), (10 * GIB - 1, 10 * GIB)],
)
def test_requests_round_up_to_512_bytes(requested: int, size: int) -> None:
    """Nothing is smaller than one block of 512 bytes."""
    assert AllocatorSettings().round_request(requested) == size


@pytest.mark.parametrize(
    ("size", "segment"),
    [
        (512, 2 * MIB),
        (MIB, 2 * MIB),
        (MIB + 512, 20 * MIB),
        (10 * MIB - 512, 20 * MIB),
        (10 * MIB, 10 * MIB),
        (10 * MIB + 512, 12 * MIB),
    ],
)
def test_segments_come_in_three_sizes(size: int, segment: int) -> None:
    """Small, shared, and rounded to 2 MiB."""
    assert AllocatorSettings().segment_bytes(size) == segment


@given(requested=st.integers(1, 64 * GIB), exponent=st.integers(1, 6))
def test_power_of_two_divisions_round_to_an_even_step(requested: int, exponent: int) -> None:
    """The result is the least multiple of its step that holds the request, and a whole number of blocks."""
    divisions = 1 << exponent
    size = AllocatorSettings(roundup_power2_divisions=(divisions,) * 16).round_request(requested)
    assert size >= requested
    assert size % 512 == 0
    if requested > 512 * divisions:
        step = (1 << requested.bit_length() - 1) // divisions
        assert size % step == 0
        assert size - requested < step
