"""The front holds what nothing beats; the ranking follows the goal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.outline import Variation
from tunesmith.search.space import Family
from tunesmith.search.weighing import Weighed, fitting, front, ranked
from tunesmith.throughput import Interval

FAMILY = Family(order=0, name="full", name_zh="全量", keys={"method": "full"}, checkpointed=True)


def weighed(size: int, seconds: float, fidelity: int) -> Weighed:
    """Return a recipe of these weights."""
    return Weighed(
        family=FAMILY,
        variation=Variation(batch=1, length=8),
        process_bytes=size,
        seconds=Interval(seconds, seconds),
        fidelity=fidelity,
    )


recipes = st.lists(
    st.builds(weighed, st.integers(1, 20), st.integers(1, 20).map(float), st.integers(80, 85)),
    min_size=1,
    max_size=40,
)


def beats(one: Weighed, other: Weighed) -> bool:
    """Return whether *one* is as good as *other* in everything and better in something."""
    ours = (-one.process_bytes, -one.middle_seconds, one.fidelity)
    theirs = (-other.process_bytes, -other.middle_seconds, other.fidelity)
    return ours != theirs and all(a >= b for a, b in zip(ours, theirs, strict=True))


@given(recipes)
def test_the_front_is_what_nothing_beats(found: list[Weighed]) -> None:
    """No point of it is beaten, and every recipe outside is beaten or has its twin on it."""
    edge = list(front(found))
    assert edge
    assert not any(beats(other, each) for each in edge for other in found)
    for each in found:
        assert any(beats(point, each) or point == each for point in edge)


@given(recipes)
def test_the_fastest_comes_first_within_two_percent(found: list[Weighed]) -> None:
    """Only a truer recipe that is as fast may stand before a faster one."""
    first = ranked(found, "fastest")[0]
    assert first.middle_seconds <= 1.02 * min(each.middle_seconds for each in found)


@given(recipes)
def test_quality_looks_at_fidelity_first(found: list[Weighed]) -> None:
    """Then at time."""
    order = ranked(found, "quality")
    assert [each.fidelity for each in order] == sorted((each.fidelity for each in found), reverse=True)


@given(recipes, st.integers(0, 21))
def test_what_fits_needs_no_more_than_there_is(found: list[Weighed], available: int) -> None:
    """And nothing that would fit is left out."""
    kept = fitting(found, available)
    assert all(each.process_bytes <= available for each in kept)
    assert len(kept) == sum(each.process_bytes <= available for each in found)
