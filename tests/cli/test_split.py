"""The verb split: what it prints in both languages, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunesmith.cli import MISTAKE, main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return forty questions."""
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": f"What is {n}?", "completion": str(n)}) + "\n" for n in range(40))
    )
    return path


def test_split_prints_one_json_object(rows: Path, tmp_path: Path, capsys: Capture) -> None:
    """It has the sets, what was left out, the strata and what is missing."""
    assert (
        main(["data", "split", str(rows), "-o", str(tmp_path / "out"), "--eval-share", "0.25", "--json"]) == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["eval"]["rows"], answer["train"]["rows"]) == (40, 10, 30)
    assert "retrieval" in answer["missing"]


@pytest.mark.parametrize(("lang", "said"), [("en", "held out"), ("zh", "问答")])
def test_split_speaks_both_languages(
    lang: str, said: str, rows: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The counts, the kinds and the sheet."""
    sheet = tmp_path / "sheet.csv"
    arguments = ["-o", str(tmp_path / "out"), "--gold", "--sheet", str(sheet), "--lang", lang]
    assert main(["data", "split", str(rows), *arguments]) == 0
    assert said in capsys.readouterr().out.replace("\n", " ") and sheet.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: -o"),
        (["-o", "x", "--eval-share", "0.7"], "expected a share above 0"),
        (["-o", "x", "--eval-rows", "5", "--eval-share", "0.1"], "expected one of them"),
        (["-o", "x", "--seed", "-1"], "expected a whole number"),
        (["-o", "x", "--sheet", "x.doc"], ".csv or .html"),
    ],
)
def test_a_mistake_is_told(arguments: list[str], said: str, rows: Path, capsys: Capture) -> None:
    """No traceback, and one message."""
    assert main(["data", "split", str(rows), *arguments]) == MISTAKE
    assert said in capsys.readouterr().err
