"""untrained: rows from which nothing is learned.

*Why it matters.* Only what the assistant says is learned, so a chat without an answer costs time and teaches
nothing; a batch of such rows alone makes the loss of a step 0/0. *Known limits.* That an answer is cut off
because the row is too long is found by too_long.
"""

from __future__ import annotations

import polars as pl

from tunesmith.checks.check import Check, Flagged
from tunesmith.checks.finding import Finding
from tunesmith.data.turns import Batch
from tunesmith.units import counted


class Untrained(Check):
    """Flags rows in which no turn is learned."""

    name = "untrained"

    def __init__(self) -> None:
        self._flagged = Flagged()

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        turns = batch.turns
        if turns["learned"].all():
            return
        rows = turns.group_by("row", "side", maintain_order=True).agg(
            pl.col("line").first(), pl.col("learned").any(), spoken=(pl.col("role") == "assistant").any()
        )
        spoken = pl.col("spoken")
        self._flagged.add(
            rows.filter(~pl.col("learned")).select(
                "row",
                "line",
                note=pl.when(spoken)
                .then(pl.lit("every answer is marked as not learned"))
                .otherwise(pl.lit("no turn is the assistant's")),
                note_zh=pl.when(spoken)
                .then(pl.lit("所有回答都标为不训练"))
                .otherwise(pl.lit("没有助手的发言")),
            )
        )

    def finding(self) -> Finding | None:
        """Return the rows that teach nothing."""
        if not self._flagged:
            return None
        rows = self._flagged.rows
        return Finding(
            check=self.name,
            severity="error",
            rows=rows,
            message=f"{counted(len(rows), 'row')} from which nothing is learned.",
            message_zh=f"{len(rows):,} 行没有任何可训练的内容。",
            fix="Give the answer its role (assistant, gpt), or leave the rows out.",
            fix_zh="为回答标上助手角色（assistant、gpt），或去掉这些行。",
            evidence=self._flagged.evidence,
            drop=rows,
        )
