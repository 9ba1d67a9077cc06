"""leakage: what is held out is found in training data, whoever says that it is held out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.checks import Asked, check_rows
from tunesmith.checks.finding import Finding
from tunesmith.checks.leakage import BESIDE, Leakage
from tunesmith.data.heldout import Heldout
from tunesmith.data.scanning import recognised
from tunesmith.errors import DataError

Found = Callable[..., Finding | None]

TALE = "In the spring of 1911 the keeper of the lighthouse at Ar-Men wrote to his sister that the lamp failed"
EXAM = [
    {"prompt": "Which planet of the solar system has the most moons?", "completion": "Saturn."},
    {"prompt": "光合作用把什么变成什么？", "completion": "把二氧化碳和水变成糖和氧气。"},
    {"prompt": f"Who wrote this? {TALE} twice in one night.", "completion": "His name is lost."},
]


def written(rows: list[dict[str, Any]], path: Path) -> Path:
    """Return *path* with *rows* in it."""
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def test_questions_and_long_texts_of_the_set_are_found_and_left_out(found: Found, tmp_path: Path) -> None:
    """Case, width and punctuation hide nothing, nor does text around it; each row names what it holds."""
    exam = written(EXAM, tmp_path / "exam.jsonl")
    rows = [
        {"prompt": "What is a planet?", "completion": "A body that goes round a star."},
        {"prompt": "which planet of the solar system has the most moons", "completion": "Jupiter"},
        {"prompt": "光合作用，把什么变成什么?", "completion": "糖。"},
        {"prompt": "Continue.", "completion": f"Well. Who wrote this? {TALE} twice in one night. And so on."},
        {"prompt": "Who wrote this?", "completion": "I did."},
    ]
    finding = found(Leakage, rows, against=(exam,))
    assert finding is not None
    assert (finding.severity, finding.rows, finding.drop) == ("error", (1, 2, 3), (1, 2, 3))
    notes = [each.note for each in finding.evidence]
    assert notes[:2] == ["asks what row 0 of exam.jsonl asks", "asks what row 1 of exam.jsonl asks"]
    assert notes[2] == "100% of a text of row 2 of exam.jsonl"
    assert finding.evidence[1].note_zh == "与 exam.jsonl 第 1 行的问题相同"
    assert finding.message == "3 rows with the question or the answer of 3 rows held out."


def test_rows_of_several_sets_are_counted_in_their_own(found: Found, tmp_path: Path) -> None:
    """The note names the file and the row in it, not the row among all that is held out."""
    one, two = written(EXAM[:2], tmp_path / "one.jsonl"), written(EXAM[2:], tmp_path / "two.jsonl")
    finding = found(Leakage, [EXAM[1], EXAM[2]], against=(one, two))
    assert finding is not None
    assert [each.note for each in finding.evidence] == [
        "asks what row 1 of one.jsonl asks",
        "asks what row 0 of two.jsonl asks",
    ]


def test_fingerprints_beside_the_data_count_untold_but_for_the_held_out_file(tmp_path: Path) -> None:
    """What a split held out stays out for good; the evaluation set itself may be checked."""
    exam = written(EXAM, tmp_path / "exam.jsonl")
    data = written([EXAM[0], {"prompt": "Why?", "completion": "Because."}], tmp_path / "train.jsonl")
    Heldout.of([exam]).save(tmp_path / BESIDE)
    report, _ = check_rows(Asked(form=recognised(data), path=data), [Leakage])
    assert [each.rows for each in report.findings] == [(0,)]
    report, _ = check_rows(Asked(form=recognised(exam), path=exam), [Leakage])
    assert not report.findings and "--against" in dict(report.skipped)["leakage"]


def test_no_set_is_said_and_the_data_itself_is_refused(found: Found, tmp_path: Path) -> None:
    """Without a set the check says how to give one; a file is not held against itself."""
    data = written(EXAM, tmp_path / "data.jsonl")
    form = recognised(data)
    assert Leakage.of(Asked(form=form, path=data)) == (
        "No evaluation set was given. Name one with --against FILE."
    )
    with pytest.raises(DataError, match="the data itself"):
        Leakage.of(Asked(form=form, path=data, against=(data,)))
    with pytest.raises(DataError, match="cannot be read"):
        Leakage.of(Asked(form=form, path=data, against=(tmp_path / "none.jsonl",)))
