"""export_recipe: where a trainer loads otherwise, what that takes is computed and decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tunesmith.api import export_recipe
from tunesmith.errors import UnsupportedError

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves


def recipe(folder: Path, vocabulary: int, gpu: str | None) -> dict[str, Any]:
    """Return a QLoRA on two cards, quantised on the host, of a shallow Llama with so large a vocabulary."""
    sizes = {"hidden_size": 2048, "intermediate_size": 4096, "num_hidden_layers": 2, "vocab_size": vocabulary}
    heads = {"num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 2048}
    named = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(named | sizes | heads), encoding="utf-8")
    return {
        "model": str(folder),
        "method": "qlora",
        "sequence_length": 256,
        "precision": {"weights": "bfloat16", "autocast": "bfloat16"},
        "quantization": {"quant_storage": "bfloat16", "device_map": "cpu"},
        "sharding": "fsdp",
        "hardware": {"gpu": gpu, "gpus": 2},
    }


def test_loading_on_the_card_is_noted_where_it_fits(tmp_path: Path) -> None:
    """The note says what loading takes in both languages, and the recipe that runs is not quantised apart."""
    made = export_recipe(recipe(tmp_path, 32_000, "RTX 4090"), "trl")
    note = next(note for note in made.notes if "loading takes" in note.english)
    assert note.english.endswith(" GiB a card, and the run fits the RTX 4090.")
    assert note.chinese.endswith(" GiB，RTX 4090 放得下。")
    assert made.runs.quantization is not None and made.runs.quantization.device_map is None
    assert f"# {note.english}\n" in made.files[0].text


def test_loading_on_the_card_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    """The error says what loading would take, and on which card it does not fit."""
    with pytest.raises(UnsupportedError, match=r"loading takes \d\d\.\d\d GiB .* does not fit the T4-16GB"):
        export_recipe(recipe(tmp_path, 2_000_000, "T4-16GB"), "trl")


def test_without_a_card_loading_is_told_and_not_judged(tmp_path: Path) -> None:
    """A recipe that names no card is exported with what loading takes."""
    made = export_recipe(recipe(tmp_path, 32_000, None), "trl")
    assert any("depends on the card" in note.english for note in made.notes)
