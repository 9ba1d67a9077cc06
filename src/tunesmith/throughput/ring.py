"""The work of a card that sees one part of every sequence, from the work of one card on a sequence so long.

Each layer's queries meet the keys and values of all parts, one part a round (Liu et al., Ring Attention,
https://arxiv.org/abs/2310.01889); rounds are merged in float32. The amounts below are those of PyTorch's own
ring with its load balance, ``_templated_ring_attention`` and its backward pass in
pytorch/pytorch@v2.13.0:torch/distributed/tensor/experimental/_context_parallel/_attention.py; a trace counts
the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tunesmith.architecture import Architecture
from tunesmith.memory.work import Work

ONCE: Final = 9
"""Bytes that the first round moves besides, for each byte of a layer's attention output in 16 bits: copies in
order, and to float32 and back."""
GRADIENTS_ONCE: Final = 22
"""As ONCE, of the backward pass."""
MERGED: Final = 13.6
"""Bytes that merging one more round moves, for each byte of a layer's attention output in 16 bits."""
JOINED: Final = 2
"""Bytes that joining keys and values moves, for each of theirs: read and written."""
GRADIENTS_MERGED: Final = 6.5
"""As MERGED, of the gradient of the queries, which is summed in float32."""
GRADIENTS_JOINED: Final = 11
"""As JOINED, of keys and values and of their gradients, which are summed and sent in float32."""
_HALF: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """Cards that pass keys and values round, and what one of them holds of one batch, all layers together."""

    cards: int
    """Cards that split a sequence."""
    output_bytes: int
    """Attention's outputs, in 16 bits."""
    pair_bytes: int
    """Keys and values, in 16 bits."""

    @classmethod
    def of(cls, architecture: Architecture, *, cards: int, tokens: int) -> Ring:
        """Return the ring of *cards* that hold *tokens* of a batch each."""
        heads = architecture.num_attention_heads or 1
        width = architecture.head_dim or (architecture.hidden_size or 0) // heads
        pairs = architecture.num_key_value_heads or heads
        each = _HALF * tokens * width * (architecture.num_hidden_layers or 1)
        return cls(cards=cards, output_bytes=each * heads, pair_bytes=2 * each * pairs)


def around(
    ring: Ring, work: Mapping[str, Sequence[Work]], *, checkpointed: bool
) -> Mapping[str, Sequence[Work]]:
    """Return *work*, of one card that sees no other part, as it is where the parts meet.

    Checkpointed layers go round once more in the backward pass. What is sent can hide behind the round that
    is computed meanwhile.
    """
    found: dict[str, Sequence[Work]] = {}
    for phase, works in work.items():
        last = phase.rpartition(".")[2]
        if last not in ("forward", "backward"):
            found[phase] = works
            continue
        moved, sent = _forward(ring)
        if last == "backward":
            again_moved, again_sent = (moved, sent) if checkpointed else (0, 0)
            moved, sent = _backward(ring)
            moved, sent = moved + again_moved, sent + again_sent
        extra = (
            Work(kind="elementwise", dtype="fp32", flops=0, moved_bytes=moved, kernels=0),
            Work(kind="awaited", dtype="bf16", flops=0, moved_bytes=sent, kernels=0),
        )
        found[phase] = (*(_times(each, ring.cards) for each in works), *extra)
    return found


def _times(each: Work, cards: int) -> Work:
    return replace(each, flops=each.flops * cards) if each.kind == "attention" else each


def _forward(ring: Ring) -> tuple[int, int]:
    rounds = ring.cards - 1
    moved = ONCE * ring.output_bytes + rounds * (MERGED * ring.output_bytes + JOINED * ring.pair_bytes)
    return int(moved), rounds * ring.pair_bytes


def _backward(ring: Ring) -> tuple[int, int]:
    rounds = ring.cards - 1
    moved = rounds * (GRADIENTS_MERGED * ring.output_bytes + GRADIENTS_JOINED * ring.pair_bytes)
    sent = (rounds + 2 * ring.cards) * ring.pair_bytes  # gradients are in float32, and go home at the end
    return int(GRADIENTS_ONCE * ring.output_bytes + moved), sent
