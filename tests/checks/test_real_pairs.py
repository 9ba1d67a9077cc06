"""What the checks that compare rows say of ten thousand real ones, English and Chinese."""

from __future__ import annotations

import lzma
from pathlib import Path

import polars as pl
import pytest

from tunesmith.checks import Asked, Finding, check_rows
from tunesmith.checks.contradiction import Contradiction
from tunesmith.checks.near_duplicate import THRESHOLD, NearDuplicate
from tunesmith.checks.said import said
from tunesmith.checks.wrong_answer import WrongAnswer
from tunesmith.data.scanning import recognised, scan
from tunesmith.data.words import runs, words

CORPUS = Path(__file__).parents[1] / "data" / "corpus"


@pytest.fixture(scope="module", params=["instructions", "more"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of real rows."""
    path = tmp_path_factory.mktemp("rows") / f"{request.param}.jsonl"
    path.write_bytes(lzma.decompress((CORPUS / f"{path.name}.xz").read_bytes()))
    return path


@pytest.fixture(scope="module")
def found(rows: Path) -> dict[str, Finding]:
    """Return what the checks find, by their names."""
    report, _ = check_rows(
        Asked(form=recognised(rows), path=rows), [Contradiction, WrongAnswer, NearDuplicate]
    )
    return {each.check: each for each in report.findings}


def test_talk_is_no_contradiction_and_code_no_wrong_sum(rows: Path, found: dict[str, Finding]) -> None:
    """Many of these questions have many answers; none is an error, and few are worth a look."""
    assert "wrong_answer" not in found
    doubts = found.get("contradiction")
    if rows.stem == "instructions":
        assert doubts is not None and (doubts.severity, doubts.drop) == ("warning", ())
        assert len(doubts.rows) < 100
    else:
        assert doubts is None


def test_of_real_rows_only_those_above_the_bound_are_dropped(rows: Path, found: dict[str, Finding]) -> None:
    """Every dropped row is as like the row that stays as is stated, counted here from the texts anew."""
    near = found["near_duplicate"]
    assert 10 < len(near.rows) < 100
    table = pl.concat(said(batch.turns) for batch in scan(rows, recognised(rows)))
    texts = {row: (asked, answer) for row, _, asked, answer in table.iter_rows()}
    for row, first in near.instead.items():
        one, other = (set(runs(words(pl.Series(texts[each])), 2)["run"]) for each in (row, first))
        assert len(one & other) / len(one | other) >= THRESHOLD, (texts[row], texts[first])
