"""Tokens a second, hours and money of a whole run, from the time of one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunesmith.hardware import Cluster
from tunesmith.hardware.prices import Price, usd_per_hour
from tunesmith.recipe import Recipe
from tunesmith.throughput.interval import Interval


def tokens_per_step(cluster: Cluster, recipe: Recipe) -> int:
    """Return the tokens that all cards together see in one optimizer step, padding included.

    Cards that split layers or sequences see one batch together.
    """
    rows = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    return rows * recipe.sequence_length * cluster.cards // sharing_a_batch(recipe)


def sharing_a_batch(recipe: Recipe) -> int:
    """Return how many cards see one batch together.

    Trainer.get_total_train_batch_size() of huggingface/transformers@v5.23.0:src/transformers/trainer.py.
    """
    parallel = recipe.parallel
    return 1 if parallel is None else parallel.tensor * parallel.context * parallel.pipeline


def tokens_per_second(step: Interval, cluster: Cluster, recipe: Recipe) -> Interval:
    """Return the tokens that all cards together see in a second, from *step*, the seconds of one step."""
    tokens = tokens_per_step(cluster, recipe)
    return Interval(tokens / step.high, tokens / step.low)


def run_hours(step: Interval, cluster: Cluster, recipe: Recipe, *, tokens: float) -> Interval:
    """Return the hours for *tokens*, padding included, from *step*, the seconds of one step."""
    steps = max(1, -(-tokens // tokens_per_step(cluster, recipe)))
    return step.times(steps / 3600)


def run_usd(hours: Interval, cluster: Cluster, prices: Mapping[str, Sequence[Price]]) -> Interval | None:
    """Return what *hours* of all cards cost, or None where no price of the card is known.

    From the fewest hours at the lowest price to the most hours at the highest; see ``hardware.prices``.
    """
    rates = usd_per_hour(prices.get(cluster.gpu.name, ()))
    if rates is None:
        return None
    low, high = rates
    return Interval(hours.low * cluster.cards * low, hours.high * cluster.cards * high)
