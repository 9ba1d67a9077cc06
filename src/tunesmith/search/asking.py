"""asking: a wish fitted to the lengths of real data."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tunesmith.data.lengths import Lengths
from tunesmith.search.wish import Wish

KEPT_SHARE: Final = 0.99
"""Share of the data's tokens that the sequence length keeps where none is asked for."""
BATCH: Final = 4
"""Sequences in the batches whose padding is counted."""


def with_lengths(wish: Wish, lengths: Lengths, *, sequence_length: int | None = None) -> Wish:
    """Return *wish* for data of these *lengths*, at the *sequence_length* asked for.

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
        fill=1 - padded.waste,
        lengths={
            **lengths.to_mapping(BATCH),
            "sequence_length": length,
            "truncation": lost.to_mapping(),
            "batches": padded.to_mapping(),
            "packing": lengths.packing(length).to_mapping(),
        },
    )
