"""Sizes over batch, length and rank: one integer form for each storage, found from a few points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tunesmith.memory.ledger.sizes import ONE, Point, Size, Term, fitted, rounded, size_at

TOKENS = Term(1, 1)


class Where(NamedTuple):
    """Where a size was seen, or is asked for."""

    batch: int
    length: int
    r: int

    @property
    def point(self) -> Point:
        """Return batch and length."""
        return self.batch, self.length


class Form(NamedTuple):
    """A size in bytes: a sum of terms in batch and length, times the rank if it grows with it."""

    size: Size
    ranked: bool

    def at(self, where: Where) -> int:
        """Return the bytes of the block that holds it.

        >>> Form(((4, TOKENS),), ranked=True).at(Where(1, 512, 16))
        32768
        """
        count = size_at(self.size, where.batch, where.length)
        return rounded(count * where.r if self.ranked else count)


def form_of(values: Sequence[int], points: Sequence[Where], *, most: int = 0) -> Form:
    """Return the form whose bytes at *points* are *values*, the simplest first.

    With *most* it is known to grow with the tokens, up to so many. Where no form is exact, one that is
    nowhere below them: a share of every token and a constant.
    """
    if most:
        share = values[0] // (points[0].batch * points[0].length)
        return Form(((share, Term(1, 1, most=most)),), ranked=False)
    places = [each.point for each in points]
    ranks = [each.r for each in points]
    if len(set(values)) == 1:
        return Form(((values[0], ONE),), ranked=False)
    ranked = len(set(ranks)) > 1 and all(value % r == 0 for value, r in zip(values, ranks, strict=True))
    shares = [value // (r if ranked else 1) for value, r in zip(values, ranks, strict=True)]
    if ranked and len(set(shares)) == 1:
        return Form(((shares[0], ONE),), ranked=True)
    plain = fitted(values, places)
    if plain is not None and len(plain) == 1:
        return Form(plain, ranked=False)
    if ranked:
        size = fitted(shares, places)
        if size is not None and len(size) == 1:
            return Form(size, ranked=True)
    return Form(plain or _above(values, places), ranked=False)


def _above(values: Sequence[int], places: Sequence[Point]) -> Size:
    """Return a constant and a share of every token that are together nowhere below *values*."""
    tokens = [batch * length for batch, length in places]
    few, many = tokens.index(min(tokens)), tokens.index(max(tokens))
    rise = max(0, -(-(values[many] - values[few]) // max(1, tokens[many] - tokens[few])))
    rest = max(0, *(value - rise * count for value, count in zip(values, tokens, strict=True)))
    return ((rise, TOKENS), (rest, ONE))
