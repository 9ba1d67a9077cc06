"""A data file as bounded lines: a regular file, strict UTF-8, no line longer than a row may be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from tunesmith.architecture.bounds import printable
from tunesmith.data.bounds import MAX_ROW_BYTES
from tunesmith.errors import DataError

_MARK: Final = b"\xef\xbb\xbf"
_SKIP: Final = 1 << 20


class Line(NamedTuple):
    """One line of a file, or why it cannot be read."""

    number: int
    """Counted from 1, as editors do."""
    text: str
    """What it says, without its end."""
    fault: str
    """Why it cannot be read; empty where it can."""


def shown(path: Path) -> str:
    """Return *path* as one short line that is safe in a terminal and a log."""
    return printable(str(path))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open the regular file at *path* for reading; a fifo, a device or a folder is refused unopened.

    Raises DataError where it cannot be read.
    """
    try:
        _check(path.stat(), path)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = open(os.open(path, flags), "rb", buffering=_SKIP)  # noqa: PTH123, SIM115  a descriptor, not a path
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise DataError(f"{shown(path)} cannot be read: {reason}. Pass the path of a data file.") from None
    with file:
        _check(os.fstat(file.fileno()), path)
        yield file


def _check(status: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{shown(path)} is a folder. Pass one of its data files.")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{shown(path)} is not a regular file. Pass the path of a data file.")


def lines(file: BinaryIO) -> Iterator[Line]:
    """Yield the lines of *file*; one that is too long or not UTF-8 is yielded as a fault and passed over."""
    number = 0
    while data := file.readline(MAX_ROW_BYTES + 2):
        number += 1
        if number == 1:
            data = data.removeprefix(_MARK)
        content = data.rstrip(b"\r\n")
        if len(content) > MAX_ROW_BYTES:
            if not data.endswith(b"\n"):
                pass_over(file)
            yield Line(number, "", f"is longer than {MAX_ROW_BYTES:,} bytes")
            continue
        try:
            yield Line(number, content.decode("utf-8"), "")
        except UnicodeDecodeError as error:
            yield Line(number, "", f"is not UTF-8 text (byte {error.start + 1} of the line)")


def pass_over(file: BinaryIO) -> None:
    """Read on to the end of the line, a piece at a time."""
    while (piece := file.readline(_SKIP)) and not piece.endswith(b"\n"):
        pass
