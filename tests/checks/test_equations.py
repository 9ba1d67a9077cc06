"""Equations: wrong arithmetic in a text is found, right arithmetic and what only looks like it are not."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.equations import MOST_FOUND, wrong_equations

WRONG = [
    ("so 12*3=38.", "36"),
    ("先算12×3=38，所以一共是38个。", "36"),
    ("There are 48/2=<<48/2=25>>25 in all.", "24"),
    ("1. 3 + 4 = 8", "7"),
    ("x = 5 + 3 = 9", "8"),
    ("周长=2×(3+4)=15厘米", "14"),
    ("It costs $3.50 + $4 = $8", "7.5"),
    ("1,000 + 1 = 1,002", "1001"),
    (r"\(12 \times 3 = 38\)", "36"),
    ("(3+4=8)", "7"),
    ("5 x 3 = 16 apples", "15"),
    ("2^10 = 1023", "1024"),
    ("10/4 = 2.7", "2.5"),
    ("40 = 12*3", "40"),
    ("3*4 > 15", ""),
]
RIGHT = [
    "x + 3 = 10, so x = 7.",
    "2x + 3 = 7",
    "No: 7 / 2 = 3.5, 10/3 = 3.33 and 22/7 = 3.142; 1/3 ≈ 0.4",
    "Between 1990-1995 = the early nineties; pages 3-4 = 10 marks",
    "We won 3-1, and 2-2 = a draw.",
    "1小时 = 60 × 60 = 3600秒。",
    "10÷4=2余2",
    "15% of 80 = 12, 20/80*100 = 25%, 100 - 30% = 70",
    "17 mod 5 = 2 and 9 + 5 = 2 (mod 12)",
    "first 3+4=7+5=12",
    "1 1/2 + 1 = 2 1/2, 3,5 + 1 = 4,5",
    "That 2 + 2 = 5 is false.",
    "In binary 1 + 1 = 10.",
    "f(3) + 1 = 9, log 100 + 1 = 3, half of 3 + 5 = 4, 5! = 120, √16 + 1 = 5",
    "a = 1\nb = a + 1 == 3\nx += 2 = 3",
    "```\n1 + 1 = 3\n```",
    "3万+2万=5万, 2 million + 3 = 5 million, 3千+4=3004",
    "https://a.example/?a=1-2=3&b=2",
    "0.1+0.2=0.30000000000000004",
    "1 + 2 + ... + 100 = 5050",
    "- 3 + 4 = 1",
    "2H2 + O2 = 2H2O",
    "12:30 - 11:00 = 1:30",
    "1/2 = 50%",
]


@pytest.mark.parametrize(("text", "right"), WRONG)
def test_a_wrong_statement_is_found_with_what_is_right(text: str, right: str) -> None:
    """In English and Chinese, in print's signs, in LaTeX and in worked steps."""
    found = list(wrong_equations(text))
    assert [each.right for each in found] == [right]
    assert found[0].text


@pytest.mark.parametrize("text", RIGHT)
def test_right_arithmetic_and_what_looks_like_it_pass(text: str) -> None:
    """Unknowns, rounding, remainders, spans, scores, code, units and other bases are no errors."""
    assert list(wrong_equations(text)) == []


def test_what_the_question_states_is_not_the_answers_mistake() -> None:
    """An answer may repeat a wrong statement of the question to speak of it."""
    assert not list(wrong_equations("Orwell wrote 2 + 2 = 5.", known="Who wrote 2+2=5?"))
    assert list(wrong_equations("Orwell wrote 2 + 2 = 5.", known="Who wrote it?"))


@given(
    a=st.integers(1, 9999),
    b=st.integers(1, 9999),
    sign=st.sampled_from("+-*/"),
    off=st.integers(-50, 50),
    frame=st.sampled_from(["{}", "So {}.", "因此{}。", "We get {} of them", "<<{}>>", "3 boxes: {}, done"]),
)
def test_a_statement_is_wrong_if_and_only_if_fractions_say_so(
    a: int, b: int, sign: str, off: int, frame: str
) -> None:
    """Generated statements in sentences are judged as exact arithmetic does, but for spans of numbers."""
    value = {"+": Fraction(a + b), "-": Fraction(a - b), "*": Fraction(a * b), "/": Fraction(a, b)}[sign]
    result = value.numerator // value.denominator + off
    found = list(wrong_equations(frame.format(f"{a} {sign} {b} = {result}")))
    near = value.denominator != 1 and abs(value - result) < 1
    assert bool(found) == (value != result and not near)


def test_hostile_lines_are_read_once_and_little_of_them_is_judged() -> None:
    """Long runs of digits, signs and brackets end without a verdict, and no text has endless ones."""
    for text in ("9" * 100_000 + "=1", "1+" * 50_000 + "1=2", "(" * 50_000 + "1=2", "1=" * 50_000):
        assert list(wrong_equations(text)) == []
    assert len(list(wrong_equations("1+1=3\n" * 5_000))) == MOST_FOUND
