"""Known questions keep their answers: each golden plan was read by eye, and a change of it must be seen.

``make golden`` asks all the questions anew, which takes minutes, and writes the files, to be read again
before they are kept; the suite asks the first one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tunesmith import api
from tunesmith.recipe import Recipe

FOLDER: Final = Path(__file__).parent.parent / "golden" / "plans"
QUESTIONS: Final[dict[str, dict[str, Any]]] = {
    "7b_on_24gb": {"model": "meta-llama/Llama-2-7b-hf", "gpu": "RTX 4090"},
    "13b_on_2x80gb": {"model": "meta-llama/Llama-2-13b-hf", "gpu": "A100-80GB", "gpus": 2},
    "70b_on_8x80gb": {"model": "meta-llama/Meta-Llama-3-70B", "gpu": "H100-80GB", "gpus": 8},
    "70b_on_2x24gb": {"model": "meta-llama/Meta-Llama-3-70B", "gpu": "RTX 4090", "gpus": 2},
    "full_8b_on_8xa100": {
        "model": "meta-llama/Meta-Llama-3-8B",
        "gpu": "A100-80GB",
        "gpus": 8,
        "method": "full",
    },
    "mixture_of_experts": {"model": "mistralai/Mixtral-8x7B-v0.1", "gpu": "A100-80GB", "gpus": 4},
    "128k_tokens": {
        "model": "meta-llama/Llama-3.1-8B",
        "gpu": "H100-80GB",
        "gpus": 8,
        "sequence_length": 131072,
    },
}


def answer(name: str) -> dict[str, Any]:
    """Return the answer to a question, without the points of the chart."""
    mapping = api.plan(**QUESTIONS[name], top=3).to_mapping()
    del mapping["front"]
    rounded: dict[str, Any] = json.loads(
        json.dumps(mapping), parse_float=lambda text: float(f"{float(text):.3g}")
    )
    return rounded


@pytest.mark.parametrize("name", list(QUESTIONS)[:1])
def test_a_known_question_has_its_known_answer(name: str) -> None:
    """Recipes, peaks, times, prices, reasons and the nearest miss are those of the file."""
    assert answer(name) == json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", QUESTIONS)
def test_plans_are_recipes_that_fit(name: str) -> None:
    """A plan's recipe is read back unchanged, its card holds it, and the best of its goal is the first."""
    kept = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for plan in kept["plans"]:
        assert Recipe.from_mapping(plan["recipe"]).to_mapping() == plan["recipe"]
        assert plan["margin_bytes"] >= 0
        assert plan["step_seconds"][0] <= plan["step_seconds"][1]
    assert kept["plans"] or kept["nearest_miss"]["missing_bytes"] > 0


if __name__ == "__main__":
    for each in QUESTIONS:
        text = json.dumps(answer(each), indent=1, ensure_ascii=False)
        (FOLDER / f"{each}.json").write_text(text + "\n", encoding="utf-8")
