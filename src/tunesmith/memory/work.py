"""Work: what a step computes and moves, by kind of kernel, so that time follows for any card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

KINDS: Final = (
    "matmul",
    "attention",
    "dequantize",
    "elementwise",
    "optimizer",
    "all_gather",
    "reduce_scatter",
    "all_reduce",
    "awaited",
    "host_copy",
    "host_optimizer",
)
"""Kinds of work: the first five are kernels of the card, the next four go over the links between cards, the
next goes over PCIe, and the last moves bytes in the memory of the host. ``awaited`` is what the next kernel
waits for: the sums, parts and tokens that cards exchange inside a layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one kind of kernel does in one phase of a step, on one card."""

    kind: str
    """One of KINDS."""
    dtype: str
    """Type whose peak rate bounds it, by the names of ``Gpu.peak_flops``: ``bf16``, ``fp16``, ``fp32``."""
    flops: int
    """Floating-point operations; a multiplication and an addition are two."""
    moved_bytes: int
    """Bytes read and written in the card's memory; for communication, bytes that a card sends."""
    kernels: int
    """Launches."""


def between(
    one: Mapping[str, Sequence[Work]], other: Mapping[str, Sequence[Work]], *, share: float
) -> dict[str, tuple[Work, ...]]:
    """Return the work that lies between *one* and *other*, phase by phase: *share* of the way to *other*."""
    mixed: dict[str, tuple[Work, ...]] = {}
    for phase, works in other.items():
        before = {(work.kind, work.dtype): work for work in one.get(phase, ())}
        mixed[phase] = tuple(
            Work(
                kind=work.kind,
                dtype=work.dtype,
                flops=round(was.flops + share * (work.flops - was.flops)),
                moved_bytes=round(was.moved_bytes + share * (work.moved_bytes - was.moved_bytes)),
                kernels=round(was.kernels + share * (work.kernels - was.kernels)),
            )
            for work in works
            for was in (before.get((work.kind, work.dtype), work),)
        )
    return mixed
