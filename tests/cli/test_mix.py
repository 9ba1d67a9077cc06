"""The verb mix: what it prints and writes, and how shares are given."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from tunesmith.cli import MISTAKE, main
from tunesmith.cli.data.mix import number, source

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder with two files of rows of equal size, which is the working one."""
    for name, rows in (("a", 10), ("b", 40)):
        lines = [json.dumps({"text": f"{name}{row:03}"}) for row in range(rows)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_half_and_half_by_default(folder: Path, capsys: Capture) -> None:
    """The table has what was asked and got, and what is left over."""
    assert main(["data", "mix", "a.jsonl", "--general", "b.jsonl", "-o", "m.jsonl", "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert "m.jsonl: 20 rows, 20 tokens, as text" in told
    (line,) = (line for line in told.splitlines() if line.startswith("b.jsonl"))
    assert line.split()[-6:] == ["50.0%", "50.0%", "50.0%", "10", "0.25", "30"]
    assert "Tokens are estimated as 4 bytes each." in told
    assert (folder / "m.jsonl.manifest.json").exists()


def test_shares_as_numbers_and_percentages(folder: Path, capsys: Capture) -> None:
    """One JSON object with every source."""
    assert main(["data", "mix", "a.jsonl=20%", "b.jsonl=0.8", "-o", "m.jsonl", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["asked"], each["taken_rows"]) for each in told["sources"]] == [
        ("a.jsonl", 0.2, 10),
        ("b.jsonl", 0.8, 40),
    ]


def test_replay_is_interleaved_evenly_and_the_rest_keeps_its_order(folder: Path, capsys: Capture) -> None:
    """Of five rows one is replayed, wherever one looks."""
    arguments = ["data", "mix", "b.jsonl", "--general", "a.jsonl", "--replay", "20%", "-o", "m.jsonl"]
    assert main([*arguments, "--lang", "zh"]) == 0
    assert "要求" in capsys.readouterr().out
    names = [json.loads(line)["text"] for line in (folder / "m.jsonl").read_text().splitlines()]
    domain = [name for name in names if name[0] == "b"]
    assert domain == sorted(domain) and len(domain) == 40
    assert {sum(name[0] == "a" for name in names[at : at + 5]) for at in range(0, 50, 5)} == {1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.jsonl"], "required: -o"),
        (["a.jsonl", "a.jsonl", "-o", "m.jsonl"], "a source is given twice"),
        (["a.jsonl=0.5", "b.jsonl", "-o", "m.jsonl"], "1 of 2 sources have a share"),
        (["a.jsonl", "-o", "m.jsonl", "--ratio", "0.5"], "and no general data"),
        (["a.jsonl", "-o", "m.jsonl", "--general", "b.jsonl", "--ratio", "2"], "ratio is 2.0"),
        (["a.jsonl", "-o", "m.jsonl", "--ratio", "half"], "expected a number such as 0.5 or 50%"),
        (["a.jsonl", "-o", "m.jsonl", "--seed", "-1"], "--seed"),
        (["a.jsonl", "-o", "a.jsonl"], "never written to"),
        (["nowhere.jsonl", "-o", "m.jsonl"], "cannot be read"),
    ],
)
def test_a_mistake_exits_with_2(folder: Path, arguments: list[str], said: str, capsys: Capture) -> None:
    """With one message and nothing written."""
    assert main(["data", "mix", *arguments]) == MISTAKE
    assert said in capsys.readouterr().err
    assert sorted(each.name for each in folder.iterdir()) == ["a.jsonl", "b.jsonl"]


def test_a_name_may_hold_an_equals_sign() -> None:
    """What follows it is a share only if it is a number."""
    assert source("a=b.jsonl") == ("a=b.jsonl", None)
    assert source("a=b.jsonl=0.3") == ("a=b.jsonl", 0.3)
    assert source("a.jsonl=30%") == ("a.jsonl", 0.3)
    with pytest.raises(ArgumentTypeError, match="expected a number"):
        number("1e3")
