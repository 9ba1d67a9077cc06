"""What one change would save: every candidate is computed, none is guessed.

A candidate's own training step is run on a few layers and unrolled to all of them (memory/ledger), and
the allocator is replayed over it, so the figure is what ``estimate`` would say of the changed recipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tunesmith.architecture import Architecture
from tunesmith.errors import MissingExtraError, RecipeError, UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.estimate import Estimate, Suggestion, Traced, estimate_from
from tunesmith.memory.ledger import Trace, layers_for, scaled_trace
from tunesmith.recipe import Recipe

_MAX_LAYERS: Final = 64
"""Layers run for all candidates of a recipe together: what a model of 64 layers takes to trace."""

_Candidate = tuple[Mapping[str, Any], str, str]


def suggestions(
    architecture: Architecture, recipe: Recipe, gpu: Gpu, answer: Estimate, *, trace: Trace
) -> tuple[Suggestion, ...]:
    """Return the one-change recipes that need less than *answer*, the largest saving first.

    *gpu* is the card whose kernels are run; whether a change fits is said only where *answer* names a card.
    """
    found: list[Suggestion] = []
    budget = _MAX_LAYERS
    for change, reason, reason_zh in candidates(recipe):
        try:
            changed = recipe.replace(**change)
            cost, traced = 0, _same_trace(answer, change)
            if traced is None:
                cost = _layers_run(architecture, changed)
                if cost > budget:
                    continue
                traced = _trace(architecture, changed, gpu, trace)
            after = estimate_from(traced, model=answer.model, recipe=changed, gpu=answer.gpu)
        except (RecipeError, UnsupportedError, MissingExtraError):
            continue  # not every trainer, model or installation offers every change
        budget -= cost
        saved = answer.peak.process_bytes - after.peak.process_bytes
        if saved > 0:
            found.append(
                Suggestion(
                    change=change,
                    allocated_bytes=after.peak.allocated_bytes,
                    reserved_bytes=after.peak.reserved_bytes,
                    process_bytes=after.peak.process_bytes,
                    saved_bytes=saved,
                    fits=after.fits,
                    reason=reason,
                    reason_zh=reason_zh,
                )
            )
    return tuple(sorted(found, key=lambda each: -each.saved_bytes))


def candidates(recipe: Recipe) -> Iterator[_Candidate]:
    """Yield every change worth computing for *recipe*, with its reason in English and Chinese."""
    if not recipe.gradient_checkpointing:
        yield (
            {"gradient_checkpointing": True},
            "Keep each layer's input only and compute the rest again: slower by about a third.",
            "只保留每层的输入，其余在反向传播时重算：速度约慢三分之一。",
        )
    yield from _methods(recipe)
    yield from _sizes(recipe)
    if recipe.attn_implementation == "eager":
        yield (
            {"attn_implementation": "sdpa"},
            "A fused kernel keeps no scores of every token with every other.",
            "融合注意力内核不保存每对词元的分数。",
        )
    if recipe.loss in (None, "standard") and recipe.trainer != "sft":
        yield (
            {"loss": "chunked"},
            "The loss is computed from tiles of the logits, which are never whole.",
            "按块计算损失，完整的 logits 从不存在。",
        )
    if recipe.method in ("full", "freeze"):
        yield from _optimizers(recipe)
    if recipe.hardware.alloc_conf is None:
        yield (
            {"hardware.alloc_conf": "expandable_segments:True"},
            "The allocator grows its segments instead of fragmenting them; nothing gets slower.",
            "分配器扩展已有内存段而不产生碎片；速度不变。",
        )


def _methods(recipe: Recipe) -> Iterator[_Candidate]:
    if recipe.precision.weights == "float32":
        yield (
            {"precision.weights": "bfloat16", "precision.autocast": None},
            "Weights, gradients and states take half; small updates may be rounded away.",
            "权重、梯度和优化器状态减半；很小的更新可能被舍入掉。",
        )
    if recipe.method in ("full", "freeze"):
        yield (
            {"method": "lora"},
            "Only small added matrices learn; the model itself has no gradients and no states.",
            "只训练新增的小矩阵；模型本身没有梯度和优化器状态。",
        )
    if recipe.method != "qlora":
        yield (
            {"method": "qlora"},
            "Frozen weights rest in 4 bits and are widened where they are used: slower, slightly less exact.",
            "冻结的权重以 4 位存放，用到时再展开：较慢，精度略低。",
        )
    elif (
        recipe.quantization is not None
        and recipe.quantization.bits == 4
        and not recipe.quantization.double_quant
    ):
        yield (
            {"quantization.double_quant": True},
            "The scales of the 4-bit weights are quantised once more.",
            "对 4 位权重的缩放系数再量化一次。",
        )


def _sizes(recipe: Recipe) -> Iterator[_Candidate]:
    batch, length = recipe.per_device_train_batch_size, recipe.sequence_length
    if batch > 1 and batch % 2 == 0:
        yield (
            {
                "per_device_train_batch_size": batch // 2,
                "gradient_accumulation_steps": recipe.gradient_accumulation_steps * 2,
            },
            "The same batch in twice as many passes; gradients live through the later ones.",
            "同样的批量分两倍的次数前向；梯度会一直保留到最后一次。",
        )
    if length >= 256:
        yield (
            {"sequence_length": length // 2},
            "Longer examples are cut; look at the lengths of your data first.",
            "更长的样本会被截断；请先查看数据的长度。",
        )


def _optimizers(recipe: Recipe) -> Iterator[_Candidate]:
    small = ("adamw_8bit", "paged_adamw_8bit", "adafactor", "sgd")
    if recipe.optim not in small:
        yield (
            {"optim": "adamw_8bit"},
            "AdamW's two states take one byte a parameter each instead of their full width.",
            "AdamW 的两个状态每个参数各占一个字节。",
        )
    if recipe.optim not in ("paged_adamw_8bit", "adafactor", "sgd"):
        yield (
            {"optim": "paged_adamw_8bit"},
            "The same, and the states may be moved to the host's memory while the card is full.",
            "同上，且显存不足时状态可移到主机内存。",
        )
    if recipe.optim not in ("adafactor", "sgd"):
        yield (
            {"optim": "adafactor"},
            "The second moment is kept as a row and a column for each matrix.",
            "二阶矩对每个矩阵只保存一行和一列。",
        )


def _same_trace(answer: Estimate, change: Mapping[str, Any]) -> Traced | None:
    """Return the trace of *answer* where *change* is only the allocator's, which leaves it as it is."""
    if answer.timeline is None or list(change) != ["hardware.alloc_conf"]:
        return None
    return Traced(
        timeline=answer.timeline,
        parameters=answer.parameters,
        trainable_parameters=answer.trainable_parameters,
        assumptions=answer.assumptions,
        versions=answer.versions,
    )


def _layers_run(architecture: Architecture, recipe: Recipe) -> int:
    """Return how many layers have to be run for the trace of *recipe*."""
    whole = architecture.num_hidden_layers or _MAX_LAYERS
    try:
        layers = layers_for(architecture, recipe)
    except UnsupportedError:
        return whole
    return min(whole, 2 * layers.fewest + layers.period)


def _trace(architecture: Architecture, recipe: Recipe, gpu: Gpu, trace: Trace) -> Traced:
    """Return the trace of *recipe*, unrolled from few layers where that is less work."""
    if _layers_run(architecture, recipe) == architecture.num_hidden_layers:
        return trace(architecture, recipe, gpu)
    try:
        return scaled_trace(architecture, recipe, gpu, trace=trace)
    except UnsupportedError:
        if (architecture.num_hidden_layers or _MAX_LAYERS) > _MAX_LAYERS // 4:
            raise
    return trace(architecture, recipe, gpu)
