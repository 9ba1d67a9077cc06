"""Sums: a question that is a sum is answered right or wrong, whatever words are around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.sums import wrong_sum

WRONG = [
    ("What is 12*3?", "38", "36"),
    ("3加5等于几？", "9", "8"),
    ("请问12÷3等于几？", "12÷3等于5。", "4"),
    ("Calculate 12×3", "The answer is 38.", "36"),
    ("What is seven plus five?", "thirteen", "12"),
    ("三百零五加二十等于多少", "答案是335。", "325"),
    ("What is 5 - 9?", "4", "-4"),
    ("What is 9 squared?", "18", "81"),
    ("2的10次方是多少？", "1000", "1024"),
    ("5-3", "5-3 is 1", "2"),
    ("12 / 5 = ?", "2.5", "2.4"),
    ("Is 7 > 5?", "No", "yes"),
    ("3+5>9吗？", "是的", "no"),
]
RIGHT = [
    ("What is 12*3?", "12*3 = 36, since 12+12+12 = 36"),
    ("12×3=？", "答案是36。"),
    ("How much is 999 × 99?", "It is 98,901."),
    ("10除以4等于几？", "10÷4=2余2"),
    ("What is 10 divided by 3?", "10 / 3 ≈ 3.33"),
    ("What is 1/2 + 1/4?", "3/4"),
    ("What is 7/2?", "3 1/2"),
    ("What is seven plus five?", "Twelve."),
    ("What is 15% * 80?", "12"),
    ("What is x if x + 3 = 10?", "8"),
    ("Is 7/2 a whole number?", "No: 7 / 2 = 3.5."),
    ("What is 5/0?", "5/0 is undefined."),
    ("What is 7?", "A number."),
    ("What is 2+2?", "That depends on the base."),
    ("What happened on 9/11?", "Four planes were hijacked in 2001."),
    ("What is 24/7?", "All the time: 24 hours a day, 7 days a week."),
    ("Is 7 > 5?", "Yes"),
    ("你好", "3"),
]


@pytest.mark.parametrize(("asked", "answer", "right"), WRONG)
def test_a_wrong_result_is_told_with_the_right_one(asked: str, answer: str, right: str) -> None:
    """Words and numerals of both languages count as signs and digits."""
    assert wrong_sum(asked, answer) == right


@pytest.mark.parametrize(("asked", "answer"), RIGHT)
def test_right_results_and_other_questions_pass(asked: str, answer: str) -> None:
    """Rounding, fractions, remainders and explanations are right; what is no sum is not judged."""
    assert wrong_sum(asked, answer) == ""


@given(
    a=st.integers(0, 9999),
    b=st.integers(1, 999),
    sign=st.sampled_from("+-*"),
    off=st.integers(-20, 20),
    form=st.sampled_from(["What is {}?", "Calculate {}.", "{} =", "{}等于多少？", "请计算：{}"]),
    said=st.sampled_from(["{}", "It is {}.", "答案是{}。", "The answer is {}", "等于{}"]),
)
def test_results_are_judged_as_arithmetic_does(
    a: int, b: int, sign: str, off: int, form: str, said: str
) -> None:
    """Whatever the wording, the verdict is that of exact arithmetic."""
    value = {"+": a + b, "-": a - b, "*": a * b}[sign]
    wrong = wrong_sum(form.format(f"{a} {sign} {b}"), said.format(value + off))
    assert wrong == ("" if not off else str(value))
