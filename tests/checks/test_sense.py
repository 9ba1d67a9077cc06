"""Sense: what a question asks and an answer says, told by words alone."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks.sense import agrees, answer_key, answers, contradicts, question_key, questions, value

SAME = [
    ("What is the capital of France?", "please tell me, what is the capital of france"),
    ("What's the time?", "What is the time"),
    ("１＋１等于几？", "1+1等于几"),
    ("请问中国的首都是哪里呢？", "中国的首都是哪里"),
    ("How many is 1,000?", "how many is 1000?"),
    ("A well-known song?", "a well known song"),
]
OTHER = [
    ("Is A larger than B?", "Is B larger than A?"),
    ("What is 3+5?", "What is 3*5?"),
    ("What is 3-5?", "What is 3+5?"),
    ("Who won in 1950?", "Who won in 1954?"),
    ("Is it a fish?", "Is it not a fish?"),
    ("中国的首都是哪里？", "法国的首都是哪里？"),
]


def keys(*texts: str) -> list[int]:
    return pl.DataFrame({"text": texts}).select(question_key(pl.col("text")))["text"].to_list()


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spelling_and_courtesy_make_no_other_question(one: str, other: str) -> None:
    """Case, width, marks, contractions, hyphens and please."""
    assert len(set(keys(one, other))) == 1


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_order_signs_numbers_and_negation_do(one: str, other: str) -> None:
    """What makes another question makes another key."""
    assert len(set(keys(one, other))) == 2


def test_what_says_nothing_has_no_key() -> None:
    """Marks alone are neither a question nor an answer."""
    assert keys("?!", "", "the") == [None] * 3
    assert pl.DataFrame({"text": ["..."]}).select(answer_key(pl.col("text")))["text"].to_list() == [None]


@pytest.mark.parametrize(
    ("asked", "factual"),
    [
        ("What is the capital of France?", True),
        ("法国的首都是哪里？", True),
        ("Classify the sentiment: lovely", True),
        ("How are you?", False),
        ("Tell me a joke", False),
        ("你叫什么名字？", False),
        ("Why is the sky blue?", False),
        ("Translate 'good' into French.", False),
        ("The sky is blue.", False),
        ("介绍一下北京", False),
    ],
)
def test_questions_of_fact_are_told_from_talk_and_tasks(asked: str, factual: bool) -> None:
    """A fact is asked for, of nobody in the talk, and nothing is to be made up."""
    assert questions(pl.Series([asked]))[0].factual is factual


@pytest.mark.parametrize(
    ("asked", "answer", "kind"),
    [
        ("Is a whale a fish?", "No, it is a mammal.", ("polarity", "no")),
        ("鲸鱼是鱼吗？", "不是。", ("polarity", "no")),
        ("When was bridge no. 7 finished?", "Bridge no. 7 was finished in 1911.", ("number", "1911")),
        ("How much is it?", "1.50", ("number", "1.5")),
        ("Which?\nA) x\nB) y", "The answer is B.", ("choice", "b")),
        ("Who wrote Emma?", "Jane Austen.", ("name", "jane austen")),
        ("What is AI?", "A science.", ("", "")),
        ("Who wrote Emma?", "Who do you think?", ("", "")),
    ],
)
def test_what_can_be_verified_of_an_answer(asked: str, answer: str, kind: tuple[str, str]) -> None:
    """Yes and no, the one new number, a letter, a name; neither definitions nor questions."""
    assert value(questions(pl.Series([asked]))[0], answers(pl.Series([answer]))[0]) == kind


@given(
    st.lists(
        st.sampled_from(["Paris", "in Paris.", "Lyon", "yes", "No.", "7", "8 or 9", "", "巴黎"]), min_size=2
    )
)
def test_contradiction_and_agreement_have_no_order(texts: list[str]) -> None:
    """No answer contradicts itself, and whether two do does not depend on which comes first."""
    question = questions(pl.Series(["Is it in Paris or what is it?"]))[0]
    said = answers(pl.Series(texts))
    for one in said:
        assert not contradicts(question, one, one) and agrees(question, one, one)
        for other in said:
            assert contradicts(question, one, other) == contradicts(question, other, one)
            assert agrees(question, one, other) == agrees(question, other, one)
