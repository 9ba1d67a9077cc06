"""Files are written whole or not at all, and what cannot be written is refused before long work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunesmith.errors import OutputError
from tunesmith.outputs import checked_folder, checked_output, write_folder, write_whole


@pytest.mark.parametrize(
    "name", ["a.pdf", "svg", "", ".svg", "a.svg.txt", "x" * 300 + ".svg", "no/such/a.svg", "a\0.svg"]
)
def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another suffix, a name too long or a missing folder ends in a message that says what to do."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=r"\. (Name|Make) "):
        checked_output(name, suffixes=(".svg", ".html"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    """A folder or a pipe that is called like a drawing is not taken for a file."""
    (tmp_path / "folder.svg").mkdir()
    os.mkfifo(tmp_path / "pipe.svg")
    with pytest.raises(OutputError, match="is a folder"):
        checked_output(tmp_path / "folder.svg", suffixes=(".svg",))
    with pytest.raises(OutputError, match="not a regular file"):
        checked_output(tmp_path / "pipe.svg", suffixes=(".svg",))


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """If writing fails half-way, the old file is untouched and nothing is left beside it."""
    place = tmp_path / "a.svg"
    place.write_text("old")

    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device"):
        write_whole(place, fail)
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_any_other_error_leaves_nothing_behind_either(tmp_path: Path) -> None:
    """An interrupt is not swallowed, and no draft stays."""

    def interrupt(draft: Path) -> None:
        draft.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.svg", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Writing to a link changes what it leads to, and leaves the link."""
    (tmp_path / "real.svg").write_text("old")
    (tmp_path / "link.svg").symlink_to("real.svg")
    place = checked_output(tmp_path / "link.svg", suffixes=(".svg",))
    write_whole(place, lambda draft: draft.write_text("new") and None)
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "real.svg").read_text() == "new"


@pytest.mark.parametrize("name", ["no/such/folder", "file.txt", "x" * 300, "a\0b"])
def test_a_folder_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    """A file, a missing folder above and a name too long end in a message that says what to do."""
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(OutputError, match=r"\. (Name|Make) "):
        checked_folder(tmp_path / name)


def test_a_folder_is_made_and_its_files_are_whole(tmp_path: Path) -> None:
    """Files are written under their names; others in the folder stay."""
    folder = checked_folder(tmp_path / "out")
    write_folder(folder, {"a.yaml": "a: 1\n"})
    write_folder(checked_folder(folder), {"b.json": "{}"})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.yaml": "a: 1\n", "b.json": "{}"}
