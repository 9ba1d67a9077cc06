"""Lengths answer for any sequence length what counting the rows one by one answers."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.formats import Format
from tunesmith.data.lengths import PERCENTILES, Lengths, Ranges, Remark

COUNTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=40)


def lengths(tokens: list[int], ranges: list[list[tuple[int, int]]] | None = None, **changes: Any) -> Lengths:
    learned = Ranges()
    for number, length in enumerate(tokens):
        learned.add(ranges[number] if ranges else [(0, length)])
    values: dict[str, Any] = {
        "path": "a.jsonl",
        "format": Format(name="text", columns={"text": "text"}),
        "rows": len(tokens),
        "examples": len(tokens),
        "tokens": tokens,
        "learned": learned,
        "longest": tuple(sorted(tokens, reverse=True)),
        "longest_row": tokens.index(max(tokens)),
        "sequence_length": 100,
        "tokenizer": "t",
        "vocabulary": 1000,
        "template": None,
        "seed": 0,
    }
    return Lengths(**{**values, **changes})


@given(counts=COUNTS, kept=st.integers(1, 320))
def test_truncation_is_what_counting_shows(counts: list[tuple[int, int]], kept: int) -> None:
    """Examples, tokens and learned tokens beyond the cut, and examples with nothing left to learn."""
    tokens = [max(a, b) for a, b in counts]
    ranges = [[(a, max(a, b))] if a < b else [] for a, b in counts]
    lost = lengths(tokens, ranges).truncation(kept)
    assert lost.examples == sum(length > kept for length in tokens)
    assert lost.tokens == sum(max(0, length - kept) for length in tokens)
    assert lost.learned_tokens == sum(
        sum(position >= kept for position in range(*span)) for spans in ranges for span in spans
    )
    assert lost.silent_examples == sum(bool(spans) and spans[0][0] >= kept for spans in ranges)


@given(tokens=st.lists(st.integers(1, 5000), min_size=1, max_size=60))
def test_percentiles_and_bars_are_of_the_lengths(tokens: list[int]) -> None:
    """Percentiles rise, are lengths that occur, and end with the longest; bars count every example once."""
    found = lengths(tokens)
    values = list(found.percentiles().values())
    assert values == sorted(values) and set(values) <= set(tokens)
    assert values[-1] == max(tokens)
    for percent in PERCENTILES:
        assert sum(length <= found.percentile(percent) for length in tokens) >= percent / 100 * len(tokens)
    bars = found.histogram()
    assert sum(bar.examples for bar in bars) == len(tokens)
    assert bars[0].least <= min(tokens) and bars[-1].most >= max(tokens)
    assert all(after.least == before.most + 1 for before, after in pairwise(bars))


@given(tokens=st.lists(st.integers(1, 5000), min_size=1, max_size=60), share=st.floats(0.5, 1))
def test_a_covering_length_keeps_the_share_and_no_shorter_does(tokens: list[int], share: float) -> None:
    """The least multiple of 64 that keeps so many of the tokens."""
    found = lengths(tokens)
    length = found.covering(share)

    def kept(limit: int) -> int:
        return sum(min(each, limit) for each in tokens)

    assert length % 64 == 0 and kept(length) >= share * sum(tokens)
    assert length == 64 or kept(length - 64) < share * sum(tokens)


def test_totals_of_all_rows_are_exact() -> None:
    """Without a sample nothing is an estimate."""
    found = lengths([10, 30], [[(2, 10)], []])
    assert (found.total_tokens, found.total_learned_tokens, found.mean, found.mean_error) == (40, 8, 20, 0)
    assert not found.sampled


def test_totals_of_a_sample_are_scaled_with_their_error() -> None:
    """The error of the mean shrinks to nothing as the sample grows to the whole."""
    tokens = [10, 20, 30, 40] * 25
    half = lengths(tokens, examples=200)
    assert half.sampled and half.total_tokens == 5000
    assert half.mean_error == pytest.approx(1.96 * (12500 / 99 / 100 * 0.5) ** 0.5)
    assert (
        lengths(tokens, examples=101).mean_error
        < half.mean_error
        < lengths(tokens, examples=10**6).mean_error
    )
    assert half.truncation(35).examples == 50
    assert half.truncation(35).tokens_share == pytest.approx(5 / 100)


def test_the_longest_of_a_sample_is_the_longest_of_all() -> None:
    """The hundredth percentile and the longest batch know the examples beside the sample."""
    found = lengths([5, 6], examples=10, longest=(90, 6))
    assert found.percentile(100) == 90
    assert found.batches(2, 80).longest_padded_tokens == 160


def test_it_prints_and_serialises() -> None:
    """What is worth showing, as lines and as JSON."""
    found = lengths([50, 150], remarks=(Remark("Said.", "说明。"),))
    text = str(found)
    assert "2 rows, 2 examples, text: text" in text and text.endswith("Said.")
    assert "at 100 tokens: 1 examples are cut, 25.00% of the tokens" in text
    mapping = json.loads(json.dumps(found.to_mapping(batch_size=2)))
    assert mapping["tokens"]["percentiles"]["50"] == 50
    assert mapping["truncation"]["tokens"] == 50
    assert mapping["batches"]["longest_padded_tokens"] == 200
    assert mapping["packing"]["sequences"] == 2
    assert mapping["remarks"] == ["Said."]


def test_ranges_come_back() -> None:
    """As they were added, one example after another."""
    ranges = Ranges()
    for each in ([(0, 3), (5, 9)], [], [(1, 2)]):
        ranges.add(each)
    assert list(ranges) == [((0, 3), (5, 9)), (), ((1, 2),)]
    assert (len(ranges), ranges.tokens) == (3, 8)
