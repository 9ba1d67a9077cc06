"""leakage: rows that stand in an evaluation set.

*Why it matters.* A model that was trained on its test repeats it by heart, and the score says nothing of what
it can do (Brown et al. 2020, arXiv 2005.14165, appendix C; Sainz et al. 2023, "NLP Evaluation in Trouble",
arXiv 2310.18018). The sets are those that are given, and the rows whose fingerprints are saved as
``heldout.json`` beside the data; :mod:`tunesmith.data.heldout` says by which published rules a row counts.
*Known limits.* A question that is put in other words, or in another language, is not found; nor is a short
one of which a word was changed.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Final

import polars as pl

from tunesmith.checks.check import SHOWN, Asked, Check, Flagged
from tunesmith.checks.finding import Finding
from tunesmith.data.files import shown
from tunesmith.data.heldout import Heldout
from tunesmith.data.manifest import DataFile
from tunesmith.data.turns import Batch
from tunesmith.errors import DataError
from tunesmith.units import counted

BESIDE: Final = "heldout.json"
"""The fingerprints beside the data, which are honoured without being told of."""
_NONE: Final = "No evaluation set was given. Name one with --against FILE."
_HOW: Final = {
    "asked": ("asks what row {} of {} asks", "与 {1} 第 {0} 行的问题相同"),
    "turn": ("a turn asks what row {} of {} asks", "某一轮与 {1} 第 {0} 行的问题相同"),
    "runs": ("{:.0%} of a text of row {} of {}", "含 {2} 第 {1} 行文字的 {0:.0%}"),
}
"""How a row was found to hold a held-out one, in English and in Chinese."""


class Leakage(Check):
    """Flags rows that hold what a held-out row asks or answers."""

    name = "leakage"
    cheap = False

    def __init__(self, heldout: Heldout) -> None:
        self._heldout = heldout
        self._ends = list(accumulate(source.rows or 0 for source in heldout.sources))
        self._flagged = Flagged()
        self._held: set[int] = set()

    @classmethod
    def of(cls, asked: Asked) -> Check | str:
        """Return the check with what is held out; or that nothing is.

        Raises DataError where an evaluation set cannot be read, or is the file that is checked.
        """
        for each in asked.against:
            if each.exists() and asked.path.exists() and each.samefile(asked.path):
                raise DataError(f"{shown(each)} is the data itself. Name another file as evaluation set.")
        sets = list(asked.against)
        beside = asked.path.resolve().with_name(BESIDE)
        if beside.exists() and not _is_held(asked.path, beside):
            sets.append(beside)
        return cls(Heldout.of(sets)) if sets else _NONE

    def see(self, batch: Batch) -> None:
        """Look at some rows."""
        found = self._heldout.found_in(batch.turns)
        if found.is_empty():
            return
        self._held.update(found["held"])
        first = found.head(SHOWN)
        notes = [
            self._note(held, how, share) for held, how, share in first.select("held", "how", "share").rows()
        ]
        told = first.select("row", "line").with_columns(
            note=pl.Series([note for note, _ in notes]), note_zh=pl.Series([note for _, note in notes])
        )
        self._flagged.add(told.join(_excerpt(batch), on="row", how="left", maintain_order="left"))
        self._flagged.add(found.select("row", "line"))

    def _note(self, held: int, how: str, share: float) -> tuple[str, str]:
        """Return in words what row *held* of all the sets has to do with a row."""
        source = bisect_right(self._ends, held)
        first = self._ends[source - 1] if source else 0
        told = (held - first, shown(Path(Path(self._heldout.sources[source].path).name)))
        english, chinese = (text.format(*((share, *told) if how == "runs" else told)) for text in _HOW[how])
        return english, chinese

    def finding(self) -> Finding | None:
        """Return the rows that stand in an evaluation set."""
        if not self._flagged:
            return None
        rows = self._flagged.rows
        held = counted(len(self._held), "row")
        return Finding(
            check=self.name,
            severity="error",
            rows=rows,
            message=f"{counted(len(rows), 'row')} with the question or the answer of {held} held out.",
            message_zh=f"{len(rows):,} 行含有留出的 {len(self._held):,} 行评测数据的问题或回答。",
            fix="Leave these rows out, or the evaluation measures what was learned by heart.",
            fix_zh="去掉这些行，否则评测只衡量死记硬背。",
            evidence=self._flagged.evidence,
            drop=rows,
        )


def _is_held(path: Path, beside: Path) -> bool:
    """Return whether *path* is one of the files whose rows are held out: it is checked as any other."""
    sources = [each for each in Heldout.load(beside).sources if Path(each.path).name == path.name]
    return bool(sources) and DataFile.of(path).sha256 in {each.sha256 for each in sources}


def _excerpt(batch: Batch) -> pl.DataFrame:
    """Return what each row asks, or says where it asks nothing: ``row, text``."""
    pairs = batch.pairs.unique("row", keep="first", maintain_order=True)
    asks = pl.col("asked").fill_null("") != ""
    return pairs.select("row", text=pl.when(asks).then("asked").otherwise("answer").fill_null(""))
