"""Rows of any data file as lines of JSON, and their texts changed one by one, all else left as it is.

A row of JSON Lines keeps its bytes. Rows of the other kinds are written as JSON: a date as ISO 8601 has it, a
decimal as its digits, bytes in base64, and a number that JSON does not know as null.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import Final, NamedTuple

from tunesmith.data.bounds import BadRowError
from tunesmith.data.files import Line, lines, opened
from tunesmith.data.formats import Format, examples
from tunesmith.data.hub import is_data_set
from tunesmith.data.manifest import DataFile
from tunesmith.data.reading import Row, decoded, read_rows

_SPOKEN: Final = ("content", "value", "text")
"""Keys of a turn, or of a part of one, that hold what is said."""
_UNSPOKEN: Final = ("tools",)
"""Roles of columns whose texts nobody says."""


class RawRow(NamedTuple):
    """One row as a line of JSON."""

    number: int
    """Counted from 0, as rows are."""
    line: int
    """Where it stands in its file, counted from 1."""
    text: str
    """The row on one line; of one that cannot be read what there is of it, which may be nothing."""
    fault: str
    """Why it cannot be read, as far as its line alone can tell; empty where it can."""


def raw_rows(path: Path) -> Iterator[RawRow]:
    """Yield the rows of the file at *path*, numbered as scanning.scan() numbers them."""
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _raw_lines(path)
        return
    for each in read_rows(path):
        kind, _, place = each.place.rpartition(" ")
        line = int(place) + (kind == "row")  # rows of a table without lines count from 1
        if isinstance(each, Row):
            yield RawRow(each.number, line, json.dumps(plain(each.values), ensure_ascii=False), "")
        else:
            yield RawRow(each.number, line, "", each.reason)


def identified(path: Path) -> DataFile:
    """Return what tells the data at *path* from others: a file's bytes, or a data set's rows as JSON Lines.

    Raises DataError where it cannot be read.
    """
    if not is_data_set(path):
        return DataFile.of(path)
    digest, size, rows = hashlib.sha256(), 0, 0
    for raw in raw_rows(path):
        line = raw.text.encode("utf-8") + b"\n"
        digest.update(line)
        size, rows = size + len(line), rows + 1
    return DataFile(path=str(path), bytes=size, sha256=digest.hexdigest(), rows=rows)


def _raw_lines(path: Path) -> Iterator[RawRow]:
    number = 0
    with opened(path) as file:
        for line in lines(file):
            if line.fault or line.text.strip():
                yield RawRow(number, line.number, line.text, line.fault)
                number += 1


def plain(value: object) -> object:
    """Return *value* as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    return base64.b64encode(value).decode("ascii") if isinstance(value, bytes) else str(value)


def fault_of(raw: RawRow, form: Format) -> str:
    """Return why *raw* is refused as a row of *form*, as the end of a sentence; empty where it is not."""
    row = decoded(Line(raw.line, raw.text, raw.fault), raw.number, 0.0)
    if not isinstance(row, Row):
        return row.reason
    try:
        examples(row, form)
    except BadRowError as error:
        return str(error)
    return ""


def changed_texts(
    values: Mapping[str, object], form: Format, change: Callable[[str], str]
) -> dict[str, object]:
    """Return *values* with everything that is said in the columns of *form* as *change* makes it.

    >>> form = Format(name="text", columns={"text": "body"}, ignored=("id",))
    >>> changed_texts({"id": "a", "body": "a"}, form, str.upper)
    {'id': 'a', 'body': 'A'}
    """
    said = {column for role, column in form.columns.items() if role not in _UNSPOKEN}
    return {column: _changed(value, change) if column in said else value for column, value in values.items()}


def _changed(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed(each, change) for each in value]
    if isinstance(value, dict):
        return {key: _changed(held, change) if key in _SPOKEN else held for key, held in value.items()}
    return value
