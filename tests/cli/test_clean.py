"""The verb clean, and check --fix: what they print and write, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith.cli import MISTAKE, main

Capture = pytest.CaptureFixture[str]
ROWS = [
    {"prompt": "where is it?", "completion": "In the north of France."},
    {"prompt": "where is it?", "completion": "In the north of France."},
    {"prompt": "who?", "completion": "Write to bob.miller@gmail.com."},
    {"prompt": "what?", "completion": ""},
]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file with a row twice, an address and an empty answer, whose folder is the working one."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    monkeypatch.chdir(tmp_path)
    return path


def test_clean_writes_three_files_and_says_what_it_did(rows: Path, capsys: Capture) -> None:
    """The clean rows, the rejected ones, the manifest; a table of checks on the terminal."""
    out = rows.with_name("out.jsonl")
    assert main(["data", "clean", rows.name, "-o", str(out), "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "2 of 4 rows stay, 2 left out" in told
    assert [line.split() for line in told.splitlines() if line.startswith("pii")] == [["pii", "–", "1"]]
    assert sorted(each.name for each in rows.parent.iterdir()) == [
        "out.jsonl",
        "out.jsonl.manifest.json",
        "out.rejected.jsonl",
        "rows.jsonl",
    ]


def test_clean_prints_one_json_object(rows: Path, capsys: Capture) -> None:
    """Counts a step, what was written, and what is still found."""
    arguments = ["data", "clean", rows.name, "-o", str(rows.with_name("out.jsonl")), "--json"]
    assert main([*arguments, "--only", "empty,exact_duplicate"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows_in"], told["rows_out"]) == (4, 2)
    assert [(each["check"], each["rows_in"], each["rows_out"]) for each in told["steps"]] == [
        ("exact_duplicate", 4, 3),
        ("empty", 3, 2),
    ]
    assert told["left"] == [] and told["after"]["findings"] == []


def test_a_skipped_check_drops_nothing(rows: Path, capsys: Capture) -> None:
    """Chinese, too."""
    arguments = ["data", "clean", rows.name, "-o", str(rows.with_name("out.jsonl")), "--lang", "zh"]
    assert main([*arguments, "--skip", "exact_duplicate, near_duplicate", "--quick"]) == 0
    assert "4 行中保留 3 行，去掉 1 行" in capsys.readouterr().out


def test_nothing_left_exits_with_1(rows: Path, capsys: Capture) -> None:
    """And nothing is written."""
    rows.write_text(json.dumps(ROWS[3]))
    assert main(["data", "clean", rows.name, "-o", str(rows.with_name("out.jsonl")), "--lang", "en"]) == 1
    assert "No row is left; nothing was written." in capsys.readouterr().out
    assert [each.name for each in rows.parent.iterdir()] == ["rows.jsonl"]


def test_check_fix_shows_the_findings_and_exits_by_what_is_left(rows: Path, capsys: Capture) -> None:
    """The same files as clean writes; an error that cleaning drops is none any more."""
    assert main(["data", "check", rows.name, "--lang", "en"]) == 1
    capsys.readouterr()
    out = rows.with_name("out.jsonl")
    assert main(["data", "check", rows.name, "--fix", str(out), "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "error empty" in told and "2 of 4 rows stay" in told
    again = rows.with_name("again.jsonl")
    assert main(["data", "clean", rows.name, "-o", str(again), "--json"]) == 0
    assert again.read_bytes() == out.read_bytes()
    capsys.readouterr()
    assert main(["data", "check", rows.name, "--fix", str(rows.with_name("third.jsonl")), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"] == 4 and answer["fixed"]["rows_out"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: -o"),
        (["-o", "out.csv"], "ends in none of the known suffixes"),
        (["-o", "out.jsonl", "--only", "emty"], "Did you mean empty?"),
        (["-o", "rows.jsonl", "--overwrite"], "is read here, and never written to"),
    ],
)
def test_a_mistake_exits_with_2(rows: Path, arguments: list[str], said: str, capsys: Capture) -> None:
    """With one message and nothing written."""
    assert main(["data", "clean", "rows.jsonl", *arguments]) == MISTAKE
    assert said in capsys.readouterr().err
    assert [each.name for each in rows.parent.iterdir()] == ["rows.jsonl"]
