"""Every kind of file gives the same rows, and every bad row its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.data import reading
from tunesmith.data.reading import Fault, Row, read_rows
from tunesmith.errors import DataError

Write = Callable[[str, Any], Path]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.lists(
    st.dictionaries(TEXT, TEXT | st.integers(0, 9) | st.lists(TEXT, max_size=3), max_size=4), max_size=6
)


def values(path: Path) -> list[Any]:
    return [row.values if isinstance(row, Row) else row.reason for row in read_rows(path)]


@settings(deadline=None)
@given(rows=ROWS, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans(), chunk=st.integers(1, 40))
def test_a_list_of_objects_is_read_in_pieces(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    indent: int | None,
    ascii_only: bool,
    chunk: int,
) -> None:
    """However a list is written and wherever a piece of it ends, its rows come back."""
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_CHUNK", chunk)
        assert values(path) == rows


@settings(deadline=None, max_examples=50)
@given(rows=ROWS)
def test_json_lines_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    """One object a line, in .jsonl and in .json."""
    folder = tmp_path_factory.mktemp("jsonl")
    text = "\n\n".join(json.dumps(row) for row in rows)
    for name in ("a.jsonl", "a.json"):
        (folder / name).write_text(text, encoding="utf-8")
        assert values(folder / name) == rows


def test_every_kind_gives_the_same_rows(write: Write, tmp_path: Path) -> None:
    """CSV, TSV, Parquet, JSON and JSON Lines agree, line breaks and quotation marks in cells included."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"instruction": "说\n两行", "output": 'a "b", c'}, {"instruction": "x;y", "output": ""}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    cells = '"说\n两行","a ""b"", c"\nx;y,\n'
    paths = [
        write("a.jsonl", rows),
        write("a.json", json.dumps(rows)),
        write("a.csv", "instruction,output\n" + cells),
        write("b.csv", ("\ufeffinstruction,output\n" + cells).replace("\n", "\r\n")),
        write("a.tsv", "instruction\toutput\n" + '"说\n两行"\t"a ""b"", c"\nx;y\t\n'),
        tmp_path / "a.parquet",
    ]
    assert [values(path) for path in paths] == [rows] * len(paths)


def test_text_is_a_row_a_line(write: Write) -> None:
    """Blank lines are left out, and numbers count rows while places count lines."""
    rows = list(read_rows(write("a.txt", "one\n\n two\n")))
    assert [(row.number, row.place) for row in rows] == [(0, "line 1"), (1, "line 3")]
    assert values(write("a.txt", "one\n\n two\n")) == [{"text": "one"}, {"text": " two"}]


def test_a_bad_line_does_not_end_the_reading(write: Write) -> None:
    """A fault has the number of its row and its line, and the rows after it come."""
    rows = list(read_rows(write("a.jsonl", b'{"a": 1}\n\n{"a": \n\xff\n{"a": 2}\n')))
    assert [type(row) for row in rows] == [Row, Fault, Fault, Row]
    assert [(row.number, row.place) for row in rows] == [
        (0, "line 1"),
        (1, "line 3"),
        (2, "line 4"),
        (3, "line 5"),
    ]
    assert isinstance(rows[-1], Row) and rows[-1].share == 1.0


def test_elements_of_a_list_know_their_line(write: Write) -> None:
    """A bad element is named by the line it begins on."""
    rows = list(read_rows(write("a.json", '[\n  {"a": "x\\"]"},\n\n  {"a": NaN}, 3,\n  {}\n]\n')))
    assert [row.place for row in rows] == ["line 2", "line 4", "line 4", "line 5"]
    assert [type(row) for row in rows] == [Row, Fault, Fault, Row]


def test_a_row_of_a_table_with_other_cells_is_a_fault(write: Write) -> None:
    """Both counts are named, and blank rows are no rows."""
    rows = list(read_rows(write("a.csv", "a,b\n1,2\n\n3\n4,5\n")))
    assert [(type(row), row.number, row.place) for row in rows] == [
        (Row, 0, "line 2"),
        (Fault, 1, "line 4"),
        (Row, 2, "line 5"),
    ]
    assert isinstance(rows[1], Fault) and rows[1].reason == "has 1 cells, expected 2 as the first row has"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.zip", b"PK", "has the suffix '.zip', expected one of .jsonl"),
        ("a.json", b'[{"a": 1}, {"a"', "ends before its list does"),
        ("a.json", b'{\n "a": 1\n}', "begins with an object over several lines"),
        ("a.json", b'[{"a": "\xff"}]', "is not UTF-8 text (about byte"),
        ("a.csv", b'a,b\n"x', "line 2, is not CSV"),
        ("a.csv", b"a,a\n1,2\n", "names 2 columns, 1 of them different"),
        ("a.csv", b"a,b\n1,\xff\n", "line 2, is not UTF-8"),
        ("a.parquet", b"PAR1 no", "is not Parquet that can be read"),
    ],
)
def test_a_file_that_cannot_be_read_on_is_an_error(
    write: Write, name: str, content: bytes, reason: str
) -> None:
    """The error names the file, what was found and what to do."""
    with pytest.raises(DataError) as caught:
        values(write(name, content))
    assert reason in str(caught.value) and name in str(caught.value)


def test_a_row_longer_than_any_may_be_is_an_error(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list whose element never ends is not gathered in memory."""
    monkeypatch.setattr(reading, "MAX_ROW_BYTES", 1000)
    monkeypatch.setattr(reading, "_CHUNK", 100)
    with pytest.raises(DataError, match="is longer than 1,000 characters"):
        values(write("a.json", '[{"a": "' + "x" * 5000))


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_an_empty_file_has_no_rows(write: Write, name: str) -> None:
    """Nothing comes, and nothing is raised."""
    assert values(write(name, b"")) == []


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=200), name=st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.tsv", "a.txt"]))
def test_any_bytes_end_in_rows_faults_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    """Whatever a file holds, reading it raises nothing but a DataError."""
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    try:
        rows = values(path)
    except DataError as error:
        assert name in str(error)
    else:
        assert len(rows) <= len(data)


def test_the_real_rows_are_read(corpus: Path) -> None:
    """Every row of the corpus, in English and Chinese."""
    assert len(values(corpus / "instructions.jsonl")) == 5348
    assert len(values(corpus / "chats.jsonl")) == 300
