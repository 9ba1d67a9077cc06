"""Likeness: rows that say nearly the same, as groups that a split must not part.

Rows are alike that ask the same (word for word, :mod:`~tunesmith.data.words`), or whose words agree by
MinHash (Broder 1997, "On the resemblance and containment of documents"): BANDS bands of BAND_ROWS minima over
runs of RUN_WORDS words find two rows whose sets of runs have the Jaccard likeness s with the probability
1 - (1 - s**BAND_ROWS)**BANDS (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.2): 4 %
of pairs at 0.3, 73 % at 0.6, 99.8 % at 0.8. A group is whatever hangs together by such pairs.

Every row keeps BANDS + 1 numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from tunesmith.data.words import mixed, runs, whole_texts, words

RUN_WORDS: Final = 3
"""Words of a run; a text of fewer is one run as a whole."""
BANDS: Final = 16
"""Bands of minima, any of which may agree."""
BAND_ROWS: Final = 5
"""Minima of a band, all of which must agree."""

_KEYS: Final = tuple(f"band{index}" for index in range(BANDS))


def fingerprints(turns: pl.DataFrame) -> pl.DataFrame:
    """Return one line a row: ``row, asked, band0 ... band15``, by which rows are grouped."""
    role, text = pl.col("role"), pl.col("text")
    rows = (
        turns.filter(pl.col("role") != "system")
        .group_by("row", maintain_order=True)
        .agg(asked=text.filter(role.is_in(["user", "text"])).str.join("\n"), said=text.str.join("\n"))
    )
    table = words(rows["said"])
    asked = whole_texts(words(rows["asked"]), rows.height).alias("asked")
    whole = whole_texts(table, rows.height).fill_null(0).to_numpy()
    return rows.select("row").with_columns(asked, *_bands(runs(table, RUN_WORDS), whole))


def _bands(some: pl.DataFrame, whole: npt.NDArray[np.uint64]) -> list[pl.Series]:
    """Return the bands of every text; a text without a run is its own *whole* hash."""
    text, run = some["text"].to_numpy(), some["run"].to_numpy()
    starts = np.flatnonzero(np.diff(text, prepend=-1)) if len(text) else np.zeros(0, dtype=np.int64)
    bands = []
    for band in range(BANDS):
        key = mixed(whole + np.uint64(band))
        total = np.zeros(len(starts), dtype=np.uint64)
        for index in range(BAND_ROWS if len(starts) else 0):
            seed = np.array([band * BAND_ROWS + index + 1], dtype=np.uint64)
            factor = mixed(seed) | np.uint64(1)
            total = mixed(total + np.minimum.reduceat(run * factor, starts))
        key[text[starts]] = total
        bands.append(pl.Series(_KEYS[band], key))
    return bands


def groups(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return ``row, group`` for all rows of *parts*, made by ``fingerprints``; a group is its first row."""
    every = pl.concat(parts).with_row_index("place")
    label = np.arange(every.height)
    edges = [_edges(every, key) for key in ("asked", *_KEYS)]
    changed = True
    while changed:
        before = label.copy()
        for place, first in edges:
            np.minimum.at(label, first, label[place])
            np.minimum.at(label, place, label[first])
        label = label[label]
        changed = not np.array_equal(before, label)
    rows = every["row"]
    return pl.DataFrame({"row": rows, "group": rows.gather(pl.Series(label, dtype=pl.UInt32))})


Places = npt.NDArray[np.int64]


def _edges(every: pl.DataFrame, key: str) -> tuple[Places, Places]:
    """Return the rows that have the same *key* as an earlier row, and the first row that has it."""
    known = every.select("place", key).filter(pl.col(key).is_not_null())
    later = known.with_columns(first=pl.col("place").first().over(key)).filter(
        pl.col("place") != pl.col("first")
    )
    return later["place"].cast(pl.Int64).to_numpy(), later["first"].cast(pl.Int64).to_numpy()
