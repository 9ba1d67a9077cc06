"""The verb build: templates and a writer from the command line, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.data.building.conftest import FakeServer, server, talks

from tunesmith.cli import MISTAKE, main

__all__ = ["server", "talks"]

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of two countries."""
    path = tmp_path / "table.csv"
    path.write_text("country,capital\nFrance,Paris\nPeru,Lima\n")
    return path


@pytest.mark.parametrize(("lang", "said"), [("en", "6 rows made from 2 rows"), ("zh", "生成 6 行")])
def test_build_speaks_both_languages(
    lang: str, said: str, table: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The counts and the place."""
    assert (
        main(["data", "build", "table", str(table), "-o", str(tmp_path / "out.jsonl"), "--lang", lang]) == 0
    )
    assert said in capsys.readouterr().out.replace("\n", " ")


def test_a_budget_that_ends_it_is_exit_code_1(
    talks: Path, tmp_path: Path, server: FakeServer, capsys: Capture
) -> None:
    """What was made is written."""
    server.answer = lambda messages: "What height does it have?"
    arguments = ["--endpoint", server.base, "--writer", "m", "--budget", "0.001", "--price-out", "1"]
    arguments += ["--max-tokens", "200", "--json"]
    assert main(["data", "build", "paraphrase", str(talks), "-o", str(tmp_path / "o.jsonl"), *arguments]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["stopped"] and answer["spent"] <= 0.001 and answer["output"]["rows"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tables"], "invalid choice: 'tables'"),
        (["paraphrase"], "needs a model that writes"),
        (["table", "--gold-share", "2"], "expected 0 to 1"),
        (["table", "--price-in", "-1"], "expected a number"),
        (["paraphrase", "--endpoint", "ftp://x", "--writer", "m"], "no address"),
    ],
)
def test_a_mistake_is_told(
    arguments: list[str], said: str, table: Path, tmp_path: Path, capsys: Capture
) -> None:
    """No traceback, and one message."""
    way, *rest = arguments
    assert main(["data", "build", way, str(table), "-o", str(tmp_path / "out.jsonl"), *rest]) == MISTAKE
    assert said in capsys.readouterr().err
