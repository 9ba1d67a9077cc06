"""The command line as a user meets it: exit codes, streams, files, and mistakes told without a traceback."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tunesmith.cli import BUG, DOES_NOT_FIT, FITS, INTERRUPTED, MISTAKE, UNREAD, main

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves

Write = Callable[..., str]
Capture = pytest.CaptureFixture[str]

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 512,
}


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the test its own cache, and English."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    for name in ("LC_ALL", "LC_MESSAGES", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")


@pytest.fixture
def model(tmp_path: Path) -> Write:
    """Return what writes a tiny model's config.json, with changed keys, and returns its folder."""

    def write(folder: str = "tiny", **changes: object) -> str:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "config.json").write_text(json.dumps(CONFIG | changes))
        return str(place)

    return write


def estimate(*arguments: str) -> int:
    return main(["estimate", "--sequence_length", "64", "--trainer", "loop", *arguments])


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tunesmith", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8", **options)


# -- exit codes and streams -------------------------------------------------------------------------


def test_zero_when_no_card_is_named(model: Write, capsys: Capture) -> None:
    """Without a card the answer is printed and the exit code is 0."""
    assert estimate(model(), "--no-suggest") == FITS
    out, err = capsys.readouterr()
    assert "Needs" in out and "no card is named" in out
    assert err == ""


def test_one_when_it_does_not_fit(model: Write, capsys: Capture) -> None:
    """A run that is too large for its card exits with 1, in text and in JSON, and says so."""
    too_much = ("--per_device_train_batch_size", "60000", "--method", "full", "--gpu", "T4-16GB")
    assert estimate(model(), *too_much, "--no-suggest") == DOES_NOT_FIT
    assert "Does not fit" in capsys.readouterr().out
    assert estimate(model(), *too_much, "--json") == DOES_NOT_FIT
    got = json.loads(capsys.readouterr().out)
    assert got["fits"] is False and got["margin_bytes"] < 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["estimat"], "invalid choice"),
        (["estimate"], "no model is named"),
        (["estimate", "no-such-model"], "no model is called"),
        (["estimate", "gpt2", "--gpu", "RTX 4091"], "RTX 4090"),
        (["estimate", "gpt2", "--optim", "adamw_8bits", "--method", "loar"], "Did you mean lora?"),
        (["estimate", "gpt2", "--bacth", "2"], "Did you mean --per_device_train_batch_size?"),
        (["estimate", "gpt2", "--batch-size=2"], "Did you mean --per_device_train_batch_size?"),
        (["estimate", "gpt2", "--gpu"], "expected one argument"),
        (["estimate", "gpt2", "--lang", "fr"], "invalid choice"),
        (["estimate", "gpt2", "gpt2"], "unknown argument gpt2"),
        (["estimate", "gpt2", "--json", "--explain"], "Leave out"),
        (["estimate", "--recipe", "/no/such/file"], "No such file"),
        (["estimate", "gpt2", "--sequence_length", "-1"], "sequence_length"),
        (["estimate", "gpt2", "--timeline", "a.pdf"], ".html or .svg or .json"),
        (["estimate", "gpt2", "--timeline", "a.pickle"], ".html or .svg or .json"),
        (["estimate", "gpt2", "--snapshot", "a.svg"], ".pickle or .pkl"),
        (["estimate", "gpt2", "--timeline", "/no/such/folder/a.svg"], "does not exist"),
        (["estimate", "gp\x1b[31mt2"], "\\x1b[31m"),
        (["estimate", "gpt2", "--\x1b[31m\n"], "\\x1b[31m"),
    ],
)
def test_two_for_a_mistake_that_is_told_without_a_traceback(
    arguments: list[str], said: str, capsys: Capture
) -> None:
    """What the user can mend exits with 2 and a message that helps, on standard error only."""
    assert main(arguments) == MISTAKE
    out, err = capsys.readouterr()
    assert said in err
    assert out == "" and "Traceback" not in err and "\x1b" not in err


def test_an_error_of_ours_is_not_taken_for_an_answer(
    model: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error shows its traceback and exits with neither 0, 1 nor 2."""
    monkeypatch.setattr("tunesmith.memory.trace.trace", lambda *_: 1 // 0)
    assert estimate(model()) == BUG
    out, err = capsys.readouterr()
    assert out == "" and "ZeroDivisionError" in err and "Please report" in err


def test_an_interrupt_ends_quietly(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, here while a recipe is typed, exits with 130 and says nothing."""

    class Typing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            signal.raise_signal(signal.SIGINT)
            return b""

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Typing()))
    # A shell has jobs in the background ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["estimate", "--recipe", "-"]) == INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("asked", [["--json"], ["--no-suggest"]])
