"""Which examples share a sequence when short ones are packed: TRL's best fit decreasing, and the result."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, Final

from tunesmith.data.chat import Encoded
from tunesmith.errors import DataError

MAP_ROWS: Final = 1000
"""Rows that TRL packs at once, apart from all others: the batch size of ``Dataset.map`` in
huggingface/datasets@5.2.0:src/datasets/arrow_dataset.py, which huggingface/trl@v1.16.0:trl/data_utils.py
leaves."""

UNLEARNED: Final = -100
"""The label of a token that is read only: ``ignore_index`` of torch.nn.CrossEntropyLoss."""


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


# -- the sequences themselves -----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """One sequence of several examples, none of which sees another.

    A model has to be given ``position_ids`` and neither an attention mask nor a cache: then transformers
    finds where examples begin from the positions, and attention ends there
    (huggingface/transformers@v5.23.0:src/transformers/masking_utils.py, ``find_packed_sequence_indices``).
    """

    input_ids: Sequence[int]
    """Tokens, one example after the other."""
    labels: Sequence[int]
    """The same where a token is learned, else UNLEARNED."""
    position_ids: Sequence[int]
    """Counted from 0 in each example."""
    boundaries: Sequence[int]
    """Where examples begin, and at last the length: what variable-length attention calls ``cu_seqlens``."""
    rows: Sequence[int]
    """The row of each example."""


def packed(encoded: Sequence[Encoded], *, sequence_length: int, map_rows: int = MAP_ROWS) -> Iterator[Packed]:
    """Yield *encoded* examples, whose tokens are known, as sequences of *sequence_length* tokens at most.

    They are shared out as :func:`pack` says. The first token of an example is not learned, since what stands
    before it is of another: a model alone with the example does not learn it either. Raises DataError where
    an example is refused or longer than a sequence: truncation is decided before packing, not by it.
    """
    for each in encoded:
        if each.fault or len(each.ids) != each.length or each.length > sequence_length:
            reason = each.fault or f"has {each.length:,} tokens, of which {len(each.ids):,} are at hand"
            raise DataError(
                f"{each.place} {reason}, expected at most {sequence_length:,}. Truncate it or leave it out."
            )
    for numbers in pack(
        [each.length for each in encoded], sequence_length=sequence_length, map_rows=map_rows
    ):
        yield _together([encoded[number] for number in numbers])


def _together(shared: Sequence[Encoded]) -> Packed:
    """Return the examples that share a sequence as that sequence."""
    labels = array("q")
    for each in shared:
        own = array("q", [UNLEARNED]) * each.length
        for begin, end in each.learned:
            own[begin:end] = array("q", each.ids[begin:end])
        own[0] = UNLEARNED
        labels += own
    return Packed(
        input_ids=array("q", chain.from_iterable(each.ids for each in shared)),
        labels=labels,
        position_ids=array("q", chain.from_iterable(range(each.length) for each in shared)),
        boundaries=array("i", accumulate((each.length for each in shared), initial=0)),
        rows=tuple(each.row for each in shared),
    )
