"""Tokens that overlap a learned span are learned."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tunesmith.data.tokenizing import encoded, learned_ranges, loaded

TEXT = st.text("ab 中文。\n😀é'", max_size=40)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return loaded(str(tokenizer_folder / "tokenizer.json"))


@settings(deadline=None)
@given(parts=st.lists(st.tuples(TEXT, st.booleans()), max_size=5))
def test_ranges_are_the_tokens_that_overlap(tokenizer: Tokenizer, parts: list[tuple[str, bool]]) -> None:
    """Token by token, whatever the text; a token across the border of a span is learned."""
    text, spans = "", []
    for part, learned in parts:
        if learned and part:
            spans.append([len(text), len(text) + len(part)])
        text += part
    encoding = tokenizer.encode(text, add_special_tokens=False)
    numbers = learned_ranges(encoding, spans)
    found = {n for begin, end in zip(numbers[::2], numbers[1::2], strict=True) for n in range(begin, end)}
    expected = {
        number
        for number, (first, last) in enumerate(encoding.offsets)
        if any(first < end and last > begin for begin, end in spans)
    }
    assert found == expected
    assert numbers == sorted(numbers)


def test_lengths_are_the_same_with_and_without_spans(tokenizer: Tokenizer) -> None:
    """Text that is learned as a whole is counted without offsets, and counts the same."""
    texts = ["The answer.", "回答一。", ""] * 2
    question = {"texts": texts, "spans": [None] * 3 + [[]] * 3, "special": [False] * 6, "ids": True}
    answer = encoded(tokenizer, question)
    assert answer["lengths"][:3] == answer["lengths"][3:]
    assert answer["ranges"] == [None] * 3 + [[]] * 3
    assert [len(ids) for ids in answer["ids"]] == answer["lengths"]


def test_padding_and_truncation_of_the_file_are_off(tokenizer_folder: Path, tmp_path: Path) -> None:
    """A tokenizer that pads to a length or cuts at one counts what a row has."""
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    tokenizer.enable_padding(length=1000)
    tokenizer.enable_truncation(5)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert len(loaded(str(tmp_path / "tokenizer.json")).encode("one two three four five six seven")) == 7
