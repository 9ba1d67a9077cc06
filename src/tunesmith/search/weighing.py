"""Weighing: memory and time of every recipe of the space, and which of them nothing else beats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tunesmith.memory.outline import Variation
from tunesmith.search.space import Family
from tunesmith.throughput import Interval


class Weighed(NamedTuple):
    """One recipe of the space, weighed but not yet traced."""

    family: Family
    """Its family."""
    variation: Variation
    """Its variation."""
    process_bytes: int
    """What one card needs, by the outline."""
    seconds: Interval
    """One optimizer step of the whole batch."""
    fidelity: int
    """How close to full fine-tuning in 32 bits."""
    steps: float = 1.0
    """Steps for the same data, over those without packing."""

    @property
    def middle_seconds(self) -> float:
        """Return the middle of the time for as much data as one step without packing, to compare recipes."""
        return self.steps * (self.seconds.low + self.seconds.high) / 2


NOT_KNOWN_APART: Final = 1.1
"""Times of two methods that differ by less are not known to differ.

Computed times miss published ones that were held out by 9 % at the median (docs/throughput.md).
"""


def fitting(weighed: Iterable[Weighed], available_bytes: int) -> list[Weighed]:
    """Return the recipes that need at most *available_bytes*."""
    return [each for each in weighed if each.process_bytes <= available_bytes]


def front(weighed: Iterable[Weighed]) -> Iterator[Weighed]:
    """Yield the recipes that no other beats in memory, time and fidelity at once, the fastest first."""
    least: dict[int, int] = {}
    order = sorted(weighed, key=lambda each: (each.middle_seconds, each.process_bytes, -each.fidelity))
    for each in order:
        beaten = any(size <= each.process_bytes for level, size in least.items() if level >= each.fidelity)
        if not beaten:
            least[each.fidelity] = each.process_bytes
            yield each


def ranked(weighed: Sequence[Weighed], goal: str) -> list[Weighed]:
    """Return the recipes, the best for *goal* first.

    Methods whose best times differ by less than times are known to are as good as equal, and the truer one
    comes first. Of one method times within two percent are equal: then the truer recipe, then one by sdpa,
    which needs no further package, then the smaller one, comes first. A goal of ``quality`` looks at fidelity
    before all.
    """
    if not weighed:
        return []
    fastest: dict[str, float] = {}
    truest: dict[str, int] = {}
    for each in weighed:
        name = each.family.name
        fastest[name] = min(fastest.get(name, each.middle_seconds), each.middle_seconds)
        truest[name] = max(truest.get(name, each.fidelity), each.fidelity)
    least = min(fastest.values())

    def key(each: Weighed) -> tuple[float, ...]:
        name = each.family.name
        class_of_time = round(50 * each.middle_seconds / fastest[name])
        if goal == "quality":
            return (-each.fidelity, each.middle_seconds, each.process_bytes)
        behind = fastest[name] / least
        class_of_method = 0.0 if behind <= NOT_KNOWN_APART else behind
        package = bool(each.family.attention)
        return (class_of_method, -truest[name], class_of_time, -each.fidelity, package, each.process_bytes)

    return sorted(weighed, key=key)
