"""Rewriting: rows of every kind of file as lines of JSON, and what is said in them changed, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tunesmith.data.formats import Format
from tunesmith.data.reading import Fault, read_rows
from tunesmith.data.rewriting import changed_texts, fault_of, raw_rows
from tunesmith.data.scanning import recognised, scan

Write = Callable[[str, Any], Path]


def test_a_line_of_json_keeps_its_bytes(write: Write) -> None:
    """Spaces, escapes and the spelling of numbers stay; blank lines and the ends of lines do not."""
    lines = ['{"text":"a", "n": 1.50}', '  {"text": "\\u4f60"}  ', '{"text": "é"}']
    path = write("rows.jsonl", "\ufeff" + "\r\n\n".join(lines) + "\r\n")
    assert [(raw.number, raw.line, raw.text) for raw in raw_rows(path)] == [
        (0, 1, lines[0]),
        (1, 3, lines[1]),
        (2, 5, lines[2]),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b'{"text": "a"}\n\n{"text": 5}\n{\n\xff\n{"text": "b"}',
        b'[{"text": "a"},\n\n{"text": 5}, {"text": "b"}]',
        b"text,n\na,1\nb\n\nc,2\n",
        b"a\n\n\xff\nb\n",
    ],
    ids=["jsonl", "json", "csv", "txt"],
)
def test_rows_are_numbered_as_the_scan_numbers_them(
    write: Write, content: bytes, request: pytest.FixtureRequest
) -> None:
    """The same rows, lines and refusals, whatever the kind of file."""
    path = write(f"rows.{request.node.callspec.id}", content)
    form = recognised(path)
    raws = list(raw_rows(path))
    batches = list(scan(path, form))
    assert [raw.number for raw in raws] == [row for batch in batches for row in batch.rows]
    refused = {fault.number: fault for batch in batches for fault in batch.faults}
    assert {raw.number: fault_of(raw, form) for raw in raws if fault_of(raw, form)} == {
        number: fault.reason for number, fault in refused.items()
    }
    lines = {row: line for batch in batches for row, line in batch.turns.select("row", "line").rows()}
    assert {raw.number: raw.line for raw in raws if raw.number in lines} == lines


def test_values_of_tables_become_json(tmp_path: Path) -> None:
    """Dates, decimals, bytes and what is no number to JSON."""
    row = {
        "text": "a",
        "day": date(2024, 1, 2),
        "at": datetime(2024, 1, 2, 3, 4),
        "price": Decimal("1.10"),
        "raw": b"\x00\xff",
        "odd": float("nan"),
        "list": [1.5, None],
    }
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pa.Table.from_pylist([row]), path)
    (raw,) = raw_rows(path)
    assert json.loads(raw.text) == {
        "text": "a",
        "day": "2024-01-02",
        "at": "2024-01-02T03:04:00",
        "price": "1.10",
        "raw": "AP8=",
        "odd": None,
        "list": [1.5, None],
    }
    assert (raw.number, raw.line) == (0, 1)


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        (
            {"messages": [{"role": "user", "content": "a", "name": "b"}], "id": "c"},
            {"messages": [{"role": "user", "content": "A", "name": "b"}], "id": "c"},
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "a"}]},
                    {"role": "assistant", "content": None, "tool_calls": [{"text": "b"}]},
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "A"}]},
                    {"role": "assistant", "content": None, "tool_calls": [{"text": "b"}]},
                ]
            },
        ),
        (
            {"conversations": [{"from": "human", "value": "a"}], "tools": "x"},
            {"conversations": [{"from": "human", "value": "A"}], "tools": "x"},
        ),
        (
            {"instruction": "a", "output": "b", "history": [["c", "d"]], "lang": "e"},
            {"instruction": "A", "output": "B", "history": [["C", "D"]], "lang": "e"},
        ),
        ({"question": "a", "answer": "b", "n": 1}, {"question": "A", "answer": "B", "n": 1}),
        ({"chosen": "a", "rejected": [{"content": "b"}]}, {"chosen": "A", "rejected": [{"content": "B"}]}),
    ],
)
def test_what_is_said_is_changed_and_nothing_else(
    write: Write, values: dict[str, Any], changed: dict[str, Any]
) -> None:
    """Roles, names, calls, schemas and columns that play no role stay."""
    form = recognised(write("rows.jsonl", [values]))
    assert changed_texts(values, form, str.upper) == changed


def test_a_line_that_cannot_be_read_says_why(write: Write) -> None:
    """In the words of the reader."""
    path = write("rows.jsonl", b'\xff\n{"text": 1}\n')
    form = Format(name="text", columns={"text": "text"})
    reasons = [fault_of(raw, form) for raw in raw_rows(path)]
    (first, *_) = read_rows(path)
    assert isinstance(first, Fault)
    assert reasons == [first.reason, "has text = 1, expected a text"]
