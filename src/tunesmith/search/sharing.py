"""How cards can share one recipe: shardings with their offload, and layers that several cards split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tunesmith.hardware import Cluster
from tunesmith.search.wish import Wish

if TYPE_CHECKING:
    from tunesmith.search.space import Family


def shardings(family: Family, cluster: Cluster, *, offload: bool) -> Iterator[tuple[str, str, str]]:
    """Yield ``(sharding, offload.optimizer, offload.parameters)`` that *family* can have on *cluster*.

    Offload moves what learns: with an adapter the optimizer is small, so parameters alone would be worth
    moving, and FSDP moves both. DeepSpeed keeps 32-bit masters of 16-bit weights by itself, so 32-bit weights
    under it are no family of their own. Quantised weights are sharded by FSDP only: under stage 3 every card
    loads them whole first, and outlines are up to 19 % from its traces; it is estimated, and not searched.
    """
    if family.tensor > 1:
        yield "none" if family.tensor == cluster.cards else "fsdp", "none", "none"
        return
    full = family.keys["method"] in ("full", "freeze")
    masters = family.keys.get("precision.weights") == "float32"
    quantized = family.keys["method"] == "qlora"
    if "quantization.bits" in family.keys:  # bitsandbytes' int8 weights are no floating-point shards
        yield "none" if cluster.cards == 1 else "ddp", "none", "none"
        return
    if cluster.cards == 1:
        yield "none", "none", "none"
    else:
        yield "ddp", "none", "none"
        yield "fsdp", "none", "none"
        if cluster.nodes > 1 and cluster.gpus > 1:
            yield "fsdp_hybrid", "none", "none"
        yield "fsdp_grad_op", "none", "none"
        if not quantized and not masters:
            yield "zero3", "none", "none"
        if full and not masters:
            yield "zero1", "none", "none"
            yield "zero2", "none", "none"
    if offload and full and not masters:
        yield "zero2", "cpu", "none"
        yield "zero3", "cpu", "cpu"
    if offload and cluster.cards > 1:
        yield "fsdp", "cpu", "cpu"


def steps_shards(sharding: str, optim: str, place: str) -> bool:
    """Return whether *optim* runs under *sharding*.

    Offloaded states are updated on the CPU, where bitsandbytes' paged and 8-bit optimizers do not belong;
    Adafactor's factored states need whole matrices, which a flat partition is not. On FSDP2's shards,
    which are DTensors, neither Adafactor nor bitsandbytes' optimizers can step.
    """
    if place != "none" or sharding.startswith(("zero", "fsdp")):
        return optim == "adamw_torch_fused"
    return True


def tensors(wish: Wish, cluster: Cluster) -> Iterator[int]:
    """Yield the numbers of cards that may split every layer: powers of two that divide heads and a node.

    Where all weights are to learn: PEFT's adapters fit few split layers, and quantised ones are not split.
    """
    model, number = wish.architecture, 2
    heads = (model.num_attention_heads or 1, model.num_key_value_heads or model.num_attention_heads or 1)
    while wish.method == "full" and cluster.gpus % number == 0:
        if all(count % number == 0 for count in heads):
            yield number
        number *= 2
