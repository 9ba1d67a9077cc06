"""Converting: a row of any format, written in the format of a mixture, trains on the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.data.bounds import BadRowError
from tunesmith.data.converting import converted, layout_of
from tunesmith.data.formats import Example, Format, examples, recognise
from tunesmith.data.reading import Row
from tunesmith.errors import DataError

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": TEXT},
    optional={
        "loss": st.booleans(),
        "weight": st.sampled_from([0, 1]),
        "name": TEXT,
        "tool_calls": st.lists(st.fixed_dictionaries({"name": TEXT}), max_size=2),
    },
)
TURNS = st.lists(TURN, min_size=1, max_size=4)
ROWS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "messages": st.fixed_dictionaries(
        {"messages": TURNS}, optional={"tools": st.lists(st.fixed_dictionaries({"name": TEXT}), max_size=2)}
    ),
    "sharegpt": st.fixed_dictionaries(
        {
            "conversations": st.lists(
                st.fixed_dictionaries(
                    {"from": st.sampled_from(["human", "gpt", "observation"]), "value": TEXT}
                ),
                min_size=1,
                max_size=4,
            )
        },
        optional={"system": TEXT},
    ),
    "alpaca": st.fixed_dictionaries(
        {"instruction": TEXT, "response": TEXT},
        optional={
            "input": st.just("") | TEXT,
            "system": TEXT,
            "history": st.lists(st.tuples(TEXT, TEXT).map(list), max_size=2),
        },
    ),
    "prompt_completion": st.fixed_dictionaries({"question": TEXT, "answer": TEXT})
    | st.fixed_dictionaries({"prompt": TURNS, "completion": TURNS}),
    "preference": st.fixed_dictionaries({"prompt": TEXT, "chosen": TEXT, "rejected": TEXT}),
    "text": st.fixed_dictionaries({"document": TEXT}),
}
MESSAGES = Format(name="messages", columns={"messages": "messages", "tools": "tools"})


def read(values: dict[str, Any], form: Format) -> tuple[Example, ...]:
    """Return the examples of a row as it would be read from a file."""
    return examples(Row(number=7, place="line 8", values=json.loads(json.dumps(values)), share=0.0), form)


def said(found: Sequence[Example]) -> list[Example]:
    """Return *found* without the parts of a turn of Alpaca, which it says as a whole as well."""
    return [
        Example(
            row=each.row,
            place=each.place,
            messages=tuple(
                {key: value for key, value in message.items() if key not in ("instruction", "input")}
                for message in each.messages
            ),
            learned=each.learned,
            prompt=each.prompt,
            text=each.text,
            tools=each.tools,
        )
        for each in found
    ]


def as_read(values: dict[str, Any]) -> tuple[Row, Format]:
    """Return a row and the format that it is recognised by."""
    row = Row(number=7, place="line 8", values=values, share=0.0)
    return row, recognise([row], where="rows")


@given(values=st.one_of(*ROWS.values()))
def test_within_a_format_the_examples_are_the_same(values: dict[str, Any]) -> None:
    """Under the format's own names, parts of Alpaca and both answers of a preference included."""
    row, form = as_read(values)
    layout = layout_of({"a": form, "b": form})
    assert layout.name == form.name
    again = converted(row, form, layout)
    assert set(again) <= set(layout.columns)
    assert read(again, layout) == examples(row, form)
    assert recognise([Row(number=0, place="", values=again, share=0.0)], where="").name == form.name


@given(values=st.one_of(ROWS["sharegpt"], ROWS["alpaca"], ROWS["prompt_completion"]))
def test_as_messages_a_chat_is_learned_as_it_was(values: dict[str, Any]) -> None:
    """Turns, what is learned of them and tools; a prompt and its completion become two turns."""
    row, form = as_read(values)
    (before,) = examples(row, form)
    (after,) = read(converted(row, form, MESSAGES), MESSAGES)
    if before.messages:
        assert said([after]) == said([before])
    else:
        assert [message["content"] for message in after.messages] == [before.prompt, before.text]
        assert after.learned == (False, True)


@given(values=ROWS["text"])
def test_text_beside_prompts_is_a_completion_without_one(values: dict[str, Any]) -> None:
    """The very same example."""
    row, form = as_read(values)
    prompts = Format(name="prompt_completion", columns={"prompt": "q", "completion": "a"})
    layout = layout_of({"a": form, "b": prompts})
    assert read(converted(row, form, layout), layout) == examples(row, form)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("preference", "messages", "mix preferences with preferences only"),
        ("text", "messages", "mix text with text"),
        ("text", "alpaca", r"a\.jsonl is text, b\.jsonl is alpaca\."),
    ],
)
def test_formats_that_do_not_go_together_are_refused(one: str, other: str, why: str) -> None:
    """The files and their formats are named, and what to do."""
    forms = {"a.jsonl": Format(name=one, columns={}), "b.jsonl": Format(name=other, columns={})}
    with pytest.raises(DataError, match=why):
        layout_of(forms)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"prompt": "", "completion": "a"}, "has no prompt"),
        ({"prompt": None, "completion": [{"role": "user", "content": "b"}]}, "learns what user says"),
    ],
)
def test_a_row_without_a_place_in_the_layout_is_refused(values: dict[str, Any], why: str) -> None:
    """A row that does not fit is bad, never bent."""
    row, form = as_read(values)
    with pytest.raises(BadRowError, match=why):
        converted(row, form, MESSAGES)
