"""From what a step computes and moves to seconds, tokens a second, hours and money: intervals, never one figure.

interval.py  Interval
"""

from tunesmith.throughput.interval import Interval

__all__ = ["Interval"]
