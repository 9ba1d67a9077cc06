"""Activation offloading: what the forward pass saves goes to the memory of the host, and comes back when asked for.

trl.SFTTrainer makes TRL's own context once, before the model is wrapped, and runs every training_step() in it
(huggingface/trl@v1.16.0:trl/trainer/sft_trainer.py, lines 1190 and 1692). transformers' Trainer has another way
for checkpointed layers only, which is part of the model: see adapting.py.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import nn
from trl.models import get_act_offloading_ctx_manager

from tunesmith.recipe import Recipe


def activation_offloading(model: nn.Module, recipe: Recipe) -> AbstractContextManager[Any]:
    """Return what every training step runs in, many times: nothing, or TRL's hooks on what autograd saves."""
    if not recipe.activation_offloading:
        return nullcontext()
    context: AbstractContextManager[Any] = get_act_offloading_ctx_manager(model=model)
    return context
