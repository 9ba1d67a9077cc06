"""Said: what each row asks and answers, as two texts, and the same once more for a few rows of a file.

A check that compares rows keeps numbers while it reads, and reads again what the numbers put together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from tunesmith.checks.check import Asked
from tunesmith.data.scanning import scan


def said(turns: pl.DataFrame, *, rejected: bool = True) -> pl.DataFrame:
    """Return one line a row: ``row, line, asked, answer``; what the system is told is left out.

    ``answer`` is the last turn of the assistant, of a preference those of both sides or, without *rejected*,
    of the chosen one; or the plain text. ``asked`` is all before it. Either may be empty.
    """
    if not rejected:
        turns = turns.filter(pl.col("side") == 0)
    role, text = pl.col("role"), pl.col("text")
    speaks = role.is_in(["assistant", "text"])
    last = pl.when(speaks).then(pl.col("turn")).max().over("row", "side")
    some = turns.filter(role != "system").with_columns(ends=pl.col("turn") == last)
    ends = pl.col("ends").fill_null(False)
    return some.group_by("row", "line", maintain_order=True).agg(
        asked=text.filter((pl.col("side") == 0) & ~ends).str.join("\n"),
        answer=text.filter(ends).str.join("\n"),
    )


def said_again(asked: Asked, rows: Sequence[int], *, rejected: bool = True) -> Iterator[pl.DataFrame]:
    """Yield what *rows* of the file say, as ``said`` returns it, a batch at a time; the file is read anew."""
    wanted = pl.Series("row", sorted(rows), dtype=pl.UInt32)
    if wanted.is_empty():
        return
    last = int(wanted[-1])
    for batch in scan(asked.path, asked.form):
        some = batch.turns.filter(pl.col("row").is_in(wanted.implode()))
        if some.height:
            yield said(some, rejected=rejected)
        if batch.rows.stop > last:
            return
