"""A Timeline through the allocator: peaks, phases and the end of memory."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.allocator import AllocatorSettings, CachingAllocator, replay
from tunesmith.memory.timeline import Phase, Storage, Timeline
from tunesmith.units import MIB


def timeline(*events: int, sizes: tuple[int, ...], load_ends: int = 0) -> Timeline:
    """Return a run of two phases, the first of which ends before event *load_ends*."""
    storages = [Storage(bytes=size, category="weights", module="", operation="") for size in sizes]
    phases = (
        Phase(name="load", start=0, end=load_ends),
        Phase(name="step", start=load_ends, end=len(events)),
    )
    return Timeline(storages=tuple(storages), events=events, phases=phases)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    sizes: list[int] = draw(st.lists(st.integers(0, 50 * MIB), max_size=30))
    events: list[int] = []
    live: list[int] = []
    for index in range(1, len(sizes) + 1):
        events.append(index)
        live.append(index)
        while live and draw(st.booleans()):
            events.append(-live.pop(draw(st.integers(0, len(live) - 1))))
    return timeline(*events, sizes=tuple(sizes), load_ends=draw(st.integers(0, len(events))))


RUN = timeline(1, 2, -2, 3, -3, 2, -2, sizes=(10 * MIB, 40 * MIB, 40 * MIB), load_ends=3)


def test_the_peak_is_the_first_event_that_reaches_it() -> None:
    """The same height later in the run does not move it."""
    result = replay(RUN)
    assert (result.allocated_bytes, result.peak_event) == (50 * MIB, 1)
    assert result.allocated_after == tuple(size * MIB for size in (10, 50, 10, 50, 10, 50, 10))
    assert result.reserved_after == tuple(size * MIB for size in (10, 50, 50, 50, 50, 50, 50))


def test_phases_have_peaks_of_their_own() -> None:
    """Each is what PyTorch's counters would read if reset at its start."""
    load, step = replay(timeline(1, 2, -2, 3, sizes=(10 * MIB, 40 * MIB, 12 * MIB), load_ends=3)).phases
    assert (load.name, load.allocated_peak_bytes, load.allocated_end_bytes) == ("load", 50 * MIB, 10 * MIB)
    assert (step.name, step.allocated_peak_bytes, step.reserved_bytes) == ("step", 22 * MIB, 50 * MIB)


def test_running_out_of_memory_ends_the_run() -> None:
    """The result says at which event, and what was there until then."""
    result = replay(RUN, total_bytes=30 * MIB)
    assert result.out_of_memory is not None
    assert result.out_of_memory.event == 1
    assert result.allocated_after == (10 * MIB,)
    assert [phase.name for phase in result.phases] == ["load"]
    assert result.retries == 1
    assert str(copy.deepcopy(result).out_of_memory) == str(result.out_of_memory)


def test_a_run_without_events_needs_nothing() -> None:
    """There is no event of the peak then."""
    result = replay(timeline(sizes=()))
    assert (result.allocated_bytes, result.reserved_bytes, result.peak_event) == (0, 0, -1)


def test_another_allocator_brings_its_state() -> None:
    """What is already in use counts."""
    allocator = CachingAllocator()
    allocator.malloc(30 * MIB)
    assert replay(RUN, allocator=allocator).allocated_bytes == 80 * MIB


@given(run=timelines(), expandable=st.booleans())
def test_counting_sizes_by_hand_bounds_the_replay(run: Timeline, expandable: bool) -> None:
    """Allocated is at least what is alive, and at most 1 MiB a block more; phases agree with events."""
    result = replay(run, settings=AllocatorSettings(expandable_segments=expandable))
    alive: dict[int, int] = {}
    for event, allocated, reserved in zip(
        run.events, result.allocated_after, result.reserved_after, strict=True
    ):
        if event > 0:
            alive[event] = run.storages[event - 1].bytes
        else:
            del alive[-event]
        slack = 512 if expandable else MIB + 511
        assert sum(alive.values()) <= allocated <= sum(alive.values()) + slack * len(alive)
        assert allocated <= reserved
    assert result.allocated_bytes == max(result.allocated_after, default=0)
    assert result.reserved_bytes == max(result.reserved_after, default=0)
    ends = [phase.allocated_end_bytes for phase in result.phases]
    assert ends == [result.allocated_after[phase.end - 1] if phase.end else 0 for phase in run.phases]
