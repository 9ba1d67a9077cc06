"""How many cards share a run: the class of Distribution for a recipe's sharding."""

from __future__ import annotations

from dataclasses import replace

from tunesmith.memory.step.deepspeed import zero_of
from tunesmith.memory.step.distribution import Distribution
from tunesmith.memory.step.sharding.context import context_of
from tunesmith.memory.step.sharding.ddp import Ddp
from tunesmith.memory.step.sharding.fsdp import Fsdp, HostQuantizedFsdp, QuantizedFsdp
from tunesmith.memory.step.sharding.tensor import parallel_of
from tunesmith.recipe import Parallel, Recipe
from tunesmith.recipe.names import FSDP, ZERO

__all__ = ["distribution_of"]


def distribution_of(recipe: Recipe) -> type[Distribution]:
    """Return what makes *recipe*'s run one of many cards; without a sharding that is DDP, as torchrun's.

    Raises UnsupportedError where what those cards do is not reproduced yet.
    """
    parallel = replace(recipe.parallel or Parallel(), rotation="allgather")
    if parallel != Parallel():
        alone = parallel == Parallel(context=parallel.context)
        return context_of(recipe) if alone else parallel_of(recipe)
    if recipe.hardware.world_size == 1 and recipe.sharding in ("none", "ddp"):
        return Distribution
    if recipe.sharding in ("none", "ddp"):
        return Ddp
    if recipe.sharding in FSDP:
        if recipe.quantization is None:
            return Fsdp
        return QuantizedFsdp if recipe.quantization.device_map is None else HostQuantizedFsdp
    assert recipe.sharding in ZERO
    return zero_of(recipe)
