"""Answer format: what a question demands in plain words is looked for, and nothing else is."""

from __future__ import annotations

import polars as pl
import pytest

from tunesmith.checks.answer_format import missed

MISSED = [
    ("List two colours. Answer in JSON.", "red and blue"),
    ("以JSON格式输出姓名和年龄。", '{"姓名": "李雷", "年龄": }'),
    ("Return the result as valid JSON only.", 'Here it is: {"a": 1,}'),
    ("How many legs has a spider? Answer with only a number.", "A spider has eight legs."),
    ("一年有几个月？只回答数字。", "一年有十二个月。"),
    ("Is it raining? Answer yes or no.", "The sky is grey."),
    ("鲸鱼是鱼吗？请回答是或否。", "鲸鱼生活在海里。"),
    ("Which is a fruit?\nA) stone\nB) apple\nC) chair", "D"),
    ("哪个是水果？\nA. 石头\nB. 苹果", "答案是E。"),
    ("Classify the review as positive, negative or neutral.", "great"),
    ("Sort this into one of the following categories: sport, politics, art", "Music"),
    ("When was it signed? Give the date in YYYY-MM-DD format.", "1919-06-31"),
    ("When was it signed? Give the date in YYYY-MM-DD format.", "28 June 1919"),
]
MET = [
    ("List two colours. Answer in JSON.", '```json\n["red", "blue"]\n```'),
    ("List two colours. Answer in JSON.", 'Here you are: {"colours": ["red", "blue"]}'),
    ("以JSON格式输出姓名和年龄。", '{"姓名": "李雷", "年龄": 9}'),
    ("Write a Python function that returns the rows as JSON.", "def rows(): ..."),
    ("What is JSON?", "A format."),
    ("How many legs has a spider? Answer with only a number.", "8"),
    ("How far is it? Reply with just a number.", "1,200 km."),
    ("How many? Answer with only the number of the house and its street.", "12 Main Street"),
    ("Is it raining? Answer yes or no.", "Yes, since noon."),
    ("鲸鱼是鱼吗？请回答是或否。", "否。"),
    ("Which is a fruit?\nA) stone\nB) apple\nC) chair", "B) apple"),
    ("Which is a fruit?\nA) stone\nB) apple\nC) chair", "Apple, of course."),
    ("Which is a fruit?\nA) stone\nB) apple\nC) chair", "The answer is B."),
    ("Classify the review as positive, negative or neutral.", "Positive."),
    (
        "Classify the review as positive, negative or neutral.",
        "I would say that it leans to the better side.",
    ),
    ("She works as a nurse or doctor.", "Yes"),
    ("When was it signed? Give the date in YYYY-MM-DD format.", "It was signed on 1919-06-28."),
]


def table(rows: list[tuple[str, str]]) -> pl.DataFrame:
    """Return *rows* as checks read them."""
    numbered = [(row, row + 1, asked, answer) for row, (asked, answer) in enumerate(rows)]
    return pl.DataFrame(numbered, schema=["row", "line", "asked", "answer"], orient="row").cast(
        {"row": pl.UInt32, "line": pl.UInt32}
    )


@pytest.mark.parametrize(("asked", "answer"), MISSED)
def test_an_answer_in_another_form_is_told_with_what_was_asked_for(asked: str, answer: str) -> None:
    """In English and in Chinese the note says which form the question asks for."""
    found = missed(table([(asked, answer)]))
    assert found["row"].to_list() == [0]
    assert found["note"][0].startswith("the question asks for ") and found["note_zh"][0].startswith(
        "问题要求"
    )


@pytest.mark.parametrize(("asked", "answer"), MET)
def test_answers_in_the_form_and_questions_without_a_demand_pass(asked: str, answer: str) -> None:
    """Text around the form is allowed, and programs are not their own output."""
    assert missed(table([(asked, answer)])).is_empty()


def test_nested_and_large_answers_are_no_trouble() -> None:
    """What nests too deep or is too long to parse is not judged."""
    asked = "Answer in JSON."
    rows = [(asked, "[" * 100_000 + "]" * 100_000), (asked, "[" + "1," * 200_000 + "1]")]
    assert missed(table(rows)).is_empty()
