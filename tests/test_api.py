"""Python's face: recipes from changes and files, answers shown and written, warnings that are logged."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tunesmith import api
from tunesmith.errors import OutputError, RecipeError, UnsupportedError
from tunesmith.memory.estimate import Estimate

pytestmark = pytest.mark.filterwarnings("ignore")  # what PyTorch and its libraries say of themselves

MODEL: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 256,
}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Estimate:
    """Return the answer for a tiny model."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    return api.estimate({"model": MODEL, "sequence_length": 64, "per_device_train_batch_size": 64})


def test_changes_alone_are_a_recipe() -> None:
    """Without a file, dotted changes are the whole recipe."""
    recipe = api.make_recipe({"model": "gpt2", "adapter.r": 4, "hardware.gpu": "T4"})
    assert recipe.adapter is not None and recipe.adapter.r == 4
    with pytest.raises(RecipeError, match="model"):
        api.make_recipe({"method": "full"})


def test_a_changed_method_drops_what_it_has_no_use_for(tmp_path: Path) -> None:
    """A file for qlora becomes one for full fine-tuning by one change; its other keys stay."""
    file = tmp_path / "r.yaml"
    file.write_text("method: qlora\nadapter: {r: 4}\noptim: sgd\n")
    recipe = api.make_recipe({"model": "gpt2", "method": "full"}, path=file)
    assert (recipe.method, recipe.adapter, recipe.quantization, recipe.optim) == ("full", None, None, "sgd")


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.json", "a.pickle", "a.pkl"])
def test_an_answer_is_written_as_its_suffix_says(name: str, answer: Estimate, tmp_path: Path) -> None:
    """Each known suffix makes a file, and nothing else beside it."""
    before = set(tmp_path.iterdir())
    place = api.write(answer, tmp_path / name)
    assert place == (tmp_path / name).resolve() and place.stat().st_size > 100
    assert set(tmp_path.iterdir()) - before == {tmp_path / name}


def test_another_suffix_is_refused(answer: Estimate, tmp_path: Path) -> None:
    """An unknown suffix and a kind that does not go with it are refused."""
    with pytest.raises(OutputError, match=r"\.html or \.svg or \.json or \.pickle"):
        api.write(answer, tmp_path / "a.png")
    with pytest.raises(OutputError, match=r"\.pickle or \.pkl"):
        api.check_output(tmp_path / "a.svg", kind="snapshot")


def test_an_answer_without_a_timeline_is_not_drawn(answer: Estimate, tmp_path: Path) -> None:
    """An answer from disk that came without its timeline cannot be drawn, and says so."""
    bare = api.estimate(answer.recipe, timeline=False)
    assert bare.timeline is None and bare.parts == answer.parts
    with pytest.raises(UnsupportedError, match="no timeline"):
        api.write(bare, tmp_path / "a.svg")


def test_suggestions_come_after_the_answer(answer: Estimate) -> None:
    """Suggestions asked for later are those asked for at once, and they come from disk the second time."""
    later = api.suggest(answer)
    assert later.suggestions and later.peak == answer.peak
    assert later.suggestions == api.estimate(answer.recipe, suggest=True).suggestions
    assert api.suggest(answer).suggestions == later.suggestions


def test_what_is_shown_holds_the_answer(answer: Estimate) -> None:
    """The text for a terminal names the model and the peak, in both languages."""
    for lang in api.LANGUAGES:
        console = Console(width=100, file=io.StringIO(), record=True)
        console.print(api.show(answer, lang=lang, explain=True, folklore=True))
        assert f"{answer.peak.allocated_bytes:,}" in console.export_text()


def test_what_was_dropped_from_a_config_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that names code is dropped, and the logger ``tunesmith`` says so."""
    monkeypatch.setenv("TUNESMITH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "config.json").write_text(json.dumps(MODEL | {"auto_map": {"AutoModel": "evil.py"}}))
    with caplog.at_level(logging.WARNING, logger="tunesmith"):
        api.estimate({"model": str(tmp_path), "sequence_length": 32})
    assert "auto_map" in caplog.text
