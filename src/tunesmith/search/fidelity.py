"""How close a recipe's learning comes to full fine-tuning in 32 bits: an order with reasons, no measurement.

The figure orders recipes and says nothing of a task's score: what a method loses depends on the data. Steps
of the order, each with who found it:

- 16-bit weights without 32-bit masters lose small updates to rounding (arXiv:2010.06192, section 3).
- An adapter learns less than all weights where the data is large and far from what the model knows
  (arXiv:2405.09673), and as much on the usual sizes of post-training data if all linear layers are adapted
  and the rank suffices (https://thinkingmachines.ai/blog/lora/).
- An adapter beside NF4 weights recovers what 16-bit weights give (arXiv:2305.14314, section 4), though
  gradients pass through rounded weights.
- 8-bit states end where 32-bit states do (arXiv:2110.02861); Adafactor and Lion want other learning rates
  (arXiv:1804.04235, arXiv:2302.06675); plain SGD seldom trains transformers well (arXiv:2002.08056).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tunesmith.recipe import Recipe
from tunesmith.recipe.names import ZERO

FULL: Final = 100
"""All weights learn, in 32 bits, under AdamW."""
PURE_16_BIT: Final = -8
"""Weights that learn are kept in 16 bits alone."""
FREEZE: Final = -14
"""Only some layers learn."""
ADAPTER: Final = -10
"""An adapter of rank 64 or more learns."""
RANKS: Final = ((64, 0), (32, -1), (16, -3), (8, -5), (1, -10))
"""What a lower rank gives up: from this rank on, this much.

Where all linear layers are adapted the rank hardly matters (arXiv:2305.14314, appendix A), until the data
holds more than the adapter can (https://thinkingmachines.ai/blog/lora/); above 64 nobody has shown a gain on
post-training data of the usual size.
"""
QUANTIZED: Final = MappingProxyType({4: -4, 8: -2})
"""Frozen weights are rounded to so many bits."""
OPTIMIZERS: Final = MappingProxyType({"adafactor": -3, "lion_32bit": -2, "lion_8bit": -3, "sgd": -20})
"""Optimizers that are not AdamW."""
EIGHT_BIT: Final = -1
"""AdamW's states are kept in 8 bits."""


def fidelity(recipe: Recipe) -> int:
    """Return how close *recipe* comes to full fine-tuning in 32 bits, of 100.

    >>> fidelity(Recipe(model="gpt2", method="full", optim="adamw_8bit", precision={"weights": "float32"}))
    99
    """
    score = FULL + _optimizer(recipe.optim)
    if recipe.method in ("full", "freeze"):
        masters = recipe.precision.weights == "float32" or recipe.sharding in ZERO
        return score + (0 if masters else PURE_16_BIT) + (FREEZE if recipe.method == "freeze" else 0)
    assert recipe.adapter is not None
    rank = recipe.adapter.r or 1
    score += ADAPTER + next(loss for least, loss in RANKS if rank >= least)
    return score + (QUANTIZED[recipe.quantization.bits] if recipe.quantization is not None else 0)


def _optimizer(name: str) -> int:
    known = OPTIMIZERS.get(name)
    if known is not None:
        return known
    return EIGHT_BIT if name.endswith("8bit") else 0
