"""Sizes as exact functions of batch and sequence length: found from a few values, never smoothed.

A storage of a training step holds a whole number of bytes a sequence, a token or a pair of tokens; kernels
round the length up to their tiles, and a chunked loss stops growing at one chunk. That leaves few forms,
and the integers in front of them follow from the sizes at a few points; more points than unknowns check
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final, NamedTuple

BLOCK_BYTES: Final = 512
"""kMinBlockSize of c10/cuda/CUDACachingAllocator.cpp at v2.13.0: what every block is a multiple of."""

Point = tuple[int, int]
"""A batch size and a sequence length."""


class Term(NamedTuple):
    """batch ** ``batch`` times ceil((length - ``less``) / ``tile``) ** ``length``, at most ``most`` if not 0.

    With ``rest`` it counts blocks of rows instead: ceil(tokens / ``tile``), at most ``most``, yet at least
    ceil(tokens / ``rest``).
    """

    batch: int
    length: int
    tile: int = 1
    less: int = 0
    most: int = 0
    rest: int = 0

    def at(self, batch: int, length: int) -> int:
        """Return the term's value, a whole number."""
        if self.rest:
            tokens = batch * length
            return max(min(self.most, -(-tokens // self.tile)), -(-tokens // self.rest))
        value: int = batch**self.batch * (-((self.less - length) // self.tile)) ** self.length
        return min(value, self.most) if self.most else value


ONE: Final = Term(0, 0)
_CHUNK: Final = 4096  # TOKEN_CHUNK_SIZE of trl/kernels/chunked_logprob.py at v1.16.0
_TERMS: Final = (
    *(Term(b, s) for b, s in ((0, 0), (1, 1), (1, 0), (0, 1), (1, 2), (0, 2))),
    *(Term(1, 1, less=less, most=_CHUNK) for less in (0, 1)),
    *(Term(b, s, tile) for tile in (128, 64, 16, 8) for b, s in ((1, 1), (0, 1), (1, 2))),
)
"""The forms that kernels and models of a training step are made of, the commonest first."""
_SUM_ROWS: Final = (64, 1024)
"""Rows of a column sum for each block, while there are few blocks and at the most: setReduceConfig() of
aten/src/ATen/native/cuda/Reduce.cuh at v2.13.0, blocks of 4 x 16 and 4 x 256 values."""

Size = tuple[tuple[int, Term], ...]
"""A size in bytes: whole numbers and what each multiplies."""


def size_at(size: Size, batch: int, length: int) -> int:
    """Return the bytes of *size* for *batch* sequences of *length* tokens.

    >>> size_at(((8, Term(1, 1)),), batch=2, length=512)  # 8 bytes a token
    8192
    """
    return sum(count * term.at(batch, length) for count, term in size)


def fitted(values: Sequence[int], points: Sequence[Point]) -> Size | None:
    """Return the size whose values at *points* are *values*, of the fewest and commonest terms; else None."""
    table = _table(tuple(points))
    for term, row in zip(_TERMS, table, strict=True):
        count, left = divmod(values[0], row[0])
        if not left and all(count * at == value for at, value in zip(row, values, strict=True)):
            return ((count, term),)
    blocks = _blocks(values, points)
    if blocks is not None:
        return blocks
    for first, second in combinations(range(len(_TERMS)), 2):
        counts = _solved(table[first], table[second], values)
        if counts is not None:
            return ((counts[0], _TERMS[first]), (counts[1], _TERMS[second]))
    return None


def _blocks(values: Sequence[int], points: Sequence[Point]) -> Size | None:
    """Return the size as partial sums of a column sum, whose number of blocks a card bounds; else None."""
    tokens = [batch * length for batch, length in points]
    few, many = _SUM_ROWS
    count, left = divmod(values[tokens.index(max(tokens))], -(-max(tokens) // many))
    bytes_each = [count] if not left and count else []
    count, left = divmod(values[tokens.index(min(tokens))], -(-min(tokens) // few))
    bytes_each += [count] if not left and count else []
    for each in bytes_each:
        for most in {value // each for value in values}:
            term = Term(1, 1, tile=few, most=most, rest=many)
            if all(each * term.at(*point) == value for point, value in zip(points, values, strict=True)):
                return ((each, term),)
    return None


def _solved(first: Sequence[int], second: Sequence[int], values: Sequence[int]) -> tuple[int, int] | None:
    """Return the two whole numbers that make *values* of the two rows at every point, or None."""
    for other in range(1, len(values)):
        determinant = first[0] * second[other] - first[other] * second[0]
        if determinant:
            break
    else:
        return None
    a, rest_a = divmod(values[0] * second[other] - values[other] * second[0], determinant)
    b, rest_b = divmod(first[0] * values[other] - first[other] * values[0], determinant)
    if rest_a or rest_b:
        return None
    whole = all(a * x + b * y == value for x, y, value in zip(first, second, values, strict=True))
    return (a, b) if whole else None


@lru_cache(maxsize=16)
def _table(points: tuple[Point, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(term.at(*point) for point in points) for term in _TERMS)


def columns_of(size: Size) -> Iterator[tuple[Size, int]]:
    """Yield what one block of *size* adds to a sum of blocks: columns, each a size, and how often.

    Where rounding to BLOCK_BYTES never changes the size, it falls apart into terms, which all such blocks
    share; a constant is rounded once; any other size is a column of its own, rounded when it is evaluated.
    """
    if all(count % BLOCK_BYTES == 0 for count, _ in size):
        for count, term in size:
            yield ((BLOCK_BYTES, term),), count // BLOCK_BYTES
    elif len(size) == 1 and size[0][1] == ONE:
        yield ((BLOCK_BYTES, ONE),), -(-size[0][0] // BLOCK_BYTES)
    else:
        yield size, 1


def rounded(count: int) -> int:
    """Return *count* bytes rounded up to whole blocks."""
    return -(-count // BLOCK_BYTES) * BLOCK_BYTES
