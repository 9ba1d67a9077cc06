"""Sizes over batch, length and rank: what is exact is found, and what is not is never too small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.memory.outline.forms import Form, Where, form_of

POINTS = (Where(2, 1024, 16), Where(5, 1128, 16), Where(3, 520, 48))
COUNTS = st.integers(1, 1 << 30)
PLACES = st.builds(Where, st.integers(1, 64), st.integers(1, 8192), st.integers(1, 256))


def blocks(count: int) -> int:
    """Return *count* bytes rounded up to whole blocks."""
    return -(-count // 512) * 512


@given(count=COUNTS, there=PLACES)
def test_a_share_of_every_token_is_found_from_three_points(count: int, there: Where) -> None:
    """Whatever a token takes, its form gives back what any batch of tokens takes."""
    form = form_of([count * each.batch * each.length for each in POINTS], POINTS)
    assert form.at(there) == blocks(count * there.batch * there.length)


@given(count=COUNTS, there=PLACES)
def test_a_constant_does_not_grow(count: int, there: Where) -> None:
    """What is the same at every point is the same everywhere."""
    assert form_of([count] * 3, POINTS).at(there) == blocks(count)


@given(count=COUNTS, there=PLACES)
def test_what_grows_with_the_rank_alone_is_told_from_tokens(count: int, there: Where) -> None:
    """A weight of an adapter has the rank for one side, and no tokens."""
    assert form_of([count * each.r for each in POINTS], POINTS).at(there) == blocks(count * there.r)


@given(count=COUNTS, there=PLACES)
def test_an_activation_of_an_adapter_grows_with_tokens_and_rank(count: int, there: Where) -> None:
    """The output of an adapter's first matrix holds the rank for every token."""
    values = [count * each.r * each.batch * each.length for each in POINTS]
    assert form_of(values, POINTS).at(there) == blocks(count * there.r * there.batch * there.length)


@given(values=st.lists(COUNTS, min_size=3, max_size=3))
def test_a_size_of_no_known_form_is_never_below_what_was_seen(values: list[int]) -> None:
    """A stranger's size is bounded from above at the points where it was seen."""
    form = form_of(values, POINTS)
    assert all(form.at(where) >= value for where, value in zip(POINTS, values, strict=True))


@given(there=PLACES)
def test_what_stops_growing_at_a_chunk_is_capped(there: Where) -> None:
    """A chunked loss holds logits of at most one chunk of tokens."""
    form = form_of([8 * 2048, 8 * 5640, 8 * 1560], POINTS, most=4096)
    assert form.at(there) == blocks(8 * min(4096, there.batch * there.length))


def test_a_form_without_a_rank_does_not_ask_for_one() -> None:
    """Models without an adapter have rank nought; no size is divided by it."""
    points = [each._replace(r=0) for each in POINTS]
    assert form_of([0, 0, 0], points) == Form(((0, (0, 0, 1, 0, 0, 0)),), ranked=False)  # type: ignore[arg-type]
    assert form_of([4 * p.batch * p.length for p in points], points).at(Where(1, 128, 0)) == 512
