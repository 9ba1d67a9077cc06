"""Stages 1 and 2 with the optimizer in the memory of the host: the card keeps 16 bits and one gradient.

The branches ``if self.cpu_offload`` of DeepSpeedZeroOptimizer
(deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage_1_and_2.py).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from tunesmith.memory.step.deepspeed.communication import Communication
from tunesmith.memory.step.deepspeed.host import Host
from tunesmith.memory.step.deepspeed.replicated import Group, Label, ReplicatedOptimizer
from tunesmith.memory.step.deepspeed.settings import Settings


class OffloadedOptimizer(ReplicatedOptimizer):
    """Stages 1 and 2 whose shares rest, and step, on the host."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        model: nn.Module,
        settings: Settings,
        communication: Communication,
        host: Host,
        label: Label,
    ) -> None:
        settings = replace(settings, contiguous=True)  # "CPU-Offload requires contiguous gradients"
        super().__init__(optimizer, model, settings, communication, host, label)
        self.norms: list[torch.Tensor] = []
        largest = max(p.numel() for group in self.groups for p in group.params)
        host.hold("communication buffers", largest * settings.dtype.itemsize)
        self._on_card = torch.zeros(largest, dtype=settings.dtype, device=self.device)
        label([self._on_card], "communication buffers")
        if settings.accumulation > 1 and self.partitions_gradients:  # async_accumulate_grad_in_cpu_via_gpu()
            for param in (p for group in self.groups for p in group.owned):
                host.hold("gradients", param.numel() * settings.dtype.itemsize)

    def _master(self, flat: torch.Tensor, share: int) -> torch.Tensor:
        """Hold this rank's share on the host, and the 16 bits that go back to the card."""
        flat.narrow(0, 0, share).detach().clone()
        self.host.hold_optimizer(share)
        self.host.hold("communication buffers", share * flat.element_size())
        return torch.empty(0)

    def _initialize_states(self) -> None:
        """Leave the card as it is: the gradients' buffers stay on the host."""

    def _make_room(self, gradient: torch.Tensor) -> None:
        """Give a gradient that is too large for the bucket a storage of its own."""
        gradient.data = gradient.detach().clone(memory_format=torch.contiguous_format)

    def _keep(self, group: Group, param: nn.Parameter) -> None:
        """Send this rank's part of a gradient to the host: copy_grads_in_partition()."""
        if not self.boundary:
            return
        assert param.grad is not None
        mine = min(param.numel(), group.share - group.starts[param])
        gradient = param.grad.view(-1).narrow(0, 0, mine)
        self.norms.append(gradient.to(torch.float64).norm(2))
        gradient.to(torch.float32)
        param.grad = None

    def _hold_averages(self) -> None:
        """Hold nothing: the averages are on the host."""

    def step(self) -> torch.Tensor:
        """Take the parameters that the host has updated, and gather them: step()."""
        self.norms.clear()
        for group in self.groups:
            self.communication.all_gather(group.flat, group.flat.narrow(0, 0, group.share))
        return torch.zeros(())
