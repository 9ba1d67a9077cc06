"""Words as numbers: texts in, a table of hashed words or of runs of words out, the same on every machine.

A word is a run of letters and digits in lower case, compatibility forms made equal (NFKC); in scripts that
set no blanks between words each character is one. So punctuation, case, width and breaks make no difference.

The hash of a word is the polynomial of its characters modulo 2**64 (Karp and Rabin 1987, "Efficient
randomized pattern-matching algorithms", IBM J. Res. Dev. 31), mixed as in SplitMix64 (Steele et al. 2014,
"Fast splittable pseudorandom number generators", OOPSLA); a run of words is hashed in the same way. Hashes of
polars are faster and differ from release to release, so they cannot stand in a file.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]

_APART, _WORD, _ALONE = 0, 1, 2
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Kana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts that set no blanks between words."""
_BASE: Final = 0x9E3779B97F4A7C15
_RUN_BASE: Final = 0xD6E8FEB86659FD93


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """Return for each character whether it stands between words, in one, or is one."""
    kinds = np.fromiter((chr(code).isalnum() for code in range(sys.maxunicode + 1)), dtype=np.uint8)
    for first, last in _UNSPACED:
        kinds[first : last + 1] *= _ALONE
    return kinds


def mixed(hashes: Hashes) -> Hashes:
    """Return *hashes* so mixed that all their bits depend on all bits of the sum."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    spread: Hashes = hashes ^ (hashes >> np.uint64(31))
    return spread


def _powers(base: int, count: int) -> Hashes:
    """Return ``base ** 0 ... base ** (count - 1)`` modulo 2**64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[:1] = 1
    raised: Hashes = np.multiply.accumulate(powers)
    return raised


def words(texts: pl.Series) -> pl.DataFrame:
    """Return the words of *texts*: ``text``, the index of each, and ``word``, its hash, in order.

    >>> table = words(pl.Series(["To be, or not TO BE.", "学而时习之"]))
    >>> table["text"].to_list(), table["word"][0] == table["word"][4]
    ([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], True)
    """
    even = texts.fill_null("").str.normalize("NFKC").str.to_lowercase()
    ends = even.str.len_chars().cast(pl.Int64).to_numpy() + 1
    codes = np.frombuffer("\n".join([*even.to_list(), ""]).encode("utf-32-le"), dtype=np.uint32)
    kinds = _kinds()[codes]
    before = np.concatenate((np.zeros(1, dtype=np.uint8), kinds[:-1]))
    starts = np.flatnonzero((kinds == _ALONE) | ((kinds == _WORD) & (before != _WORD)))
    text = np.searchsorted(np.cumsum(ends), starts, side="right").astype(np.uint32)
    if not len(starts):
        return pl.DataFrame({"text": text, "word": np.zeros(0, dtype=np.uint64)})
    codes, kinds = codes[starts[0] :], kinds[starts[0] :]
    starts -= starts[0]
    lengths = np.diff(starts, append=len(codes))
    within = np.arange(len(codes)) - np.repeat(starts, lengths)
    terms = codes * _powers(_BASE, int(lengths.max()))[within] * (kinds != _APART)
    return pl.DataFrame({"text": text, "word": mixed(np.add.reduceat(terms, starts))})


def runs(table: pl.DataFrame, length: int) -> pl.DataFrame:
    """Return every run of *length* words within one text of *table*: ``text`` and ``run``, its hash.

    *table* is what ``words`` returns. A text of fewer words has none.
    """
    text, word = table["text"].to_numpy(), table["word"].to_numpy()
    count = max(0, len(word) - length + 1)
    total = np.zeros(count, dtype=np.uint64)
    for index, power in enumerate(_powers(_RUN_BASE, length)):
        total += word[index : index + count] * power
    whole = text[:count] == text[length - 1 : length - 1 + count]
    return pl.DataFrame({"text": text[:count][whole], "run": mixed(total[whole])})


def whole_texts(table: pl.DataFrame, count: int) -> pl.Series:
    """Return one hash for each of the *count* texts of *table*: of all its words in order, null for none."""
    place = pl.int_range(pl.len()).over("text")
    sized = table.with_columns(place=place)
    longest = int(sized["place"].max() or 0) + 1 if sized.height else 1  # type: ignore[arg-type]
    powers = _powers(_RUN_BASE, longest)
    terms = sized["word"].to_numpy() * powers[sized["place"].to_numpy()]
    text = sized["text"].to_numpy()
    starts = np.flatnonzero(sized["place"].to_numpy() == 0)
    hashes = pl.repeat(None, count, dtype=pl.UInt64, eager=True)
    if not len(starts):
        return hashes
    sums = pl.Series(mixed(np.add.reduceat(terms, starts)))
    return hashes.scatter(pl.Series(text[starts]), sums)
