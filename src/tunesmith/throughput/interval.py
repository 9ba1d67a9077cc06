"""Interval: a figure that is known to lie between two others."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """The least and the most that a figure is expected to be.

    >>> Interval(1.0, 2.0) * 3
    Interval(low=3.0, high=6.0)
    """

    low: float
    """Least."""
    high: float
    """Most."""

    def __mul__(self, factor: object) -> Interval:  # type: ignore[override]
        if not isinstance(factor, (int, float)):
            return NotImplemented
        return Interval(self.low * factor, self.high * factor)

    __rmul__ = __mul__  # type: ignore[assignment]
