"""A Timeline through the allocator: what would be allocated and reserved after every event."""

from __future__ import annotations

from dataclasses import dataclass

from tunesmith.memory.allocator.caching import CachingAllocator
from tunesmith.memory.allocator.device import OutOfMemory
from tunesmith.memory.allocator.settings import AllocatorSettings
from tunesmith.memory.timeline import Phase, Timeline

_DEFAULTS = AllocatorSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseMemory:
    """The memory of one phase, as PyTorch's counters would read if reset at its start."""

    name: str
    """The phase's name."""
    allocated_peak_bytes: int
    """max_memory_allocated() of the phase."""
    allocated_end_bytes: int
    """memory_allocated() at its end."""
    reserved_bytes: int
    """max_memory_reserved() of the phase."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """What the allocator did with a Timeline; events after an out-of-memory did not happen."""

    allocated_bytes: int
    """The most that was allocated: blocks in use, as max_memory_allocated()."""
    reserved_bytes: int
    """The most that was held from the card, as max_memory_reserved()."""
    peak_event: int
    """Index of the event at which the allocated bytes first reach their peak; -1 without events."""
    phases: tuple[PhaseMemory, ...]
    """The phases, up to the one in which memory ran out."""
    allocated_after: tuple[int, ...]
    """Allocated bytes after each event."""
    reserved_after: tuple[int, ...]
    """Reserved bytes after each event."""
    retries: int
    """How often everything free had to be given back before a request could be met."""
    out_of_memory: OutOfMemory | None
    """Why the replay stopped early, with the index of the event; None if all requests were met."""


def replay(
    timeline: Timeline,
    *,
    total_bytes: int | None = None,
    settings: AllocatorSettings = _DEFAULTS,
    allocator: CachingAllocator | None = None,
) -> Replay:
    """Return what PyTorch's allocator would do with *timeline* on a card of *total_bytes*.

    Another *allocator*, with a state of its own, takes the place of a new one.
    """
    if allocator is None:
        allocator = CachingAllocator(total_bytes=total_bytes, settings=settings)
    allocated_after: list[int] = []
    reserved_after: list[int] = []
    addresses: dict[int, int] = {}
    phases: list[PhaseMemory] = []
    out_of_memory: OutOfMemory | None = None
    device = allocator.device
    sizes = [(storage.bytes, storage.stream) for storage in timeline.storages]
    for phase in timeline.phases:
        allocator.reset_peak()
        if phase.empties_cache:
            allocator.empty_cache()
        try:
            for event in timeline.events[phase.start : phase.end]:
                if event > 0:
                    addresses[event] = allocator.malloc(*sizes[event - 1])
                else:
                    allocator.free(addresses.pop(-event))
                allocated_after.append(allocator.allocated_bytes)
                reserved_after.append(device.held_bytes)
        except OutOfMemory as error:
            error.event = len(allocated_after)
            out_of_memory = error.with_traceback(None)  # which would keep the whole allocator alive
        phases.append(_phase_memory(phase, allocator))
        if out_of_memory is not None:
            break
    peak = max(allocated_after, default=0)
    return Replay(
        allocated_bytes=peak,
        reserved_bytes=max((phase.reserved_bytes for phase in phases), default=allocator.reserved_bytes),
        peak_event=allocated_after.index(peak) if allocated_after else -1,
        phases=tuple(phases),
        allocated_after=tuple(allocated_after),
        reserved_after=tuple(reserved_after),
        retries=allocator.num_alloc_retries,
        out_of_memory=out_of_memory,
    )


def _phase_memory(phase: Phase, allocator: CachingAllocator) -> PhaseMemory:
    return PhaseMemory(
        name=phase.name,
        allocated_peak_bytes=allocator.peak_allocated_bytes,
        allocated_end_bytes=allocator.allocated_bytes,
        reserved_bytes=allocator.peak_reserved_bytes,
    )
