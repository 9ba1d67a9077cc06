"""Sample: spread over the whole file, whatever the batches."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tunesmith.checks.sample import Sample
from tunesmith.data.turns import SCHEMA, Batch


def batch(first: int, last: int) -> Batch:
    turns = [
        line
        for row in range(first, last)
        for line in (
            (row, row + 1, 0, 0, "user", f"q{row}", False),
            (row, row + 1, 0, 1, "assistant", f"a{row}", True),
        )
    ]
    return Batch(
        rows=range(first, last), turns=pl.DataFrame(turns, schema=SCHEMA, orient="row"), faults=(), share=1.0
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 300), st.integers(1, 40), st.sets(st.integers(1, 299), max_size=4))
def test_batches_make_no_difference(rows: int, most: int, cuts: set[int]) -> None:
    """As many rows as there may be, each with its own texts, and the same in one batch or many."""
    whole, parts = Sample(most), Sample(most)
    whole.see(batch(0, rows))
    bounds = [0, *sorted(cut for cut in cuts if cut < rows), rows]
    for first, last in pairwise(bounds):
        parts.see(batch(first, last))
    assert whole.rows.equals(parts.rows)
    assert whole.rows.height == min(rows, most)
    assert all(f"a{row}" == answer for row, answer in whole.rows.select("row", "answer").iter_rows())


def test_the_sample_is_spread_evenly() -> None:
    """Of every tenth of the file a tenth of the sample, within two rows."""
    sample = Sample(100)
    sample.see(batch(0, 5_000))
    tenths = (sample.rows["row"] // 500).value_counts()["count"]
    assert tenths.len() == 10 and 8 <= tenths.min() <= tenths.max() <= 12  # type: ignore[operator]
