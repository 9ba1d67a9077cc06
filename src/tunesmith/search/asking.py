"""asking: a wish fitted to the lengths of real data."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tunesmith.data.lengths import Lengths
from tunesmith.data.padding import expected_longest
from tunesmith.search.wish import Layout, Wish

KEPT_SHARE: Final = 0.99
"""Share of the data's tokens that the sequence length keeps where none is asked for."""
BATCH: Final = 4
"""Sequences in the batches whose padding is counted."""


def with_lengths(
    wish: Wish, lengths: Lengths, *, sequence_length: int | None = None, packing: bool | None = None
) -> Wish:
    """Return *wish* for data of these *lengths*, at the *sequence_length* asked for, packed or not as asked.

    Where none is asked for it is the least multiple of 64 that keeps 99 % of the tokens, and no more than the
    model's positions.
    """
    most = wish.architecture.max_position_embeddings or 1 << 24
    length = sequence_length or min(lengths.covering(KEPT_SHARE), most)
    lost, padded = lengths.truncation(length), lengths.batches(BATCH, length)
    return replace(
        wish,
        sequence_length=length,
        tokens=max(1, lengths.total_tokens - lost.tokens),
        layouts=tuple(
            each for each in layouts(lengths, length) if packing is None or each.packing is packing
        ),
        lengths={
            **lengths.to_mapping(BATCH),
            "sequence_length": length,
            "truncation": lost.to_mapping(),
            "batches": padded.to_mapping(),
            "packing": lengths.packing(length).to_mapping(),
        },
    )


def layouts(lengths: Lengths, sequence_length: int) -> tuple[Layout, Layout]:
    """Return how examples of these *lengths* lie in sequences: each in one of its own, and packed.

    Attention grows with the square of what attends to each other: the longest example of a batch where the
    others are padded to it, and every example by itself where they are packed.
    """
    cut = sorted(min(length, sequence_length) for length in lengths.tokens)
    size = min(BATCH, len(cut))
    longest = expected_longest(cut, size)
    square = expected_longest([length * length for length in cut], size)
    mean, packed = sum(cut) / len(cut), lengths.packing(sequence_length)
    own = Layout(fill=mean / longest, attention=square / (longest * sequence_length))
    places = packed.sequences * sequence_length**2
    joined = Layout(
        packing=True,
        fill=packed.efficiency,
        attention=sum(length * length for length in cut) / places,
        examples=max(1.0, packed.examples_per_sequence),
    )
    return own, joined
