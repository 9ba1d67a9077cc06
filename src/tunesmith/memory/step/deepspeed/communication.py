"""What DeepSpeed sends between cards, and the streams it does so on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import distributed

ALL_GATHER: Any = getattr(distributed, "all_gather_single", None) or distributed.all_gather_into_tensor
REDUCE_SCATTER: Any = getattr(distributed, "reduce_scatter_single", None) or distributed.reduce_scatter_tensor
"""Collectives of one tensor, by the names that this release of PyTorch prefers."""


class Communication:
    """Collectives among the ranks of a run; of one rank there are none.

    With *overlap* gradients are reduced, and under stage 3 parameters gathered, on streams of their own
    (deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage3.py, reduce_and_partition_stream, and
    parameter_offload.py, __allgather_stream).
    """

    def __init__(self, device: torch.device, *, overlap: bool) -> None:
        self._streams: Any = None
        if overlap and device.type != "cpu" and hasattr(torch, device.type):
            self._streams = getattr(torch, device.type)
            self._reduction, self._gathering = self._streams.Stream(), self._streams.Stream()

    def reduction(self) -> AbstractContextManager[None]:
        """Return a block in which memory is taken on the stream of reductions."""
        return self._streams.stream(self._reduction) if self._streams else nullcontext()

    def gathering(self) -> AbstractContextManager[None]:
        """Return a block in which memory is taken on the stream of gathers."""
        return self._streams.stream(self._gathering) if self._streams else nullcontext()

    def all_reduce(self, tensor: torch.Tensor) -> None:
        """Sum *tensor* over all ranks, in place."""
        if distributed.is_initialized():
            distributed.all_reduce(tensor)

    def all_gather(self, whole: torch.Tensor, share: torch.Tensor) -> None:
        """Fill *whole* with every rank's *share*."""
        if distributed.is_initialized():
            ALL_GATHER(whole, share)

    def reduce_scatter(self, share: torch.Tensor, whole: torch.Tensor) -> None:
        """Fill *share* with this rank's part of the sum of *whole* over all ranks."""
        if distributed.is_initialized():
            REDUCE_SCATTER(share, whole)
