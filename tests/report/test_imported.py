"""Where an imported recipe's choices come from, as text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tunesmith.report.imported import provenance
from tunesmith.trainers import read

TEXT = "base_model: gpt2\nlearning_rate: 0.0002\nmicro_batch_size: 2\nwandb_project: me\nloging_steps: 1\n"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_choice_of_the_file_and_of_its_trainer_has_a_row(lang: str) -> None:
    """Stated and defaulted keys are listed with their place; the recipe's own defaults are counted."""
    console = Console(file=io.StringIO(), width=100)
    imported = read(TEXT, source="a.yml", trainer="axolotl")
    console.print(provenance(imported, lang=lang))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    listed = [o for o in imported.provenance if o.how != "assumed"]
    assert all(origin.key in text for origin in listed) and len(listed) > 10
    assert "wandb_project" in text and "loging_steps" in text
    assert ("line 3" if lang == "en" else "第 3 行") in text


def test_a_strangers_text_is_inert() -> None:
    """Escape codes in a value or a key reach no terminal."""
    text = '{"base_model": "gpt2", "learning_rate": 1, "wild\\u001b[31m": 1}'
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(provenance(read(text, trainer="axolotl")))
    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]
