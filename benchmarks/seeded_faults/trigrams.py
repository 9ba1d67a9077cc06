"""A small language model for the check that needs one: characters by the two before them.

Loss is in nats a character, with Witten and Bell's interpolation (https://doi.org/10.1109/18.87000): a
context that has been seen with many different followers trusts shorter contexts more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from math import log
from pathlib import Path

import polars as pl

from tunesmith.data.formats import Format
from tunesmith.data.scanning import scan


class Trigrams:
    """The model, fitted to *texts*."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        for text in texts:
            padded = f"\x02\x02{text}\x03"
            for at in range(2, len(padded)):
                for before in range(3):
                    self._counts[before][padded[at - before : at + 1]] += 1
        self._totals: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        self._kinds: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        for order, counts in enumerate(self._counts):
            for gram, count in counts.items():
                self._totals[order][gram[:-1]] += count
                self._kinds[order][gram[:-1]] += 1

    def _probability(self, gram: str) -> float:
        order = len(gram) - 1
        lower = 1 / 50_000 if order == 0 else self._probability(gram[1:])
        kinds, total = self._kinds[order][gram[:-1]], self._totals[order][gram[:-1]]
        return (self._counts[order][gram] + kinds * lower) / (total + kinds) if total else lower

    def loss(self, text: str) -> float:
        """Return the mean loss of a character of *text*, nats."""
        padded = f"\x02\x02{text}\x03"
        return -sum(log(self._probability(padded[at - 2 : at + 1])) for at in range(2, len(padded))) / (
            len(padded) - 2
        )

    def losses(self) -> Callable[[Path, Format], pl.DataFrame]:
        """Return what the check asks for the loss of each row."""

        def of(path: Path, form: Format) -> pl.DataFrame:
            frames = [batch.turns.filter("learned") for batch in scan(path, form)]
            turns = pl.concat(frames)
            return turns.select(
                "row",
                "side",
                loss=pl.Series([self.loss(text) for text in turns["text"]], dtype=pl.Float64),
                tokens=pl.col("text").str.len_chars() + 1,
            )

        return of
