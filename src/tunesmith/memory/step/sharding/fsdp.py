"""FSDP2 as accelerate sets it up: every layer, the embedding and the head are sharded, and gathered in turn.

What shards is PyTorch's own ``fully_shard``, called by accelerate's own ``fsdp2_prepare_model``
(huggingface/accelerate@v1.15.0:src/accelerate/utils/fsdp_utils.py), with what transformers' Trainer and
``accelerate launch`` set: layers are wrapped by their class, weights that learn become float32 under mixed
precision, and the checkpoint reaches the cards one parameter at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from accelerate.utils import fsdp_utils
from accelerate.utils.dataclasses import FullyShardedDataParallelPlugin
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from tunesmith.errors import UnsupportedError
from tunesmith.memory.host import HostBlock
from tunesmith.memory.step.distribution import Distribution
from tunesmith.recipe import Recipe

MIXED = {"bfloat16": "bf16", "float16": "fp16", None: "no"}
"""accelerate's names of mixed precision."""


class Fsdp(Distribution):
    """FSDP2: parameters, gradients and states in shards; a layer's parameters are gathered to be used."""

    loads_on_card = False
    autocasts = False
    _model: Any = None

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Shard *model*, and load it where it is not on the card yet."""
        accelerator = _accelerator(self.recipe, self.device)
        buffers = list(_plain_buffers(model))
        self._model = fsdp_utils.fsdp2_prepare_model(accelerator, model)
        yield "prepared", self._model
        fsdp_utils.fsdp2_load_full_state_dict(
            accelerator, self._model, {}, cpu_offload=_offloads(self.recipe)
        )
        for owner, name in buffers:
            owner.register_buffer(
                name, torch.empty_like(getattr(owner, name), device=self.device), persistent=False
            )
        if hasattr(self._model, "tie_weights"):  # loading broke the tie
            self._model.tie_weights()
        yield "load", self._model

    def prepare(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Return *optimizer*, unless it cannot step on shards.

        bitsandbytes 0.50.2 hands DTensors and plain tensors to one operation, which DTensor refuses:
        "got mixed torch.Tensor and DTensor" (optimizer_update_8bit_blockwise on PyTorch's CUDA build).
        """
        if type(optimizer).__module__.startswith("bitsandbytes"):
            raise UnsupportedError(
                f"optim {self.recipe.optim} with sharding {self.recipe.sharding}: bitsandbytes' optimizers "
                "cannot step on FSDP2's shards, which are DTensors. Set optim: adamw_torch_fused, or another "
                "sharding."
            )
        return optimizer

    def backward(self, loss: torch.Tensor) -> None:
        """Run the backward pass of one micro-batch; refuse a forward pass that ran on the host."""
        if loss.device.type != self.device.type:
            raise UnsupportedError(
                f"sharding {self.recipe.sharding} with offload.parameters cpu: this model's forward pass "
                "stays on the host here, so the card has no figure. Set offload: none, or sharding: zero3."
            )
        super().backward(loss)

    def step(self, optimizer: Any) -> None:
        """Let the optimizer step, and count what lies on the host the first time that everything does."""
        super().step(optimizer)
        if _offloads(self.recipe) and not self.host:
            learning = [p for p in self._model.parameters() if p.requires_grad]
            states = (value for state in optimizer.state.values() for value in state.values())
            self.host += [
                _block("weights", self._model.parameters(), pinned=True),
                _block("gradients", [p.grad for p in learning if p.grad is not None], pinned=True),
                _block("optimizer states", [each for each in states if isinstance(each, torch.Tensor)]),
            ]

    @contextmanager
    def micro_batch(self, *, last: bool) -> Iterator[None]:
        """Keep whole gradients on every card until the *last* micro-batch: Accelerator.no_sync()."""
        self._model.set_requires_gradient_sync(last)
        try:
            yield
        finally:
            self._model.set_requires_gradient_sync(True)


class QuantizedFsdp(Fsdp):
    """FSDP2 over quantised weights, which bitsandbytes makes on the card before anything is sharded."""

    loads_on_card = True

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Shard *model* where it lies."""
        self._model = fsdp_utils.fsdp2_prepare_model(_accelerator(self.recipe, self.device), model)
        yield "shard", self._model


def _accelerator(recipe: Recipe, device: torch.device) -> Any:
    """Return what fsdp2_prepare_model() reads of an Accelerator.

    The process is not the main one: those hold no weights, and take the same memory on the card.
    """
    mixed = MIXED[recipe.precision.autocast]
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="TRANSFORMER_BASED_WRAP",
        reshard_after_forward=recipe.sharding != "fsdp_grad_op",
        cpu_offload=_offloads(recipe),
        state_dict_type="SHARDED_STATE_DICT",
        activation_checkpointing=False,
        cpu_ram_efficient_loading=None,
    )
    if mixed != "no":
        plugin.set_mixed_precision(mixed)
    mesh = _mesh(recipe, device)
    return SimpleNamespace(
        state=SimpleNamespace(fsdp_plugin=plugin),
        mixed_precision=mixed,
        is_main_process=False,
        device=device,
        torch_device_mesh=mesh,
        parallelism_config=SimpleNamespace(fsdp_dim_names=mesh.mesh_dim_names),
    )


def _mesh(recipe: Recipe, device: torch.device) -> DeviceMesh:
    """Return the cards in a row, or for hybrid sharding in one row a node."""
    hardware = recipe.hardware
    if recipe.sharding == "fsdp_hybrid":
        shape, names = (hardware.nodes, hardware.gpus), ("dp_replicate", "dp_shard_cp")
        return init_device_mesh(device.type, shape, mesh_dim_names=names)
    return init_device_mesh(device.type, (hardware.world_size,), mesh_dim_names=("dp_shard_cp",))


def _offloads(recipe: Recipe) -> bool:
    return recipe.offload.parameters == "cpu"


def _block(what: str, tensors: Iterable[torch.Tensor], *, pinned: bool = False) -> HostBlock:
    """Return the host's memory of those *tensors* that lie there; the pinned are rounded to powers of two.

    c10::CachingHostAllocatorImpl::allocate() at v2.13.0 (c10/core/CachingHostAllocator.h).
    """
    shards = [getattr(each, "_local_tensor", each) for each in tensors]
    sizes = [shard.untyped_storage().nbytes() for shard in shards if shard.device.type == "cpu"]
    if pinned:
        sizes = [1 << (size - 1).bit_length() for size in sizes if size]
    return HostBlock(what=what, bytes=sum(sizes), pinned=pinned)


def _plain_buffers(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Yield the module and name of each buffer that no checkpoint holds, and loading does not bring."""
    for module in model.modules():
        for name in module._non_persistent_buffers_set:
            if getattr(module, name) is not None:
                yield module, name
