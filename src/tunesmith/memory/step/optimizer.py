"""The optimizer of a recipe, as transformers makes it of its name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import torch
from bitsandbytes.optim import GlobalOptimManager
from torch import nn
from torch.distributed.tensor import DTensor
from transformers.trainer_optimizer import _OPTIMIZER_HANDLERS, OptimizerContext, has_mixed_dtensor
from transformers.trainer_pt_utils import get_parameter_names

from tunesmith.errors import MissingExtraError, RecipeError, UnsupportedError
from tunesmith.memory.step.deepspeed import whole_numel
from tunesmith.recipe import Recipe

UNFIT: Final = {
    "adamw_torch_xla": "it runs on XLA devices only",
    "adamw_torch_npu_fused": "it runs on Ascend NPUs only",
    "adamw_anyprecision": "it needs torchdistx, which was never released for a current PyTorch",
    "lomo": "it steps inside the backward pass through hooks of its own, which are not run here",
    "adalomo": "it steps inside the backward pass through hooks of its own, which are not run here",
}
"""Optimizers for which no run on a CUDA card can be reproduced here, and why."""

NO_HANDLER: Final = "transformers names it but cannot build it"

PROJECTED: Final = ("galore_", "apollo_")
"""Optimizers that project the gradients of modules that TrainingArguments.optim_target_modules names."""


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer that transformers makes of this name, over its two parameter groups.

    A plain loop hands over all parameters in one group, as PyTorch's examples do.
    """
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not sum(whole_numel(p) for _, p in trainable):
        raise RecipeError(
            f"method {recipe.method}: given choices that train no parameter, expected at least one. "
            "Name what learns: adapter.target_modules, adapter.options or freeze.trainable."
        )
    kind, kwargs = _handled(recipe.optim, model)
    if recipe.trainer == "loop":
        return kind([p for _, p in trainable], **kwargs)
    decayed = set(_decayed(model))
    groups = [
        {"params": [p for name, p in trainable if (name in decayed) is chosen], "weight_decay": 0.0}
        for chosen in (True, False)
    ]
    optimizer = kind(_by_mesh(groups), **kwargs)
    if kwargs.get("optim_bits") == 8:
        _keep_embeddings_in_32_bits(model)
    return optimizer


def _by_mesh(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *groups* with parameters of different meshes apart, as Trainer.create_optimizer() at v5.23.0.

    One kernel call cannot span what is sharded and what is not.
    """
    if not has_mixed_dtensor(parameter for group in groups for parameter in group["params"]):
        return groups
    split = []
    for group in groups:
        meshes: dict[Any, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
            meshes.setdefault(mesh, []).append(parameter)
        split += [{**group, "params": parameters} for parameters in meshes.values()]
    return split


def _keep_embeddings_in_32_bits(model: nn.Module) -> None:
    """Give embeddings 32-bit states, as Trainer.create_optimizer does at v5.23.0 for 8-bit optimizers."""
    manager = GlobalOptimManager.get_instance()
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            manager.register_module_override(module, "weight", {"optim_bits": 32})


def _handled(name: str, model: nn.Module) -> tuple[type[torch.optim.Optimizer], dict[str, object]]:
    """Return the class and arguments that transformers chooses (trainer_optimizer.py at v5.23.0)."""
    handler = _OPTIMIZER_HANDLERS.get(name)
    if name in UNFIT or handler is None:
        raise UnsupportedError(
            f"optim {name}: {UNFIT.get(name, NO_HANDLER)}. Choose another, e.g. adamw_torch_fused."
        )
    if name.startswith(PROJECTED):
        raise UnsupportedError(
            f"optim {name}: it projects the gradients of modules that a recipe cannot name "
            "(optim_target_modules), so its states are not known. Choose another, e.g. adamw_8bit."
        )
    arguments = SimpleNamespace(
        optim=name,
        optim_args=None,
        learning_rate=1e-5,
        weight_decay=0.0,
        warmup_steps=0,
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
    )
    context = OptimizerContext(
        args=arguments,
        model=model,
        optimizer_kwargs={"lr": 1e-5},
        adam_kwargs={"betas": (0.9, 0.999), "eps": 1e-8},
        optim_args={},
    )
    try:
        kind, kwargs = handler(context)
    except (ImportError, ValueError) as error:  # transformers says with either what to install
        raise MissingExtraError(f"optim {name}: {error}") from error
    return kind, kwargs


def _decayed(model: nn.Module) -> list[str]:
    """Return the parameters that get weight decay (Trainer.get_decay_parameter_names at v5.23.0)."""
    forbidden = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    names: list[str] = get_parameter_names(model, [nn.LayerNorm], forbidden)
    return names
