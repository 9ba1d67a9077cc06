"""--from: another trainer's file on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tunesmith import api
from tunesmith.cli import FITS, MISTAKE, main

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves

Capture = pytest.CaptureFixture[str]

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 512,
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a model's folder and an Axolotl file that names it."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    adapter = "adapter: lora\nlora_r: 4\nlora_target_linear: true\n"
    text = f"base_model: {tmp_path / 'tiny'}\n{adapter}sequence_len: 64\n"
    place = tmp_path / "axolotl.yaml"
    place.write_text(f"{text}micro_batch_size: 2\nlearning_rate: 0.0002\nlogging: 3\n", encoding="utf-8")
    return place


def test_a_file_is_estimated_with_the_origin_of_every_choice(file: Path, capsys: Capture) -> None:
    """The text shows what is stated, with its line, what is filled in, the unknown key; then the answer."""
    assert main(["estimate", "--from", str(file), "--no-suggest"]) == FITS
    text = " ".join(capsys.readouterr().out.split())
    assert "A recipe from Axolotl" in text and "axolotl==0.19.0" in text
    assert "adapter.r 4 stated" in text
    assert "logging is no key" in text
    assert text.index("A recipe from Axolotl") < text.index("parameters,")


def test_the_chinese_is_whole(file: Path, capsys: Capture) -> None:
    """With --lang zh the origins and warnings are in Chinese."""
    assert main(["estimate", "--from", str(file), "--no-suggest", "--lang", "zh"]) == FITS
    text = capsys.readouterr().out
    assert "来自 Axolotl 的配方" in text and "文件给出" in text and "已忽略" in text


def test_json_is_one_object_with_the_origins_in_it(file: Path, capsys: Capture) -> None:
    """The estimate is that of the imported recipe; ``from`` holds trainer, version and provenance."""
    assert main(["estimate", "--from", str(file), "--json", "--gpu", "T4-16GB"]) == FITS
    printed = json.loads(capsys.readouterr().out)
    origins = printed.pop("from")
    imported = api.import_recipe(file, changes={"hardware.gpu": "T4-16GB"})
    assert printed == json.loads(json.dumps(api.estimate(imported.recipe).to_mapping()))
    assert origins["trainer"] == "axolotl"
    rank = next(origin for origin in origins["provenance"] if origin["key"] == "adapter.r")
    assert (rank["value"], rank["how"]) == (4, "stated")


def test_standard_input_is_read(file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash is standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert main(["estimate", "--from", "-", "--json"]) == FITS
    assert json.loads(capsys.readouterr().out)["recipe"]["adapter"]["r"] == 4


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        ("base_model: x\nadapter: lora\nlora_r: many\n", (), "lora_r (line 3)"),
        ("alpha: 1\n", (), "--from-trainer"),
        ("base_model: x\nrl: dpo\n", (), "line 2: rl"),
        ("base_model: x\n", ("--recipe", "r.yaml"), "Leave out one of them"),
        ("base_model: x\n", ("--from-trainer", "nemo"), "expected one of trl"),
    ],
)
def test_a_mistake_in_the_file_exits_with_2(
    text: str, arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: Capture
) -> None:
    """What can be mended is told on standard error, without a traceback."""
    place = tmp_path / "axolotl.yaml"
    place.write_text(text, encoding="utf-8")
    assert main(["estimate", "--from", str(place), *arguments]) == MISTAKE
    captured = capsys.readouterr()
    assert told in captured.err and "Traceback" not in captured.err and captured.out == ""
