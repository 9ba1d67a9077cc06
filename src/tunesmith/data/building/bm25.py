"""Passages that fit a question, by BM25.

Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", section 3.5.1; idf as
in Lucene, which is never negative.

Terms are words and runs of two words, where a Chinese character is a word, so that Chinese is found by its
characters and bigrams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from tunesmith.data.words import runs, words

K1: Final = 1.2
"""How soon more of a term counts no more."""
B: Final = 0.75
"""How much a long passage is held against it."""
COMMON_PASSAGES: Final = 1000
"""A term of more passages than this, and of more than COMMON_SHARE, tells nothing and is not looked up."""
COMMON_SHARE: Final = 0.2
"""The share of passages in which a term that tells nothing stands."""


@dataclass(frozen=True)
class Index:
    """Passages that can be searched."""

    postings: pl.DataFrame
    """``term, passage, weight``."""

    @classmethod
    def of(cls, passages: Sequence[str]) -> Index:
        """Return the index of *passages*, which are numbered from 0."""
        found = _terms(passages).rename({"text": "passage"}).group_by("passage", "term").len("count")
        sizes = pl.col("count").sum().over("passage")
        average = found["count"].sum() / max(1, len(passages))
        inside = pl.len().over("term")
        idf = (1 + (len(passages) - inside + 0.5) / (inside + 0.5)).log()
        tf = pl.col("count") * (K1 + 1) / (pl.col("count") + K1 * (1 - B + B * sizes / max(1.0, average)))
        most = max(COMMON_PASSAGES, int(COMMON_SHARE * len(passages)))
        weighed = found.with_columns(weight=idf * tf, inside=inside).filter(pl.col("inside") <= most)
        return cls(weighed.select("term", "passage", "weight").sort("term", "passage"))

    def search(self, questions: Sequence[str], count: int) -> list[list[int]]:
        """Return the *count* passages that fit each question best, the best first."""
        asked = _terms(questions).rename({"text": "question"}).unique()
        scores = (
            asked.join(self.postings, on="term")
            .group_by("question", "passage")
            .agg(score=pl.col("weight").sort().sum())
            .sort(["question", "score", "passage"], descending=[False, True, False])
        )
        best = scores.group_by("question", maintain_order=True).head(count)
        found: list[list[int]] = [[] for _ in questions]
        for question, passage in best.select("question", "passage").iter_rows():
            found[question].append(passage)
        return found


def _terms(texts: Sequence[str]) -> pl.DataFrame:
    """Return the terms of *texts*: ``text, term``."""
    table = words(pl.Series(texts, dtype=pl.String))
    pairs = runs(table, 2)
    return pl.concat([table.rename({"word": "term"}), pairs.rename({"run": "term"})])
