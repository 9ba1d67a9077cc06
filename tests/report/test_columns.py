"""The cut of a Timeline into columns: whatever the run and the number of columns, no peak is lost."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.allocator import replay
from tunesmith.memory.estimate import block_bytes
from tunesmith.memory.timeline import CATEGORIES, Phase, Storage, Timeline
from tunesmith.report.columns import Course, lifetimes, reduced, seen, weights


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Return the course of a random run: births and releases in any order, phases of any length."""
    storages, events, live = [], [], []
    for release in draw(st.lists(st.booleans(), min_size=1, max_size=120)):
        if release and live:
            events.append(-live.pop(draw(st.integers(0, len(live) - 1))))
            continue
        size, category = draw(st.integers(1, 40 << 20)), draw(st.sampled_from(CATEGORIES))
        storages.append(Storage(bytes=size, category=category, module="", operation=""))
        events.append(len(storages))
        live.append(len(storages))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=5)))
    bounds = pairwise([0, *cuts, len(events)])
    phases = tuple(Phase(name=f"step1.{i}", start=start, end=end) for i, (start, end) in enumerate(bounds))
    timeline = Timeline(storages=tuple(storages), events=tuple(events), phases=phases)
    run = replay(timeline)
    return Course(timeline=timeline, run=run, blocks=block_bytes(timeline, run))


@given(courses(), st.integers(0, 60))
def test_peaks_survive(course: Course, count: int) -> None:
    """The peak of the run is a column exactly, at its own event; so is the highest instant of every phase."""
    columns = reduced(course, counts=[count] * len(course.timeline.phases))
    assert columns.allocated_bytes[columns.peak] == course.run.allocated_bytes
    assert columns.events[columns.peak] == course.run.peak_event
    assert max(columns.reserved_bytes) == course.run.reserved_bytes
    for span in columns.spans:
        highest = max(course.run.allocated_after[span.phase.start : span.phase.end])
        assert max(columns.allocated_bytes[span.first : span.stop]) == highest
        held = max(course.run.reserved_after[span.phase.start : span.phase.end])
        assert max(columns.reserved_bytes[span.first : span.stop]) == held


@given(courses(), st.integers(0, 60))
def test_every_column_is_a_real_instant(course: Course, count: int) -> None:
    """A column's categories are the bytes that are live after its event, counted from the start."""
    columns = reduced(course, counts=[count] * len(course.timeline.phases))
    lives = lifetimes(course.timeline)
    for column, event in enumerate(columns.events):
        counted = dict.fromkeys(columns.parts, 0)
        for index, (birth, end) in enumerate(lives):
            if birth <= event < end:
                counted[course.timeline.storages[index].category] += course.blocks[index + 1]
        assert counted == {category: parts[column] for category, parts in columns.parts.items()}
        assert sum(counted.values()) == columns.allocated_bytes[column]


@given(courses(), st.integers(0, 60))
def test_columns_are_as_many_as_asked_for(course: Course, count: int) -> None:
    """A phase has the columns asked for, at least one, at most one an event; an empty phase has none."""
    columns = reduced(course, counts=[count] * len(course.timeline.phases))
    assert list(columns.events) == sorted(set(columns.events))
    wanted = [
        min(max(count, 1), phase.end - phase.start)
        for phase in course.timeline.phases
        if phase.end > phase.start
    ]
    assert [span.stop - span.first for span in columns.spans] == wanted
    assert sum(wanted) == len(columns.events)


@given(courses())
def test_widths_are_shares(course: Course) -> None:
    """The phases share the width: four times the events, twice the width."""
    shares = weights(course.timeline.phases)
    assert abs(sum(shares) - 1) < 1e-9
    for share, phase in zip(shares, course.timeline.phases, strict=True):
        assert (
            abs(
                share**2 * sum((p.end - p.start) ** 0.5 for p in course.timeline.phases) ** 2
                - (phase.end - phase.start)
            )
            < 1e-6
        )


@given(courses(), st.data())
def test_seen_counts_instants(course: Course, data: st.DataObject) -> None:
    """A storage is seen at the instants between its birth and its release."""
    instants = sorted(data.draw(st.sets(st.integers(0, len(course.timeline.events) - 1))))
    lives = lifetimes(course.timeline)
    counted = {i: sum(birth <= at < end for at in instants) for i, (birth, end) in enumerate(lives)}
    assert seen(lives, instants) == {i: count for i, count in counted.items() if count}


def test_without_events_there_are_no_widths() -> None:
    """Phases that are all empty have no width, and nothing is divided by it."""
    assert weights([Phase(name="load", start=0, end=0)]) == [0.0]
