"""Writing: a data file comes into being whole or not at all, with a manifest that proves what it is."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from tunesmith.data.manifest import DataFile, Manifest, Step
from tunesmith.data.writing import RowWriter, refuse_inputs, write_manifest
from tunesmith.errors import OutputError


def test_rows_stand_in_the_file_with_their_digest(tmp_path: Path) -> None:
    """What is told of the file is what anybody can compute from it."""
    path = tmp_path / "out.jsonl"
    with RowWriter(path) as out:
        out.write({"text": "你好\n"})
        out.write_line(b'{"text": "as it was"}')
        assert not path.exists()
    data = path.read_bytes()
    assert [json.loads(line) for line in data.splitlines()] == [{"text": "你好\n"}, {"text": "as it was"}]
    assert out.written == DataFile(
        path="out.jsonl", bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), rows=2
    )
    assert DataFile.of(path).sha256 == out.written.sha256


def test_an_error_leaves_the_place_as_it_was(tmp_path: Path) -> None:
    """A file that was there keeps its bytes, and no draft is left."""
    path = tmp_path / "out.jsonl"
    path.write_text("before\n")
    with pytest.raises(ZeroDivisionError), RowWriter(path) as out:
        out.write({"text": "half"})
        raise ZeroDivisionError
    assert path.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last bytes find no room, there is one message, no draft, and the old file."""
    path = tmp_path / "out.jsonl"
    path.write_text("before\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left.* Nothing was changed"), RowWriter(path) as out:
        out.write({"text": "x"})
    assert path.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_read_is_never_written_to(tmp_path: Path) -> None:
    """Whatever the spelling of its path."""
    path = tmp_path / "in.jsonl"
    path.write_text("{}\n")
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    for output in (path, link, tmp_path / "x" / ".." / "in.jsonl"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(OutputError, match="never written to"):
            refuse_inputs([output], [path])
    refuse_inputs([tmp_path / "other.jsonl"], [path])


def test_places_that_cannot_be_written_are_refused_before_work(tmp_path: Path) -> None:
    """A folder, another suffix, and a folder that is not there."""
    for path in (tmp_path, tmp_path / "out.csv", tmp_path / "no" / "out.jsonl"):
        with pytest.raises(OutputError):
            RowWriter(path)


def test_the_same_work_gives_the_same_manifest(tmp_path: Path) -> None:
    """A manifest holds no time and no machine; it stands beside its file."""
    path = tmp_path / "out.jsonl"
    with RowWriter(path) as out:
        out.write({"text": "x"})
    manifest = Manifest(
        command="clean",
        inputs=(DataFile.of(path),),
        settings={"seed": 0},
        steps=(Step(name="empty", rows_in=2, rows_out=1, counts={"mended": 0}),),
        outputs=(out.written,),
        tunesmith="0.1.0",
    )
    place = write_manifest(manifest, path)
    assert place == tmp_path / "out.jsonl.manifest.json"
    assert json.loads(place.read_text()) == json.loads(manifest.text())
    assert json.loads(place.read_text())["steps"][0]["rows_out"] == 1
