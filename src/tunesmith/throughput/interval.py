"""Interval: a figure that is known to lie between two others."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """The least and the most that a figure is expected to be.

    >>> Interval(1.0, 2.0).times(3)
    Interval(low=3.0, high=6.0)
    """

    low: float
    """Least."""
    high: float
    """Most."""

    def times(self, factor: float) -> Interval:
        """Return the interval of the figure multiplied by *factor*, which is not negative."""
        return Interval(self.low * factor, self.high * factor)
