"""Drafting: several files come into being together, or everything stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunesmith.data.drafting import checked_outputs, companion, drafted
from tunesmith.errors import OutputError


def test_files_move_together_and_folders_stay_behind(tmp_path: Path) -> None:
    """What is a file at the end stands beside the place; the draft is gone."""
    with drafted(tmp_path / "out.jsonl") as folder:
        (folder / "out.jsonl").write_text("rows")
        (folder / "out.jsonl.manifest.json").write_text("manifest")
        (folder / "work").mkdir()
        assert not (tmp_path / "out.jsonl").exists()
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "out.jsonl": "rows",
        "out.jsonl.manifest.json": "manifest",
    }


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_or_an_interruption_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Not even the draft."""
    with pytest.raises(error), drafted(tmp_path / "out.jsonl") as folder:
        (folder / "out.jsonl").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_where_one_file_cannot_be_moved_those_that_were_go_back(tmp_path: Path) -> None:
    """A folder in the way of the second file: the first is as it was, with its old content."""
    (tmp_path / "a.jsonl").write_text("old")
    (tmp_path / "b.jsonl").mkdir()
    with pytest.raises(OutputError, match="Nothing was changed"), drafted(tmp_path / "a.jsonl") as folder:
        (folder / "a.jsonl").write_text("new")
        (folder / "b.jsonl").write_text("new")
    assert (tmp_path / "a.jsonl").read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl"]


def test_what_is_there_or_is_read_is_refused(tmp_path: Path) -> None:
    """An input is refused even where files may be overwritten; a companion counts as the file does."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("{}")
    assert checked_outputs(out, inputs=[source], overwrite=False, words=["rejected"]) == out.resolve()
    with pytest.raises(OutputError, match="never written to"):
        checked_outputs(source, inputs=[source], overwrite=True)
    companion(out, "rejected").write_text("{}")
    with pytest.raises(OutputError, match=r"out\.rejected\.jsonl exists\. Name another file, or ask"):
        checked_outputs(out, inputs=[source], overwrite=False, words=["rejected"])
    assert checked_outputs(out, inputs=[source], overwrite=True, words=["rejected"]) == out.resolve()
