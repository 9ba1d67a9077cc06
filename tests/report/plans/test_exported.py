"""What was written for another trainer, as a terminal shows it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from tunesmith.recipe import Recipe
from tunesmith.report.plans.exported import exported
from tunesmith.trainers import TITLES, TRAINERS, export


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("trainer", [name for name in TRAINERS if name not in ("accelerate", "deepspeed")])
def test_files_command_and_notes_are_told(trainer: str, lang: str) -> None:
    """The files and their folder, the line that runs them, and every note are on the screen, inert."""
    made = export(Recipe(model="meta-llama/Meta-Llama-3-8B"), trainer)
    stream = io.StringIO()
    Console(file=stream, width=4000).print(exported(made, Path("out\x1b[31m"), lang=lang))
    text = stream.getvalue()
    assert TITLES[trainer] in text and made.command in text and "out\\x1b[31m" in text
    assert all(file.name in text for file in made.files)
    assert all(note.text(lang) in text for note in made.notes)
