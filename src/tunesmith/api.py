"""Tunesmith from Python: one function for each thing it does; heavy stages are imported when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunesmith.architecture import load_architecture
from tunesmith.errors import MissingExtraError, UnsupportedError
from tunesmith.hardware import gpu as find_gpu
from tunesmith.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from tunesmith.memory.estimate import Estimate

REFERENCE_GPU = "A100-80GB"
"""The card whose kernels are assumed when a recipe names none."""


def estimate(recipe: Recipe | Mapping[str, Any] | str | Path) -> Estimate:
    """Return what *recipe* needs on one GPU, exactly, without a GPU.

    *recipe* is a Recipe, a mapping with its keys, or the path of a YAML or JSON file.

    >>> answer = estimate({"model": "HuggingFaceTB/SmolLM2-135M", "method": "lora", "sequence_length": 512})
    >>> answer.peak.allocated_bytes == sum(answer.parts.values())
    True

    Raises RecipeError, ArchitectureError or HardwareError for what the user can mend, MissingExtraError
    when PyTorch or transformers are not installed, and UnsupportedError where no faithful answer exists.
    """
    chosen = _recipe(recipe)
    card = find_gpu(chosen.hardware.gpu) if chosen.hardware.gpu else None
    architecture = load_architecture(chosen.model)
    if chosen.hardware.world_size > 1 or chosen.sharding != "none":
        raise UnsupportedError(
            f"sharding {chosen.sharding} over {chosen.hardware.world_size} cards: one card is estimated so far. "
            "Set sharding: none, hardware.gpus: 1 and hardware.nodes: 1."
        )
    try:
        from tunesmith.memory.trace import trace
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error.name or "PyTorch", "memory") from error
    from tunesmith.memory.estimate import estimate_from

    traced = trace(architecture, chosen, card or find_gpu(REFERENCE_GPU))
    return estimate_from(traced, model=architecture.name, recipe=chosen, gpu=card)


def _recipe(recipe: Recipe | Mapping[str, Any] | str | Path) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        return Recipe.from_mapping(recipe)
    return read_recipe(recipe)
