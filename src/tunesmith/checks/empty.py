"""empty: rows that ask nothing, or answer nothing.

*Why it matters.* An empty answer teaches the model to stop at once; an empty question teaches it to talk
unasked. *Known limits.* A message that only calls a tool says its call, and a tool may answer with nothing.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tunesmith.checks.check import Check, Flagged
from tunesmith.checks.finding import Finding
from tunesmith.data.turns import Batch
from tunesmith.units import counted

_SAYS: Final = r"[^\s\p{Z}\p{C}]"
"""Anything that can be seen."""


class Empty(Check):
    """Flags rows in which a learned message, or the last question before it, has no text that can be seen."""

    name = "empty"

    def __init__(self) -> None:
        self._flagged = Flagged()

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        blank = ~pl.col("text").str.contains(_SAYS)
        learns = pl.col("learned") | (pl.col("role") == "user")
        self._flagged.add(
            batch.turns.filter(blank & learns).select(
                "row",
                "line",
                note=pl.format("the text of {} is empty", "role"),
                note_zh=pl.format("{} 的文字为空", "role"),
            )
        )

    def finding(self) -> Finding | None:
        """Return the rows that say nothing."""
        if not self._flagged:
            return None
        rows = self._flagged.rows
        return Finding(
            check=self.name,
            severity="error",
            rows=rows,
            message=f"{counted(len(rows), 'row')} with a question or an answer without text.",
            message_zh=f"{len(rows):,} 行的问题或回答没有文字。",
            fix="Fill in the text, or leave the rows out.",
            fix_zh="补上文字，或去掉这些行。",
            evidence=self._flagged.evidence,
            drop=rows,
        )
