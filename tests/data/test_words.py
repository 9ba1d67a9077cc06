"""Words as numbers: what is one word, and what makes no difference."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.words import runs, whole_texts, words

TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=8)


def test_case_punctuation_and_width_make_no_difference() -> None:
    """Two texts that differ in these only are the same as a whole."""
    texts = pl.Series(["To be, or not!", "to  BE\nor（not）", "ＴＯ be or not"])
    assert whole_texts(words(texts), 3).n_unique() == 1


def test_the_hashes_stay_what_they_are() -> None:
    """Files hold these numbers, so no release may change them."""
    assert words(pl.Series(["to be 学"]))["word"].to_list() == [
        3505671522614356727,
        8409258012294153476,
        17361174827381627718,
    ]


def test_scripts_without_blanks_are_read_by_character() -> None:
    """Five Chinese characters are five words, beside Latin words of any length."""
    assert words(pl.Series(["学而时习之 in one go"])).height == 8


@given(TEXTS)
def test_each_text_is_hashed_for_itself(texts: list[str]) -> None:
    """A text's words do not depend on the texts around it."""
    table = words(pl.Series(texts, dtype=pl.String))
    for index, text in enumerate(texts):
        alone = words(pl.Series([text]))["word"].to_list()
        assert table.filter(pl.col("text") == index)["word"].to_list() == alone


@given(TEXTS, st.integers(1, 5))
def test_a_text_has_a_run_at_each_of_its_words_but_the_last(texts: list[str], length: int) -> None:
    """Of n words there are n - length + 1 runs, none of them over two texts."""
    table = words(pl.Series(texts, dtype=pl.String))
    counts = dict(table.group_by("text").len().rows())
    found = dict(runs(table, length).group_by("text").len().rows())
    expected = {text: count - length + 1 for text, count in counts.items() if count >= length}
    assert found == expected


def test_a_text_without_words_has_no_hash() -> None:
    """Blanks and marks are no words."""
    assert whole_texts(words(pl.Series(["", None, "...!"])), 3).to_list() == [None, None, None]


def test_runs_tell_the_order_of_words() -> None:
    """The same words in another order are another run."""
    found = runs(words(pl.Series(["dog bites man", "man bites dog"])), 3)
    assert found["run"].n_unique() == 2
