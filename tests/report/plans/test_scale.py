"""A scale: order kept, everything inside it, marks round and few."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.report.plans.scale import Scale

FIGURES = st.lists(st.floats(1e-4, 1e7), min_size=1, max_size=20)


def made(figures: list[float], from_zero: bool) -> Scale:
    return Scale.over(figures, start=100, end=500, from_zero=from_zero)


@given(FIGURES, st.booleans())
def test_every_figure_lies_on_the_scale_in_its_order(figures: list[float], from_zero: bool) -> None:
    """Nothing falls off either end, and more is further along."""
    scale = made(figures, from_zero)
    places = [scale.at(figure) for figure in sorted(figures)]
    assert all(100 <= place <= 500 for place in places)
    assert places == sorted(places)


@given(FIGURES, st.booleans())
def test_marks_are_round_few_and_on_the_scale(figures: list[float], from_zero: bool) -> None:
    """A scale in proportion has two to nine equally spaced marks; all marks of any scale lie on it."""
    scale = made(figures, from_zero)
    ticks = list(scale.ticks())
    assert ticks == sorted(set(ticks))
    assert all(99.999 <= scale.at(tick) <= 500.001 for tick in ticks)
    if not scale.logarithmic:
        assert 2 <= len(ticks) <= 9
        gaps = [b - a for a, b in pairwise(ticks)]
        assert max(gaps) - min(gaps) < 1e-6 * max(gaps)


def test_far_apart_figures_get_equal_room_for_equal_ratios() -> None:
    """From 1 to 100 the middle is 10; from 4 to 5 it is 4.5."""
    wide, narrow = made([1, 100], False), made([4, 5], False)
    assert wide.logarithmic and abs(wide.at(10) - 300) < 1e-9
    assert not narrow.logarithmic and abs(narrow.at(4.5) - 300) < 1e-9
    assert made([4, 5], True).low == 0
