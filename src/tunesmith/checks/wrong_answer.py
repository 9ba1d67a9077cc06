"""wrong_answer: answers that are wrong, where it takes no knowledge of the world to see it.

*Why it matters.* A model that is shown wrong sums learns to get sums wrong, and one that is shown prose where
JSON was asked for writes prose; what can be verified should be, since nobody reads every row (Northcutt et
al. 2021, "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks", arXiv 2103.14749).
Looked at are sums that are asked, statements of arithmetic within answers, and forms that a question demands.
*Known limits.* A wrong step in words is not seen, nor a rounding that is off by one in its last place. A
statement is passed over where a letter, a unit or a word may belong to it, where the answer says that it is
wrong, and where the question makes it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tunesmith.checks.answer_format import missed
from tunesmith.checks.check import Check, Flagged
from tunesmith.checks.equations import wrong_equations
from tunesmith.checks.finding import Finding
from tunesmith.checks.said import said
from tunesmith.checks.sums import MOST_ASKED, wrong_sum
from tunesmith.data.turns import Batch
from tunesmith.units import counted

_STATES: Final = r"[0-9０-９)）%}]\s*\$?\s*[=<>＝≤≥]\s*[-−$€£¥￥(（\\]{0,3}\s*[0-9０-９.]"
"""What may be a statement of arithmetic: a relation between digits."""
_OPERATES: Final = r"[-+*/^×÷−∕·⋅–xX%％＋]|\\(?:times|cdot|div|frac)"
_ASKS: Final = (
    r"[0-9０-９)）]\s*(?:[-+*/^×÷−∕·xX%<>=＝＋]|mod|to the power|squared|cubed)"
    r"|(?i)(?-u:\b)(?:plus|minus|times|divided by|multiplied by)(?-u:\b)"
    r"|[0-9零一二两三四五六七八九十百千万]\s*(?:加|减|乘|除以|的平方|的立方|的[0-9]+次方)"
)
"""What may be a sum."""


class WrongAnswer(Check):
    """Flags rows whose answer can be seen to be wrong."""

    name = "wrong_answer"
    cheap = False

    def __init__(self) -> None:
        self._flagged = Flagged()

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        rows = said(batch.turns, rejected=False)
        found = pl.concat([_sums(rows), _statements(batch.turns, rows), missed(rows)])
        self._flagged.add(found.unique("row", keep="first", maintain_order=True).sort("row"))

    def finding(self) -> Finding | None:
        """Return the rows that are wrong."""
        if not self._flagged:
            return None
        rows = self._flagged.rows
        return Finding(
            check=self.name,
            severity="error",
            rows=rows,
            message=f"{counted(len(rows), 'row')} with a wrong result, or not in the form that is asked for.",
            message_zh=f"{len(rows):,} 行的计算结果有误，或回答不符合要求的格式。",
            fix="Correct the answers, or leave the rows out.",
            fix_zh="改正回答，或去掉这些行。",
            evidence=self._flagged.evidence,
            drop=rows,
        )


def _table(found: list[tuple[int, int, str, str, str]]) -> pl.DataFrame:
    schema = {"row": pl.UInt32, "line": pl.UInt32, "text": pl.String, "note": pl.String, "note_zh": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


def _sums(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that ask for a sum and answer another."""
    asks = (pl.col("asked").str.len_chars() <= MOST_ASKED) & pl.col("asked").str.contains(_ASKS)
    found = []
    for row, line, asked, answer in rows.filter(asks).select("row", "line", "asked", "answer").iter_rows():
        if right := wrong_sum(asked, answer):
            found.append((row, line, f"{asked} → {answer[:80]}", f"it is {right}", f"应为 {right}"))
    return _table(found)


def _statements(turns: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in which something learned states wrong arithmetic."""
    text = pl.col("text")
    some = turns.filter(
        pl.col("learned") & (pl.col("side") == 0) & text.str.contains(_STATES) & text.str.contains(_OPERATES)
    )
    found = []
    both = some.join(rows.select("row", "asked"), on="row", how="left", maintain_order="left")
    for row, line, said_, asked in both.select(
        "row", "line", "text", pl.col("asked").fill_null("")
    ).iter_rows():
        wrong = next(wrong_equations(said_, known=asked), None)
        if wrong is not None:
            note = f"it is {wrong.right}" if wrong.right else "it is not so"
            note_zh = f"应为 {wrong.right}" if wrong.right else "并不成立"
            found.append((row, line, wrong.text, note, note_zh))
    return _table(found)
