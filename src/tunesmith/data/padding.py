"""What a batch comes to: the longest, and the padding to expect at random or grouped by length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

MEGA_BATCHES: Final = 50
"""Batches that ``group_by_length`` sorts together at most: get_length_grouped_indices in
huggingface/transformers@v5.23.0:src/transformers/trainer_pt_utils.py."""

SEED: Final = 0
"""Seed of the one order of rows that grouping by length is tried on."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """What batches of a data set come to at one batch size and sequence length, after truncation."""

    batch_size: int
    """Examples in a batch."""
    sequence_length: int
    """Tokens that an example may have."""
    longest: int
    """Tokens of the longest example: what every example of its batch is padded to."""
    longest_padded_tokens: int
    """Tokens of the longest batch that can be, padding included."""
    longest_packed_tokens: int
    """Tokens of the longest batch that can be, without padding: its examples are the longest there are."""
    mean_tokens: float
    """Tokens of a batch on average, without padding."""
    mean_padded_tokens: float
    """Tokens of a batch at random on average, padding included."""
    grouped_padded_tokens: float
    """The same when examples of about the same length are put together, as ``group_by_length`` does."""

    @property
    def waste(self) -> float:
        """Return the share of a batch at random that is padding, 0 to 1."""
        return 1 - self.mean_tokens / self.mean_padded_tokens if self.mean_padded_tokens else 0.0

    @property
    def grouped_waste(self) -> float:
        """Return the share of a batch grouped by length that is padding, 0 to 1."""
        return (
            max(0.0, 1 - self.mean_tokens / self.grouped_padded_tokens) if self.grouped_padded_tokens else 0.0
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return the batches as plain JSON types."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**fields, "waste": self.waste, "grouped_waste": self.grouped_waste}


def batches(
    lengths: Sequence[int], *, batch_size: int, sequence_length: int, longest: Sequence[int] = ()
) -> Batches:
    """Return what batches of *batch_size* examples of *lengths* come to, each cut to *sequence_length*.

    The lengths of the *longest* examples are given apart where *lengths* are those of a sample.

    >>> batches([4, 1, 1, 2], batch_size=2, sequence_length=3).longest_padded_tokens
    6
    """
    cut = sorted(min(length, sequence_length) for length in lengths)
    top = sorted((min(length, sequence_length) for length in (longest or cut)), reverse=True)[:batch_size]
    size = min(batch_size, len(cut))
    mean = sum(cut) / len(cut)
    return Batches(
        batch_size=batch_size,
        sequence_length=sequence_length,
        longest=top[0],
        longest_padded_tokens=batch_size * top[0],
        longest_packed_tokens=sum(top),
        mean_tokens=size * mean,
        mean_padded_tokens=size * expected_longest(cut, size),
        grouped_padded_tokens=size * _grouped(lengths, size, sequence_length),
    )


def expected_longest(ordered: Sequence[int], batch_size: int) -> float:
    """Return the expected length of the longest of *batch_size* examples drawn at random.

    *ordered* are all lengths, the shortest first; none is drawn twice. The k-th shortest is the longest of
    the batch with probability C(k-1, b-1) / C(n, b): the others are among the k-1 before it.

    >>> expected_longest([1, 2, 3], 2)
    2.6666666666666665
    """
    number = len(ordered)
    share, mean = batch_size / number, 0.0  # the probability for k = n
    for k in range(number, batch_size - 1, -1):
        mean += share * ordered[k - 1]
        if k > 1:
            share *= (k - batch_size) / (k - 1)
    return mean


def _grouped(lengths: Sequence[int], batch_size: int, sequence_length: int) -> float:
    """Return the mean of the longest of each batch in one order that groups examples by length."""
    order = list(range(len(lengths)))
    Random(SEED).shuffle(order)  # noqa: S311  an order of rows, no secret
    mega = batch_size * max(1, min(len(order) // (batch_size * 4), MEGA_BATCHES))
    total = rows = 0
    for first in range(0, len(order), mega):
        group = sorted((lengths[number] for number in order[first : first + mega]), reverse=True)
        for begin in range(0, len(group), batch_size):
            drawn = len(group[begin : begin + batch_size])
            total += drawn * min(group[begin], sequence_length)
            rows += drawn
    return total / rows
