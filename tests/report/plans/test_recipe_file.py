"""The recipe to run: what it will need as comments, and below them the very recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tunesmith.recipe import parse_recipe
from tunesmith.report.plans.recipe_file import recipe_text
from tunesmith.search import Plans

Planned = Callable[..., Plans]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_file_reads_back_as_the_plan_s_recipe(planned: Planned, rank: int, lang: str) -> None:
    """Whatever the comments say, the recipe below them is the plan's."""
    plans = planned()
    assert parse_recipe(recipe_text(plans, plans.plans[rank], lang=lang)) == plans.plans[rank].recipe


def test_the_comments_say_peak_margin_and_interval(planned: Planned) -> None:
    """The file begins with what was predicted of the run."""
    plans = planned()
    head = recipe_text(plans, plans.plans[0]).partition("model:")[0].splitlines()
    assert head == [
        "# meta-llama/Meta-Llama-3-8B · QLoRA r 16 · 1 × RTX 4090",
        "# Predicted by tunesmith 0.1.0:",
        "#   peak of a card: 20.50 GiB allocated, 21.00 GiB reserved, 21.50 GiB with the CUDA context",
        "#   margin: 2.02 GiB",
        "#   host memory of a node: 2.00 GiB",
        "#   one step: 3.1–4.4 s; 7,400–11,000 tokens a second",
        "#   one epoch: 6.2–8.8 h, $3.1–4.4",
        "# Check it: tunesmith estimate --recipe FILE",
    ]


def test_more_passes_are_in_the_recipe_too(planned: Planned) -> None:
    """Three epochs asked for are three epochs trained; nothing else changes."""
    plans = planned()
    read = parse_recipe(recipe_text(plans, plans.plans[0], passes=3))
    assert read.training is not None and read.training.num_train_epochs == 3
    assert replace(read, training=None) == plans.plans[0].recipe


def test_a_name_cannot_leave_its_comment(planned: Planned) -> None:
    """A model's name with a line break adds no key."""
    plans = planned(model="x\nmethod: full\r\u2028seed: 1")
    assert parse_recipe(recipe_text(plans, plans.plans[0])) == plans.plans[0].recipe
