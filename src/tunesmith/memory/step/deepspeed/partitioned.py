"""Stage 3: parameters, gradients and optimizer states all in shares.

What DeepSpeedZeroOptimizer_Stage3 allocates, in its order, for rank 0
(deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage3.py; each method names its own).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._utils import _flatten_dense_tensors

from tunesmith.memory.step.deepspeed.coordinator import Coordinator, is_leaf
from tunesmith.memory.step.deepspeed.host import Host
from tunesmith.memory.step.deepspeed.settings import Settings
from tunesmith.memory.step.deepspeed.shards import Label, Shard, Shards, shard_of

NORM_BUFFER = 250_000_000
"""Elements whose norm is taken at once: _constant_buffered_norm2()."""


@dataclass(kw_only=True)
class SubGroup:
    """Parameters whose shares the optimizer updates together."""

    shards: list[Shard]
    number: int
    """Its group among the optimizer's."""
    flat: torch.Tensor | None
    """Their shares in 16 bits, on the card."""
    master: torch.Tensor | None = None
    """Their shares in float32, on the card."""

    @property
    def numel(self) -> int:
        """Return the elements of its shares."""
        return sum(shard.share_numel for shard in self.shards)


class PartitionedOptimizer:
    """Stage 3; the optimizer's own step runs on the shares of one sub-group after the other."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        model: nn.Module,
        settings: Settings,
        shards: Shards,
        coordinator: Coordinator,
        host: Host,
        label: Label,
    ) -> None:
        self.optimizer, self.settings, self.shards = optimizer, settings, shards
        self.coordinator, self.host, self.label = coordinator, host, label
        self.device, self.offloads = shards.device, settings.offload_optimizer != "none"
        self.all = [s for s in map(shard_of, model.parameters()) if s is not None]
        for shard in self.all:
            shard.persistent = shard.numel <= settings.persistence_threshold
        self.boundary, self.accumulating = True, False
        self.inf_or_nan = torch.zeros(1, dtype=torch.bool, device=self.device)
        self.sub_groups = self._defragmented()
        self._create_masters()
        self.bucket = torch.empty(
            settings.reduce_bucket if settings.contiguous else 0, dtype=settings.dtype, device=self.device
        )
        self.label([self.bucket], "communication buffers")
        self.filling: list[Shard] = []
        self.filled = 0
        self._places: dict[Shard, torch.Tensor] = {}
        self._norms: list[torch.Tensor] = []
        self._create_gradients()
        self._hook_gradients(model)

    @property
    def trainable(self) -> list[Shard]:
        """Return the shards that the optimizer updates, in its order."""
        return [shard for group in self.sub_groups for shard in group.shards]

    # Making the engine.

    def _defragmented(self) -> list[SubGroup]:
        """Return the sub-groups, their shares moved into one buffer by way of the host.

        _create_fp16_partitions_with_defragmentation(), _create_fp16_sub_groups() and defragment().
        """
        split: list[tuple[int, list[Shard]]] = []
        for number, entry in enumerate(self.optimizer.param_groups):
            group = [s for s in map(shard_of, entry["params"]) if s is not None]
            entry["params"] = []
            part: list[Shard] = []
            for shard in group:
                part.append(shard)
                if sum(s.share_numel for s in part) >= self.settings.sub_group or shard is group[-1]:
                    split.append((number, part))
                    part = []
        if self.settings.offload_parameters != "none":
            for _, part in split:
                for shard in part:
                    shard.share, shard.on_host = None, True
            self._hold_parameters(split)
            return [SubGroup(shards=part, number=number, flat=None) for number, part in split]
        for _, part in split:
            for shard in part:
                shard.share = None
        total = sum(shard.share_numel for _, part in split for shard in part)
        buffer = torch.empty(total, dtype=self.settings.dtype, device=self.device)
        self.label([buffer], self.settings.learning)
        groups, start = [], 0
        for number, part in split:
            numel = sum(shard.share_numel for shard in part)
            offset = start
            for shard in part:
                shard.share = buffer.narrow(0, offset, shard.share_numel)
                offset += shard.share_numel
            groups.append(SubGroup(shards=part, number=number, flat=buffer.narrow(0, start, numel)))
            start += numel
        return groups

    def _hold_parameters(self, split: list[tuple[int, list[Shard]]]) -> None:
        """Hold what learns in one flat buffer a group, and what is frozen as it was made."""
        size, learning = self.settings.dtype.itemsize, {s for _, part in split for s in part}
        for number in sorted({number for number, _ in split}):
            shares = [s.share_numel for group, part in split if group == number for s in part]
            self.host.hold_parameters(shares, size, flat=True)
        frozen = [s.share_numel for s in self.all if s.on_host and s not in learning]
        self.host.hold_parameters(frozen, size, flat=False)

    def _create_masters(self) -> None:
        """Make the float32 shares: _create_fp32_partitions() and initialize_optimizer_states()."""
        if self.offloads:
            for group in self.sub_groups:
                self.host.hold_optimizer(group.numel)
            return
        converted = None
        for group in self.sub_groups:
            source = group.flat
            if source is None:  # brought from the host
                source = torch.empty(group.numel, dtype=self.settings.dtype, device=self.device)
            converted = source.to(torch.float32)
            group.master = converted.clone().detach()
            self.label([group.master], "optimizer states")
            group.master.requires_grad_(True)
        del converted
        largest = max(group.numel for group in self.sub_groups)
        gradient = torch.zeros(largest, dtype=torch.float32, device=self.device)
        del gradient

    def _create_gradients(self) -> None:
        """Make the buffer that this rank's averaged gradients live in: _setup_for_real_optimizer()."""
        total = sum(shard.share_numel for shard in self.trainable)
        if self.offloads:
            self.host.hold("gradients", total * self.settings.dtype.itemsize)
            largest = max(group.numel for group in self.sub_groups)
            self.host.hold_swap_buffers(largest, self.settings.dtype)
            return
        buffer = torch.zeros(total, dtype=self.settings.dtype, device=self.device)
        self.label([buffer], "gradients")
        start = 0
        for shard in self.trainable:
            self._places[shard] = buffer.narrow(0, start, shard.share_numel)
            start += shard.share_numel

    def _hook_gradients(self, model: nn.Module) -> None:
        """Hook every parameter while it is whole, and every leaf: create_reduce_and_remove_grad_hooks()."""
        leaves = {
            module: [shard_of(p) for p in module.parameters()]
            for module in model.modules()
            if is_leaf(module)
        }
        within = {shard for shards in leaves.values() for shard in shards}
        for shard in self.trainable:
            self.shards.gather([shard])
            if shard not in within:
                shard.param.register_post_accumulate_grad_hook(self._gradient_born)
            self.shards.partition(shard)
        for module, shards in leaves.items():
            learning = [shard.param for shard in self.trainable if shard in shards]
            if learning:
                module.register_full_backward_hook(self._gradients_of(learning))

    def _gradients_of(self, params: list[nn.Parameter]) -> Callable[..., None]:
        """Return what takes the gradients of a leaf once its backward pass has ended."""

        def ended(module: nn.Module, grad_input: Any, grad_output: Any) -> None:
            with torch.no_grad():
                for param in params:
                    if param.grad is None:
                        param.grad = torch.zeros_like(param)
                    self._gradient_born(param)

        return ended

    # Gradients, as they are born and after the backward pass.

    def _gradient_born(self, param: torch.Tensor) -> None:
        """Put a gradient into the bucket: reduce_independent_p_g_buckets_and_remove_grads()."""
        shard = shard_of(param)
        assert shard is not None and param.grad is not None
        self.label([param.grad], "gradients")
        limit = self.settings.reduce_bucket
        if self.filled + shard.numel > limit and self.filled > 0:
            self._reduce_bucket()
        if self.settings.contiguous and self.filled + shard.numel <= limit:
            place = self.bucket.narrow(0, self.filled, shard.numel).view_as(param.grad)
            place.copy_(param.grad)
            param.grad.data = place
        self.filling.append(shard)
        self.filled += shard.numel

    def _reduce_bucket(self) -> None:
        """Average the bucket's gradients and keep this rank's: __reduce_and_partition_ipg_grads()."""
        if not self.filling:
            return
        with self.shards.communication.reduction(), torch.no_grad():
            chosen = sorted(self.filling, key=lambda shard: shard.number)
            for shard, share in zip(chosen, self._averaged(chosen), strict=True):
                self._keep(shard, share)
                shard.param.grad = None
        self.filling, self.filled = [], 0

    def _averaged(self, chosen: list[Shard]) -> list[torch.Tensor]:
        """Return this rank's shares of averaged gradients: reduce_scatter_coalesced()."""
        world, gradients = self.settings.world_size, [_whole_gradient(shard) for shard in chosen]
        if len(chosen) == 1 and chosen[0].numel % world == 0:
            together = gradients[0]
        else:
            parts = [part for rank in range(world) for part in _interleaved(chosen, gradients, rank)]
            together = torch.cat(parts)
            self.label([together], "communication buffers")
        together.div_(world)
        mine = together.narrow(0, 0, together.numel() // world)
        self.shards.communication.reduce_scatter(mine, together)
        shares, start = [], 0
        for shard in chosen:
            shares.append(mine.narrow(0, start, min(shard.share_numel, shard.numel)))
            start += shard.share_numel
        return shares

    def _keep(self, shard: Shard, share: torch.Tensor) -> None:
        """Copy or add a share to where it is kept: partition_grads()."""
        if not self.offloads:
            place = self._places[shard].narrow(0, 0, share.numel())
            place.add_(share) if self.accumulating else place.copy_(share)
            return
        on_card = torch.empty_like(share)  # the host's copy, brought back to be summed and measured
        if self.boundary:
            norm = sum(torch.linalg.vector_norm(p.to(torch.float64)) ** 2 for p in on_card.split(NORM_BUFFER))
            self._norms.append(norm**0.5)
            on_card.to(torch.float32)

    def end_backward(self) -> None:
        """Reduce what is left: independent_gradient_partition_epilogue() and backward_epilogue()."""
        self._reduce_bucket()
        self.accumulating = not self.boundary
        self.coordinator.release_leftovers()

    # The optimizer's step.

    def step(self) -> torch.Tensor:
        """Step every sub-group and gather the small parameters: step(); return the norm of all gradients."""
        self.coordinator.release_all(self.all)
        norm = self._norm()
        for shard in self.all:
            shard.param.grad = None
        for group in self.sub_groups:
            self._step_sub_group(group, norm)
        self._norms = []
        self.shards.gather([shard for shard in self.all if shard.persistent])
        return norm

    def _norm(self) -> torch.Tensor:
        """Return the norm over all ranks, taken in float64: get_grad_norm_direct()."""
        totals = []
        for group in self.sub_groups:
            if self.offloads:
                norms = self._norms
            else:
                norms = [self._places[shard].to(torch.float64).norm(2) for shard in group.shards]
            total = torch.stack(norms).pow(2).sum()
            self.shards.communication.all_reduce(total)
            totals.append(total.pow(0.5))
        return torch.linalg.vector_norm(torch.stack(totals))

    def _step_sub_group(self, group: SubGroup, norm: torch.Tensor) -> None:
        """Give a sub-group its float32 gradient, step it and copy it back: _prepare_sub_group() and after."""
        if group.master is None:  # the host steps; 16 bits come back where they rest on the card
            return
        gradients = [self._places[shard] for shard in group.shards]
        gradient = _flatten_dense_tensors(gradients).to(torch.float32)
        self.label([gradient], "gradients")
        group.master.grad = gradient
        scale = torch.clamp(norm + 1e-6, min=1.0) if self.settings.clipped else torch.ones_like(norm)
        gradient.mul_(1.0 / scale)
        entry = self.optimizer.param_groups[group.number]
        entry["params"] = [group.master]
        self.optimizer.step()
        entry["params"] = []
        if group.flat is not None:
            group.flat.copy_(group.master.detach())
        group.master.grad = None


def _whole_gradient(shard: Shard) -> torch.Tensor:
    gradient = shard.param.grad
    assert gradient is not None
    return gradient.view(-1)


def _interleaved(chosen: list[Shard], gradients: list[torch.Tensor], rank: int) -> list[torch.Tensor]:
    """Return the parts of *gradients* that go to *rank*, each padded to a whole share."""
    parts = []
    for shard, gradient in zip(chosen, gradients, strict=True):
        part = gradient[rank * shard.share_numel : (rank + 1) * shard.share_numel]
        parts.append(part)
        if part.numel() < shard.share_numel:
            parts.append(part.new_empty(shard.share_numel - part.numel()))
    return parts
