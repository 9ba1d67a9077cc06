"""What an answer about a run under DeepSpeed takes for granted."""

from __future__ import annotations

from tunesmith.memory.step.deepspeed.engine import engine_recipe
from tunesmith.recipe import Recipe
from tunesmith.recipe.names import ZERO


def assumptions(recipe: Recipe) -> list[str]:
    """Return the sentences that hold for *recipe*; none without DeepSpeed."""
    if recipe.sharding not in ZERO:
        return []
    dtype = engine_recipe(recipe).precision.weights
    said = [
        "Buckets, shares and gathers are those of DeepSpeed 0.19.8, which is reproduced here and not run.",
        f"DeepSpeed computes in {dtype} without autocast; what learns has a float32 copy, which is sharded.",
    ]
    if recipe.quantization is None:
        said.append("The model is read into the memory of the host first; what that takes is not counted.")
    if recipe.sharding == "zero3":
        said.append("The host never runs so far ahead of the card that memory waits for another stream.")
    if recipe.offload.optimizer != "none":
        said.append(
            "In the memory of the host steps DeepSpeedCPUAdam, whatever the optimizer; Adagrad and Lion have "
            "twins of their own."
        )
    if recipe.deepspeed is not None and recipe.deepspeed.pin_memory and "cpu" in _places(recipe):
        said.append("PyTorch rounds pinned memory to powers of two, and so does this count.")
    if "nvme" in _places(recipe):
        said.append("NVMe is reached through DeepSpeed's default numbers and sizes of buffers.")
    return said


def _places(recipe: Recipe) -> tuple[str, str]:
    return recipe.offload.optimizer, recipe.offload.parameters
