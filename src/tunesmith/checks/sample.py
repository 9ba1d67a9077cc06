"""Sample: some rows of a file of any length, spread over all of it and the same at every run.

A row is in the sample if its number, mixed, is among the smallest: Knuth's multiplicative hash (The Art of
Computer Programming, volume 3, section 6.4), which spreads consecutive numbers evenly. So one pass is enough,
and the sample of a file's beginning is not thrown away when the file turns out to be long.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from tunesmith.data.turns import Batch

MULTIPLIER: Final = 2_654_435_761
"""The prime next to 2**32 over the golden ratio."""
SPAN: Final = 1 << 32
"""What mixed numbers are taken modulo of."""
ROWS: Final = 2_000
"""Rows of a sample: a share of a half is known to 2 points with 95 % confidence."""
CHARACTERS: Final = 2_000
"""Characters that are kept of a question and of an answer."""


def mixed(row: str = "row") -> pl.Expr:
    """Return the column of row numbers mixed, so that the smallest are a sample."""
    return (pl.col(row).cast(pl.UInt64) * MULTIPLIER) % SPAN


class Sample:
    """Keeps *most* rows of those that it sees: their last answer, and what came before it."""

    def __init__(self, most: int = ROWS) -> None:
        self._most = most
        self._bound = SPAN
        self._kept: pl.DataFrame | None = None

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        turns = batch.turns.filter((pl.col("side") == 0) & (mixed() < self._bound))
        if turns.is_empty():
            return
        pairs = replace(batch, turns=turns).pairs.filter(pl.col("answer").is_not_null())
        some = pairs.select(
            "row",
            "line",
            pl.col("asked").fill_null("").str.tail(CHARACTERS),
            pl.col("answer").str.head(CHARACTERS),
            key=mixed(),
        )
        both = some if self._kept is None else pl.concat([self._kept, some])
        self._kept = both.bottom_k(self._most, by="key") if both.height > self._most else both
        if self._kept.height == self._most:
            self._bound = int(self._kept["key"].max()) + 1  # type: ignore[arg-type]

    @property
    def rows(self) -> pl.DataFrame:
        """Return the sample in the order of the file: ``row, line, asked, answer``."""
        if self._kept is None:
            text = dict.fromkeys(("asked", "answer"), pl.String)
            return pl.DataFrame(schema={"row": pl.UInt32, "line": pl.UInt32, **text})
        return self._kept.sort("row").drop("key")
