"""The allocator's replay reproduces what strangers' cards recorded: addresses, segments and final layout.

The recordings lie in traces/ (README.md there names their sources). Set TUNESMITH_TRACES to a folder of
more recordings in the same form to run over that instead.

Most recordings begin in the middle of a run. The state before their first event is found by undoing the
events from the final layout, and is then built by ordinary requests and releases.
"""

from __future__ import annotations

import gzip
import json
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tunesmith.memory.allocator import AllocatorSettings, CachingAllocator, DeviceMemory
from tunesmith.units import MIB

FOLDER = Path(os.environ.get("TUNESMITH_TRACES") or Path(__file__).parent / "traces")
TRACES = sorted(FOLDER.glob("*.json.gz"))

GAINS = ("segment_alloc", "segment_map")
LOSSES = ("segment_free", "segment_unmap")

Action = tuple[str, int, int]


class RecordedMemory(DeviceMemory):
    """A card that hands out the addresses which a real one handed out, and notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: deque[int] = deque()
        self.actions: list[Action] = []

    def reserve(self, size: int) -> int:
        return self.addresses[0] if self.addresses else super().reserve(size)

    def allocate(self, size: int) -> int | None:
        address = super().allocate(size)
        if self.addresses:
            self.addresses.popleft()
        self.actions.append(("segment_alloc", address or 0, size))
        return address

    def release(self, address: int, size: int) -> None:
        super().release(address, size)
        self.actions.append(("segment_free", address, size))

    def map(self, address: int, size: int) -> bool:
        if self.addresses:
            self.addresses.popleft()
        self.actions.append(("segment_map", address, size))
        return super().map(address, size)

    def unmap(self, address: int, size: int) -> None:
        super().unmap(address, size)
        self.actions.append(("segment_unmap", address, size))


@dataclass
class Start:
    """The state before the first event: segments, and what was in use in them."""

    segments: dict[int, tuple[int, int, bool]] = field(default_factory=dict)
    used: dict[int, tuple[int, int | None]] = field(default_factory=dict)
    ambiguous: int = 0


@dataclass
class Outcome:
    """How far a replay agrees with its recording."""

    requests: int = 0
    same_address: int = 0
    same_segments: bool = True
    first_difference: str = ""
    layout_differences: int = 0
    ambiguous: int = 0


def read(path: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress(path.read_bytes()))  # type: ignore[no-any-return]


def blocks_of(segment: dict[str, Any]) -> Iterator[tuple[int, int, int, str]]:
    """Yield address, size, requested size and state of each block; old recordings leave some out."""
    at = segment["address"]
    for address, size, requested, state in segment["blocks"]:
        at = address or at
        yield at, size, requested or size, state
        at += size


def undo(segments: list[dict[str, Any]], events: list[list[Any]]) -> Start:
    """Return the state before *events*, after which the layout was *segments*."""
    start = Start()
    for segment in segments:
        small = segment["segment_type"] == "small"
        start.segments[segment["address"]] = (segment["total_size"], segment["stream"], small)
        for address, size, requested, state in blocks_of(segment):
            if state != "inactive":
                start.used[address] = (requested, size)
    for action, address, size, stream, *_ in reversed(events):
        if action == "segment_alloc":
            start.segments.pop(address, None)
        elif action == "segment_free":
            start.segments[address] = (size, stream, size == 2 * MIB)
        elif action == "alloc":
            start.used.pop(address, None)
        elif action == "free_completed":
            start.used[address] = (size, None)
    return start


def pieces(start: Start, address: int, used: list[int]) -> list[tuple[int, bool]]:
    """Return the sizes of a segment's blocks in order, and whether each is in use."""
    size, _, small = start.segments[address]
    end = address + size
    found: list[tuple[int, bool]] = []
    at = address
    for block, following in zip(used, [*used, end][1:], strict=True):
        if block > at:
            found.append((block - at, False))
        requested, known = start.used[block]
        taken = known or max(512, -(-requested // 512) * 512)
        gap = following - block - taken
        if known is None and not small and 0 < gap <= MIB:
            taken += gap  # a free block of 1 MiB or less cannot exist in the large pool
        elif known is None and not small and gap > 0:
            start.ambiguous += 1  # an unsplit tail of unknown length may belong to the block
        found.append((taken, True))
        at = block + taken
    if at < end:
        found.append((end - at, False))
    return found


def build(start: Start, allocator: CachingAllocator, device: RecordedMemory) -> dict[int, int]:
    """Bring *allocator* into the state *start*; return recorded addresses with the allocator's own."""
    addresses: dict[int, int] = {}
    fillers: list[int] = []
    bases = sorted(start.segments)
    inside: dict[int, list[int]] = {base: [] for base in bases}
    for block in sorted(start.used):
        inside[bases[bisect_right(bases, block) - 1]].append(block)
    for base in bases:
        size, stream, small = start.segments[base]
        device.addresses.append(base)
        allocator.free(allocator.malloc(MIB if small else size, stream))
        for length, in_use in pieces(start, base, inside[base]):
            # Requests of the small pool end at 1 MiB, so a larger gap takes several fillers.
            while small and not in_use and length > MIB:
                fillers.append(allocator.malloc(MIB, stream))
                length -= MIB
            address = allocator.malloc(length, stream)
            if in_use:
                addresses[address] = address
            else:
                fillers.append(address)
    for address in fillers:
        allocator.free(address)
    return addresses


def run(segments: list[dict[str, Any]], events: list[list[Any]]) -> tuple[Outcome, CachingAllocator]:
    """Replay *events* and compare every address, every segment and the final layout."""
    expandable = any(segment.get("is_expandable") for segment in segments)
    start = Start() if expandable else undo(segments, events)
    device = RecordedMemory()
    allocator = CachingAllocator(device=device, settings=AllocatorSettings(expandable_segments=expandable))
    live = build(start, allocator, device)
    allocator.reset_peak()
    outcome = Outcome(ambiguous=start.ambiguous)
    expected: list[Action] = []
    for index, (action, address, size, stream, *_) in enumerate(events):
        if action.startswith("segment_"):
            expected.append((action, address, size))
            following = events[index + 1][0] if index + 1 < len(events) else ""
            if action in LOSSES and following != action:
                check(outcome, index, expected, device, allocator.empty_cache)
        elif action == "alloc":
            device.addresses.extend(at for name, at, _ in expected if name in GAINS)
            mine: list[int] = []
            check(outcome, index, expected, device, lambda: mine.append(allocator.malloc(size, stream)))  # noqa: B023
            live[address] = mine[0]
            outcome.requests += 1
            outcome.same_address += mine[0] == address
        elif action == "free_completed":
            allocator.free(live.pop(address))
    outcome.layout_differences = len(recorded_layout(segments) ^ replayed_layout(allocator))
    return outcome, allocator


def check(outcome: Outcome, index: int, expected: list[Action], device: RecordedMemory, act: Any) -> None:
    """Do *act* and note if it does other things to the card than were recorded."""
    device.actions.clear()
    act()
    if device.actions != expected and outcome.same_segments:
        outcome.same_segments = False
        outcome.first_difference = f"event {index}: recorded {expected}, replayed {device.actions}"
    device.addresses.clear()
    expected.clear()


def recorded_layout(segments: list[dict[str, Any]]) -> set[tuple[int, int, bool]]:
    return {
        (address, size, state != "inactive")
        for segment in segments
        for address, size, _, state in blocks_of(segment)
    }


def replayed_layout(allocator: CachingAllocator) -> set[tuple[int, int, bool]]:
    return {
        (block.address, block.bytes, block.allocated)
        for segment in allocator.segments()
        for block in segment.blocks
    }


def peak_reserved(segments: list[dict[str, Any]], events: list[list[Any]]) -> int:
    """Return the recorded peak, counted from the recording alone."""
    steps = [((name in GAINS) - (name in LOSSES)) * size for name, _, size, *_ in events]
    held: int = sum(segment["total_size"] for segment in segments) - sum(steps)
    peak = held
    for step in steps:
        held += step
        peak = max(peak, held)
    return peak


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name.removesuffix(".json.gz"))
def test_a_recorded_run_is_replayed_to_the_address(path: Path) -> None:
    """Every request lands where the card put it, and every segment comes and goes when the card's did."""
    recording = read(path)
    for device, all_events in enumerate(recording["device_traces"]):
        events = [event for event in all_events if event[0] not in ("snapshot", "oom")]
        segments = [each for each in recording["segments"] if each.get("device", 0) == device]
        outcome, allocator = run(segments, events)
        assert outcome.same_segments, outcome.first_difference
        assert allocator.reserved_bytes == sum(segment["total_size"] for segment in segments)
        assert allocator.peak_reserved_bytes == peak_reserved(segments, events)
        if outcome.ambiguous == 0:  # else the recording does not tell where it began
            assert outcome.same_address == outcome.requests
            assert outcome.layout_differences == 0


def test_the_recordings_cover_every_way_of_getting_and_giving_back_memory() -> None:
    """Among them are fixed and expandable segments, both given back, and a card that ran out of memory."""
    recordings = [read(path) for path in TRACES]
    actions = {event[0] for each in recordings for events in each["device_traces"] for event in events}
    assert {*GAINS, *LOSSES, "alloc", "free_completed", "oom"} <= actions
