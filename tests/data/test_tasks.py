"""Kinds of tasks: what the rules make of sentences in English and Chinese."""

from __future__ import annotations

import polars as pl
import pytest

from tunesmith.data.tasks import strata
from tunesmith.data.turns import SCHEMA

Said = list[tuple[str, str]]


def table(rows: list[Said]) -> pl.DataFrame:
    """Return the turns of *rows*, each its roles and texts."""
    found = [
        (row, row + 1, 0, turn, role, text, role == "assistant")
        for row, said in enumerate(rows)
        for turn, (role, text) in enumerate(said)
    ]
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("asked", "task"),
    [
        ("What is the capital of France?", "qa"),
        ("Who wrote Hamlet", "qa"),
        ("法国的首都是哪里？", "qa"),
        ("什麼是光合作用", "qa"),
        ("Summarize the following article: ...", "summary"),
        ("请用一句话概括这段话。", "summary"),
        ("Based on the passage below, who won the race?\nPassage: ...", "retrieval"),
        ("根据以下材料回答问题：……", "retrieval"),
        ("参考资料：\n长江全长六千三百公里。\n问题：长江多长？", "retrieval"),
        ("If I have 3 apples and eat one, how many apples are left?", "reasoning"),
        ("What is 17 * 23?", "reasoning"),
        ("小明一共有多少个苹果？请计算。", "reasoning"),
        ("Write a poem about the sea.", "other"),
        ("写一首关于大海的诗。", "other"),
    ],
)
def test_the_words_of_a_question_tell_its_task(asked: str, task: str) -> None:
    """One rule of each kind in both languages."""
    assert strata(table([[("user", asked), ("assistant", "...")]]))["task"].to_list() == [task]


def test_two_questions_make_a_talk() -> None:
    """Several questions count before anything that they say; the system's word is no question."""
    one = [("system", "Be kind."), ("user", "Summarize it"), ("assistant", "Done.")]
    two = [*one, ("user", "Shorter?"), ("assistant", "Done.")]
    assert strata(table([one, two]))["task"].to_list() == ["summary", "multi_turn"]


def test_scripts_are_told_apart() -> None:
    """Chinese with some Latin names is Han; Cyrillic is another."""
    rows: list[Said] = [
        [("user", "请介绍 Python 与 Java 的区别"), ("assistant", "两者都是编程语言")],
        [("user", "Say 你好 in English please"), ("assistant", "It means hello, as everyone knows")],
        [("user", "Как дела?"), ("assistant", "Хорошо")],
        [("user", "1 + 1"), ("assistant", "2")],
    ]
    assert strata(table(rows))["script"].to_list() == ["Han", "Latin", "other", "Latin"]
