"""Stages 1 and 2: whole parameters on every card, optimizer states and gradients in shares.

What DeepSpeedZeroOptimizer allocates, in its order, for rank 0
(deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage_1_and_2.py; each method names its own).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

from tunesmith.memory.step.deepspeed.communication import Communication
from tunesmith.memory.step.deepspeed.host import Host
from tunesmith.memory.step.deepspeed.settings import Settings

Label = Callable[[Iterable[torch.Tensor], str], None]

START_ALIGNMENT = 2
"""nccl_start_alignment_factor: shares start on whole multiples of so many 16-bit elements a rank."""


@dataclass(kw_only=True)
class Group:
    """One group of the optimizer's parameters, flattened into one buffer."""

    params: list[nn.Parameter]
    """Its trainable parameters, in the optimizer's order."""
    share: int
    """Elements of the flat buffer that one rank owns."""
    flat: torch.Tensor
    """Every parameter of the group in one buffer, padded to whole shares."""
    master: torch.Tensor
    """This rank's share in float32, on the card; empty where it rests on the host."""
    owned: list[nn.Parameter] = field(default_factory=list)
    """Parameters that begin in this rank's share."""
    starts: dict[nn.Parameter, int] = field(default_factory=dict)
    """Where each parameter begins in the flat buffer."""


class Bucket:
    """Gradients on their way to be reduced: IPGBucket."""

    def __init__(self) -> None:
        self.buffers: list[torch.Tensor] = []
        self.index = 0
        self.params: list[tuple[Group, nn.Parameter]] = []
        self.elements = 0

    def clear(self) -> None:
        """Forget what was reduced, but keep the buffers."""
        self.params.clear()
        self.elements = 0


