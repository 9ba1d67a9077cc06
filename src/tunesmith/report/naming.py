"""A recipe in few words: its method, and of everything else only what tells it from its neighbours; cards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from tunesmith.recipe import Parallel, Recipe
from tunesmith.report.words import Tell, inert, tell

Texts = tuple[str, str]
"""A text in English and in Chinese."""

_SHARDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none": "",
        "ddp": "DDP",
        "zero1": "ZeRO-1",
        "zero2": "ZeRO-2",
        "zero3": "ZeRO-3",
        "fsdp": "FSDP",
        "fsdp_grad_op": "FSDP grad-op",
        "fsdp_hybrid": "FSDP hybrid",
    }
)
"""Shardings as their makers write them."""
_SHORT_DTYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
)
_LOSSES: Final[Mapping[str | None, Texts]] = MappingProxyType(
    {
        None: ("trainer's loss", "训练器的损失"),
        "standard": ("standard loss", "普通损失"),
        "fused_linear": ("fused loss", "融合损失"),
        "chunked": ("chunked loss", "分块损失"),
    }
)
_TOLD: Final = (
    "model",
    "method",
    "adapter",
    "quantization",
    "precision",
    "attn_implementation",
    "loss",
    "packing",
    "optim",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs",
    "activation_offloading",
    "sync_each_batch",
    "hardware",
    "sharding",
    "parallel",
    "offload",
)
"""Keys that the words below tell, or the columns beside them."""
_DECIDES: Final = ("quantization", "sharding", "parallel", "offload", "checkpointing", "optim")
"""Topics that decide the memory of a method."""
_WORTH_A_WORD: Final = (*_DECIDES, "attention", "loss", "packing", "precision")
"""Topics that are named even where all recipes agree."""


def method_name(recipe: Recipe) -> Texts:
    """Return the method with the rank of its adapter, e.g. ``QLoRA r 16``.

    >>> method_name(Recipe(model="gpt2", method="lora"))
    ('LoRA r 16', 'LoRA r 16')
    """
    if recipe.method == "full":
        return "full fine-tuning", "全参数微调"
    if recipe.method == "freeze":
        return "partial fine-tuning", "部分参数微调"
    name, adapter = {"lora": "LoRA", "qlora": "QLoRA"}[recipe.method], recipe.adapter
    if adapter is not None and adapter.use_dora:
        name = name.replace("LoRA", "DoRA")
    if adapter is not None and adapter.peft_type != "LORA":
        name = f"{name} ({inert(adapter.peft_type)})"
    rank = f" r {adapter.r}" if adapter is not None and adapter.r is not None else ""
    return name + rank, name + rank


def choices(recipe: Recipe) -> dict[str, Texts]:
    """Return every other choice as few words, by its topic; a choice that is none is an empty text."""
    weights, autocast = recipe.precision.weights, recipe.precision.autocast
    types = _SHORT_DTYPES.get(weights, weights)
    mixed = "" if autocast is None else f" + {_SHORT_DTYPES.get(autocast, autocast)} autocast"
    told: dict[str, Texts] = {
        "sharding": (_SHARDINGS.get(recipe.sharding, recipe.sharding),) * 2,
        "parallel": _parallel(recipe),
        "offload": _offload(recipe),
        "quantization": ("", ""),
        "checkpointing": _checkpointing(recipe),
        "optim": (inert(recipe.optim),) * 2,
        "attention": (recipe.attn_implementation or "sdpa",) * 2,
        "loss": _LOSSES.get(recipe.loss, (str(recipe.loss),) * 2),
        "packing": ("packed", "拼接") if recipe.packing else ("", ""),
        "reducing": ("gradients reduced each pass", "每次反向都归约梯度")
        if recipe.sync_each_batch
        else ("", ""),
        "precision": (f"{types} weights{mixed}", f"{types} 权重{mixed}"),
    }
    if recipe.quantization is not None:
        told["quantization"] = (f"{recipe.quantization.bits}-bit {recipe.quantization.quant_type}",) * 2
    for key, value in recipe.to_mapping().items():
        if key not in _TOLD:
            told[key] = (f"{key}: {inert(_plain(value), 40)}",) * 2
    return told


def _parallel(recipe: Recipe) -> Texts:
    """Return how many cards share a model otherwise than in shards, e.g. ``context × 8``."""
    parallel = recipe.parallel or Parallel()
    words = (
        ("tensor", "张量", parallel.tensor),
        ("context", "上下文", parallel.context),
        ("expert", "专家", parallel.expert),
        ("pipeline", "流水线", parallel.pipeline),
    )
    split = [each for each in words if each[2] > 1]
    passed = [] if parallel.rotation == "allgather" or parallel.context == 1 else [parallel.rotation]
    english = [f"{name} × {number}" for name, _, number in split]
    chinese = [f"{name}并行 × {number}" for _, name, number in split]
    return " · ".join([*english, *passed]), " · ".join([*chinese, *passed])


def _offload(recipe: Recipe) -> Texts:
    moved = {"optimizer": recipe.offload.optimizer, "parameters": recipe.offload.parameters}
    parts = {part: place.upper() for part, place in moved.items() if place != "none"}
    if recipe.activation_offloading:
        parts["activations"] = "CPU"
    elif recipe.gradient_checkpointing and recipe.gradient_checkpointing_kwargs.get("offload"):
        parts["layer inputs"] = "CPU"
    chinese = {"optimizer": "优化器", "parameters": "参数", "activations": "激活", "layer inputs": "各层输入"}
    return (
        ", ".join(f"{part} on {place.replace('NVME', 'NVMe')}" for part, place in parts.items()),
        "，".join(f"{chinese[part]}在 {place.replace('NVME', 'NVMe')}" for part, place in parts.items()),
    )


def _checkpointing(recipe: Recipe) -> Texts:
    if not recipe.gradient_checkpointing:
        return "no checkpointing", "无检查点"
    every = recipe.gradient_checkpointing_kwargs.get("every_n_layers", 1)
    if every == 1:
        return "checkpointing", "检查点"
    return f"checkpointing 1 layer in {every}", f"每 {every} 层检查点 1 层"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def shared(recipes: Sequence[Recipe]) -> frozenset[str]:
    """Return the topics on which all *recipes* say the same."""
    told = [choices(recipe) for recipe in recipes]
    topics = told[0] if told else {}
    return frozenset(topic for topic in topics if len({each[topic] for each in told}) == 1)


def differing(recipe: Recipe, same: frozenset[str], lang: str) -> str:
    """Return what *recipe* chose on the topics that are not among *same*, e.g. ``FSDP · adamw_8bit``."""
    return _joined(choices(recipe), lambda topic: topic not in same, lang)


def in_common(recipe: Recipe, same: frozenset[str], lang: str) -> str:
    """Return what *recipe* chose on the topics of *same* that are worth a word."""
    return _joined(choices(recipe), lambda topic: topic in same and topic in _WORTH_A_WORD, lang)


def named(recipe: Recipe, lang: str, same: frozenset[str] = frozenset()) -> str:
    """Return the method and what decides its memory, as one text, but for what is the *same* for all.

    >>> named(Recipe(model="gpt2", method="full", optim="adamw_8bit", gradient_checkpointing=False), "en")
    'full fine-tuning · no checkpointing · adamw_8bit'
    """
    decides = _joined(choices(recipe), lambda topic: topic in _DECIDES and topic not in same, lang)
    return " · ".join(filter(None, (tell(lang)(*method_name(recipe)), decides)))


def _joined(told: Mapping[str, Texts], wanted: Callable[[str], bool], lang: str) -> str:
    return " · ".join(tell(lang)(*texts) for topic, texts in told.items() if wanted(topic) and texts[0])


def cards(gpu: str, gpus: int, nodes: int, t: Tell) -> str:
    """Return a cluster in words, e.g. ``2 nodes of 8 × H100-80GB``."""
    one = f"{gpus} × {gpu}"
    return one if nodes == 1 else t(f"{nodes} nodes of {one}", f"{nodes} 个节点，各 {one}")
