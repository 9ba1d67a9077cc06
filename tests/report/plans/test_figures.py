"""Figures of a plan: two digits, ends that are never swapped, units that fit."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.recipe import Recipe
from tunesmith.report.plans.figures import batch, epochs, hours, rounded, sequences, span, usd
from tunesmith.report.words import tell
from tunesmith.throughput import Interval

FIGURES = st.floats(1e-6, 1e12)
EN, ZH = tell("en"), tell("zh")


@given(FIGURES)
def test_a_rounded_figure_is_within_five_percent(figure: float) -> None:
    """Two significant digits change a figure by at most a twentieth, and no exponent is written."""
    text = rounded(figure)
    assert "e" not in text
    assert isclose(float(text.replace(",", "")), figure, rel_tol=0.0501)


@given(st.tuples(FIGURES, FIGURES))
def test_an_interval_never_becomes_a_smaller_one_than_its_digits_show(ends: tuple[float, float]) -> None:
    """The text begins with the lower end and ends with the higher one."""
    low, high = sorted(ends)
    first, _, last = span(Interval(low, high)).partition("–")
    assert first == rounded(low)
    assert (last or first) == rounded(high)


@pytest.mark.parametrize(
    ("interval", "en", "zh"),
    [
        (Interval(0.005, 0.01), "18–36 s", "18–36 秒"),
        (Interval(0.2, 0.4), "12–24 min", "12–24 分钟"),
        (Interval(0.8, 1.4), "0.80–1.4 h", "0.80–1.4 小时"),
        (Interval(3.0, 3.0), "3.0 h", "3.0 小时"),
        (Interval(96.0, 240.0), "4.0–10 d", "4.0–10 天"),
    ],
)
def test_a_time_has_the_unit_that_suits_it(interval: Interval, en: str, zh: str) -> None:
    """Seconds below a minute, minutes below an hour, days above four."""
    assert (hours(interval, EN), hours(interval, ZH)) == (en, zh)


def test_several_passes_take_as_many_times_as_long_and_cost_as_much_more() -> None:
    """Hours and dollars are multiplied by the passes over the data."""
    assert hours(Interval(1.0, 2.0), EN, 3) == "3.0–6.0 h"
    assert usd(Interval(1.0, 2.0), EN, 3) == "$3.0–6.0"
    assert usd(None, ZH, 3) == "无价格"
    assert (epochs(1, EN), epochs(2.5, EN), epochs(3, ZH)) == ("one epoch", "2.5 epochs", "3 轮")


def test_a_batch_is_the_product_of_its_factors() -> None:
    """Micro-batch, accumulation and all cards of all nodes make the sequences of a step."""
    recipe = Recipe(model="gpt2", per_device_train_batch_size=2, gradient_accumulation_steps=4)
    recipe = recipe.replace(**{"hardware.gpus": 8, "hardware.nodes": 2})
    assert batch(recipe) == "2 × 4 × 16"
    assert sequences(recipe) == 128


def test_cards_that_see_one_batch_count_once() -> None:
    """Eight cards of which four split each sequence take two sequences at a time."""
    grid = {"sharding": "fsdp", "parallel": {"context": 4}, "hardware": {"gpus": 8}}
    recipe = Recipe.from_mapping({"model": "gpt2", "gradient_accumulation_steps": 3} | grid)
    assert batch(recipe) == "1 × 3 × 2"
    assert sequences(recipe) == 6
