"""The run of a recipe, from loading to the second optimizer step, on any device.

It knows nothing of estimation. It is a generator that stops at every moment worth a name, so that
whoever drives it can look at memory there; the same code runs on meta, on a CPU and on CUDA.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatch
from types import SimpleNamespace
from typing import Any

import peft
import torch
from accelerate.utils import convert_outputs_to_fp32
from torch import nn
from transformers import PreTrainedModel
from transformers.trainer_optimizer import _OPTIMIZER_HANDLERS, OptimizerContext
from transformers.trainer_pt_utils import get_parameter_names
from trl.trainer.utils import add_fused_lm_head

from tunesmith.memory.loading import DTYPES, load
from tunesmith.recipe import Recipe

STEPS = 2


@dataclass(kw_only=True)
class Run:
    """What a run holds at a moment; None or empty until it exists."""

    model: nn.Module
    optimizer: torch.optim.Optimizer | None = None
    moment: str = ""


def run(model: PreTrainedModel, recipe: Recipe, device: torch.device) -> Iterator[Run]:
    """Yield the run at each moment of two optimizer steps; the phase before it has just ended.

    Two steps, because optimizer states are born in the first and live through the second.
    """
    load(model, DTYPES[recipe.precision.weights], device)
    state = Run(model=model)
    yield _at(state, "load")
    yield from _adapt(state, recipe)
    yield from _train(state, recipe, device)


def _at(state: Run, moment: str) -> Run:
    state.moment = moment
    return state


# -- which weights train, and what is added to them -------------------------------------------------


def _adapt(state: Run, recipe: Recipe) -> Iterator[Run]:
    """Prepare the model as the recipe's trainer does, in its order."""
    model = state.model
    checkpointing = dict(recipe.gradient_checkpointing_kwargs)
    if recipe.method == "freeze":
        _freeze(model, recipe)
    if recipe.method in ("lora", "qlora"):
        by_hand = recipe.trainer != "sft"
        if recipe.quantization is not None and _kbit_preparation(recipe):
            model = peft.prepare_model_for_kbit_training(
                model,
                use_gradient_checkpointing=recipe.gradient_checkpointing,
                gradient_checkpointing_kwargs=checkpointing,
            )
            yield _at(state, "prepare_kbit")
        elif recipe.gradient_checkpointing and by_hand:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=checkpointing)
            model.enable_input_require_grads()
        state.model = model = peft.get_peft_model(model, _peft_config(recipe))
        if not by_hand and recipe.gradient_checkpointing:
            model.enable_input_require_grads()
        _cast_adapters(model, recipe)
        yield _at(state, "adapters")
    if recipe.gradient_checkpointing and (recipe.method in ("full", "freeze") or recipe.trainer == "sft"):
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=checkpointing)


def _kbit_preparation(recipe: Recipe) -> bool:
    """Return whether k-bit preparation runs: what is said, else what the trainer does (TRL: no)."""
    said = recipe.quantization.kbit_preparation if recipe.quantization else None
    return said if said is not None else recipe.trainer != "sft"


def _peft_config(recipe: Recipe) -> peft.PeftConfig:
    adapter = recipe.adapter
    assert adapter is not None
    kind = peft.PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(adapter.peft_type)]
    return kind(task_type="CAUSAL_LM", **adapter.arguments())


def _cast_adapters(model: nn.Module, recipe: Recipe) -> None:
    """Cast trainable adapters to the stated dtype; TRL casts those over a quantised base to bfloat16."""
    dtype = recipe.precision.adapter
    if dtype is None and recipe.trainer == "sft" and recipe.quantization is not None:
        dtype = "bfloat16"
    if dtype is None:
        return
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not (recipe.trainer == "sft" and "lora_magnitude_vector" in name):
            parameter.data = parameter.data.to(DTYPES[dtype])


def _freeze(model: PreTrainedModel, recipe: Recipe) -> None:
    freeze = recipe.freeze
    assert freeze is not None
    model.requires_grad_(False)
    if freeze.last_n_layers is not None:
        layers = next(m for m in model.base_model.modules() if isinstance(m, nn.ModuleList))
        for layer in layers[-freeze.last_n_layers :]:
            layer.requires_grad_(True)
        return
    for name, parameter in model.named_parameters(remove_duplicate=False):
        path = name.rpartition(".")[0]
        if any(_matches(pattern, name, path) for pattern in freeze.trainable):
            parameter.requires_grad_(True)


def _matches(pattern: str, name: str, module: str) -> bool:
    """Return whether a glob names this parameter, its module, or a module above it."""
    parents = [module.rsplit(".", n)[0] for n in range(module.count(".") + 1)]
    return any(fnmatch(path, pattern) or fnmatch(path, f"*.{pattern}") for path in (name, *parents))


# -- the steps --------------------------------------------------------------------------------------


