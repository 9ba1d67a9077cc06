"""Mixture: shares, draws and order, as arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.data.mixture import Drawn, Mixing, Supply, draw, interleaved, shares
from tunesmith.errors import DataError

SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@st.composite
def asked(draw_: st.DrawFn) -> tuple[list[Supply], Mixing]:
    """Return sources and how they are mixed: by their sizes, against general data, or by shares."""
    sizes = draw_(st.lists(SIZES, min_size=2, max_size=4))
    kind = draw_(st.sampled_from(["sizes", "ratio", "replay", "weights"]))
    general = kind in ("ratio", "replay")
    weights = [draw_(st.floats(0.01, 100)) if kind == "weights" else None for _ in sizes]
    supplies = [
        Supply(name=f"{index}", sizes=each, general=general and index == len(sizes) - 1, weight=weight)
        for index, (each, weight) in enumerate(zip(sizes, weights, strict=True))
    ]
    share = draw_(st.floats(0.01, 0.99))
    how = Mixing(
        general=("g",) if general else (),
        ratio=share if kind == "ratio" else None,
        replay=share if kind == "replay" else None,
        temperature=draw_(st.floats(1, 100)),
        max_repeats=draw_(st.integers(1, 5)),
        seed=draw_(st.integers(0, 3)),
        rows=draw_(st.none() | st.integers(len(sizes), 100)),
    )
    return supplies, how


def named(supplies: Sequence[Supply], drawn: Sequence[Drawn]) -> dict[str, list[int]]:
    """Return the rows that were drawn by the names of their sources."""
    return {each.name: list(one.rows) for each, one in zip(supplies, drawn, strict=True)}


@settings(max_examples=200, deadline=None)
@given(question=asked())
def test_each_source_has_its_share_within_one_example(question: tuple[list[Supply], Mixing]) -> None:
    """However sources weigh: what is taken is as near to the target as whole rows allow."""
    supplies, how = question
    drawn = draw(supplies, how)
    whole = {round(one.target / one.share, 3) for one in drawn}
    assert max(whole) - min(whole) <= 1e-6 * max(whole) + 0.002
    for each, one in zip(supplies, drawn, strict=True):
        assert one.size == sum(each.sizes[row] for row in one.rows)
        assert abs(one.size - one.target) <= max(each.sizes)
    assert sum(one.share for one in drawn) == pytest.approx(1)


@settings(max_examples=200, deadline=None)
@given(question=asked())
def test_no_row_is_repeated_beyond_the_bound_or_before_all_others_came(
    question: tuple[list[Supply], Mixing],
) -> None:
    """A source is gone through whole before it begins again."""
    supplies, how = question
    for each, one in zip(supplies, draw(supplies, how), strict=True):
        times = Counter(one.rows)
        most = max(times.values())
        assert most <= how.max_repeats
        if most > 1:
            assert len(times) == len(each.sizes)
            assert min(times.values()) >= most - 1
    if how.rows is not None:
        assert sum(len(one.rows) for one in draw(supplies, how)) <= how.rows


@settings(deadline=None)
@given(question=asked(), data=st.data())
def test_the_seed_alone_decides_and_not_the_order_of_the_sources(
    question: tuple[list[Supply], Mixing], data: st.DataObject
) -> None:
    """The same rows in the same order, however the sources are given."""
    supplies, how = question
    other = data.draw(st.permutations(supplies))
    assert named(supplies, draw(supplies, how)) == named(other, draw(other, how))


def test_without_a_number_of_rows_the_domain_stands_in_it_once() -> None:
    """Half and half: all of the domain, as much of the general data, the rest of which is left over."""
    domain, general = Supply(name="d", sizes=[2] * 10), Supply(name="g", sizes=[1] * 100, general=True)
    one, other = draw([domain, general], Mixing(general=("g",)))
    assert sorted(one.rows) == list(range(10))
    assert (one.size, other.size) == (20, 20)
    assert len(set(other.rows)) == 20
    assert not one.limits and not other.limits


def test_little_general_data_limits_the_mixture() -> None:
    """Four times is the most; then the domain is cut rather than the share bent, and that is said."""
    domain, general = Supply(name="d", sizes=[1] * 100), Supply(name="g", sizes=[1] * 10, general=True)
    one, other = draw([domain, general], Mixing(general=("g",)))
    assert (one.size, other.size) == (40, 40)
    assert set(Counter(other.rows).values()) == {4}
    assert other.limits and not one.limits


def test_replay_keeps_the_order_of_the_domain() -> None:
    """Text to go on with comes as it stands; what is replayed is drawn."""
    domain, general = Supply(name="d", sizes=[3] * 95), Supply(name="g", sizes=[3] * 50, general=True)
    one, other = draw([domain, general], Mixing(general=("g",), replay=0.05))
    assert list(one.rows) == list(range(95))
    assert len(other.rows) == 5 and list(other.rows) != sorted(other.rows)


def test_temperature_makes_sources_alike() -> None:
    """At 1 in proportion, at 2 by the square root, at a very high one equal (arXiv 2010.11934)."""
    supplies = [Supply(name="a", sizes=[81]), Supply(name="b", sizes=[9])]
    assert shares(supplies, Mixing()) == [0.9, 0.1]
    assert shares(supplies, Mixing(temperature=2)) == [0.75, 0.25]
    assert shares(supplies, Mixing(temperature=1000)) == pytest.approx([0.5, 0.5], abs=1e-3)


@settings(deadline=None)
@given(sizes=st.lists(SIZES, min_size=1, max_size=4))
def test_every_source_comes_evenly(sizes: list[list[int]]) -> None:
    """Each row once, in the order of its source, and at no place is one source ahead by more than a row."""
    order = list(interleaved(sizes))
    for source, each in enumerate(sizes):
        assert [place for which, place in order if which == source] == list(range(len(each)))
    done = [0.0] * len(sizes)
    total = [sum(each) for each in sizes]
    slack = sum(max(each) / whole for each, whole in zip(sizes, total, strict=True))
    for source, place in order:
        done[source] = list(accumulate(sizes[source]))[place] / total[source]
        assert max(done) - min(done) <= slack + 1e-9


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"ratio": 0.0, "general": ("g",)}, "ratio is 0.0, expected a share between 0 and 1"),
        ({"replay": 1.0, "general": ("g",)}, "replay is 1.0"),
        ({"ratio": 0.5, "replay": 0.5, "general": ("g",)}, "both given"),
        ({"ratio": 0.5}, "and no general data"),
        ({"temperature": 0.5}, "temperature is 0.5"),
        ({"max_repeats": 0}, "max_repeats is 0"),
        ({"rows": 0}, "rows 0"),
    ],
)
def test_what_cannot_be_mixed_is_refused(given_: dict[str, object], why: str) -> None:
    """What was given and what was expected."""
    with pytest.raises(DataError, match=why):
        Mixing(**given_)  # type: ignore[arg-type]
