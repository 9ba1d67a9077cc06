"""Weighing: memory and time of every recipe of the space, and which of them nothing else beats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from tunesmith.memory.outline import Outline, Variation
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

    @property
    def middle_seconds(self) -> float:
        """Return the middle of the step time, by which recipes are compared."""
        return (self.seconds.low + self.seconds.high) / 2


Weigh = Callable[[Family, Variation], Weighed]
"""Weighs one recipe."""


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

    Times within two percent are as good as equal: between such recipes the truer one, then the smaller one,
    comes first. A goal of ``quality`` looks at fidelity first.
    """
    if not weighed:
        return []
    fastest = min(each.middle_seconds for each in weighed)

    def key(each: Weighed) -> tuple[float, ...]:
        times = each.middle_seconds / fastest
        class_of_time = round(50 * times) if times < 4 else round(5 * times) * 10
        if goal == "quality":
            return (-each.fidelity, class_of_time, each.process_bytes)
        return (class_of_time, -each.fidelity, each.process_bytes)

    return sorted(weighed, key=key)


__all__ = ["Outline", "Weigh", "Weighed", "fitting", "front", "ranked"]
