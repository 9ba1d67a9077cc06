"""What a run under DeepSpeed is set to, once transformers has filled in what it fills in for "auto"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn

from tunesmith import hardware
from tunesmith.memory.loading import DTYPES
from tunesmith.recipe import Deepspeed, Recipe

INITIAL_THRESHOLD: Final = 100_000
"""param_persistence_threshold while the model is built, when "auto" is not filled in yet.

deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/config.py and partition_parameters.py,
_update_persist_config().
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """DeepSpeed's configuration of one run, every number resolved."""

    stage: int
    """1 shards optimizer states, 2 gradients too, 3 parameters too."""
    world_size: int
    """Ranks among which they are sharded."""
    dtype: torch.dtype
    """Type of the engine's parameters, gradients and communication."""
    reduce_bucket: int
    """Elements of gradients that are reduced at once."""
    overlap: bool
    """Whether a second stream reduces while the backward pass goes on."""
    contiguous: bool
    """Whether gradients are copied into a buffer as they are born."""
    prefetch_bucket: int
    """Elements of parameters that are gathered ahead."""
    persistence_threshold: int
    """Parameters with no more elements than this stay whole."""
    max_live: int
    """Elements up to which parameters are gathered ahead."""
    max_reuse_distance: int
    """Elements within which a parameter that is used again stays gathered."""
    sub_group: int
    """Elements that the optimizer updates at a time under stage 3."""
    pinned: bool
    """Whether memory of the host is locked in place."""
    clipped: bool
    """Whether gradients are clipped."""
    accumulation: int
    """Micro-batches in a step."""
    offload_optimizer: str
    """``none``, ``cpu`` or ``nvme``."""
    offload_parameters: str
    """``none``, ``cpu`` or ``nvme``."""
    resident_threshold: int
    """Frozen parameters with no more elements than this stay on the card when parameters are offloaded."""

    learning: str
    """What weights that learn are: ``adapter weights`` or ``weights``."""
    card_bytes: int | None
    """Memory of the card, where one is named: groups are flattened on the host if it is too small."""

    def rests_on_host(self, numel: int) -> bool:
        """Return whether zero.Init puts the share of a parameter with *numel* elements on the host."""
        return self.offload_parameters != "none" and numel > self.resident_threshold

    def converts_to_host(self, numel: int) -> bool:
        """Return the same of a model that is built already: every number of the engine is known by then."""
        return self.offload_parameters != "none" and numel > self.persistence_threshold


def settings_of(recipe: Recipe, model: nn.Module) -> Settings:
    """Return the settings of *recipe*, whose precision is already the engine's, for *model*.

    Null stands for "auto", which HfTrainerDeepSpeedConfig.trainer_config_finalize() replaces by multiples of
    the hidden size (huggingface/transformers@v5.23.0:src/transformers/integrations/deepspeed.py); of itself
    overlap_comm is on under stage 3 only (deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/config.py).
    """
    said, hidden = recipe.deepspeed or Deepspeed(), _hidden_size(model)
    stage = int(recipe.sharding[-1])

    def either(value: int | None, automatic: int) -> int:
        return automatic if value is None else value

    return Settings(
        stage=stage,
        world_size=recipe.hardware.world_size,
        dtype=DTYPES[recipe.precision.weights],
        reduce_bucket=either(said.reduce_bucket_size, hidden * hidden),
        overlap=stage == 3 if said.overlap_comm is None else said.overlap_comm,
        contiguous=said.contiguous_gradients,
        prefetch_bucket=either(said.stage3_prefetch_bucket_size, int(0.9 * hidden * hidden)),
        persistence_threshold=either(said.stage3_param_persistence_threshold, 10 * hidden),
        max_live=said.stage3_max_live_parameters,
        max_reuse_distance=said.stage3_max_reuse_distance,
        sub_group=said.sub_group_size,
        pinned=said.pin_memory,
        clipped=bool(recipe.max_grad_norm),
        accumulation=recipe.gradient_accumulation_steps,
        offload_optimizer=recipe.offload.optimizer,
        offload_parameters=recipe.offload.parameters,
        learning="adapter weights" if recipe.adapter is not None else "weights",
        card_bytes=hardware.gpu(recipe.hardware.gpu).memory_bytes if recipe.hardware.gpu else None,
        resident_threshold=either(said.stage3_param_persistence_threshold, INITIAL_THRESHOLD),
    )


def _hidden_size(model: nn.Module) -> int:
    """Return the hidden size that transformers would take, of the text model where it is stated there."""
    config: Any = getattr(model, "config", None)
    for scope in (config, getattr(config, "text_config", config)):
        if getattr(scope, "hidden_size", None):
            return int(scope.hidden_size)
        if getattr(scope, "hidden_sizes", None):
            return int(max(scope.hidden_sizes))
    return int(config.get_text_config().hidden_size)
