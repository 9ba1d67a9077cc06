"""Activation offloading: what the forward pass saves rests in the memory of the host until it is asked for.

trl.SFTTrainer makes TRL's own context once, before the model is wrapped, and runs every training_step() in it
(huggingface/trl@v1.16.0:trl/trainer/sft_trainer.py, lines 1190 and 1692). transformers has another way, for
checkpointed layers only, which is part of the model: see adapting.py.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import nn
from trl.models import get_act_offloading_ctx_manager

from tunesmith.recipe import Recipe


def offloading_assumptions(recipe: Recipe) -> list[str]:
    """Return the sentences that hold for *recipe*; none where activations stay on the card."""
    said = []
    if recipe.activation_offloading:
        said.append(
            "What autograd saves goes to the host over PCIe and comes back in the backward pass; TRL copies "
            "beside the computation, and times span from copies that hide behind it to copies waited for."
        )
        said.append("The host never runs so far ahead of the card that memory waits for another stream.")
    if recipe.gradient_checkpointing and recipe.gradient_checkpointing_kwargs.get("offload"):
        said.append(
            "The inputs of checkpointed layers go to the host over PCIe and come back; transformers copies "
            "them on the stream that computes, so every copy is waited for."
        )
    if said:
        said.append("PyTorch rounds pinned memory to powers of two, and so does this count.")
    return said


def activation_offloading(model: nn.Module, recipe: Recipe) -> AbstractContextManager[Any]:
    """Return what every training step runs in, many times: nothing, or TRL's hooks on what autograd saves."""
    if not recipe.activation_offloading:
        return nullcontext()
    context: AbstractContextManager[Any] = get_act_offloading_ctx_manager(model=model)
    return context
