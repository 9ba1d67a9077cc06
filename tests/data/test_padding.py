"""What batches come to is what drawing them shows."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.padding import batches, expected_longest

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=9)


@given(lengths=LENGTHS, size=st.integers(1, 5))
def test_the_expected_longest_is_the_mean_over_all_batches(lengths: list[int], size: int) -> None:
    """The closed form is the mean of the longest of every batch that can be drawn."""
    size = min(size, len(lengths))
    drawn = [max(each) for each in combinations(lengths, size)]
    assert expected_longest(sorted(lengths), size) == pytest.approx(sum(drawn) / len(drawn))


def test_a_million_rows_do_not_overflow() -> None:
    """The probabilities are ratios, never binomials."""
    lengths = range(1, 100_001)
    assert expected_longest(lengths, 8) == pytest.approx(8 / 9 * 100_001)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=80),
    size=st.integers(1, 16),
    kept=st.integers(1, 70),
)
def test_bounds_hold(lengths: list[int], size: int, kept: int) -> None:
    """Padding only adds, and the longest batch is the longest."""
    found = batches(lengths, batch_size=size, sequence_length=kept)
    assert found.longest == min(kept, max(lengths))
    assert found.mean_tokens <= found.mean_padded_tokens + 1e-6 <= found.longest_padded_tokens + 2e-6
    assert found.mean_tokens <= found.grouped_padded_tokens + 1e-6
    assert found.longest_packed_tokens <= found.longest_padded_tokens
    assert found.waste >= -1e-9
    assert 0 <= found.grouped_waste < 1


def test_grouping_by_length_saves_padding() -> None:
    """Sorted in stretches, examples of about one length come together."""
    lengths = [1 + (7 * n) % 500 for n in range(4000)]
    found = batches(lengths, batch_size=8, sequence_length=500)
    assert found.waste > 0.4
    assert found.grouped_waste < 0.05
    assert found.to_mapping()["waste"] == found.waste


def test_one_at_a_time_pads_nothing() -> None:
    """A batch of one is as long as its example."""
    found = batches([3, 9], batch_size=1, sequence_length=100)
    assert (found.mean_padded_tokens, found.longest_padded_tokens) == (6, 9)
    assert found.waste == 0


def test_the_longest_of_a_sample_is_the_longest_of_all() -> None:
    """Lengths known apart from the sample make the longest batch."""
    found = batches([1, 2], batch_size=2, sequence_length=100, longest=[50, 40, 1])
    assert (found.longest_padded_tokens, found.longest_packed_tokens) == (100, 90)
