"""PyTorch's memory snapshot of a run that never happened: `python -m torch.cuda._memory_viz` draws it.

The format is that of torch.cuda.memory._snapshot(), as read by torch/cuda/_memory_viz.py of pytorch/pytorch
v2.13.0: plain dicts, lists, strings and numbers. Where PyTorch has a Python stack, a snapshot from here has
two frames: the operation in its module, and the category in its phase. Where PyTorch has a time, it has the
number of the event, since a Timeline knows order but not time.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tunesmith.memory.allocator import (
    AllocatorSettings,
    CachingAllocator,
    DeviceMemory,
    OutOfMemory,
    Segment,
)
from tunesmith.memory.timeline import Storage, Timeline

_DEFAULTS: Final = AllocatorSettings()
_PICKLE_PROTOCOL: Final = 4
"""The one that torch.cuda.memory._dump_snapshot writes and the viewer in the browser reads."""

Frames = list[dict[str, Any]]


def write_snapshot(
    timeline: Timeline,
    path: Path,
    *,
    total_bytes: int | None = None,
    settings: AllocatorSettings = _DEFAULTS,
) -> None:
    """Write to *path* the snapshot that PyTorch would have made of *timeline* at its end.

    `python -m torch.cuda._memory_viz trace_plot PATH -o plot.html` draws it, segment_plot shows the
    segments and stats prints them. If the card of *total_bytes* is too small, the snapshot ends with the
    request that ran out of memory.
    """
    with path.open("wb") as file:
        pickle.dump(
            snapshot(timeline, total_bytes=total_bytes, settings=settings), file, protocol=_PICKLE_PROTOCOL
        )


def snapshot(
    timeline: Timeline,
    *,
    total_bytes: int | None = None,
    settings: AllocatorSettings = _DEFAULTS,
) -> dict[str, Any]:
    """Return what torch.cuda.memory._snapshot() would have after *timeline*, as plain dicts and lists."""
    trace = _Trace(total_bytes)
    allocator = CachingAllocator(settings=settings, device=trace)
    addresses: dict[int, int] = {}
    frames: dict[int, Frames] = {}
    try:
        for number, phase, empties in _in_phases(timeline):
            event = timeline.events[number]
            if empties:
                allocator.empty_cache()
            storage = timeline.storages[abs(event) - 1]
            if event > 0:
                trace.begin(number, storage, _frames(storage, phase))
                addresses[event] = allocator.malloc(storage.bytes, storage.stream)
                frames[addresses[event]] = trace.frames
                trace.note("alloc", addresses[event], storage.bytes)
            else:
                address = addresses.pop(-event)
                trace.begin(number, storage, frames.pop(address))
                trace.note("free_requested", address, storage.bytes)
                trace.note("free_completed", address, storage.bytes)
                allocator.free(address)
    except OutOfMemory as error:
        trace.note_out_of_memory(error)
    return {
        "segments": [_segment(segment, frames) for segment in allocator.segments()],
        "device_traces": [trace.entries],
        "allocator_settings": _settings(settings),
        "external_annotations": [],
    }


class _Trace(DeviceMemory):
    """The history of one card: what the allocator did to it, between what the run asked of the allocator."""

    def __init__(self, total_bytes: int | None) -> None:
        super().__init__(total_bytes)
        self.entries: list[dict[str, Any]] = []
        self.frames: Frames = []
        self._number = 0
        self._stream = 0

    def begin(self, number: int, storage: Storage, frames: Frames) -> None:
        """Let all that follows be caused by event *number*."""
        self._number = number
        self._stream = storage.stream
        self.frames = frames

    def note(self, action: str, address: int, size: int) -> None:
        """Add an entry; requests for nothing have no address and leave none."""
        if address:
            self.entries.append({**self._entry(action, size), "addr": address})

    def note_out_of_memory(self, error: OutOfMemory) -> None:
        """Add the request that could not be met."""
        entry = self._entry("oom", error.requested_bytes)
        self.entries.append({**entry, "device_free": error.free_bytes})

    def allocate(self, size: int) -> int | None:
        """Return what the card does, and note it."""
        address = super().allocate(size)
        if address is not None:
            self.note("segment_alloc", address, size)
        return address

    def release(self, address: int, size: int) -> None:
        """Note it and pass it on."""
        self.note("segment_free", address, size)
        super().release(address, size)

    def map(self, address: int, size: int) -> bool:
        """Return what the card does, and note it."""
        mapped = super().map(address, size)
        if mapped:
            self.note("segment_map", address, size)
        return mapped

    def unmap(self, address: int, size: int) -> None:
        """Note it and pass it on."""
        self.note("segment_unmap", address, size)
        super().unmap(address, size)

    def _entry(self, action: str, size: int) -> dict[str, Any]:
        return {
            "action": action,
            "size": size,
            "stream": self._stream,
            "time_us": self._number,
            "compile_context": "N/A",
            "user_metadata": "",
            "pool_id": (0, 0),
            "frames": self.frames,
        }


def _in_phases(timeline: Timeline) -> Iterator[tuple[int, str, bool]]:
    """Yield the number of each event, the name of its phase, and whether the cache is emptied before it."""
    for phase in timeline.phases:
        for number in range(phase.start, phase.end):
            yield number, phase.name, phase.empties_cache and number == phase.start


def _frames(storage: Storage, phase: str) -> Frames:
    return [
        {"name": storage.operation, "filename": storage.module or "(no module)", "line": 0},
        {"name": storage.category, "filename": phase, "line": 0},
    ]


def _segment(segment: Segment, frames: dict[int, Frames]) -> dict[str, Any]:
    in_use = [block for block in segment.blocks if block.allocated]
    allocated_bytes = sum(block.bytes for block in in_use)
    return {
        "device": 0,
        "address": segment.address,
        "total_size": segment.bytes,
        "allocated_size": allocated_bytes,
        "active_size": allocated_bytes,
        "requested_size": sum(block.requested_bytes for block in in_use),
        "stream": segment.stream,
        "segment_type": "small" if segment.small else "large",
        "segment_pool_id": (0, 0),
        "is_expandable": segment.expandable,
        "frames": [],
        "blocks": [
            {
                "address": block.address,
                "size": block.bytes,
                "requested_size": block.requested_bytes,
                "state": "active_allocated" if block.allocated else "inactive",
                "frames": frames[block.address] if block.allocated else [],
            }
            for block in segment.blocks
        ],
    }


def _settings(settings: AllocatorSettings) -> dict[str, Any]:
    """Return the settings under the names that snapshots give them; -1 is no limit."""
    divisions = enumerate(settings.roundup_power2_divisions)
    return {
        "max_split_size": -1 if settings.max_split_size_bytes is None else settings.max_split_size_bytes,
        "garbage_collection_threshold": settings.garbage_collection_threshold or 0.0,
        "expandable_segments": settings.expandable_segments,
        "roundup_power2_divisions": {str(1 << exponent): steps for exponent, steps in divisions},
    }
