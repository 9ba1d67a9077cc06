"""Checking: one pass over a file, every finding sorted, nothing about a bad row lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tunesmith.checks import CHECKS, Asked, check_rows
from tunesmith.checks.finding import SEVERITIES, Evidence
from tunesmith.data.scanning import recognised


def test_the_worst_is_told_first_and_bad_rows_are_an_error(tmp_path: Path) -> None:
    """Rows that cannot be read are a finding with place and reason; the others are checked all the same."""
    good = {"prompt": "q", "completion": "see https://a.example"}
    lines = [json.dumps(good), "{", json.dumps(good), json.dumps({"prompt": "q", "completion": 5})]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines))
    told: list[tuple[int, float]] = []
    asked = Asked(form=recognised(path), path=path)
    report, _ = check_rows(asked, CHECKS, progress=lambda rows, share: told.append((rows, share)))
    severities = [SEVERITIES.index(each.severity) for each in report.findings]
    assert severities == sorted(severities)
    first = report.findings[0]
    assert (first.check, first.severity, first.rows, first.drop) == ("unreadable", "error", (1, 3), (1, 3))
    assert first.evidence[1].note == "line 4 has completion = 5, expected a text"
    assert {"exact_duplicate", "url"} <= {each.check for each in report.findings}
    assert report.has_errors
    assert told == [(4, 1.0)]


def test_names_are_unique_and_every_check_says_why_it_matters() -> None:
    """Names tell checks apart; each file says why the check is there and what it cannot see."""
    assert len({each.name for each in CHECKS}) == len(CHECKS)
    for each in CHECKS:
        text = sys.modules[each.__module__].__doc__ or ""
        assert text.startswith(f"{each.name}: ")
        assert "*Why it matters.*" in text and "*Known limits.*" in text, each.name


def test_every_check_flags_rows_that_exist_and_drops_only_what_it_flags(tmp_path: Path) -> None:
    """On a set full of faults, rows are sorted, each once, and none is dropped that is not named."""
    rows = [{"prompt": f"q{n % 3}", "completion": ["", "www.example.com/a", "a"][n % 3]} for n in range(30)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    report, _ = check_rows(Asked(form=recognised(path), path=path), CHECKS)
    assert report.findings
    for each in report.findings:
        assert list(each.rows) == sorted(set(each.rows))
        assert set(each.drop) <= set(each.rows) <= set(range(30))
        assert each.message and each.message_zh and each.fix and each.fix_zh


def test_evidence_is_one_short_line() -> None:
    """What a stranger wrote is cut, and no terminal obeys it."""
    evidence = Evidence.of(0, 1, "a\x1b[31m\n" + "x" * 1000)
    assert evidence.text.startswith("a\\x1b[31m\\nxxx") and evidence.text.endswith("…")
    assert len(evidence.text) == 161
