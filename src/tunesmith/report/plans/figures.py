"""Figures of a plan as text: intervals to two digits, for more would say more than is known."""

from __future__ import annotations

from math import floor, log10

from tunesmith.recipe import Recipe
from tunesmith.report.words import Tell
from tunesmith.throughput import Interval


def span(interval: Interval, factor: float = 1.0) -> str:
    """Return *interval* times *factor* with two significant digits, as one figure where both ends agree.

    >>> span(Interval(4.123, 5.98)), span(Interval(5432.0, 7990.0)), span(Interval(0.0261, 0.0263))
    ('4.1–6.0', '5,400–8,000', '0.026')
    """
    low, high = (rounded(value * factor) for value in interval)
    return low if low == high else f"{low}–{high}"


def rounded(value: float) -> str:
    """Return *value* with two significant digits, and no power of ten.

    >>> rounded(1234.5), rounded(0.004567), rounded(9.96), rounded(0)
    ('1,200', '0.0046', '10', '0')
    """
    if value <= 0:
        return "0"
    places = 1 - floor(log10(value))
    nearest = round(value, places)
    return f"{nearest:,.{max(0, 1 - floor(log10(nearest)))}f}"


def hours(interval: Interval, t: Tell, passes: float = 1.0) -> str:
    """Return a time in hours; in minutes below one hour, in days above four."""
    for unit, zh, size in (("d", " 天", 24.0), ("h", " 小时", 1.0)):
        if interval.high * passes >= (96.0 if unit == "d" else 1.0):
            return f"{span(interval, passes / size)}{t(f' {unit}', zh)}"
    return f"{span(interval, passes * 60)}{t(' min', ' 分钟')}"


def usd(interval: Interval | None, t: Tell, passes: float = 1.0) -> str:
    """Return what it costs, or that no price is known of."""
    return t("no price", "无价格") if interval is None else f"${span(interval, passes)}"


def batch(recipe: Recipe) -> str:
    """Return micro-batch, accumulation and cards as factors, e.g. ``2 × 8 × 4``."""
    cards = recipe.hardware.world_size
    return f"{recipe.per_device_train_batch_size} × {recipe.gradient_accumulation_steps} × {cards}"


def sequences(recipe: Recipe) -> int:
    """Return the sequences of one optimizer step over all cards."""
    return (
        recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps * recipe.hardware.world_size
    )


def epochs(passes: float, t: Tell) -> str:
    """Return how many passes over the data are meant."""
    return t("one epoch", "一轮") if passes == 1 else t(f"{passes:g} epochs", f"{passes:g} 轮")
