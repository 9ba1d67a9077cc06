"""Row numbers in few words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunesmith.report.findings.told import ranges


@given(st.sets(st.integers(0, 400), max_size=120), st.integers(1, 40))
def test_ranges_say_every_row_or_how_many_are_left(rows: set[int], most: int) -> None:
    """What is listed, read back, and what is left out are together all rows."""
    told, left = ranges(sorted(rows), most)
    read = [part.split("–") for part in told.split(", ") if part]
    assert len(read) <= most
    listed = {row for part in read for row in range(int(part[0]), int(part[-1]) + 1)}
    assert listed <= rows and len(listed) + left == len(rows)
