"""Terms: words with blanks between them, and Chinese words without, by how often their parts meet."""

from __future__ import annotations

import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.data.terms import LEAST_COUNT, terms


def test_words_are_counted_as_they_are_written() -> None:
    """Case makes a difference, rare and short words are left out, the most frequent come first."""
    texts = pl.Series(["Photosynthesis in moss, photosynthesis; the cell"] * 6 + ["moss"] * 2 + ["rare"] * 4)
    assert terms(texts) == {"moss": 8, "Photosynthesis": 6, "cell": 6, "photosynthesis": 6}


def test_a_chinese_word_is_told_from_neighbours_by_chance() -> None:
    """A word in ever new surroundings is found; runs of characters that meet by chance are not."""
    draw = random.Random(0)
    others = [chr(0x4E00 + n) for n in range(300)]
    texts = ["".join([*draw.choices(others, k=40), "叶绿体", *draw.choices(others, k=40)]) for _ in range(60)]
    assert terms(pl.Series(texts)) == {"叶绿体": 60}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab 中文字。\n", max_size=30), max_size=20))
def test_counts_are_those_of_the_texts(texts: list[str]) -> None:
    """No term comes more often than its text holds it, and none is rarer than the bound."""
    for term, count in terms(pl.Series(texts, dtype=pl.String)).items():
        assert (
            LEAST_COUNT
            <= count
            <= sum(each.startswith(term, at) for each in texts for at in range(len(each)))
        )
