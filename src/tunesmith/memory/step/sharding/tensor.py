"""Tensor parallelism as transformers runs it: every layer split over some cards, which see the same batch.

The model is split by transformers' own ``maybe_distribute_model`` with the model's own ``tp_plan``, as
``from_pretrained(distributed_config=DistributedConfig(tp_size=...))`` does before it reads the weights
(huggingface/transformers@v5.23.0:src/transformers/distributed/mixin.py). Cards beyond those share the model
by the FSDP2 of the same call. What each card gathers, sums and keeps is what PyTorch's DTensor does then.
Expert parallelism (expert.py) is laid out by the same call.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.utils._python_dispatch import _disable_current_modes
from transformers import PreTrainedModel
from transformers import Trainer as HfTrainer
from transformers.distributed.configuration_utils import DistributedConfig
from transformers.distributed.tensor_parallel import get_kv_heads_per_rank
from transformers.distributed.utils import TransformersDeviceMesh

from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.memory.meta import replaced
from tunesmith.memory.step.distribution import Distribution
from tunesmith.memory.step.sharding.expert import EVEN
from tunesmith.recipe import Parallel, Recipe


def parallel_of(recipe: Recipe) -> type[Distribution]:
    """Return what runs *recipe*'s parallelism.

    Raises UnsupportedError for the kinds that are not reproduced, and says why.
    """
    parallel = recipe.parallel or Parallel()
    for kind, reason in REFUSED.items():
        if getattr(parallel, kind) > 1:
            raise UnsupportedError(f"parallel.{kind}: {reason}")
    named = "parallel.tensor" if parallel.tensor > 1 else "parallel.expert"
    if recipe.trainer == "loop":
        raise UnsupportedError(
            f"{named} with trainer loop: a plain loop clips and steps what is split and what is not "
            "in one call, which PyTorch refuses. Set trainer: trainer or sft, which take them apart."
        )
    if recipe.quantization is not None:
        raise UnsupportedError(
            f"{named} with method qlora: transformers 5.23 splits no weights that bitsandbytes has "
            "quantised. Set method: lora or full, or share the cards by sharding: fsdp."
        )
    if recipe.sharding not in ("none", "fsdp", "fsdp_hybrid"):
        raise UnsupportedError(
            f"{named} with sharding {recipe.sharding}: only transformers' own FSDP2 beside it is "
            "estimated. Set sharding: fsdp, or none where tensor uses every card."
        )
    if (recipe.offload.optimizer, recipe.offload.parameters) != ("none", "none"):
        raise UnsupportedError(f"{named} with offload is not estimated. Set offload to none.")
    return TensorParallel


REFUSED = {
    "pipeline": "transformers 5.23 has a pipeline for inference only: its stages send no gradients back. Set "
    "parallel.pipeline: 1 and share the cards by sharding: fsdp, or split layers by parallel.tensor.",
    "context": "beside tensor or expert parallelism it is not reproduced. Set one of them to 1.",
}
"""Kinds of parallelism that end in a refusal, and why."""


REDISTRIBUTING = logging.getLogger("torch.distributed.tensor._redistribute")
"""What tells users of DTensor how their meshes could be faster."""


class TensorParallel(Distribution):
    """Each card holds its part of every layer, or its experts; norms are repeated, parts are summed."""

    _model: Any = None

    def load(self, model: PreTrainedModel) -> None:
        """Split *model* before it is loaded, so that each card only ever holds its part."""
        tensor = (self.recipe.parallel or Parallel()).tensor
        if tensor > 1:
            _check_heads(model, tensor)
        with _disable_current_modes():  # nothing is on the card yet
            config, mesh = _layout(self.recipe, tensor, self.device)
            _untie(model)
            model.maybe_distribute_model(model, config, mesh)
            model.tie_weights()
        super().load(model)

    def shard(self, model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Yield nothing, for *model* is split; refuse adapters that PEFT makes of another size."""
        self._model = model
        tensor = (self.recipe.parallel or Parallel()).tensor
        odd = {name.rpartition(".")[2] for name, module in model.named_modules() if _odd(module, tensor)}
        if odd:
            fix = "Name only modules that split their outputs, without those"
            if self.recipe.sharding != "none":
                fix = "Set sharding: none and parallel.tensor to the number of cards, or method: full"
            raise UnsupportedError(
                "adapter.target_modules with parallel: PEFT 0.21 sizes the adapters of "
                f"{', '.join(sorted(odd))} by what lies on this card, where transformers 5.23 expects "
                f"another size, so their forward fails. {fix}."
            )
        yield from ()

    def prepare(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Return *optimizer*, unless it cannot step on parts: Fsdp.prepare() says why."""
        if type(optimizer).__module__.startswith("bitsandbytes"):
            raise UnsupportedError(
                f"optim {self.recipe.optim} with parallel: bitsandbytes' optimizers cannot step on "
                "the parts of a split model, which are DTensors. Set optim: adamw_torch_fused."
            )
        return optimizer

    @contextmanager
    def micro_batch(self, *, last: bool) -> Iterator[None]:
        """Put off what FSDP2 reduces until the *last* one: Trainer._defer_fsdp_gradient_reduction()."""
        if last or not hasattr(self._model, "set_requires_gradient_sync"):
            yield
            return
        trainer = SimpleNamespace(model=self._model)
        with HfTrainer._defer_fsdp_gradient_reduction(trainer):
            yield

    def clip(self, parameters: list[nn.Parameter], max_norm: float) -> torch.Tensor:
        """Clip what is split and what is not by one norm, as Trainer._clip_grad_norm() does at v5.23.0."""
        model = SimpleNamespace(parameters=lambda: parameters)
        with replaced(REDISTRIBUTING, "disabled", True):  # else it says that two sums could be one
            norm: torch.Tensor = HfTrainer._mixed_mesh_grad_norm(None, model, max_norm)
        return norm


def _odd(module: nn.Module, tensor: int) -> bool:
    """Return whether the sizes of a LoRA do not fit a base layer that is split over *tensor* cards.

    A layer without a plan is split only where FSDP2 is beside it.

    peft.tuners.tuners_utils._get_in_out_features() at v0.21.2 takes the shape of the local shard; a layer
    that splits its inputs declares the whole width to DTensor all the same (RowwiseParallel at v5.23.0),
    and FSDP2 over another dimension makes the shard smaller still.
    """
    if not isinstance(module, LoraLayer):
        return False
    base = module.get_base_layer()
    plan = getattr(base, "_hf_tp_plan", None)
    if plan == "rowwise":
        return any(inner.in_features != base.in_features for inner in module.lora_A.values())
    if plan == "colwise":
        return any(outer.out_features * tensor != base.out_features for outer in module.lora_B.values())
    if not isinstance(base, nn.Linear):
        return False
    return any(outer.out_features != base.out_features for outer in module.lora_B.values())


def _untie(model: PreTrainedModel) -> None:
    """Give tied weights a tensor each, as from_pretrained() has them until everything is split."""
    for name in model.all_tied_weights_keys:
        path, _, leaf = name.rpartition(".")
        owner = model.get_submodule(path)
        owner._parameters[leaf] = nn.Parameter(torch.empty_like(owner.get_parameter(leaf)))


def _layout(
    recipe: Recipe, tensor: int, device: torch.device
) -> tuple[DistributedConfig, TransformersDeviceMesh]:
    """Return the grid of cards that initialize_distributed_mesh() makes on an accelerator."""
    hardware, hybrid = recipe.hardware, recipe.sharding == "fsdp_hybrid"
    config = DistributedConfig(
        tp_size=tensor,
        fsdp_size=(hardware.gpus if hybrid else hardware.world_size) // tensor,
        dp_replicate_size=hardware.nodes if hybrid else 1,
        ep_size=(recipe.parallel or Parallel()).expert,
        ep_implementation=EVEN,
    )
    dense, expert = (
        init_device_mesh(
            device.type,
            (config.pp_size, config.dp_replicate_size, *sizes),
            mesh_dim_names=("pp", "dp_replicate", *names),
        )
        for sizes, names in (
            ((config.fsdp_size, config.tp_size), ("fsdp", "tp")),
            ((config.efsdp_size, config.ep_size), ("efsdp", "ep")),
        )
    )
    return config, TransformersDeviceMesh(dense, expert)


def _check_heads(model: PreTrainedModel, tensor: int) -> None:
    """Raise RecipeError where the cards cannot have as many whole heads each."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    pairs = getattr(config, "num_key_value_heads", None) or heads
    if get_kv_heads_per_rank(model.tp_plan, [heads, pairs], tensor) is None:
        raise RecipeError(
            f"parallel.tensor: given {tensor}, expected a number that divides the {heads} attention heads "
            f"and the {pairs} key-value heads of {model.config.model_type}. Choose one, e.g. 2."
        )
