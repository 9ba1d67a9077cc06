"""Context parallelism as accelerate runs it: some cards split every sequence, and all cards share the model.

The batch is split by transformers' own ``Trainer._prepare_context_parallel_inputs`` and accelerate's
``maybe_context_parallel``, and the model by FSDP2 over data-parallel and context-parallel cards together
(huggingface/accelerate@v1.15.0:src/accelerate/accelerator.py, ``_prepare_cp``). Attention goes round the
cards in PyTorch's own ring (torch/distributed/tensor/experimental/_context_parallel/_attention.py at
v2.13.0), so what its rounds gather, merge and keep is what that code allocates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from accelerate.big_modeling import _attach_context_parallel_hooks
from accelerate.parallelism_config import ParallelismConfig
from accelerate.utils.dataclasses import TorchContextParallelConfig
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor.experimental import context_parallel
from torch.distributed.tensor.experimental._attention import set_rotate_method
from torch.utils._python_dispatch import _disable_current_modes
from transformers import Trainer as HfTrainer

from tunesmith.errors import UnsupportedError
from tunesmith.memory.meta import replaced
from tunesmith.memory.step.distribution import Distribution
from tunesmith.memory.step.sharding.fsdp import Fsdp, HostQuantizedFsdp, QuantizedFsdp
from tunesmith.recipe import Recipe

LOGGER = logging.getLogger("transformers.trainer")
"""What tells users that labels were shifted and positions counted for them."""


def context_of(recipe: Recipe) -> type[Distribution]:
    """Return what runs *recipe*, whose sequences are split over some cards.

    Raises UnsupportedError for what neither accelerate nor TRL runs.
    """
    if recipe.trainer == "loop":
        raise UnsupportedError(
            "parallel.context with trainer loop: a plain loop says itself which tensors are split. Set "
            "trainer: trainer or sft, which split the batch as transformers does."
        )
    if recipe.quantization is None:
        return ContextParallel
    return (
        QuantizedContextParallel if recipe.quantization.device_map is None else HostQuantizedContextParallel
    )


class ContextParallel(Fsdp):
    """FSDP2 over all cards, of which some see one part of each sequence and attention goes round them."""

    _grid: ParallelismConfig
    _ring: DeviceMesh

    def cards(self) -> tuple[DeviceMesh, tuple[str, ...]]:
        """Return accelerate's own grid: those that split sequences share the model with all others."""
        self._grid = _parallelism(self.recipe)
        names = tuple(self._grid.fsdp_dim_names)
        with _disable_current_modes():  # a grid is no work of the card
            mesh = self._grid.build_device_mesh(self.device.type)
            self._ring = mesh["cp"]
            return mesh[names], names

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Let attention do without masks, as the ring has none, and shard *model*."""
        _attach_context_parallel_hooks(model)
        yield from super().shard(model)

    @contextmanager
    def part_of(self, batch: dict[str, Any]) -> Iterator[None]:
        """Split *batch* in place, and let attention go round the cards until the block ends."""
        set_rotate_method(self._grid.cp_handler.cp_comm_strategy)
        accelerator = SimpleNamespace(
            parallelism_config=self._grid,
            maybe_context_parallel=partial(context_parallel, mesh=self._ring),
        )
        trainer = SimpleNamespace(accelerator=accelerator)
        with replaced(LOGGER, "disabled", True):  # else it says that it makes what the data has not
            around, _ = HfTrainer._prepare_context_parallel_inputs(trainer, self._model, batch)
        with around():
            yield


class QuantizedContextParallel(ContextParallel, QuantizedFsdp):
    """The same over quantised weights."""


class HostQuantizedContextParallel(ContextParallel, HostQuantizedFsdp):
    """The same over weights that are quantised in the memory of the host."""


def _parallelism(recipe: Recipe) -> ParallelismConfig:
    """Return accelerate's grid for *recipe*."""
    assert recipe.parallel is not None
    hardware, hybrid = recipe.hardware, recipe.sharding == "fsdp_hybrid"
    context, rotation = recipe.parallel.context, recipe.parallel.rotation
    return ParallelismConfig(
        dp_replicate_size=hardware.nodes if hybrid else 1,
        dp_shard_size=(hardware.gpus if hybrid else hardware.world_size) // context,
        tp_size=1,
        cp_size=context,
        sp_size=1,
        cp_handler=TorchContextParallelConfig(cp_comm_strategy=rotation),
    )
