"""Terms: the words of texts that come often, and the runs of Chinese characters that are words.

A Chinese word is not marked in writing. A run of 2 to 6 characters counts as one where it comes far more
often than its parts would meet by chance (pointwise mutual information: Church and Hanks 1990, "Word
Association Norms, Mutual Information, and Lexicography", Computational Linguistics 16) and is not part of a
longer one that comes as often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import polars as pl

LEAST_COUNT: Final = 5
"""How often a term has to come before it is one."""
LETTERS: Final = (4, 40)
"""Fewest and most letters of a word."""
RUN: Final = (2, 6)
"""Fewest and most characters of a Chinese word."""
CHANCE: Final = 30.0
"""How many times as often as by chance the parts of a Chinese word meet."""
PART: Final = 0.8
"""Share of its count from which on a run is only a part of a longer one."""
HAN_CHARACTERS: Final = 500_000
"""Chinese characters that are looked at: a second of work."""

_SPACED: Final = r"&&[^\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]]"
_WORD: Final = rf"[\p{{L}}{_SPACED}[\p{{L}}\p{{M}}\p{{N}}{_SPACED}*"
_HAN: Final = r"\p{Han}{2,}"


def terms(texts: pl.Series) -> dict[str, int]:
    """Return how often each term comes in *texts*, the most frequent first."""
    found = texts.str.extract_all(_WORD).explode(empty_as_null=False).drop_nulls()
    sizes = found.str.len_chars()
    counts = found.filter(sizes.is_between(*LETTERS)).value_counts(name="count")
    words = dict(counts.filter(pl.col("count") >= LEAST_COUNT).rows())
    runs = texts.str.extract_all(_HAN).explode(empty_as_null=False).drop_nulls()
    before = runs.str.len_chars().cum_sum()
    words.update(_chinese(runs.filter(before <= HAN_CHARACTERS).to_list()))
    return dict(sorted(words.items(), key=lambda each: (-each[1], each[0])))


def _chinese(runs: Iterable[str]) -> dict[str, int]:
    """Return the Chinese words among *runs* of characters, with their counts."""
    counts: Counter[str] = Counter()
    total = 0
    for run in runs:
        total += len(run)
        for size in range(1, RUN[1] + 1):
            counts.update(run[at : at + size] for at in range(len(run) - size + 1))
    often = {each: count for each, count in counts.items() if len(each) > 1 and count >= LEAST_COUNT}
    bound = {each: count for each, count in often.items() if _cohesion(each, counts, total) >= CHANCE}
    longer: dict[str, int] = {}
    for each, count in bound.items():
        for size in range(RUN[0], len(each)):
            for part in (each[at : at + size] for at in range(len(each) - size + 1)):
                longer[part] = max(longer.get(part, 0), count)
    return {each: count for each, count in bound.items() if longer.get(each, 0) < PART * count}


def _cohesion(run: str, counts: Counter[str], total: int) -> float:
    """Return how many times as often as by chance the parts of *run* meet, at the weakest seam."""
    return min(counts[run] * total / (counts[run[:seam]] * counts[run[seam:]]) for seam in range(1, len(run)))