def _train(state: Run, recipe: Recipe, device: torch.device) -> Iterator[Run]:
    model = state.model
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    state.optimizer = _optimizer(model, trainable, recipe)
    trainer = TRAINERS[recipe.trainer](model, recipe, device)
    scaler = torch.amp.GradScaler("cpu") if recipe.precision.autocast == "float16" else None
    yield _at(state, "optimizer" if recipe.trainer == "loop" else "trainer_built")
    for step in range(1, STEPS + 1):
        for micro in range(1, recipe.gradient_accumulation_steps + 1):
            tag = f"step{step}.{micro}" if recipe.gradient_accumulation_steps > 1 else f"step{step}"
            batch = _batch(recipe, device)
            loss = trainer.loss(batch)
            yield _at(state, f"{tag}.forward")
            # Not loss.backward(): as a torch function it would hide the modes on the stack from recomputation.
            torch.autograd.backward(scaler.scale(loss) if scaler else loss)
            del loss
            if recipe.trainer != "loop":
                del batch
            yield _at(state, f"{tag}.backward")
        if recipe.max_grad_norm is not None:
            if scaler:
                scaler.unscale_(state.optimizer)
            nn.utils.clip_grad_norm_(trainable, recipe.max_grad_norm)
            yield _at(state, f"step{step}.clip")
        if scaler:
            scaler.step(state.optimizer)
            scaler.update()
        else:
            state.optimizer.step()
        yield _at(state, f"step{step}.step")
        state.optimizer.zero_grad(set_to_none=True)
        batch = trainer.outputs = None
        yield _at(state, f"step{step}.end")


def _batch(recipe: Recipe, device: torch.device) -> dict[str, torch.Tensor]:
    """Return one micro-batch, copied from the host as a data loader does."""
    ids = torch.zeros((recipe.per_device_train_batch_size, recipe.sequence_length), dtype=torch.int64)
    batch = {"input_ids": ids.to(device), "labels": ids.to(device)}
    if recipe.trainer != "loop" if recipe.attention_mask is None else recipe.attention_mask:
        batch["attention_mask"] = torch.ones_like(ids).to(device)
    return batch


def _autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    if recipe.precision.autocast is None:
        return nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[recipe.precision.autocast])


def _keeps_outputs(recipe: Recipe) -> bool:
    """Return whether ``outputs = model(...)`` lives to the end of the step, logits and all."""
    if recipe.keep_outputs is not None:
        return recipe.keep_outputs
    return recipe.trainer == "loop" and recipe.attention_mask is None


class Loop:
    """A plain PyTorch loop: autocast around the forward, the mean loss over accumulated batches."""

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device) -> None:
        self.model, self.recipe, self.device = model, recipe, device
        self.outputs: Any = None

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the loss of one micro-batch, its graph attached."""
        with _autocast(self.recipe, self.device):
            outputs = self.model(**batch)
        if _keeps_outputs(self.recipe):
            self.outputs = outputs
        return outputs.loss / self.recipe.gradient_accumulation_steps


class Trainer(Loop):
    """transformers.Trainer: accelerate wraps the forward in autocast and copies outputs to float32."""

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device) -> None:
        super().__init__(model, recipe, device)
        self.forward = self._wrapped()
        self.items = torch.zeros((), dtype=torch.int64).to(device)

    def _wrapped(self) -> Any:
        if self.recipe.precision.autocast is None:
            return self.model
        return convert_outputs_to_fp32(_autocast(self.recipe, self.device)(self.model))

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed loss over the number of items in the whole batch."""
        return self.forward(**batch, num_items_in_batch=self.items)["loss"]


class Sft(Trainer):
    """trl.SFTTrainer: a fused LM head that never makes the logits (trl/trainer/sft_trainer.py at v1.16.0)."""

    def __init__(self, model: nn.Module, recipe: Recipe, device: torch.device) -> None:
        base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
        add_fused_lm_head(base, outputs=("log_probs", "entropy", "is_top1"))
        super().__init__(model, recipe, device)

    def loss(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the summed loss over the number of items, as SFTTrainer.compute_loss() makes it."""
        outputs = self.forward(**batch, use_cache=False, fused_lm_head=True)
        loss = (-outputs.log_probs).sum() / self.items.clamp(min=1)
        outputs.label_mask.sum(), outputs.entropy.detach().sum(), outputs.is_top1.sum()
        return loss


TRAINERS = {"loop": Loop, "trainer": Trainer, "sft": Sft}


# -- the optimizer ------------------------------------------------------------------------------------


def _optimizer(model: nn.Module, trainable: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer that transformers makes of this name, over its two parameter groups.

    A plain loop hands over all parameters in one group, as PyTorch's examples do.
    """
    arguments = SimpleNamespace(optim=recipe.optim, optim_args=None, learning_rate=1e-5)
    context = OptimizerContext(
        args=arguments,
        model=model,
        optimizer_kwargs={"lr": 1e-5},
        adam_kwargs={"betas": (0.9, 0.999), "eps": 1e-8},
        optim_args={},
    )
    kind, kwargs = _OPTIMIZER_HANDLERS[recipe.optim](context)
    if recipe.trainer == "loop":
        return kind(trainable, **kwargs)
    decayed = set(_decayed(model))
    groups = [
        {"params": [p for n, p in model.named_parameters() if p.requires_grad and n in decayed], "weight_decay": 0.0},
        {"params": [p for n, p in model.named_parameters() if p.requires_grad and n not in decayed], "weight_decay": 0.0},
    ]
    return kind(groups, **kwargs)


def _decayed(model: nn.Module) -> list[str]:
    """Return the parameters that get weight decay (Trainer.get_decay_parameter_names at v5.23.0)."""
    forbidden = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    return get_parameter_names(model, [nn.LayerNorm], forbidden)