class ReplicatedOptimizer:
    """Stages 1 and 2 without offload; the optimizer's own step runs on the shares."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        model: nn.Module,
        settings: Settings,
        communication: Communication,
        host: Host,
        label: Label,
    ) -> None:
        self.optimizer, self.settings, self.communication = optimizer, settings, communication
        self.model, self.host = model, host
        self.device = next(p for g in optimizer.param_groups for p in g["params"]).device
        self.label = label
        self.partitions_gradients = settings.stage == 2
        self.boundary = True
        self.bucket = Bucket()
        self.ready = False
        self.owned_gradients: torch.Tensor | None = None
        self.owned_offset = 0
        self.accumulated: dict[int, list[torch.Tensor]] = {}
        self.averaged: dict[int, list[torch.Tensor]] = {}
        self.groups = [self._flatten(number) for number in range(len(optimizer.param_groups))]
        self._initialize_states()
        if self.partitions_gradients or settings.overlap or settings.contiguous:
            for group in self.groups:
                for param in group.params:
                    param.register_post_accumulate_grad_hook(self._hook(group))

    # Making the engine.

    def _flatten(self, number: int) -> Group:
        """Return the group in one buffer, of which its parameters become views: __init__()."""
        entry, world = self.optimizer.param_groups[number], self.settings.world_size
        params = list(entry["params"])
        shapes = [param.shape for param in params]
        tensors, total = [p.detach() for p in params], sum(p.numel() for p in params)
        rest = -total % (START_ALIGNMENT * world)
        if self._has_room((total + rest) * self.settings.dtype.itemsize):
            if rest:
                tensors.append(torch.zeros(rest, dtype=tensors[0].dtype, device=self.device))
            flat = _flatten_dense_tensors(tensors)
            del tensors
        else:  # flattened on the host, whose copies are gone before the buffer comes to the card
            del tensors
            for param in params:
                param.data = torch.empty(1, dtype=param.dtype, device=self.device)
            flat = torch.empty(total + rest, dtype=self.settings.dtype, device=self.device)
        self.label([flat], self.settings.learning)
        starts, start = {}, 0
        for param, shape in zip(params, shapes, strict=True):
            starts[param] = start
            param.data = flat.narrow(0, start, shape.numel()).view(shape)
            start += shape.numel()
        share = flat.numel() // world
        master = self._master(flat, share)
        entry["params"] = [master]
        owned = [p for p in params if starts[p] < share]
        return Group(params=params, share=share, flat=flat, master=master, owned=owned, starts=starts)

    def _has_room(self, count: int) -> bool:
        """Return whether the card holds a copy of a group beside all else: "sufficient memory"."""
        if self.settings.card_bytes is None:
            return True
        masters = [group["params"][0] for group in self.optimizer.param_groups if len(group["params"]) == 1]
        held: dict[int, int] = {
            tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes()
            for tensor in (*self.model.parameters(), *self.model.buffers(), *masters)
        }
        return self.settings.card_bytes - sum(held.values()) >= count

    def _master(self, flat: torch.Tensor, share: int) -> torch.Tensor:
        """Return this rank's share in float32, a leaf that the optimizer steps."""
        master = flat.narrow(0, 0, share).detach().clone().to(torch.float32)
        self.label([master], "optimizer states")
        return master.requires_grad_(True)

    def _initialize_states(self) -> None:
        """Give every share a gradient and take it away again: initialize_optimizer_states()."""
        for group in self.groups:
            group.master.grad = torch.zeros(group.share, dtype=torch.float32, device=self.device)
        for group in self.groups:
            group.master.grad = None

    # Gradients, as they are born and after the backward pass.

    def _hook(self, group: Group) -> Callable[[torch.Tensor], None]:
        """Return what runs when a gradient is complete: process_gradients()."""

        def gradient_born(param: torch.Tensor) -> None:
            assert isinstance(param, nn.Parameter) and param.grad is not None
            self.label([param.grad], "gradients")
            self._set_up_buckets()
            if self.partitions_gradients or self.settings.overlap:
                self._reduce_ready(group, param)

        return gradient_born

    def _set_up_buckets(self) -> None:
        """Take the bucket's buffers for one backward pass: setup_buckets()."""
        if self.ready:
            return
        self.ready = True
        if self.settings.contiguous:
            self.bucket.buffers = [
                torch.empty(self.settings.reduce_bucket, dtype=self.settings.dtype, device=self.device)
                for _ in range(2 if self.settings.overlap else 1)
            ]
            self.bucket.index = 0
            self.label(self.bucket.buffers, "communication buffers")

    def _reduce_ready(self, group: Group, param: nn.Parameter) -> None:
        """Put a gradient into the bucket: reduce_independent_p_g_buckets_and_remove_grads()."""
        bucket, limit = self.bucket, self.settings.reduce_bucket
        if not (self.partitions_gradients or self.boundary) or param.grad is None:
            return
        if bucket.elements + param.numel() > limit:
            self._reduce_bucket()
            if self.settings.contiguous and self.settings.overlap:
                bucket.index = 1 - bucket.index
        if self.settings.contiguous and param.numel() <= limit:
            place = bucket.buffers[bucket.index].narrow(0, bucket.elements, param.numel())
            place.copy_(param.grad.view(-1))
            param.grad.data = place.view_as(param.grad)
        elif self.settings.contiguous:
            self._make_room(param.grad)
        bucket.elements += param.numel()
        bucket.params.append((group, param))

    def _make_room(self, gradient: torch.Tensor) -> None:
        """Leave a gradient that is too large for the bucket where it is."""

    def _reduce_bucket(self) -> None:
        """Average what the bucket holds and keep this rank's part: reduce_ipg_grads()."""
        bucket = self.bucket
        if not bucket.params:
            return
        with self.communication.reduction():
            if not self.settings.contiguous:
                self._average_apart([p for _, p in bucket.params])
            elif bucket.elements > self.settings.reduce_bucket:
                gradient = bucket.params[0][1].grad
                assert gradient is not None
                self._average(gradient.view(-1))
            else:
                self._average(bucket.buffers[bucket.index].narrow(0, 0, bucket.elements))
            for group, param in bucket.params:
                mine = group.starts[param] < group.share
                if mine and self.settings.contiguous:
                    self._keep(group, param)
                elif not mine and self.partitions_gradients:
                    param.grad = None
        bucket.clear()

    def _average(self, gradients: torch.Tensor) -> None:
        """Divide and reduce the bucket, slice by slice of a rank: average_tensor()."""
        gradients.div_(self.settings.world_size)
        slices, count = [], 0
        for rank, start, numel in self._slices():
            slices.append((rank, gradients.narrow(0, start, numel)))
            count += numel
            if count > self.settings.reduce_bucket:
                self._reduce_slices(slices)
                slices, count = [], 0
        if slices:
            self._reduce_slices(slices)

    def _slices(self) -> list[tuple[int, int, int]]:
        """Return rank, start and length of the bucket's parts; neighbours of one rank are one part."""
        found: list[tuple[int, int, int]] = []
        position = 0
        for group, param in self.bucket.params:
            start, end = group.starts[param], group.starts[param] + param.numel()
            for rank in range(start // group.share, (end - 1) // group.share + 1):
                numel = min(end, (rank + 1) * group.share) - max(start, rank * group.share)
                if found and found[-1][0] == rank:
                    found[-1] = (rank, found[-1][1], found[-1][2] + numel)
                else:
                    found.append((rank, position, numel))
                position += numel
        return found

    def _reduce_slices(self, slices: list[tuple[int, torch.Tensor]]) -> None:
        """Reduce several slices in one buffer: allreduce_and_copy_with_multiple_ranks()."""
        tensors = [tensor for _, tensor in slices]
        together = _flatten_dense_tensors(tensors)
        self.label([together], "communication buffers") if len(tensors) > 1 else None
        self.communication.all_reduce(together)
        for (rank, tensor), reduced in zip(slices, _unflatten_dense_tensors(together, tensors), strict=True):
            if rank == 0:
                tensor.copy_(reduced)

    def _average_apart(self, params: list[nn.Parameter]) -> None:
        """Reduce gradients that no buffer holds: allreduce_no_retain() by buffered_reduce_fallback()."""
        gradients = [p.grad for p in params if p.grad is not None]
        together = _flatten_dense_tensors(gradients)
        together.div_(self.settings.world_size)
        self.communication.all_reduce(together)
        for gradient, reduced in zip(gradients, _unflatten_dense_tensors(together, gradients), strict=True):
            gradient.copy_(reduced)

    def _keep(self, group: Group, param: nn.Parameter) -> None:
        """Copy a gradient of this rank's share out of the bucket: copy_grads_in_partition()."""
        if self.owned_gradients is None:
            total = sum(p.numel() for group in self.groups for p in group.owned)
            self.owned_gradients = torch.empty(total, dtype=self.settings.dtype, device=self.device)
            self.owned_offset = 0
            self.label([self.owned_gradients], "gradients")
        assert param.grad is not None
        place = self.owned_gradients.narrow(0, self.owned_offset, param.numel())
        place.copy_(param.grad.view(-1))
        param.grad.data = place.view_as(param.grad)
        self.owned_offset += param.numel()

    def end_backward(self) -> None:
        """Reduce what is left and hold the averages: engine.allreduce_gradients()."""
        if not self.partitions_gradients and not self.boundary:
            return
        if not self.partitions_gradients and not self.settings.overlap:  # reduce_gradients()
            for group in self.groups:
                for param in group.params:
                    self._reduce_ready(group, param)
        self._reduce_bucket()
        self._hold_averages()
        self.bucket.buffers = []
        self.owned_gradients, self.ready = None, False
        for group in self.groups:
            for param in group.params:
                param.grad = None

    def _hold_averages(self) -> None:
        """Hold this rank's averaged gradients: independent_gradient_partition_epilogue()."""
        for number, group in enumerate(self.groups):
            new = [_gradient_of(p) for p in group.owned]
            if number not in self.accumulated:
                self.accumulated[number] = new
            else:
                for total, gradient in zip(self.accumulated[number], new, strict=True):
                    total.add_(gradient)
            if self.boundary:
                self.averaged[number] = self._of_share(group, self.accumulated.pop(number))

    def _of_share(self, group: Group, gradients: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return what of *gradients* lies in this rank's share, padded: get_flat_partition()."""
        parts, filled = [], 0
        for gradient in gradients:
            numel = min(gradient.numel(), group.share - filled)
            parts.append(
                gradient if numel == gradient.numel() else gradient.contiguous().view(-1).narrow(0, 0, numel)
            )
            filled += numel
        if filled < group.share:
            parts.append(torch.zeros(group.share - filled, dtype=self.settings.dtype, device=self.device))
        return parts

    # The optimizer's step.

    def step(self) -> torch.Tensor:
        """Step every share and gather the parameters: step(); return the norm of all gradients."""
        norm = self._norm()
        for number, group in enumerate(self.groups):
            for param in group.params:
                param.grad = None
            gradient = _flatten_dense_tensors(self.averaged.pop(number)).to(torch.float32)
            self.label([gradient], "gradients")
            group.master.grad = gradient
            self._clip(gradient, norm)
            self._step_group(number)
            group.master.grad = None
            del gradient
            group.flat.narrow(0, 0, group.share).copy_(group.master.detach())
        for group in self.groups:
            self.communication.all_gather(group.flat, group.flat.narrow(0, 0, group.share))
        return norm

    def _norm(self) -> torch.Tensor:
        """Return the norm over all ranks, taken in float64: get_grad_norm_direct() with get_norm_dtype()."""
        norms = []
        for number in range(len(self.groups)):
            squares = [torch.linalg.vector_norm(g.to(torch.float64)) for g in self.averaged[number]]
            total = torch.stack(squares).pow(2).sum().float()
            self.communication.all_reduce(total)
            norms.append(total.pow(0.5))
        return torch.linalg.vector_norm(torch.stack(norms))

    def _clip(self, gradient: torch.Tensor, norm: torch.Tensor) -> None:
        """Scale a gradient by the clipped norm: unscale_and_clip_grads()."""
        if self.settings.clipped:
            gradient.mul_(1.0 / torch.clamp(norm + 1e-6, min=1.0))

    def _step_group(self, number: int) -> None:
        """Let the optimizer step one group: _optimizer_step()."""
        groups = self.optimizer.param_groups
        self.optimizer.param_groups = [groups[number]]
        self.optimizer.step()
        self.optimizer.param_groups = groups


def _gradient_of(param: nn.Parameter) -> torch.Tensor:
    """Return the gradient, or zeros where the loss does not reach: get_all_grad_tensors()."""
    return torch.zeros_like(param.detach()) if param.grad is None else param.grad
