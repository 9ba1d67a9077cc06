"""What is taken for granted, in Chinese: every sentence that the engine can say has its translation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunesmith.recipe import Recipe
from tunesmith.report.assumptions import sentence

ENGINE = Path(__file__).resolve().parents[2] / "src" / "tunesmith" / "memory"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def said_by(file: str, function: str) -> Iterator[str]:
    """Yield the whole sentences in *function*, with a number for everything that is filled in."""
    tree = ast.parse((ENGINE / file).read_text(encoding="utf-8"))
    body = next(
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function
    )
    for node in ast.walk(body):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
            text = "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if re.fullmatch(r"[A-Z].* .*\.", text) and text != ast.get_docstring(body):
            yield text


SENTENCES = [
    *said_by("trace.py", "_assumptions"),
    *said_by("estimate.py", "_fit"),
    *said_by("estimate.py", "_nccl_notes"),
    *said_by("step/sharding/assumptions.py", "sharing_assumptions"),
    *said_by("ledger/scaling.py", "scaled_trace"),
    *said_by("step/deepspeed/assumptions.py", "assumptions"),
    *said_by("step/activations.py", "offloading_assumptions"),
    *said_by("../search/searching.py", "_assumptions"),
    *said_by("../throughput/assumptions.py", "run_assumptions"),
]


def test_sentences_are_found() -> None:
    """The sentences are read from the engine's own source, so a new one cannot be forgotten."""
    assert len(SENTENCES) >= 8


@pytest.mark.parametrize("english", SENTENCES)
def test_every_sentence_of_the_engine_is_translated(english: str) -> None:
    """In Chinese nothing of the English sentence is left but names and numbers; in English all of it is."""
    assert CHINESE.search(sentence(english, "zh")), english
    assert sentence(english, "en") == english


@pytest.mark.parametrize("choices", [{"method": "lora"}, {"method": "qlora"}])
def test_every_reason_of_a_recipe_is_translated(choices: dict[str, str]) -> None:
    """What a recipe filled in by itself is told in Chinese too."""
    reasons = Recipe.from_mapping({"model": "gpt2", **choices}).reasons
    assert reasons
    assert all(CHINESE.search(sentence(reason, "zh")) for reason in reasons)


def test_an_unknown_sentence_is_left_alone() -> None:
    """A sentence from elsewhere is shown as it is, rather than not at all."""
    assert sentence("The moon is full.", "zh") == "The moon is full."
