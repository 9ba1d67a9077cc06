"""A Timeline cut into columns narrow enough to draw, and no peak lost on the way.

A run has tens or hundreds of thousands of events, a picture about a thousand columns. Every column covers
consecutive events of one phase and shows the instant at which the most is allocated in it: one real
instant, whose categories sum to its total, not a mixture of maxima. The peak of the run is such an instant
and so appears exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tunesmith.errors import UnsupportedError
from tunesmith.memory.allocator import AllocatorSettings, Replay, replay
from tunesmith.memory.estimate import Estimate, block_bytes
from tunesmith.memory.timeline import CATEGORIES, Phase, Timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """What memory does over a run: the events, and what the allocator made of them."""

    timeline: Timeline
    """Every birth and release."""
    run: Replay
    """Allocated and reserved bytes after each event, had the card room for all."""
    blocks: Mapping[int, int]
    """Bytes of the block that holds a storage, by the event of its birth."""

    @classmethod
    def of(cls, estimate: Estimate) -> Course:
        """Return the course of *estimate*.

        Raises UnsupportedError when the estimate has no timeline, or one without events.
        """
        timeline = estimate.timeline
        if timeline is None or not timeline.events:
            raise UnsupportedError(
                "this estimate has no timeline to draw: it was evaluated, not traced. "
                "Estimate again with a timeline."
            )
        run = replay(timeline, settings=AllocatorSettings.parse(estimate.recipe.hardware.alloc_conf or ""))
        return cls(timeline=timeline, run=run, blocks=block_bytes(timeline, run))


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A phase that has events, and its columns."""

    phase: Phase
    """The phase."""
    first: int
    """Its first column."""
    stop: int
    """The column after its last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The instants to draw, in order."""

    spans: tuple[Span, ...]
    """The phases that have events; together they hold every column."""
    events: tuple[int, ...]
    """The instant each column shows: the first event at which its allocated bytes are largest."""
    allocated_bytes: tuple[int, ...]
    """Allocated at that instant."""
    reserved_bytes: tuple[int, ...]
    """The most that is reserved in the column."""
    parts: Mapping[str, tuple[int, ...]]
    """Bytes of each category at that instant, for categories that occur; they sum to ``allocated_bytes``."""

    @property
    def peak(self) -> int:
        """The column that shows the peak of the run."""
        return self.allocated_bytes.index(max(self.allocated_bytes))


def weights(phases: Sequence[Phase]) -> list[float]:
    """Return the share of the picture's width that each phase gets: as the square root of its events.

    In proportion to its events, an optimizer step of one fused kernel would be invisible beside a backward
    pass of ten thousand operations; with equal widths, the backward pass would be crushed.
    """
    roots = [(phase.end - phase.start) ** 0.5 for phase in phases]
    whole = sum(roots)
    return [root / whole if whole else 0.0 for root in roots]


def reduced(course: Course, *, counts: Sequence[int]) -> Columns:
    """Return *course* in at most ``counts[i]`` columns for phase ``i``, and at least one if it has events."""
    allocated, reserved = course.run.allocated_after, course.run.reserved_after
    spans: list[Span] = []
    events: list[int] = []
    held: list[int] = []
    for phase, count in zip(course.timeline.phases, counts, strict=True):
        if phase.start == phase.end:
            continue
        first = len(events)
        for start, end in _cut(phase, max(count, 1)):
            events.append(max(range(start, end), key=allocated.__getitem__))
            held.append(max(reserved[start:end]))
        spans.append(Span(phase=phase, first=first, stop=len(events)))
    return Columns(
        spans=tuple(spans),
        events=tuple(events),
        allocated_bytes=tuple(allocated[event] for event in events),
        reserved_bytes=tuple(held),
        parts=_parts(course, events),
    )


def _cut(phase: Phase, count: int) -> Iterator[tuple[int, int]]:
    """Yield *phase* in *count* stretches of nearly as many events; of one event each if they are fewer."""
    length = phase.end - phase.start
    count = min(count, length)
    for column in range(count):
        yield phase.start + column * length // count, phase.start + (column + 1) * length // count


def _parts(course: Course, instants: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the bytes of each category after each of the *instants*, which ascend."""
    now = dict.fromkeys(CATEGORIES, 0)
    rows: list[tuple[int, ...]] = []
    start = 0
    for instant in instants:
        for event in course.timeline.events[start : instant + 1]:
            category = course.timeline.storages[abs(event) - 1].category
            now[category] += course.blocks[event] if event > 0 else -course.blocks[-event]
        rows.append(tuple(now.values()))
        start = instant + 1
    assert all(sum(row) == course.run.allocated_after[at] for row, at in zip(rows, instants, strict=True))
    columns = dict(zip(now, zip(*rows, strict=True), strict=True))
    return {category: column for category, column in columns.items() if any(column)}


def lifetimes(timeline: Timeline) -> list[tuple[int, int]]:
    """Return the events of each storage's birth and release; one never released ends after the last event."""
    births, ends = [0] * len(timeline.storages), [len(timeline.events)] * len(timeline.storages)
    for at, event in enumerate(timeline.events):
        if event > 0:
            births[event - 1] = at
        else:
            ends[-event - 1] = at
    return list(zip(births, ends, strict=True))


def seen(lives: Sequence[tuple[int, int]], instants: Sequence[int]) -> dict[int, int]:
    """Return at how many of the *instants*, which ascend, each storage is alive; never alive, left out."""
    counts = (bisect_left(instants, end) - bisect_left(instants, birth) for birth, end in lives)
    return {index: count for index, count in enumerate(counts) if count}
