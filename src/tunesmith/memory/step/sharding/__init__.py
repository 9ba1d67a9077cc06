"""How many cards share a run: the class of Distribution for a recipe's sharding."""

from __future__ import annotations

from tunesmith.memory.step.deepspeed import zero_of
from tunesmith.memory.step.distribution import Distribution
from tunesmith.memory.step.sharding.ddp import Ddp
from tunesmith.memory.step.sharding.fsdp import Fsdp, QuantizedFsdp
from tunesmith.memory.step.sharding.tensor import parallel_of
from tunesmith.recipe import Parallel, Recipe
from tunesmith.recipe.names import FSDP, ZERO

__all__ = ["distribution_of"]


def distribution_of(recipe: Recipe) -> type[Distribution]:
    """Return what makes *recipe*'s run one of many cards; without a sharding that is DDP, as torchrun's.

    Raises UnsupportedError where what those cards do is not reproduced yet.
    """
    if recipe.parallel is not None and recipe.parallel != Parallel():
        return parallel_of(recipe)
    if recipe.hardware.world_size == 1 and recipe.sharding in ("none", "ddp"):
        return Distribution
    if recipe.sharding in ("none", "ddp"):
        return Ddp
    if recipe.sharding in FSDP:
        return Fsdp if recipe.quantization is None else QuantizedFsdp
    assert recipe.sharding in ZERO
    return zero_of(recipe)
