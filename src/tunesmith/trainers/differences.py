"""What an exported file runs that its recipe does not say: found by reading the file back, never from memory.

Keys that mean "what the trainer does by itself" are compared as what that is, so a difference listed here is
one that a run would show.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from tunesmith.recipe import Deepspeed, Recipe
from tunesmith.recipe.frozen import thawed
from tunesmith.recipe.names import ZERO
from tunesmith.recipe.problems import show
from tunesmith.trainers.quantising import PLACE, is_sharded
from tunesmith.trainers.result import Said

LAUNCHED: Final = ("hardware.gpus", "hardware.nodes")
"""Keys that the command line says where the file cannot."""

UNSAID: Final = ("model", "hardware.gpu", "hardware.alloc_conf", "training")
"""Keys that no file says or that are compared elsewhere."""

MATERIAL: Final = (
    "method",
    "adapter.peft_type",
    "adapter.r",
    "adapter.target_modules",
    "adapter.use_dora",
    "adapter.modules_to_save",
    "adapter.bias",
    "adapter.options",
    "quantization.bits",
    "quantization.quant_type",
    "quantization.quant_storage",
    "quantization.device_map",
    "freeze.trainable",
    "freeze.last_n_layers",
    "precision.weights",
    "precision.autocast",
    "attn_implementation",
    "loss",
    "optim",
    "per_device_train_batch_size",
    "sync_each_batch",
    "sequence_length",
    "packing",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs.use_reentrant",
    "gradient_checkpointing_kwargs.every_n_layers",
    "gradient_checkpointing_kwargs.offload",
    "activation_offloading",
    "sharding",
    "parallel.tensor",
    "parallel.context",
    "parallel.rotation",
    "parallel.expert",
    "parallel.pipeline",
    "offload.optimizer",
    "offload.parameters",
)
"""Keys that decide memory; a file that runs otherwise is not written."""


class Difference(NamedTuple):
    """A key that the file runs otherwise than the recipe says."""

    key: str
    asked: Any
    runs: Any
    material: bool

    def said(self, title: str) -> Said:
        """Return the difference as a sentence about the trainer *title*."""
        asked, runs = show(self.asked), show(self.runs)
        return Said(
            f"{self.key}: the recipe says {asked}; {title} runs {runs}.",
            f"{self.key}：配方为 {asked}，{title} 实际运行 {runs}。",
        )


def differences(
    asked: Recipe, runs: Recipe, *, only: Collection[str] = (), launched: bool
) -> list[Difference]:
    """Return where *runs* is not *asked*; *only* some keys; *launched* leaves cards to the command line."""
    wanted, got = _effective(asked), _effective(runs)
    out = []
    for key in sorted({*wanted, *got}):
        if (launched and key in LAUNCHED) or (only and not key.startswith(tuple(only))):
            continue
        one, other = wanted.get(key), got.get(key)
        if launched and key == "sharding" and {one, other} <= {"none", "ddp"}:
            continue
        if one != other:
            out.append(Difference(key, one, other, key in MATERIAL and not _harmless(key, asked, other)))
    return out


def _harmless(key: str, asked: Recipe, runs: Any) -> bool:
    """Return whether the run needs no more for this difference than the recipe was judged by.

    Autocast to the type that the weights have already casts next to nothing; a loss that nobody asked for by
    name is the trainer's to choose; one that never makes the logits needs less. DeepSpeed casts the weights
    that it is given to the type of autocast and keeps its own copies in float32. Gradients that are reduced
    after every pass are never held whole; 4-bit weights that FSDP can shard take less than those it cannot,
    and those quantised on the host less than those quantised on the card.
    """
    if key == "attn_implementation":
        return asked.attn_implementation is None
    if key == "precision.autocast":
        return runs == asked.precision.weights or runs is None
    if key == "precision.weights":
        return asked.sharding in ZERO and asked.precision.autocast is not None
    if key == "loss":
        return asked.loss is None or runs == "without logits"
    if key == "sync_each_batch":
        return runs is True
    if key == "quantization.quant_storage":
        return asked.quantization is not None and asked.quantization.quant_storage == "uint8"
    if key == PLACE:
        return bool(runs == "cpu")
    return False


def _effective(recipe: Recipe) -> dict[str, Any]:
    """Return every key of *recipe* under its dotted name, what is left to the trainer written out."""
    flat = _flat(recipe.to_mapping())
    sft, loop = recipe.trainer == "sft", recipe.trainer == "loop"
    if recipe.adapter is not None:
        own = "bfloat16" if sft and recipe.quantization is not None else "float32"
        flat["precision.adapter"] = recipe.precision.adapter or own
        flat["adapter.target_modules"] = _targets(flat["adapter.target_modules"])
    else:
        flat.pop("precision.adapter")
    if recipe.quantization is not None and recipe.quantization.kbit_preparation is None:
        flat["quantization.kbit_preparation"] = not sft
    if recipe.quantization is not None and recipe.quantization.bits == 8:
        flat.pop("quantization.compute_dtype")  # LLM.int8() multiplies in the type of its input
    if not is_sharded(recipe):
        flat.pop("quantization.quant_storage", None)  # as many bytes, whatever they are called
    flat["sync_each_batch"] = recipe.sync_each_batch and recipe.gradient_accumulation_steps > 1
    whole = recipe.loss == "standard" if sft else recipe.loss in (None, "standard")
    flat["loss"] = "with logits" if whole else "without logits"
    flat["attention_mask"] = not loop if recipe.attention_mask is None else recipe.attention_mask
    flat["keep_outputs"] = bool(recipe.keep_outputs)
    if not recipe.gradient_checkpointing:
        flat = {
            key: value for key, value in flat.items() if not key.startswith("gradient_checkpointing_kwargs")
        }
    flat = {key: value for key, value in flat.items() if not key.startswith("deepspeed")}
    if recipe.sharding in ZERO:
        flat |= {f"deepspeed.{key}": value for key, value in _buckets(recipe).items()}
    for key in UNSAID:
        flat.pop(key, None)
    return flat


def _buckets(recipe: Recipe) -> dict[str, Any]:
    """Return DeepSpeed's sizes that the stage looks at, its own defaults written out."""
    stage_3 = recipe.sharding == "zero3"
    chosen = asdict(recipe.deepspeed or Deepspeed())
    if chosen["overlap_comm"] is None:
        chosen["overlap_comm"] = stage_3
    if (recipe.offload.optimizer, recipe.offload.parameters) == ("none", "none"):
        chosen.pop("pin_memory")
    other = ("allgather_bucket_size",) if stage_3 else ("stage3_", "sub_group_size")
    return {key: value for key, value in chosen.items() if not key.startswith(other)}


def _targets(targets: Any) -> Any:
    """Return target modules so that a list of one equals the regular expression that means the same."""
    if isinstance(targets, str) and (one := re.fullmatch(r"\.\*\\\.((?:\w|\\.)+)", targets)):
        return [re.sub(r"\\(.)", r"\1", one.group(1))]
    return sorted(targets) if isinstance(targets, list) else targets


def _flat(mapping: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in mapping.items():
        key = f"{parent}{name}"
        if name in ("model", "options", "training") or not isinstance(value, Mapping):
            out[key] = thawed(value)
        else:
            out |= _flat(value, f"{key}.")
    return out


def of_training(asked: Recipe, runs: Recipe) -> list[Difference]:
    """Return where the choices that no memory depends on differ; none where the recipe makes none."""
    if asked.training is None:
        return []
    wanted = asdict(asked.training)
    got = asdict(runs.training) if runs.training is not None else {}
    return [
        Difference(f"training.{key}", value, got.get(key), False)
        for key, value in wanted.items()
        if got.get(key) != value
    ]
