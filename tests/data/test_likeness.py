"""Rows that are alike: what hangs together, and what does not."""

from __future__ import annotations

import random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.data.test_tasks import Said, table

from tunesmith.data.likeness import fingerprints, groups

WORDS = (
    "the",
    "a",
    "sea",
    "ship",
    "wind",
    "storm",
    "harbour",
    "captain",
    "sail",
    "night",
    "star",
    "rope",
    "wave",
)


def grouped(rows: list[Said]) -> list[int]:
    """Return the group of each row, read in two batches."""
    turns = table(rows)
    half = len(rows) // 2
    parts = [turns.filter(pl.col("row") < half), turns.filter(pl.col("row") >= half)]
    found = groups([fingerprints(part) for part in parts if part.height])
    assert found["row"].to_list() == list(range(len(rows)))
    return found["group"].to_list()


def pair(asked: str, answer: str) -> Said:
    """Return a question and its answer."""
    return [("user", asked), ("assistant", answer)]


def test_the_same_question_is_one_group_whatever_its_answer() -> None:
    """Also over batches, and whatever the case."""
    rows = [pair("Who are you?", "A model."), pair("Why?", "So."), pair("who are you", "Someone else.")]
    assert grouped(rows) == [0, 1, 0]


def test_nearly_the_same_text_is_one_group() -> None:
    """Two words of a hundred are changed; other texts of the same words stay apart."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=100)) for _ in range(20)]
    near = [text.replace("storm", "gale", 1).replace("rope", "line", 1) for text in texts]
    rows = [pair(f"Tell story {n}", text) for n, text in enumerate(texts + near)]
    assert grouped(rows) == [*range(20), *range(20)]


@given(st.lists(st.sampled_from(["a b c", "a b c d", "x", "", "?!", "你好"]), min_size=1, max_size=12))
def test_a_group_is_its_first_row_and_equal_texts_are_together(texts: list[str]) -> None:
    """Whatever the texts."""
    found = grouped([pair(text, text) for text in texts])
    assert all(found[group] == group and group <= row for row, group in enumerate(found))
    assert all(found[row] == found[texts.index(text)] for row, text in enumerate(texts))
