"""The score card: a line for each check, bars in proportion, rows where they stand."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.checks import Finding, Report
from tunesmith.data.formats import Format
from tunesmith.report.findings.card import SLICES, card_svg, density


def _report(rows: int, *flagged: tuple[int, ...]) -> Report:
    findings = tuple(
        Finding(
            check=f"check{number}",
            severity=("error", "warning", "info")[number % 3],  # type: ignore[arg-type]
            rows=each,
            message="",
            message_zh="",
            fix="",
            fix_zh="",
        )
        for number, each in enumerate(flagged)
    )
    form = Format(name="text", columns={"text": "text"})
    return Report(path="a", rows=rows, form=form, findings=findings, passed=("p",), skipped=(("s", "why"),))


def test_bars_are_in_proportion_to_the_rows() -> None:
    """Twice as many rows make a bar twice as long; all rows fill it."""
    svg = card_svg(_report(100, tuple(range(100)), tuple(range(50))), lang="en")
    wide = [
        float(found)
        for found in re.findall(r'<rect class="(?:error|warning)" x="190" y="\d+" width="([\d.]+)"', svg)
    ]
    ground = re.search(r'<rect class="ground" x="190" y="\d+" width="([\d.]+)"', svg)
    assert ground is not None
    assert wide == [float(ground[1]), float(ground[1]) / 2]


def test_every_check_has_a_line() -> None:
    """Findings, checks that found nothing and checks that were not run are all named."""
    svg = card_svg(_report(10, (1,), (), (2, 3)), lang="zh")
    for name in ("check0", "check1", "check2", ">p<", ">s<", "未发现问题", "未运行", "整个数据集"):
        assert name in svg


def test_an_empty_file_has_a_card() -> None:
    """No row is no division by zero."""
    assert card_svg(_report(0), lang="en").startswith("<svg")


@given(st.integers(1, 5000), st.data())
def test_density_counts_every_flagged_row_once(rows: int, data: st.DataObject) -> None:
    """Shares lie between 0 and 1; where a file has rows enough, they add up to the rows that are flagged."""
    flagged = sorted(data.draw(st.sets(st.integers(0, rows - 1), max_size=200)))
    shares = density(flagged, rows)
    assert len(shares) == SLICES and all(0 <= share <= 1 for share in shares)
    assert sum(share > 0 for share in shares) <= len(flagged)
    assert any(shares) == bool(flagged)
    if rows % SLICES == 0:
        assert abs(sum(shares) * rows / SLICES - len(flagged)) < 1e-6
