"""The allocator's replay does what PyTorch's own allocator did under settings that no public trace has.

ghost_recordings/ was recorded with PyTorch 2.14.1's CUDA build and its own allocator, kernels not executed;
README.md there says how. Every address, counter and call to the card is compared.
"""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from pathlib import Path
from typing import Any

import pytest

from tunesmith.memory.allocator import AllocatorSettings, CachingAllocator, DeviceMemory, OutOfMemory

RECORDINGS = sorted((Path(__file__).parent / "ghost_recordings").glob("*.json.gz"))


class FollowedMemory(DeviceMemory):
    """A card with the recorded budget, on which every call must be the recorded one.

    It hands out addresses of its own, always higher ones, and knows where the recorded card put the same
    segments. So ties between blocks are decided by the age of their segments, as the allocator does since
    https://github.com/pytorch/pytorch/pull/183591.
    """

    def __init__(self, total_bytes: int, actions: list[list[Any]]) -> None:
        super().__init__(total_bytes)
        self.coming = [tuple(action) for action in actions]
        self.done = 0
        self.bases: list[int] = []
        self.shifts: dict[int, int | None] = {}

    def recorded(self, address: int) -> int:
        """Return where the recorded card put *address*."""
        shift = self.shifts[self.bases[bisect_right(self.bases, address) - 1]]
        assert shift is not None
        return address + shift

    def follow(self, name: str, address: int, size: int) -> None:
        base = self.bases[bisect_right(self.bases, address) - 1]
        if self.shifts[base] is None:
            self.shifts[base] = self.coming[self.done][1] - base
        assert self.coming[self.done] == (name, self.recorded(address), size), f"call {self.done} to the card"
        self.done += 1

    def reserve(self, size: int) -> int:
        address = super().reserve(size)
        self.bases.append(address)
        self.shifts[address] = None
        return address

    def allocate(self, size: int) -> int | None:
        address = super().allocate(size)
        if address is not None:
            self.follow("segment_alloc", address, size)
        return address

    def release(self, address: int, size: int) -> None:
        super().release(address, size)
        self.follow("segment_free", address, size)

    def map(self, address: int, size: int) -> bool:
        mapped = super().map(address, size)
        if mapped:
            self.follow("segment_map", address, size)
        return mapped

    def unmap(self, address: int, size: int) -> None:
        super().unmap(address, size)
        self.follow("segment_unmap", address, size)


def read(path: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress(path.read_bytes()))  # type: ignore[no-any-return]


def layout(allocator: CachingAllocator, device: FollowedMemory) -> list[list[Any]]:
    segments = [
        [
            device.recorded(segment.address),
            segment.bytes,
            segment.stream,
            "small" if segment.small else "large",
            segment.expandable,
            [[block.bytes, block.requested_bytes, block.allocated] for block in segment.blocks],
        ]
        for segment in allocator.segments()
    ]
    return sorted(segments)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_every_decision_is_that_of_pytorchs_own_allocator(path: Path) -> None:
    """Addresses, counters, segments, retries and messages agree after every one of the requests."""
    recording = read(path)
    device = FollowedMemory(recording["total_bytes"], recording["segment_actions"])
    allocator = CachingAllocator(
        device=device,
        device_bytes=recording["device_bytes"],
        settings=AllocatorSettings.parse(recording["settings"]),
    )
    addresses: dict[int, int] = {}
    messages: list[str] = []
    for index, (kind, key, size, stream, allocated, reserved, *address) in enumerate(recording["events"]):
        if kind == "m":
            addresses[key] = allocator.malloc(size, stream)
            if size:
                assert device.recorded(addresses[key]) == address[0], f"event {index}"
        elif kind == "o":
            with pytest.raises(OutOfMemory) as caught:
                allocator.malloc(size, stream)
            messages.append(str(caught.value))
        elif kind == "f":
            allocator.free(addresses.pop(key))
        else:
            allocator.empty_cache()
        assert (allocator.allocated_bytes, allocator.reserved_bytes) == (allocated, reserved), (
            f"event {index}"
        )
    assert device.done == len(device.coming)
    assert layout(allocator, device) == recording["segments"]
    for counter in (
        "num_alloc_retries",
        "num_device_alloc",
        "num_device_free",
        "peak_allocated_bytes",
        "peak_reserved_bytes",
    ):
        assert getattr(allocator, counter) == recording[counter], counter
    for message, recorded in zip(messages, recording["out_of_memory"], strict=True):
        assert message == recorded.partition("  See documentation")[0]


def test_the_recordings_reach_every_way_out_of_a_full_card() -> None:
    """Among them are retries that help, memory that runs out, and memory given back in part."""
    all_of = [read(path) for path in RECORDINGS]
    assert len(all_of) == 11
    assert sum(each["num_alloc_retries"] for each in all_of) > sum(
        len(each["out_of_memory"]) for each in all_of
    )
    names = {action for each in all_of for action, _, _ in each["segment_actions"]}
    assert names == {"segment_alloc", "segment_free", "segment_map", "segment_unmap"}