def test_a_reader_that_goes_away_is_no_error(
    asked: list[str], model: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nobody reads the output any more, nothing is said about it, nor at exit."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        assert estimate(model(), *asked) == UNREAD
    assert capsys.readouterr().err == ""


def test_a_missing_extra_prints_its_pip_command() -> None:
    """Where PyTorch is not installed, an estimate that needs it says how to install it, and exits with 2."""
    code = "import sys; sys.modules['torch'] = None; from tunesmith.cli import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", code, "estimate", "gpt2", "--sequence_length", "31", "--engine", "trace"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == MISTAKE
    assert "pip install 'tunesmith[memory]'" in ran.stderr
    assert "Traceback" not in ran.stderr and ran.stdout == ""


def test_json_is_one_object_and_nothing_else(model: Write) -> None:
    """A fresh process prints one line of JSON on standard output, and not a word of other libraries'."""
    ran = run("estimate", model(), "--method", "qlora", "--sequence_length", "64", "--json")
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 1
    assert json.loads(ran.stdout)["recipe"]["method"] == "qlora"


def test_what_was_dropped_from_a_config_is_a_warning(model: Write, capsys: Capture) -> None:
    """A key that names code is dropped with a warning on standard error; the answer is whole."""
    place = model(auto_map={"AutoModel": "evil\x1b[31m.py"})
    assert estimate(place, "--json") == FITS
    out, err = capsys.readouterr()
    assert json.loads(out)["parameters"] > 0
    assert err.startswith("tunesmith: warning: ") and "auto_map" in err and "\x1b" not in err


# -- recipes, flags and files -----------------------------------------------------------------------


def test_flags_override_a_recipe_on_standard_input(
    model: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe on standard input gives way to MODEL and flags; a new method drops the old one's sections."""
    recipe = "model: other\nmethod: qlora\nquantization: {bits: 8, quant_type: int8}\n"
    recipe += "optim: sgd\nadapter: {r: 2}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(recipe.encode())))
    assert estimate(model(), "--recipe", "-", "--method", "lora", "--json") == FITS
    got = json.loads(capsys.readouterr().out)["recipe"]
    assert (got["method"], got["quantization"], got["optim"], got["adapter"]["r"]) == ("lora", None, "sgd", 2)
    assert got["model"] == model()


def test_a_wrong_recipe_is_told_with_its_lines(tmp_path: Path, capsys: Capture) -> None:
    """Every mistake of a recipe file is told at once, each with its line."""
    file = tmp_path / "r.yaml"
    file.write_text("model: gpt2\nmethdo: full\noptim: nope\n")
    assert main(["estimate", "--recipe", str(file)]) == MISTAKE
    err = capsys.readouterr().err
    assert "line 2" in err and "line 3" in err and "method" in err


def test_a_switch_needs_no_value(model: Write, capsys: Capture) -> None:
    """``--packing MODEL`` does not take the model for the switch's value; ``--x false`` is understood."""
    place = model()
    arguments = ["--packing", place, "--gradient_checkpointing", "false", "--attention-mask", "--json"]
    assert estimate(*arguments) == FITS
    got = json.loads(capsys.readouterr().out)["recipe"]
    assert (got["packing"], got["gradient_checkpointing"], got["attention_mask"]) == (True, False, True)


def test_files_are_written_beside_the_answer(model: Write, capsys: Capture, tmp_path: Path) -> None:
    """Drawings, data and a snapshot are written whole, in the same run as JSON on standard output."""
    drawing, snapshot = tmp_path / "a.svg", tmp_path / "a.pickle"
    assert estimate(model(), "--json", "--timeline", str(drawing), "--snapshot", str(snapshot)) == FITS
    assert json.loads(capsys.readouterr().out)["engine"] == "trace"
    assert "<svg" in drawing.read_text(encoding="utf-8")
    assert snapshot.read_bytes()[:2] == b"\x80\x04"
    data = tmp_path / "a.json"
    assert estimate(model(), "--json", "--timeline", str(data)) == FITS
    assert isinstance(json.loads(data.read_text(encoding="utf-8")), dict)
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "a.pickle", "a.json", "tiny", "cache"}


def test_a_failed_command_leaves_files_as_they_were(tmp_path: Path, capsys: Capture) -> None:
    """If the estimate cannot be made, a drawing that was there stays."""
    drawing = tmp_path / "a.svg"
    drawing.write_text("old")
    assert main(["estimate", "no-such-model", "--timeline", str(drawing)]) == MISTAKE
    assert drawing.read_text() == "old"


# -- text -------------------------------------------------------------------------------------------


def test_the_whole_text_in_two_languages(
    model: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Derivations, folklore and suggestions follow the answer; --lang goes before LANG."""
    many = ("--per_device_train_batch_size", "64", "--gpu", "RTX 4090")
    everything = (model("[red]tiny"), *many, "--explain", "--folklore")
    assert estimate(*everything) == FITS
    english = capsys.readouterr().out
    for said in (
        "[red]tiny",
        "at the peak",
        "Where each byte comes from",
        "What people would have said",
        "one change",
    ):
        assert said in english
    assert max(map(len, english.splitlines())) <= 100
    assert all(line == line.rstrip() for line in english.splitlines())
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert estimate(*everything) == FITS
    chinese = capsys.readouterr().out
    for said in ("峰值时", "每个字节的来历", "流传的公式会怎么说", "只改一处"):
        assert said in chinese
    assert estimate(*everything, "--lang", "en") == FITS
    assert capsys.readouterr().out == english


def test_an_answer_is_readable_without_unicode(model: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard output can only take ASCII, the answer comes out all the same."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    assert estimate(model(), "--no-suggest") == FITS
    stream.seek(0)
    assert "####" in stream.read()
