"""DeepSpeed's engine as transformers and accelerate drive it: ZeRO of stage 1, 2 or 3.

The engine computes in 16 bits with float32 copies of what learns; it backs up autocast, which it does not use
(deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/engine.py, _configure_distributed_model()). It is reproduced
here, not run: its storages are taken in its order, so that DeepSpeed need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from bitsandbytes.nn import Params4bit
from torch import nn

from tunesmith.errors import UnsupportedError
from tunesmith.memory.step.deepspeed.communication import Communication
from tunesmith.memory.step.deepspeed.coordinator import Coordinator
from tunesmith.memory.step.deepspeed.hooks import Watched, own_linear, tree
from tunesmith.memory.step.deepspeed.host import Host
from tunesmith.memory.step.deepspeed.offloaded import OffloadedOptimizer
from tunesmith.memory.step.deepspeed.partitioned import PartitionedOptimizer
from tunesmith.memory.step.deepspeed.replicated import ReplicatedOptimizer
from tunesmith.memory.step.deepspeed.settings import Settings, settings_of
from tunesmith.memory.step.deepspeed.shards import Shards
from tunesmith.memory.step.distribution import Distribution
from tunesmith.recipe import Recipe

CASTABLE = (torch.float32, torch.float16, torch.bfloat16)
"""Types that the engine casts to its own: CASTABLE_DTYPES."""


class Zero(Distribution):
    """ZeRO of stage 1 and 2: every card holds the model, in 16 bits."""

    loads_on_card = False
    autocasts = False
    labels_gradients = True

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(engine_recipe(recipe), device)
        self.settings: Settings
        self._model: nn.Module
        self._optimizer: Any = None

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Bring *model* to the card in the engine's type, module by module."""
        self._configure(model)
        yield "prepared", model
        for _ in _to_card(model, self.settings.dtype, self.device):
            pass
        yield "load", model

    def prepare(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Make the engine's optimizer, which steps shares of flat groups instead of parameters."""
        optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        kind = ReplicatedOptimizer if self.settings.offload_optimizer == "none" else OffloadedOptimizer
        self._optimizer = kind(
            optimizer, self._model, self.settings, self.communication, self.host_memory, self.label
        )
        return optimizer

    def _configure(self, model: nn.Module) -> None:
        self._model, self.settings = model, settings_of(self.recipe, model)
        self.communication = Communication(self.device, overlap=self.settings.overlap)
        self.host_memory = Host(self.host, self.settings, self.recipe.optim)

    @contextmanager
    def micro_batch(self, *, last: bool) -> Iterator[None]:
        """Tell the optimizer whether gradients are complete after this micro-batch."""
        self._optimizer.boundary = last
        yield

    def backward(self, loss: torch.Tensor) -> None:
        """Run the backward pass and reduce what is left of the gradients: engine.backward()."""
        super().backward(loss * 1.0)  # scale_if_loss()
        with torch.no_grad():
            self._optimizer.end_backward()

    def clip(self, parameters: list[nn.Parameter], max_norm: float) -> torch.Tensor:
        """Return a norm that was read already; the engine clips where it steps."""
        return torch.zeros(())

    def step(self, optimizer: Any) -> None:
        """Step the shares: engine.step(), which keeps the norm of the gradients."""
        with torch.no_grad():
            self._norm = self._optimizer.step()


class QuantizedZero(Zero):
    """Stages 1 and 2 over weights that bitsandbytes quantised on the card: they stay as they are."""

    loads_on_card = True

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Cast what is not quantised to the engine's type, where it lies."""
        self._configure(model)
        self._cast(model)
        yield "shard", model

    def _cast(self, model: nn.Module) -> None:
        """Cast every parameter of a floating-point type: _cast_module_mixed_precision()."""
        for param in model.parameters():
            if param.dtype in CASTABLE and param.dtype is not self.settings.dtype:
                if isinstance(param, Params4bit):
                    raise UnsupportedError(
                        _CAST_AWAY.format(str(param.dtype)[6:], str(self.settings.dtype)[6:])
                    )
                param.data = param.data.to(self.settings.dtype)
                self.label([param], self.settings.learning if param.requires_grad else "weights")


class ZeroThree(Zero):
    """ZeRO of stage 3: parameters in shares too, which zero.Init makes as the model is built."""

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Make every parameter whole on the card and keep a share of it."""
        self._configure(model)
        yield "prepared", model
        self._shards = Shards(self.device, self.settings.world_size, self.communication, self.label)
        for param in _to_card(model, self.settings.dtype, self.device):
            self._shards.convert(param, on_host=self.settings.rests_on_host(param.numel()))
        yield "load", model
        self._watch(model)

    def _watch(self, model: nn.Module) -> None:
        """Hook every module: DeepSpeedZeRoOffload."""
        self._coordinator = Coordinator(self.settings, self._shards, self.communication)
        self._watched = Watched(model, self._coordinator, self._shards)

    def prepare(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Make the engine's optimizer, which steps sub-groups of shares."""
        optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        self._optimizer = PartitionedOptimizer(
            optimizer,
            self._model,
            self.settings,
            self._shards,
            self._coordinator,
            self.host_memory,
            self.label,
        )
        return optimizer

    @contextmanager
    def micro_batch(self, *, last: bool) -> Iterator[None]:
        """Let modules reach for each other's parameters, and multiply without keeping weights alive."""
        self._optimizer.boundary = last
        self._watched.in_forward = True
        with own_linear():
            yield

    def backward(self, loss: torch.Tensor) -> None:
        """Run the backward pass, in which no parameter is reached for."""
        self._watched.in_forward = False
        super().backward(loss)


class QuantizedZeroThree(ZeroThree, QuantizedZero):
    """Stage 3 over 4-bit weights, which every card quantises whole before the engine cuts them into shares.

    transformers does not build a quantised model under zero.Init (get_init_context() in
    huggingface/transformers@v5.23.0:src/transformers/modeling_utils.py), so the engine converts it where it
    lies: _convert_to_zero_parameters(). The constants of its blocks are no parameters and stay whole. Without
    checkpointing bitsandbytes' product keeps the gathered weight until its backward pass (ctx.tensors in
    bitsandbytes-foundation/bitsandbytes@0.50.2:bitsandbytes/autograd/_functions.py).
    """

    loads_on_card = True

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Cast what is not quantised, and keep a share of every parameter."""
        self._configure(model)
        self._cast(model)
        self._shards = Shards(self.device, self.settings.world_size, self.communication, self.label)
        for param in list(model.parameters()):
            self._shards.convert(param, on_host=self.settings.converts_to_host(param.numel()))
        del param
        yield "shard", model
        self._watch(model)


_CAST_AWAY = (
    "quantization.quant_storage {0} under DeepSpeed, which computes in {1}: its engine casts every "
    "floating-point parameter to {1}, and packed weights would be destroyed. "
    "Set quantization.quant_storage: {1} or uint8."
)


def zero_of(recipe: Recipe) -> type[Zero]:
    """Return what makes *recipe*'s run one of ZeRO.

    Raises UnsupportedError for stage 3 over 8-bit weights.
    """
    if recipe.sharding != "zero3":
        return Zero if recipe.quantization is None else QuantizedZero
    if recipe.quantization is None:
        return ZeroThree
    if recipe.quantization.bits == 8:
        raise UnsupportedError(
            "sharding zero3 with quantization.bits 8: bitsandbytes keeps the whole int8 weight beside the "
            "parameter (MatmulLtState.CB), so that cutting the parameter frees nothing; there is no figure. "
            "Set sharding: zero2, or quantization.bits: 4."
        )
    return QuantizedZeroThree


def engine_recipe(recipe: Recipe) -> Recipe:
    """Return *recipe* with the engine's precision: 16 bits if any were asked for, and no autocast.

    The model is loaded as stated and cast in the memory of the host, so only the type in which the engine
    computes remains. TRL turns to reentrant checkpointing for adapters under stage 3
    (huggingface/trl@v1.16.0:trl/trainer/sft_trainer.py).
    """
    precision = recipe.precision
    changes: dict[str, Any] = {"precision.weights": precision.autocast or precision.weights}
    changes["precision.autocast"] = None
    if recipe.sharding == "zero3" and recipe.trainer == "sft" and recipe.adapter is not None:
        changes["gradient_checkpointing_kwargs.use_reentrant"] = True
    return recipe.replace(**changes)


def _to_card(model: nn.Module, dtype: torch.dtype, device: torch.device) -> Iterator[nn.Parameter]:
    """Yield every parameter of *model* once it lies on *device* in *dtype*; buffers keep their type."""
    moved: dict[int, nn.Parameter] = {}
    for module in tree(model):
        for name, param in module._parameters.items():
            if param is None:
                continue
            if id(param) not in moved:
                kind = dtype if param.dtype in CASTABLE else param.dtype
                value = torch.empty(param.shape, dtype=kind, device=device)
                moved[id(param)] = nn.Parameter(value, requires_grad=param.requires_grad)
                del value
                module._parameters[name] = moved[id(param)]
                yield moved[id(param)]
            module._parameters[name] = moved[id(param)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.zeros(buffer.shape, dtype=buffer.dtype, device=device)
