"""From what a step computes and moves to seconds, tokens a second, hours and money, each an interval.

interval.py  Interval
"""

from tunesmith.throughput.interval import Interval

__all__ = ["Interval"]
