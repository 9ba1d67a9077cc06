"""What the user says of columns is followed; what cannot be meant is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.data.mapping import parse_columns
from tunesmith.data.scanning import recognised, scan
from tunesmith.errors import DataError

Write = Callable[..., Path]
ROWS = [{"question": "2+2?", "answer": "4", "context": "sums", "id": 1}] * 3


def test_roles_that_a_format_needs_name_it(write: Write) -> None:
    """Alpaca from a question and an answer; what is not said is not read, and the mapping says so."""
    path = write("rows.jsonl", ROWS)
    form = recognised(path, columns=parse_columns("instruction=question,input=context,output=answer"))
    assert str(form) == (
        "alpaca: instruction from question, input from context, output from answer (not read: 'id')"
    )
    (batch,) = scan(path, form)
    assert batch.turns["text"].to_list()[:2] == ["2+2?\nsums", "4"]
    assert recognised(path).name == "prompt_completion"


def test_one_role_changes_what_was_recognised(write: Write) -> None:
    """The answer is taken from another column, the rest as before."""
    path = write("rows.jsonl", [{**row, "better": "four"} for row in ROWS])
    form = recognised(path, columns={"completion": "better"})
    assert dict(form.columns) == {"prompt": "question", "completion": "better"}
    assert "answer" in form.ignored


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("output=anser", "has no column 'anser', expected one of .*'answer'.* Did you mean 'answer'"),
        ("output=zzz", "Name one of them"),
        ("outptu=answer", "has the role 'outptu', expected for any format one of messages, "),
        ("chosen=answer", "expected for rows of the format prompt_completion one of prompt, completion"),
        ("output", "expected each role once"),
        ("output=a,output=b", "expected each role once"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(write: Write, columns: str, said: str) -> None:
    """A wrong column is told with those that there are, a wrong role with the roles."""
    with pytest.raises(DataError, match=said):
        recognised(write("rows.jsonl", ROWS), columns=parse_columns(columns))
