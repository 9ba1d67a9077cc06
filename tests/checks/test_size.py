"""size: what is too little for its method is said, counted without the rows that other checks drop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tunesmith.checks import CHECKS, Asked, Finding, check_rows
from tunesmith.checks.empty import Empty
from tunesmith.checks.size import GOOD_ROWS, TEXT_TOKENS, Size
from tunesmith.data.scanning import recognised

Found = Callable[..., Finding | None]


def rows(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"q{n}", "completion": f"a{n}"} for n in range(count)]


def test_two_thousand_good_rows_are_enough(found: Found) -> None:
    """At the bound nothing is said; one row less is said with its number."""
    assert found(Size, rows(GOOD_ROWS)) is None
    finding = found(Size, rows(GOOD_ROWS - 1))
    assert finding is not None and (finding.severity, finding.rows) == ("warning", ())
    assert finding.message == "1,999 good rows, where lora takes 2,000."


@pytest.mark.parametrize(
    ("count", "method", "said"),
    [(60, "lora", "little but a style"), (600, "full", "by heart"), (600, "freeze", "by heart")],
)
def test_the_method_decides_what_too_few_means(found: Found, count: int, method: str, said: str) -> None:
    """Few rows are learned by heart where the weights themselves move."""
    finding = found(Size, rows(count), method=method)
    assert finding is not None and said in finding.message and f"{count} good rows" in finding.message


def test_rows_that_other_checks_drop_do_not_count(tmp_path: Path) -> None:
    """Of 2,010 rows 20 are empty and 5 cannot be read."""
    lines = [json.dumps(row) for row in rows(1_990)]
    lines += [json.dumps({"prompt": "q", "completion": ""})] * 20 + ["{"] * 5
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines))
    report, _ = check_rows(Asked(form=recognised(path), path=path), [Empty, Size])
    assert report.findings[-1].message == "1,990 good rows of 2,015, where lora takes 2,000."


def test_plain_text_is_counted_in_tokens(found: Found) -> None:
    """A million tokens of text teach no facts; a little more is not judged."""
    finding = found(Size, [{"text": "w" * 4_000}] * 10)
    assert finding is not None and "About 10,000 tokens" in finding.message
    assert found(Size, [{"text": "w" * 40_000}] * (TEXT_TOKENS // 10_000)) is None


def test_size_hears_every_other_check() -> None:
    """It stands last."""
    assert CHECKS[-1] is Size
