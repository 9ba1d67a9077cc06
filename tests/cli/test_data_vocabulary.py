"""The command data vocabulary: its table, its JSON, and its mistakes."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from tunesmith.cli import MISTAKE, main

Capture = pytest.CaptureFixture[str]
REAL = Path(__file__).parents[1] / "data" / "tokenizer"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a folder with a real tokenizer and the shape of a small model."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes(lzma.decompress((REAL / "tokenizer.json.xz").read_bytes()))
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "llama",
                "vocab_size": 129_280,
                "hidden_size": 64,
                "num_hidden_layers": 1,
                "num_attention_heads": 4,
                "intermediate_size": 128,
            }
        )
    )
    return folder


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return a file that says two rare words often."""
    path = tmp_path / "rows.jsonl"
    row = json.dumps({"prompt": "what of it?", "completion": "the zyqvwxology and a brackwurtzite"})
    path.write_text(f"{row}\n" * 9)
    return path


def test_it_prints_terms_costs_and_risks(rows: Path, model: Path, capsys: Capture) -> None:
    """In both languages, and the same figures as one JSON object."""
    command = ["data", "vocabulary", str(rows), "--model", str(model)]
    assert main([*command, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "2 terms as tokens of their own save" in out and "brackwurtzite" in out
    assert "Memory: 2 new rows" in out and "Risks: " in out
    assert main([*command, "--lang", "zh"]) == 0
    assert "术语" in (out := capsys.readouterr().out) and "风险：" in out
    assert main([*command, "--json", "--add", "1"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["additions"]) == 1 and answer["written"] is None
    assert answer["saved_tokens"] == answer["additions"][0]["saved_tokens"] > 0


def test_a_model_without_weights_cannot_be_written(
    rows: Path, model: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The mistake is told and nothing is written."""
    target = tmp_path / "more"
    assert main(["data", "vocabulary", str(rows), "--model", str(model), "-o", str(target)]) == MISTAKE
    assert "safetensors" in capsys.readouterr().err and not target.exists()
    assert main(["data", "vocabulary", str(rows)]) == MISTAKE
