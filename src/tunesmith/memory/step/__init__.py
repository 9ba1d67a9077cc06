"""The run of a recipe, from loading to the second optimizer step, on any device.

It knows nothing of estimation. It is a generator that stops at every moment worth a name, so that
whoever drives it can look at memory there; the same code runs on meta, on a CPU and on CUDA.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from tunesmith.memory.loading import DTYPES, load
from tunesmith.memory.step.adapting import adapt
from tunesmith.memory.step.optimizer import build_optimizer
from tunesmith.memory.step.training import STEPS, TRAINERS
from tunesmith.recipe import Recipe

__all__ = ["STEPS", "Run", "run"]


@dataclass(kw_only=True)
class Run:
    """What a run holds at a moment; None or empty until it exists."""

    model: nn.Module
    """The model, wrapped by PEFT once it has an adapter."""
    optimizer: torch.optim.Optimizer | None = None
    """The optimizer, whose states are born in the first step."""
    moment: str = ""
    """The name of what has just ended, e.g. ``step1.backward``."""


def run(model: PreTrainedModel, recipe: Recipe, device: torch.device) -> Iterator[Run]:
    """Yield the run at each moment of two optimizer steps; the phase before it has just ended.

    Two steps, because optimizer states are born in the first and live through the second.

    Raises RecipeError for what a library refuses, MissingExtraError for an optimizer whose package is not
    installed, and UnsupportedError for what cannot be run faithfully.
    """
    state = Run(model=model)

    def at(moment: str) -> Run:
        state.moment = moment
        return state

    load(model, DTYPES[recipe.precision.weights], device)
    yield at("load")
    for moment, state.model in adapt(model, recipe, device):
        yield at(moment)
    state.model.train()
    trainer = TRAINERS[recipe.trainer](state.model, recipe, device)
    state.optimizer = trainer.optimizer = build_optimizer(state.model, recipe)
    yield at("optimizer" if recipe.trainer == "loop" else "trainer_built")
    for moment in trainer.train():
        yield at(moment)
