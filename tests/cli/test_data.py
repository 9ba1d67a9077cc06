"""The command data: what its verbs print, their exit codes, and how mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith.cli import MISTAKE, main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return a file with one row twice and an address."""
    path = tmp_path / "rows.jsonl"
    row = json.dumps({"prompt": "where?", "completion": "at https://a.example/x"})
    path.write_text(f"{row}\n{row}\n")
    return path


def test_check_prints_one_json_object(rows: Path, capsys: Capture) -> None:
    """The object has rows, format and findings, each with check, severity, rows, message and fix."""
    assert main(["data", "check", str(rows), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["format"]) == (2, "prompt_completion")
    by_name = {each["check"]: each for each in answer["findings"]}
    assert by_name["exact_duplicate"]["rows"] == [1]
    assert {"check", "severity", "rows", "message", "fix"} <= set(by_name["url"])


def test_check_exits_with_1_where_there_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    """An empty answer is an error; its row and the fix are printed."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "q", "completion": ""}))
    assert main(["data", "check", str(path), "--lang", "en"]) == 1
    out = capsys.readouterr().out
    assert "error empty" in out and "row 0" in out and "Fix: " in out


def test_check_speaks_chinese(rows: Path, capsys: Capture) -> None:
    """The same findings in Chinese."""
    assert main(["data", "check", str(rows), "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "警告 exact_duplicate" in out and "建议：" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data", "check", "nowhere.jsonl"], "nowhere.jsonl cannot be read"),
        (["data", "check"], "required: FILE"),
        (["data"], "required: VERB"),
        (["data", "chek"], "invalid choice: 'chek'"),
        (["data", "check", "x.jsonl", "--modl", "y"], "Did you mean --model?"),
        (["data", "check", "x.jsonl", "--seq", "0"], "expected a whole number"),
        (["data", "check", "x.jsonl", "--report", "page.txt"], "Name a file that ends in .html"),
    ],
)
def test_a_mistake_exits_with_2_and_says_what_to_do(arguments: list[str], said: str, capsys: Capture) -> None:
    """No traceback, and one message."""
    assert main(arguments) == MISTAKE
    told = capsys.readouterr()
    assert said in told.err and not told.out and "Traceback" not in told.err
