"""A scale of a chart: where a figure lies, in proportion or, if figures differ much, by its logarithm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

_WIDE: Final = 7.0
"""From this ratio of the largest to the smallest figure on a scale is logarithmic."""
_DENSE: Final = (1, 1.5, 2, 3, 4, 6, 8)
_SPARSE: Final = (1, 2, 5)
"""Digits that are marked in a decade of a logarithmic scale."""
_DECADE_AND_MORE: Final = 25.0
"""From this ratio of its ends on a logarithmic scale is marked sparsely."""
_TICKS: Final = 8
"""No more marks than these on a scale in proportion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """Figures from *low* to *high* on pixels from *start* to *end*."""

    low: float
    """Figure at ``start``."""
    high: float
    """Figure at ``end``."""
    start: float
    """First pixel."""
    end: float
    """Last pixel, which may lie before the first."""
    logarithmic: bool
    """Whether equal ratios are equally far apart."""

    @classmethod
    def over(cls, figures: Sequence[float], *, start: float, end: float, from_zero: bool) -> Scale:
        """Return the scale that holds all *figures*, which are positive, with room at both ends.

        One in proportion begins *from_zero*, or a little below the least.
        """
        low, high = min(figures), max(figures)
        logarithmic = high / low >= _WIDE
        if logarithmic:
            return cls(low=low / 1.25, high=high * 1.25, start=start, end=end, logarithmic=True)
        room = 0.1 * (high if from_zero or low == high else high - low)
        least = 0.0 if from_zero else max(0.0, low - room)
        return cls(low=least, high=high + room, start=start, end=end, logarithmic=False)

    def at(self, figure: float) -> float:
        """Return the pixel of *figure*."""
        if self.logarithmic:
            share = log10(figure / self.low) / log10(self.high / self.low)
        else:
            share = (figure - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """Yield round figures to mark, about eight of them."""
        if self.logarithmic:
            digits = _DENSE if self.high / self.low < _DECADE_AND_MORE else _SPARSE
            for power in range(floor(log10(self.low)), ceil(log10(self.high)) + 1):
                marks = (digit * 10.0**power for digit in digits)
                yield from (mark for mark in marks if self.low <= mark <= self.high)
            return
        reach = self.high - self.low
        step = next(
            digit * 10.0**power
            for power in range(floor(log10(reach)) - 2, floor(log10(reach)) + 2)
            for digit in (1, 2, 5)
            if reach <= _TICKS * digit * 10.0**power
        )
        yield from (step * index for index in range(ceil(self.low / step), floor(self.high / step) + 1))
