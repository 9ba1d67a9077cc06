"""An interval is two figures that serialise as a pair."""

from __future__ import annotations

import json

from tunesmith.throughput import Interval


def test_an_interval_is_a_pair_in_json() -> None:
    """It is written as [low, high]."""
    assert json.dumps(Interval(1.5, 2.5)) == "[1.5, 2.5]"


def test_a_multiple_scales_both_ends() -> None:
    """Ten times an interval is ten times each end."""
    assert Interval(1.0, 2.0).times(10) == Interval(10.0, 20.0)
