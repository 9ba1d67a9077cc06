"""Tokens a second, hours and money: intervals that turn over where they must."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunesmith.hardware import Cluster, gpu
from tunesmith.hardware.prices import Price
from tunesmith.recipe import Recipe
from tunesmith.throughput import Interval, run_hours, run_usd, tokens_per_second, tokens_per_step

PAIR = Cluster(gpu=gpu("A100-80GB"), gpus=2)


def recipe(**changes: Any) -> Recipe:
    """Return a recipe; what is trained does not matter here."""
    return Recipe.from_mapping({"model": "gpt2", "sequence_length": 1024, **changes})


def price(usd: float, kind: str = "cloud", card: str = "A100-80GB") -> Price:
    """Return a listed price."""
    return Price(card=card, provider="a cloud", kind=kind, usd_per_hour=usd, date="2026-01-01", source="here")


def test_a_step_is_all_rows_of_all_cards() -> None:
    """Batch, accumulation, length and cards multiply."""
    chosen = recipe(per_device_train_batch_size=3, gradient_accumulation_steps=5)
    assert tokens_per_step(PAIR, chosen) == 3 * 5 * 1024 * 2


def test_the_longest_step_gives_the_fewest_tokens() -> None:
    """Tokens a second fall as seconds rise, so the ends change places."""
    assert tokens_per_second(Interval(1.0, 2.0), PAIR, recipe()) == Interval(1024.0, 2048.0)


def test_a_last_step_that_is_not_full_takes_as_long_as_another() -> None:
    """2,049 tokens in steps of 2,048 are two steps."""
    assert run_hours(Interval(1800.0, 3600.0), PAIR, recipe(), tokens=2049) == Interval(1.0, 2.0)


def test_money_spans_hours_and_prices() -> None:
    """From the fewest hours at the lowest price to the most at the highest, for every card."""
    listed = {"A100-80GB": (price(1.0), price(3.0), price(0.1, "marketplace"), price(9.0, "hyperscaler"))}
    assert run_usd(Interval(1.0, 2.0), PAIR, listed) == Interval(2.0, 12.0)


def test_without_a_price_there_is_no_cost() -> None:
    """A card that nobody lists costs nothing that could be said."""
    assert run_usd(Interval(1.0, 2.0), PAIR, {}) is None


@given(st.floats(0.01, 1e4), st.floats(1.0, 3.0), st.integers(1, 10**12))
def test_ends_stay_in_order(low: float, factor: float, tokens: int) -> None:
    """Every figure keeps its lower end lower."""
    step = Interval(low, low * factor)
    hours = run_hours(step, PAIR, recipe(), tokens=tokens)
    usd = run_usd(hours, PAIR, {"A100-80GB": (price(2.0),)})
    assert usd is not None
    for each in (tokens_per_second(step, PAIR, recipe()), hours, usd):
        assert each.low <= each.high
    assert hours.low * 3600 / low == pytest.approx(-(-tokens // tokens_per_step(PAIR, recipe())))
