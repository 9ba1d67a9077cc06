"""Which examples share a sequence when short ones are packed: TRL's best fit decreasing, on lengths alone."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MAP_ROWS: Final = 1000
"""Rows that TRL packs at once, apart from all others: the batch size of ``Dataset.map`` in
huggingface/datasets@5.2.0:src/datasets/arrow_dataset.py, which huggingface/trl@v1.16.0:trl/data_utils.py
leaves."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """What packing makes of a data set at one sequence length."""

    sequence_length: int
    """Tokens that a packed sequence may have."""
    sequences: int
    """Packed sequences."""
    tokens: int
    """Tokens in them all, what truncation takes left out."""
    examples_per_sequence: float
    """Examples in a packed sequence, on average."""

    @property
    def efficiency(self) -> float:
        """Return the share of the packed sequences that is tokens, 0 to 1."""
        return self.tokens / (self.sequences * self.sequence_length) if self.sequences else 0.0

    def to_mapping(self) -> dict[str, Any]:
        """Return the packing as plain JSON types."""
        return {
            "sequence_length": self.sequence_length,
            "sequences": self.sequences,
            "tokens": self.tokens,
            "efficiency": self.efficiency,
            "examples_per_sequence": self.examples_per_sequence,
        }


def pack(lengths: Sequence[int], *, sequence_length: int, map_rows: int = MAP_ROWS) -> list[list[int]]:
    """Return the numbers of the examples that share each packed sequence, in TRL's order.

    The examples are those of *lengths*; empty ones are left out and long ones are cut to *sequence_length*.
    Every *map_rows* examples are packed by themselves, as ``pack_dataset(strategy="bfd")`` does: by Best Fit
    Decreasing (arXiv 2404.10830), each example, the longest first, into the sequence with the least room that
    holds it.

    >>> pack([5, 2, 3, 1], sequence_length=4)
    [[0], [2, 3], [1]]
    """
    bins: list[list[int]] = []
    for first in range(0, len(lengths), map_rows):
        bins += _fitted(lengths, range(first, min(first + map_rows, len(lengths))), sequence_length)
    return bins


def _fitted(lengths: Sequence[int], numbers: range, sequence_length: int) -> list[list[int]]:
    bins: list[list[int]] = []
    spaces: list[int] = []  # the room that is left in some bin, each once, in order
    waiting: defaultdict[int, deque[list[int]]] = defaultdict(
        deque
    )  # the bins with that room, the oldest first
    for number in sorted((n for n in numbers if lengths[n] > 0), key=lambda n: -lengths[n]):
        length = min(lengths[number], sequence_length)
        at = bisect_left(spaces, length)
        if at < len(spaces):
            space = spaces[at]
            chosen = waiting[space].popleft()
            if not waiting[space]:
                del spaces[at]
        else:
            space, chosen = sequence_length, []
            bins.append(chosen)
        chosen.append(number)
        left = space - length
        if left > 0:
            if not waiting[left]:
                insort(spaces, left)
            waiting[left].append(chosen)
    return bins


def packing(lengths: Sequence[int], *, sequence_length: int, map_rows: int = MAP_ROWS) -> Packing:
    """Return what packing examples of *lengths* into sequences of *sequence_length* tokens comes to."""
    bins = pack(lengths, sequence_length=sequence_length, map_rows=map_rows)
    tokens = sum(min(length, sequence_length) for length in lengths)
    packed = sum(map(len, bins))
    return Packing(
        sequence_length=sequence_length,
        sequences=len(bins),
        tokens=tokens,
        examples_per_sequence=packed / len(bins) if bins else 0.0,
    )
