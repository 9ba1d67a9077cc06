"""What cleaning did, on a terminal: what is said where no row is left or more could go, in both languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tunesmith.checks import Finding, Report
from tunesmith.checks.cleaning import Cleaned
from tunesmith.data.formats import Format
from tunesmith.data.manifest import DataFile, Step
from tunesmith.report.cleaning import answer

FORM = Format(name="text", columns={"text": "text"})
REPORT = Report(path="a\x1b.jsonl", rows=9, form=FORM, findings=(), passed=(), skipped=())
CLEANED = Cleaned(
    before=REPORT,
    after=replace(REPORT, rows=6),
    rows=6,
    steps=(
        Step(name="empty", rows_in=9, rows_out=7, counts={"mended": 0, "round": 1}),
        Step(name="pii", rows_in=7, rows_out=7, counts={"mended": 2, "round": 1}),
        Step(name="empty", rows_in=7, rows_out=6, counts={"mended": 0, "round": 2}),
    ),
    rounds=2,
    outputs=(DataFile(path="out.jsonl", bytes=1, sha256="", rows=6),),
    folder=Path(),
)


def told(cleaned: Cleaned, lang: str) -> str:
    """Return the answer as text of 100 columns."""
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(answer(cleaned, lang=lang))
    return captured.get()


def test_the_rounds_of_a_check_are_told_as_one() -> None:
    """A person asks what a check did, not when; a name that a terminal would obey is shown."""
    lines = told(CLEANED, "en").splitlines()
    assert lines[0].strip() == "a\\x1b.jsonl: 6 of 9 rows stay, 3 left out"
    assert [line.split() for line in lines if line.startswith(("empty", "pii"))] == [
        ["empty", "3", "–"],
        ["pii", "–", "2"],
    ]
    assert "out.jsonl: 6 rows" in told(CLEANED, "en")


def test_no_row_left_is_said() -> None:
    """In both languages."""
    nothing = replace(CLEANED, rows=0, outputs=())
    assert "nothing was written" in told(nothing, "en")
    assert "未写入文件" in told(nothing, "zh")


def test_what_remains_is_named() -> None:
    """What stays for people to judge, and what more rounds would leave out."""
    found = Finding(
        check="url", severity="info", rows=(1, 2), message="", message_zh="", fix="", fix_zh="", drop=(1,)
    )
    more = replace(CLEANED, after=replace(REPORT, findings=(found,)))
    assert "for you to judge: url (2)" in told(more, "en")
    assert "Clean the new file again: url would drop more." in told(more, "en")
    assert "请再次清理新文件" in told(more, "zh")
