"""A format is recognised by what rows hold, and each row becomes what a model reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunesmith.data.bounds import BadRowError
from tunesmith.data.formats import Example, Format, examples, recognise
from tunesmith.data.reading import Row, read_rows
from tunesmith.errors import DataError

USER = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Hello"}


def row(**values: Any) -> Row:
    return Row(number=7, place="line 8", values=values, share=0.5)


def form(*rows: Row) -> Format:
    return recognise(rows, where="a.jsonl")


def only(given: Row) -> Example:
    (example,) = examples(given, form(given))
    return example


@pytest.mark.parametrize(
    ("values", "name", "columns"),
    [
        ({"messages": [USER, ANSWER]}, "messages", {"messages": "messages"}),
        ({"conversations": [USER, ANSWER], "id": 1}, "messages", {"messages": "conversations"}),
        (
            {"conversations": [{"from": "human", "value": "Hi"}], "system": "s"},
            "sharegpt",
            {"conversations": "conversations", "system": "system"},
        ),
        (
            {"instruction": "a", "input": "", "response": "b"},
            "alpaca",
            {"instruction": "instruction", "input": "input", "output": "response"},
        ),
        (
            {"prompt": "p", "chosen": "c", "rejected": "r"},
            "preference",
            {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
        ),
        (
            {"question": "q", "answer": "a"},
            "prompt_completion",
            {"prompt": "question", "completion": "answer"},
        ),
        ({"text": "t", "meta": {}}, "text", {"text": "text"}),
    ],
)
def test_each_format_is_recognised(values: dict[str, Any], name: str, columns: dict[str, str]) -> None:
    """By its content; columns that play no role are named too."""
    found = form(row(**values))
    assert (found.name, dict(found.columns)) == (name, columns)
    assert set(found.ignored) == set(values) - set(columns.values())


def test_the_mapping_is_shown() -> None:
    """Columns with other names than the format's, and what is not read, are on the line."""
    shown = str(form(row(instruction="a", response="b", language="en")))
    assert shown == "alpaca: instruction, output from response (not read: 'language')"


def test_the_format_of_most_rows_is_taken() -> None:
    """One odd row does not turn a set of chats into text."""
    assert form(row(text="x"), row(messages=[USER]), row(messages=[USER])).name == "messages"


def test_rows_of_no_format_are_an_error() -> None:
    """The columns that are there and those that are known are named."""
    with pytest.raises(DataError, match=r"a\.jsonl has the columns 'foo', 'bar', expected messages"):
        form(row(foo=1, bar=2))


def test_a_chat_learns_what_the_assistant_says() -> None:
    """Every turn of the assistant, unless it says otherwise as ms-swift or OpenAI let it."""
    turns = [USER, {**ANSWER, "loss": False}, USER, {**ANSWER, "weight": 0}, USER, {**ANSWER, "weight": 1}]
    example = only(row(messages=turns))
    assert example.learned == (False, False, False, False, False, True)
    assert all(set(turn) == {"role", "content"} for turn in example.messages)


def test_sharegpt_is_a_chat() -> None:
    """Its roles are translated, and its system prompt comes first."""
    turns = [
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Hello"},
        {"from": "observation", "value": "3"},
    ]
    example = only(row(conversations=turns, system="Be kind."))
    assert [turn["role"] for turn in example.messages] == ["system", "user", "assistant", "tool"]
    assert example.learned == (False, False, True, False)


def test_alpaca_is_a_chat_with_its_history() -> None:
    """Instruction and input are one turn, and both are kept apart for templates that know them."""
    example = only(row(instruction="Add", input="1 2", output="3", history=[["a", "b"]], system="s"))
    assert [(turn["role"], turn["content"]) for turn in example.messages] == [
        ("system", "s"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "Add\n1 2"),
        ("assistant", "3"),
    ]
    assert (example.messages[3]["instruction"], example.messages[3]["input"]) == ("Add", "1 2")
    assert example.learned == (False, False, True, False, True)


def test_a_prompt_is_read_but_not_learned() -> None:
    """As text or as messages."""
    text = only(row(prompt="p", completion="c"))
    assert (text.prompt, text.text, text.messages) == ("p", "c", ())
    chat = only(row(prompt=[USER, ANSWER, USER], completion=[ANSWER]))
    assert chat.learned == (False, False, False, True)


def test_a_preference_is_two_sequences() -> None:
    """Prompt and chosen, prompt and rejected; an implicit prompt is what comes before the last answer."""
    first = row(prompt="p", chosen="c", rejected="r")
    assert [(each.prompt, each.text) for each in examples(first, form(first))] == [("p", "c"), ("p", "r")]
    second = row(chosen=[USER, ANSWER, USER, ANSWER], rejected=[USER, ANSWER])
    assert [each.learned for each in examples(second, form(second))] == [
        (False, False, False, True),
        (False, True),
    ]


def test_text_parts_are_joined() -> None:
    """A content of several texts is one text; calls of tools need none."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "f", "arguments": {}}}],
    }
    example = only(row(messages=[{"role": "user", "content": parts}, call]))
    assert [turn.get("content") for turn in example.messages] == ["ab", None]
    assert set(example.messages[1]) == {"role", "tool_calls"}


@pytest.mark.parametrize("written", [False, True])
def test_tools_are_a_list_or_its_json(written: bool) -> None:
    """Keys that a table fills with nothing are left out; what is no list of schemas is refused."""
    tools: Any = [{"type": "function", "function": {"name": "add", "strict": None}}]
    example = only(row(messages=[USER, ANSWER], tools=json.dumps(tools) if written else tools))
    assert example.tools == ({"type": "function", "function": {"name": "add"}},)
    with pytest.raises(BadRowError, match="has tools = 5, expected a list of functions' schemas"):
        only(row(messages=[USER, ANSWER], tools="5" if written else 5))


GOOD = Format(name="messages", columns={"messages": "messages"})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"messages": []}, "has messages = a list of 0, expected a list of messages"),
        ({}, "has messages = None"),
        ({"messages": ["x"]}, "has messages[0] = 'x', expected an object with role and content"),
        ({"messages": [{"content": "x"}]}, "has messages[0].role = None, expected a word such as user"),
        ({"messages": [{"role": "user\n", "content": "x"}]}, "messages[0].role = 'user\\n'"),
        (
            {"messages": [USER, {"role": "assistant", "content": 5}]},
            "messages[1].content = 5, expected a text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "image": "/etc/passwd"}]}]},
            "parts that are no text",
        ),
    ],
)
def test_a_bad_row_says_which_value(values: dict[str, Any], reason: str) -> None:
    """The column, the index, what was given and what was expected."""
    with pytest.raises(BadRowError) as caught:
        examples(row(**values), GOOD)
    assert reason in str(caught.value)


def test_a_bad_role_of_sharegpt_names_the_known() -> None:
    """A role that is not ShareGPT's is no chat."""
    given = Format(name="sharegpt", columns={"conversations": "c"})
    with pytest.raises(BadRowError, match=r"has c\[0\]\.from = 'robot', expected one of human"):
        examples(row(c=[{"from": "robot", "value": "x"}]), given)


def test_the_real_rows_are_of_their_format(corpus: Path) -> None:
    """Alpaca with a column of its own, and chats of several turns."""
    for name, expected in (("instructions", "alpaca"), ("chats", "messages")):
        rows = [each for each in read_rows(corpus / f"{name}.jsonl") if isinstance(each, Row)]
        found = recognise(rows[:200], where=name)
        assert found.name == expected
        assert sum(len(examples(each, found)) for each in rows) == len(rows)
