"""A data file in, rows out: JSON Lines, JSON, CSV, Parquet or plain text, streamed, each row with its place.

A row that cannot be read becomes a Fault and the reading goes on, where the format allows to go on: the
caller decides whether one bad row of a million is an error. Nothing here runs code of a data set, and no
archive is opened.
"""

from __future__ import annotations

import codecs
import csv
import importlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, BinaryIO, Final, NamedTuple

from tunesmith.data.bounds import MAX_KEYS, MAX_ROW_BYTES, BadRowError, check_text, decode_row
from tunesmith.data.files import Line, lines, opened, shown
from tunesmith.data.hub import data_set_batches, is_data_set
from tunesmith.errors import DataError, MissingExtraError

_CHUNK: Final = 1 << 20
_MAX_ROW_GROUP_BYTES: Final = 4 << 30
_PARQUET_ROWS: Final = 256
_OUTSIDE: Final = re.compile(r'["\[\]{},]')
_INSIDE: Final = re.compile(r'["\\]')


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a data file."""

    number: int
    """Counted from 0, blank lines left out."""
    place: str
    """Where it stands for people, e.g. ``line 17``."""
    values: Mapping[str, object]
    """Its columns."""
    share: float
    """How much of the file is read up to here, 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A row that is refused."""

    number: int
    """Counted from 0, as rows are."""
    place: str
    """Where it stands for people, e.g. ``line 17``."""
    reason: str
    """Why, as the end of a sentence that begins with the place."""


def read_rows(path: str | Path) -> Iterator[Row | Fault]:
    """Yield the rows of the file at *path*, in its order, within bounded memory.

    The suffix says the kind: .jsonl or .ndjson, .json (a list of objects, or one object a line), .csv, .tsv,
    .parquet, .txt or .md (each line that is not blank is a row with the column ``text``). A name of the Hub
    and a folder that datasets saved are read by :mod:`~tunesmith.data.hub`.
    Raises DataError where the file cannot be read at all, and MissingExtraError for Parquet without pyarrow.
    """
    place = Path(path).expanduser()
    if is_data_set(place):
        number = 0
        for batch, total in data_set_batches(place):
            yield from rows_of_arrow(batch, number, total)
            number += batch.num_rows
        return
    reader = _READERS.get(place.suffix.lower())
    if reader is None:
        kinds = ", ".join(_READERS)
        raise DataError(
            f"{shown(place)} has the suffix {place.suffix[:16]!r}, expected one of {kinds}. "
            "Unpack an archive first; export other kinds as JSON Lines."
        )
    with opened(place) as file:
        yield from reader(file, place)


def _size(file: BinaryIO) -> int:
    return max(1, os.fstat(file.fileno()).st_size)


def _json_lines(file: BinaryIO, path: Path) -> Iterator[Row | Fault]:
    number, size = 0, _size(file)
    for line in lines(file):
        if not line.fault and not line.text.strip():
            continue
        yield decoded(line, number, file.tell() / size)
        number += 1


def decoded(line: Line, number: int, share: float) -> Row | Fault:
    """Return the row that a *line* of JSON holds, or why it is refused."""
    place = f"line {line.number}"
    if line.fault:
        return Fault(number=number, place=place, reason=line.fault)
    try:
        return Row(number=number, place=place, values=decode_row(line.text), share=share)
    except BadRowError as error:
        return Fault(number=number, place=place, reason=str(error))


def _json(file: BinaryIO, path: Path) -> Iterator[Row | Fault]:
    """Yield the elements of a JSON list, or the lines of a file that holds one object a line."""
    head = file.peek(4096) if hasattr(file, "peek") else b""  # the buffered reader that opened() made
    first = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if first != b"[":
        rows = _json_lines(file, path)
        start = next(rows, None)
        if isinstance(start, Fault) and first == b"{":
            raise DataError(
                f"{shown(path)} begins with an object over several lines, expected a list of objects "
                "or one object a line. Take out the list that holds the rows."
            )
        if start is not None:
            yield start
        yield from rows
        return
    size = _size(file)
    for number, line in enumerate(_elements(file, path)):
        yield decoded(line, number, file.tell() / size)


def _pieces(file: BinaryIO, path: Path) -> Iterator[str]:
    decoder, read = codecs.getincrementaldecoder("utf-8-sig")(), 0
    while data := file.read(_CHUNK):
        try:
            yield decoder.decode(data)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{shown(path)} is not UTF-8 text (about byte {read + error.start + 1:,}). Save it as UTF-8."
            ) from None
        read += len(data)


def _elements(file: BinaryIO, path: Path) -> Iterator[Line]:
    """Yield the elements of the JSON list in *file* as text, each with the line it begins on."""
    buffer, scan, start, depth, inside = "", 0, 0, 0, False
    number, counted = 1, 0  # the line at buffer[counted]
    for piece in _pieces(file, path):
        buffer += piece
        while match := (_INSIDE if inside else _OUTSIDE).search(buffer, scan):
            mark, scan = match[0], match.end()
            if inside:
                inside = mark == "\\"
                scan += inside  # what a backslash escapes is passed over, even in the next piece
                continue
            inside = mark == '"'
            depth += (mark in "[{") - (mark in "]}")
            if depth == 1 and mark == "[":
                start = scan
            elif (depth == 1 and mark == ",") or depth == 0:
                element = buffer[start : scan - 1]
                begin = start + len(element) - len(element.lstrip())
                number, counted = number + buffer.count("\n", counted, begin), begin
                if element.strip() or mark == ",":
                    yield Line(number, element, "")
                start = scan
                if depth <= 0:
                    return
        scan = max(scan, len(buffer))
        if len(buffer) - start > MAX_ROW_BYTES:
            raise DataError(
                f"{shown(path)}, the row that begins after line {number}, is longer than {MAX_ROW_BYTES:,} "
                "characters. Is it a list of objects? Cut the row."
            )
        number, counted = number + buffer.count("\n", counted, start), 0
        buffer, scan, start = buffer[start:], scan - start, 0
    raise DataError(f"{shown(path)} ends before its list does. Is the file cut off? Write it again.")


def _table(file: BinaryIO, path: Path) -> Iterator[Row | Fault]:
    """Yield the rows of a CSV or TSV file whose first row names the columns."""
    size = _size(file)
    table = csv_cells(file, path)
    header = next(table, Cells(1, [])).cells
    for number, (line, cells) in enumerate(table):
        yield row_of_cells(header, cells, line, number, file.tell() / size)


class Cells(NamedTuple):
    """One row of a CSV file as it stands there."""

    line: int
    """The line that it begins on, counted from 1."""
    cells: list[str]
    """What it holds."""


def row_of_cells(header: list[str], cells: list[str], line: int, number: int, share: float) -> Row | Fault:
    """Return the row that *cells* under *header* are, or why it is refused."""
    if len(cells) == len(header):
        values = dict(zip(header, cells, strict=True))
        return Row(number=number, place=f"line {line}", values=values, share=share)
    reason = f"has {len(cells)} cells, expected {len(header)} as the first row has"
    return Fault(number=number, place=f"line {line}", reason=reason)


def csv_cells(file: BinaryIO, path: Path) -> Iterator[Cells]:
    """Yield the rows of a CSV or TSV file, the first of which names the columns; empty ones are left out."""
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    source = (_table_line(line, path) for line in lines(file))
    first = next(source, None)
    if first is None:
        return
    # Of one column only the suffix can tell what would part others.
    delimiter = max("\t;," if path.suffix.lower() == ".tsv" else ",;\t", key=first.count)
    is_header = True
    before = 0
    try:
        reader = csv.reader(_again(first, source), delimiter=delimiter, strict=True)
        for cells in reader:
            line, before = before + 1, reader.line_num
            if is_header or cells:
                yield Cells(line, _header(cells, path) if is_header else cells)
            is_header = False
    except csv.Error as error:
        raise DataError(f"{shown(path)}, line {before + 1}, is not CSV: {error}. Quote the cell.") from None


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _table_line(line: Line, path: Path) -> str:
    if line.fault:
        raise DataError(f"{shown(path)}, line {line.number}, {line.fault}. Mend the line.")
    return line.text + "\n"


def _header(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > MAX_KEYS or len(set(names)) != len(names):
        raise DataError(
            f"{shown(path)}, line 1, names {len(names):,} columns, {len(set(names)):,} of them different; "
            f"expected at most {MAX_KEYS}, each once."
        )
    return names


def _text(file: BinaryIO, path: Path) -> Iterator[Row | Fault]:
    number, size = 0, _size(file)
    for line in lines(file):
        place = f"line {line.number}"
        if line.fault:
            yield Fault(number=number, place=place, reason=line.fault)
        elif line.text.strip():
            yield Row(number=number, place=place, values={"text": line.text}, share=file.tell() / size)
        else:
            continue
        number += 1


def _parquet(file: BinaryIO, path: Path) -> Iterator[Row | Fault]:
    """Yield the rows of a Parquet file, a few hundred at a time."""
    number = 0
    for batch, total in parquet_batches(file, path, batch_bytes=0):
        yield from rows_of_arrow(batch, number, total)
        number += batch.num_rows


def rows_of_arrow(batch: Any, first: int, total: int) -> Iterator[Row | Fault]:
    """Yield the rows of a pyarrow *batch*, the first of which has the number *first* of *total*."""
    for number, values in enumerate(batch.to_pylist(), first):
        yield checked_values(values, number, total)


def parquet_batches(file: BinaryIO, path: Path, *, batch_bytes: int) -> Iterator[tuple[Any, int]]:
    """Yield the rows of a Parquet file in batches of pyarrow, each with the number of rows in the file.

    A batch has some hundred rows, or more where these have fewer than *batch_bytes*. Every text is UTF-8.
    """
    pyarrow = _pyarrow()
    number = 0
    try:
        table = pyarrow.ParquetFile(file, pre_buffer=False)
        _check_parquet(table.metadata, path)
        total = max(1, table.metadata.num_rows)
        for batch in table.iter_batches(batch_size=_rows_of(table.metadata, batch_bytes), use_threads=False):
            batch.validate(full=True)
            yield batch, total
            number += batch.num_rows
    except (OSError, ValueError) as error:  # pyarrow's errors are kinds of these two
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{shown(path)}, about row {number}, is not Parquet that can be read: {str(error)[:200]}. "
            "Write it again, or export it as JSON Lines."
        ) from None


def _rows_of(metadata: Any, batch_bytes: int) -> int:
    """Return how many rows make *batch_bytes*, within bounds."""
    unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    wanted = batch_bytes * metadata.num_rows // max(1, unpacked)
    return int(min(max(wanted, _PARQUET_ROWS), 32 * _PARQUET_ROWS))


def checked_values(values: dict[str, Any], number: int, total: int) -> Row | Fault:
    """Return the row of a table that has *values*, or why it is refused."""
    try:
        check_text(values)
    except BadRowError as error:
        return Fault(number=number, place=f"row {number}", reason=str(error))
    return Row(
        number=number, place=f"row {number}", values=values, share=(number + 1) / total if total else 0.0
    )


def _check_parquet(metadata: Any, path: Path) -> None:
    if metadata.num_columns > 16 * MAX_KEYS:
        raise DataError(
            f"{shown(path)} has {metadata.num_columns:,} columns, expected at most {16 * MAX_KEYS:,}."
        )
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).total_byte_size
        if not 0 <= size <= _MAX_ROW_GROUP_BYTES:
            raise DataError(
                f"{shown(path)} has a row group of {size:,} bytes unpacked, expected at most "
                f"{_MAX_ROW_GROUP_BYTES:,}. Write it again with smaller row groups."
            )


def _pyarrow() -> ModuleType:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtraError.of("pyarrow", "data") from None


_READERS: Final[Mapping[str, Callable[[BinaryIO, Path], Iterator[Row | Fault]]]] = MappingProxyType(
    {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".json": _json,
        ".csv": _table,
        ".tsv": _table,
        ".parquet": _parquet,
        ".txt": _text,
        ".md": _text,
    }
)
