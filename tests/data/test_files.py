"""A data file is a regular file of bounded lines, whatever the path leads to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.data import files
from tunesmith.data.files import Line, lines, opened
from tunesmith.errors import DataError

Write = Callable[[str, Any], Path]


def read(path: Path) -> list[Line]:
    with opened(path) as file:
        return list(lines(file))


def test_lines_come_without_their_ends(write: Write) -> None:
    """A byte order mark, CRLF and a missing last line end are not part of a line."""
    path = write("a.txt", b"\xef\xbb\xbfone\r\n\ntwo")
    assert read(path) == [Line(1, "one", ""), Line(2, "", ""), Line(3, "two", "")]


def test_a_line_that_is_not_utf8_is_a_fault(write: Write) -> None:
    """The byte is named, and the next line is read."""
    found = read(write("a.txt", b"ok\nab\xff\nok"))
    assert found[1].fault == "is not UTF-8 text (byte 3 of the line)"
    assert [line.text for line in found] == ["ok", "", "ok"]


def test_a_line_that_is_too_long_is_passed_over(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault of its own line; the lines after it keep their numbers."""
    monkeypatch.setattr(files, "MAX_ROW_BYTES", 10)
    found = read(write("a.txt", b"x" * 10 + b"\n" + b"y" * 11 + b"\n" + b"z" * 3_000_000 + b"\nend\n"))
    assert [line.fault for line in found] == ["", "is longer than 10 bytes", "is longer than 10 bytes", ""]
    assert found[3] == Line(4, "end", "")


def test_a_link_to_a_file_is_read(write: Write, tmp_path: Path) -> None:
    """A link is the user's own choice."""
    (tmp_path / "link.txt").symlink_to(write("a.txt", "one\n"))
    assert read(tmp_path / "link.txt") == [Line(1, "one", "")]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/zero", "is not a regular file"),
        (".", "is a folder"),
        ("missing.txt", "cannot be read: No such file"),
        ("a\0b", "cannot be read: not a path"),
    ],
)
def test_what_is_no_file_is_refused(path: str, reason: str) -> None:
    """A device, a folder, nothing and no path are told apart."""
    with pytest.raises(DataError, match=reason):
        read(Path(path))


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe is not opened, because opening it would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is not a regular file"):
        read(tmp_path / "pipe")


def test_a_name_with_control_characters_is_shown_escaped(tmp_path: Path) -> None:
    """An escape sequence in a name does not reach the terminal."""
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a\x1b[31mb")
    assert "\x1b" not in str(caught.value)
