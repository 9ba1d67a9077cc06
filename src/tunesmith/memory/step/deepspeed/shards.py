"""Stage 3's parameters: a share of each on every card, the whole gathered when it is used.

deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/partition_parameters.py, class Init and its handles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

import torch
from torch import nn

from tunesmith.memory.step.deepspeed.communication import Communication

Label = Callable[[Iterable[torch.Tensor], str], None]


class Status(Enum):
    """Whether a parameter is whole on this card: ZeroParamStatus."""

    AVAILABLE = "available"
    NOT_AVAILABLE = "not available"
    INFLIGHT = "in flight"


class Shard:
    """One parameter's share on this card, and who is using the whole."""

    def __init__(self, param: nn.Parameter, number: int, world_size: int) -> None:
        self.param, self.number = param, number
        self.shape = param.shape
        self.numel: int = param.numel()
        self.share_numel = math.ceil(self.numel / world_size)
        self.share: torch.Tensor | None = None
        """The share on the card; none where it rests on the host."""
        self.on_host = False
        self.status = Status.AVAILABLE
        self.persistent = False
        self.users: set[int] = set()
        """Numbers of the modules that use the whole now: ds_active_sub_modules."""


def shard_of(param: torch.Tensor) -> Shard | None:
    """Return the shard of a parameter, or None of any other tensor."""
    found: Shard | None = getattr(param, "zero3_shard", None)
    return found


def whole_numel(param: torch.Tensor) -> int:
    """Return the elements of a parameter, which stage 3 leaves empty while nobody uses it."""
    shard = shard_of(param)
    whole: int = param.numel() if shard is None else shard.numel
    return whole


class Handle:
    """A gather on its way: AllGatherHandle of one parameter, AllGatherCoalescedHandle of several."""

    def __init__(
        self, shards: list[Shard], whole: torch.Tensor | None, world_size: int, label: Label
    ) -> None:
        self._shards, self._whole, self._world_size, self._label = shards, whole, world_size, label
        self._complete = False

    def wait(self) -> None:
        """Give every parameter its whole tensor."""
        if self._complete:
            return
        self._complete = True
        offset, whole = 0, self._whole
        for shard in self._shards:
            if whole is not None:
                rank_elements = whole.numel() // self._world_size
                starts = range(0, shard.numel, shard.share_numel)
                parts = [
                    whole.narrow(
                        0, rank * rank_elements + offset, min(shard.share_numel, shard.numel - start)
                    )
                    for rank, start in enumerate(starts)
                ]
                shard.param.data = torch.cat(parts).view(shard.shape)
                self._label([shard.param], "gathered parameters")
                offset += shard.share_numel
            shard.status = Status.AVAILABLE


class Handles:
    """Gathers of several types on their way: MultipleAllGatherHandles."""

    def __init__(self, handles: list[Handle]) -> None:
        self._handles = handles

    def wait(self) -> None:
        """Give every parameter its whole tensor."""
        for handle in self._handles:
            handle.wait()


class Shards:
    """Partitions parameters and gathers them again."""

    def __init__(
        self, device: torch.device, world_size: int, communication: Communication, label: Label
    ) -> None:
        self.device, self.world_size = device, world_size
        self.communication, self.label = communication, label
        self._number = 0

    def convert(self, param: nn.Parameter, *, on_host: bool) -> Shard:
        """Partition a whole parameter for the first time: _convert_to_deepspeed_param() and partition()."""
        shard = Shard(param, self._number, self.world_size)
        self._number += 1
        shard.on_host = on_host
        if not on_host:
            shard.share = torch.empty(shard.share_numel, dtype=param.dtype, device=self.device)
            self.label([shard.share], "weights")
            used = min(shard.share_numel, shard.numel)
            shard.share.narrow(0, 0, used).copy_(param.detach().view(-1).narrow(0, 0, used))
        holder: Any = param
        holder.zero3_shard = shard
        self._free(shard)
        return shard

    def partition(self, shard: Shard) -> None:
        """Let go of the whole: _partition_param() of a parameter that has a share."""
        if shard.status is Status.AVAILABLE:
            self._free(shard)

    def _free(self, shard: Shard) -> None:
        shard.param.data = torch.empty(0, dtype=shard.param.dtype, device=self.device)
        shard.status = Status.NOT_AVAILABLE

    def start_gathering(self, shards: Iterable[Shard]) -> Handle | Handles:
        """Start to gather and return the handle: all_gather_coalesced().

        One parameter is gathered in place. Several go through one buffer, from which each is copied once
        it has come.
        """
        chosen = sorted(shards, key=lambda shard: shard.number)
        for shard in chosen:
            shard.status = Status.INFLIGHT
        if self.world_size == 1:
            for shard in chosen:
                shard.param.data = self._local(shard).view(-1)[: shard.numel].view(shard.shape)
            return Handle(chosen, None, 1, self.label)
        if len(chosen) == 1:
            self._gather_in_place(chosen[0])
            return Handle(chosen, None, self.world_size, self.label)
        by_type: dict[torch.dtype, list[Shard]] = {}
        for shard in chosen:
            by_type.setdefault(shard.param.dtype, []).append(shard)
        handles = [self._gather_together(by_type[dtype]) for dtype in sorted(by_type, key=str)]
        return handles[0] if len(handles) == 1 else Handles(handles)

    def _gather_together(self, shards: list[Shard]) -> Handle:
        """Start to gather several of one type through one buffer: _all_gather_dtype()."""
        together = sum(shard.share_numel for shard in shards)
        dtype = shards[0].param.dtype
        whole = torch.empty(together * self.world_size, dtype=dtype, device=self.device)
        self.label([whole], "communication buffers")
        mine = whole.narrow(0, 0, together)
        torch.cat([self._local(shard) for shard in shards], out=mine)
        self.communication.all_gather(whole, mine)
        return Handle(shards, whole, self.world_size, self.label)

    def gather(self, shards: Iterable[Shard]) -> None:
        """Gather and wait, each parameter into a tensor of its own: _all_gather()."""
        for shard in shards:
            if shard.status is Status.NOT_AVAILABLE:
                self._gather_in_place(shard)
                shard.status = Status.AVAILABLE

    def _gather_in_place(self, shard: Shard) -> None:
        elements = shard.share_numel * self.world_size
        local = self._local(shard)
        whole = torch.empty(elements, dtype=shard.param.dtype, device=self.device)
        self.label([whole], "gathered parameters")
        self.communication.all_gather(whole, local)
        shard.param.data = whole.narrow(0, 0, shard.numel).view(shard.shape)

    def _local(self, shard: Shard) -> torch.Tensor:
        """Return this card's share, copied from the host where it rests there."""
        if shard.share is not None:
            return shard.share
        copy = torch.empty(shard.share_numel, dtype=shard.param.dtype, device=self.device)
        self.label([copy], "communication buffers")
        return copy
