"""Numerals: numbers in words become digits, and other words stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.numerals import counted_in_words, in_digits

DIGITS = "零一二三四五六七八九"


def han(number: int) -> str:
    """Return *number*, below ten thousand, as Chinese writes it in full."""
    text, gap = "", False
    for size, mark in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            text += ("零" if gap and text else "") + DIGITS[digit] + mark
            gap = False
        else:
            gap = True
    return text


@given(st.integers(1, 9999))
def test_chinese_numbers_are_read_as_they_are_written(number: int) -> None:
    """Every number below ten thousand, with its zeros, comes back; so does it in ten thousands."""
    assert in_digits(f"{han(number)}个") == f"{number}个"
    assert in_digits(han(number) + "万") == str(number * 10_000)


def test_years_and_short_forms() -> None:
    """Digits one by one are a number as well, and ten needs no one before it."""
    assert in_digits("十二加二十") == "12加20"
    assert in_digits("一九四五年") == "1945年"
    assert in_digits("twelve plus thirty") == "12 plus 30"


def test_only_a_count_and_nothing_else_is_read_in_an_answer() -> None:
    """A word that happens to be a number stays a word."""
    assert counted_in_words("Seven days.") == "7 days."
    assert counted_in_words("There are eight legs") == "there are 8 legs"
    assert counted_in_words("七天。") == "7天。"
    for text in (
        "No one knows.",
        "One can see it from here.",
        "一个人在河边走路",
        "Two people went out and came back",
    ):
        assert counted_in_words(text) == text
