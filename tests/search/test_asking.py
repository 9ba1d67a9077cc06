"""Lengths of data become layouts: how full batches are, and how much of attention is left."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.architecture import load_architecture
from tunesmith.data.formats import Format
from tunesmith.data.lengths import Lengths, Ranges
from tunesmith.search import Wish, with_lengths
from tunesmith.search.asking import BATCH, layouts


def of(tokens: Sequence[int]) -> Lengths:
    """Return the lengths of a set with examples of so many *tokens*."""
    ranges = Ranges()
    for length in tokens:
        ranges.add([(0, length)])
    return Lengths(
        path="data.jsonl",
        format=Format(name="text", columns={"text": "text"}),
        rows=len(tokens),
        examples=len(tokens),
        tokens=tokens,
        learned=ranges,
        longest=tuple(sorted(tokens, reverse=True)),
        longest_row=0,
        sequence_length=64,
        tokenizer="",
        vocabulary=8,
        template=None,
        seed=0,
    )


@given(st.lists(st.integers(1, 100), min_size=1, max_size=9))
def test_padding_and_attention_are_the_mean_of_all_batches(tokens: list[int]) -> None:
    """Of every batch that can be drawn; packed examples attend to themselves alone."""
    own, packed = layouts(of(tokens), 64)
    cut = [min(length, 64) for length in tokens]
    longest = [max(batch) for batch in combinations(cut, min(BATCH, len(cut)))]
    mean = sum(longest) / len(longest)
    assert own.fill == pytest.approx(sum(cut) / len(cut) / mean)
    squares = sum(each * each for each in longest) / len(longest)
    assert own.attention == pytest.approx(squares / (mean * 64))
    assert packed.attention <= packed.fill * max(cut) / 64 + 1e-9
    assert packed.examples >= 1 and packed.packing and not own.packing
    assert 0 < own.fill <= 1 and 0 < own.attention <= 1


def test_both_layouts_are_weighed_unless_one_is_asked_for() -> None:
    """A wish for data has the two, the lengths, and what packing would fill."""
    wish = Wish(model="gpt2", architecture=load_architecture("gpt2"), cluster=None)
    lengths = of([10, 20, 30, 64])
    assert [each.packing for each in with_lengths(wish, lengths).layouts] == [False, True]
    for packing in (False, True):
        assert [each.packing for each in with_lengths(wish, lengths, packing=packing).layouts] == [packing]
