"""The example of data runs as it is told, and leaves what it says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "data.py"


def test_the_way_from_a_dirty_file_to_a_mixture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings are told and written as a page, faults leave, nothing leaks, and halves are halves."""
    spec = importlib.util.spec_from_file_location("example_data", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    said = capsys.readouterr().out
    assert "contradiction" in said and " 0 of them in the evaluation set" in said
    assert said.count("50% of the tokens") == 2
    assert (tmp_path / "findings.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    rows = [json.loads(line) for line in (tmp_path / "mixed.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {row["source"] for row in rows} == {"train.jsonl", "talk.jsonl"}
