"""Where stage 3 is told that a module begins or ends, forwards and backwards.

deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/parameter_offload.py, _register_deepspeed_module(), and
linear.py, whose multiplication saves its weight as a parameter and not as a view, so that it can be let go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tunesmith.memory.step.deepspeed.coordinator import Coordinator, Unit, is_leaf
from tunesmith.memory.step.deepspeed.shards import Shards, Status, shard_of


class Watched:
    """A model whose every module fetches its parameters before it runs and lets go of them after."""

    def __init__(self, model: nn.Module, coordinator: Coordinator, shards: Shards) -> None:
        self.coordinator, self.shards = coordinator, shards
        self.running: list[Unit] = []
        """The modules whose forward pass we are in: FWD_MODULE_STACK."""
        self.in_forward = False
        model.register_forward_pre_hook(lambda *_: coordinator.begin_pass())
        for module in set(tree(model)):
            module._parameters = _Reached(module._parameters, self)
        for number, module in enumerate(_hooked(model)):
            unit = Unit(module, number)
            module.register_forward_pre_hook(self._before_forward(unit))
            module.register_forward_hook(self._after_forward(unit))
            module.register_forward_hook(self._before_backward(unit))
            module.register_forward_pre_hook(self._after_backward(unit))
        self._root = Unit(model, -1)
        self.running.append(self._root)

    def reach(self, param: nn.Parameter) -> None:
        """Gather a parameter that a module reads which does not own it: ZeROOrderedDict.__getitem__()."""
        shard = shard_of(param)
        if shard is None or not self.in_forward or shard.status is not Status.NOT_AVAILABLE:
            return
        unit = self.running[-1]
        if shard not in unit.external:
            unit.external.append(shard)
        self.shards.gather([shard])

    def _before_forward(self, unit: Unit) -> Callable[..., None]:
        def before_forward(module: nn.Module, inputs: Any) -> None:
            self.running.append(unit)
            with torch.no_grad():
                self.coordinator.fetch(unit, forward=True)

        return before_forward

    def _after_forward(self, unit: Unit) -> Callable[..., None]:
        def after_forward(module: nn.Module, inputs: Any, output: Any) -> None:
            self.running.pop()
            with torch.no_grad():
                self.coordinator.release(unit, forward=True)

        return after_forward

    def _before_backward(self, unit: Unit) -> Callable[..., Any]:
        def begun() -> None:
            if unit.pending_backward > 0:
                unit.pending_backward -= 1
                with torch.no_grad():
                    self.coordinator.fetch(unit, forward=False)

        def mark(tensor: torch.Tensor) -> torch.Tensor:
            unit.pending_backward += 1
            return _passed(tensor, begun)

        return lambda module, inputs, output: _on_tensors(mark, output)

    def _after_backward(self, unit: Unit) -> Callable[..., Any]:
        def ended() -> None:
            unit.gradients_left -= 1
            if unit.gradients_left == 0:
                with torch.no_grad():
                    self.coordinator.release(unit, forward=False)

        def mark(tensor: torch.Tensor) -> torch.Tensor:
            unit.gradients_left += tensor.requires_grad
            return _passed(tensor, ended)

        def before_forward(module: nn.Module, inputs: Any) -> Any:
            unit.gradients_left = 0
            return _on_tensors(mark, inputs)

        return before_forward


class _Reached(dict[str, Any]):
    """A module's parameters, gathered when they are read from outside the module's own turn."""

    def __init__(self, parameters: Mapping[str, Any], watched: Watched) -> None:
        super().__init__(parameters)
        self._watched = watched

    def __getitem__(self, name: str) -> Any:
        param = super().__getitem__(name)
        if param is not None:
            self._watched.reach(param)
        return param


class _Begin(torch.autograd.Function):  # type: ignore[misc]
    """Passes a tensor on, and calls back when its gradient comes: PreBackwardFunctionForModule."""

    @staticmethod
    def forward(tensor: torch.Tensor, callback: Callable[[], None]) -> torch.Tensor:
        return tensor.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.callback = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        ctx.callback()
        return gradients[0], None


def _passed(tensor: torch.Tensor, callback: Callable[[], None]) -> torch.Tensor:
    """Return *tensor*, whose gradient will call back."""
    passed: torch.Tensor = _Begin.apply(tensor, callback)
    return passed


class _Linear(torch.autograd.Function):  # type: ignore[misc]
    """LinearFunctionForZeroStage3."""

    @staticmethod
    def forward(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if input.dim() == 2 and bias is not None:
            return torch.addmm(bias, input, weight.t())
        output = input.matmul(weight.t())
        if bias is not None:
            output += bias
        return output

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        input, weight, bias = ctx.saved_tensors
        rows, axes = gradient.reshape(-1, gradient.shape[-1]), list(range(gradient.dim() - 1))
        grad_input = gradient.matmul(weight) if ctx.needs_input_grad[0] else None
        grad_weight = rows.t().matmul(input.reshape(-1, input.shape[-1])) if ctx.needs_input_grad[1] else None
        grad_bias = gradient.sum(axes) if bias is not None and ctx.needs_input_grad[2] else None
        return grad_input, grad_weight, grad_bias


@contextmanager
def own_linear() -> Iterator[None]:
    """Multiply as stage 3 does until the block ends: zero.Init replaces torch.nn.functional.linear."""
    original = functional.linear

    def linear(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        product: torch.Tensor = _Linear.apply(input, weight, bias)
        return product

    functional.linear = linear
    try:
        yield
    finally:
        functional.linear = original


def _hooked(module: nn.Module) -> Iterator[nn.Module]:
    """Yield every module that is hooked, in the order of _register_deepspeed_module(); none within a leaf."""
    if not is_leaf(module):
        for child in module.children():
            yield from _hooked(child)
    yield module


def tree(module: nn.Module) -> Iterator[nn.Module]:
    """Yield every module after those within, a shared one once for each place."""
    for child in module.children():
        yield from tree(child)
    yield module


def _on_tensors(function: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """Return *value* with every tensor passed through *function*: apply_to_tensors_only()."""
    if isinstance(value, (tuple, list)):
        touched = [_on_tensors(function, item) for item in value]
        return value.__class__(*touched) if hasattr(value, "_fields") else value.__class__(touched)
    if isinstance(value, dict):
        for key in value:
            value[key] = _on_tensors(function, value[key])
        return value
    return function(value) if isinstance(value, torch.Tensor) else value
