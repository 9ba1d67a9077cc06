"""Figures of a plan as text: intervals to two digits, for more would say more than is known."""

from __future__ import annotations

from math import floor, log10
from typing import Final

from tunesmith.recipe import Recipe
from tunesmith.report.words import Tell
from tunesmith.throughput import Interval, sharing_a_batch

_UNITS: Final = ((96.0, "d", "天", 1 / 24), (1.0, "h", "小时", 1.0), (1 / 60, "min", "分钟", 60.0))
"""From so many hours on, a unit in English and Chinese, and how many of it are an hour."""


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
    """Return a time given in hours, in the unit that suits it: days from four days on, down to seconds."""
    most = interval.high * passes
    for least, unit, unit_zh, factor in _UNITS:
        if most >= least:
            return f"{span(interval, passes * factor)}{t(f' {unit}', f' {unit_zh}')}"
    return f"{span(interval, passes * 3600)}{t(' s', ' 秒')}"


def usd(interval: Interval | None, t: Tell, passes: float = 1.0) -> str:
    """Return what it costs, or that no price is known of."""
    return t("no price", "无价格") if interval is None else f"${span(interval, passes)}"


def batch(recipe: Recipe) -> str:
    """Return micro-batch, accumulation and cards as factors, e.g. ``2 × 8 × 4``.

    Cards that see one batch together count once.
    """
    groups = recipe.hardware.world_size // sharing_a_batch(recipe)
    return f"{recipe.per_device_train_batch_size} × {recipe.gradient_accumulation_steps} × {groups}"


def sequences(recipe: Recipe) -> int:
    """Return the sequences of one optimizer step over all cards."""
    groups = recipe.hardware.world_size // sharing_a_batch(recipe)
    return recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps * groups


def epochs(passes: float, t: Tell) -> str:
    """Return how many passes over the data are meant."""
    return t("one epoch", "一轮") if passes == 1 else t(f"{passes:g} epochs", f"{passes:g} 轮")
