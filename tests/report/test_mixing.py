"""A mixture on a terminal: shares, passes and what is left over, in both languages."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tunesmith.data.lengths import Remark
from tunesmith.data.manifest import DataFile
from tunesmith.data.mixture import Mixture, Part
from tunesmith.report.mixing import answer


def part(name: str, **more: int) -> Part:
    """Return a source of ten rows of two tokens, of which five are taken."""
    counts = {"rows": 10, "tokens": 20, "held_out": 0, "taken_rows": 5, "taken_tokens": 10, **more}
    return Part(name=name, general=False, asked=0.5, **counts)


MIXTURE = Mixture(
    parts=(part("a\x1b.jsonl"), part("b.jsonl", held_out=3, taken_rows=15, taken_tokens=30)),
    by="tokens",
    layout="text",
    outputs=(DataFile(path="out.jsonl", bytes=1, sha256="", rows=20),),
    folder=Path(),
    remarks=(Remark("Taken for granted.", "默认如此。"),),
)


def told(lang: str) -> str:
    """Return the answer as text of 100 columns."""
    console = Console(width=100, color_system=None)
    with console.capture() as captured:
        console.print(answer(MIXTURE, lang=lang))
    return captured.get()


def test_every_source_stands_on_one_line() -> None:
    """What was asked and got, how many rows, how often gone through, how many are left."""
    lines = [line.split() for line in told("en").splitlines()]
    assert ["50.0%", "25.0%", "25.0%", "5", "0.50", "5"] in [line[-6:] for line in lines]
    assert ["50.0%", "75.0%", "75.0%", "15", "1.50", "0"] in [line[-6:] for line in lines]
    assert "a\\x1b.jsonl" in told("en") and "\x1b" not in told("en")
    assert "3 rows held out for evaluation did not enter." in told("en")
    assert "Taken for granted." in told("en")


def test_the_same_in_chinese() -> None:
    """Every title and sentence."""
    said = told("zh")
    assert (
        "20 行，40 个词元" in said and "剩余行" in said and "3 行属于评测集" in said and "默认如此。" in said
    )
