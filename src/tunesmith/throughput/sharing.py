"""The work of one card when cards share a model, from the work of one card alone.

A trace of a sharded run has its collectives in it already, and only what goes to the host is added. For a
search, which traces one card only, they follow from the bytes of weights and gradients: Rajbhandari et al.,
ZeRO: Memory Optimizations Toward Training Trillion Parameter Models, https://arxiv.org/abs/1910.02054,
section 7; Zhao et al., PyTorch FSDP, https://arxiv.org/abs/2304.11277, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunesmith.hardware import Cluster
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe
from tunesmith.recipe.names import FSDP
from tunesmith.throughput.step import COLLECTIVES

HOST_ADAM_BYTES = 30
"""Bytes that Adam on the host moves for a parameter: weight and two states in 32 bits read and written, a
gradient in 32 bits read and a weight in 16 bits written."""

_GATHERED = ("zero3", "fsdp", "fsdp_grad_op", "fsdp_hybrid")
_STEP_SHARED = ("zero1", "zero2", *_GATHERED)


def shared_work(
    work: Mapping[str, Sequence[Work]],
    cluster: Cluster,
    recipe: Recipe,
    *,
    weight_bytes: int,
    trainable_bytes: int,
    trainable_parameters: int,
) -> Mapping[str, Sequence[Work]]:
    """Return *work* as one card of *cluster* does it under the recipe's sharding and offload.

    *weight_bytes* are those of all weights as they are computed with, *trainable_bytes* those of what
    learns, as its gradients are sent. Where cards split every layer, what they exchange inside a layer is in
    *work*, and each shares its part of the rest with the cards left over.
    """
    kinds = {each.kind for works in work.values() for each in works}
    offloads = not recipe.offload.optimizer == recipe.offload.parameters == "none"
    split = recipe.parallel.tensor if recipe.parallel is not None else 1
    weight_bytes, trainable_bytes = weight_bytes // split, trainable_bytes // split
    trainable_parameters //= split
    sends = cluster.cards > split and kinds.isdisjoint(COLLECTIVES)
    copies = offloads and "host_optimizer" not in kinds
    if not sends and not copies:
        return work
    shards = max(1, _shards(cluster, recipe) // split)
    shared = {name: list(works) for name, works in work.items()}
    for name in shared:
        last = name.rpartition(".")[2]
        if last == "step":
            shared[name] = [_divided(each, recipe, shards if sends else 1) for each in shared[name]]
        added = _sent(last, cluster, recipe, weight_bytes, trainable_bytes, split) if sends else []
        if copies:
            added += _copied(last, recipe, weight_bytes // shards, trainable_bytes // shards)
            added += _host_step(last, recipe, trainable_parameters // shards)
        shared[name] += [
            Work(kind=kind, dtype="bf16", flops=0, moved_bytes=int(count), kernels=0)
            for kind, count in added
            if count
        ]
    return shared


def _shards(cluster: Cluster, recipe: Recipe) -> int:
    """Return over how many cards the optimizer's part is spread."""
    if recipe.sharding == "fsdp_hybrid":
        return cluster.gpus
    return cluster.cards if recipe.sharding in _STEP_SHARED else 1


def _sent(
    phase: str, cluster: Cluster, recipe: Recipe, weight_bytes: int, trainable_bytes: int, split: int
) -> list[tuple[str, float]]:
    """Return what one card sends in a phase: a ring sends (W - 1) / W, and twice that for an all-reduce."""
    sharding, cards = recipe.sharding, cluster.cards // split
    every = recipe.gradient_accumulation_steps
    ring = (cards - 1) / cards
    if sharding in ("none", "ddp"):  # reduced in the backward pass of the last micro-batch
        return [("all_reduce", 2 * ring * trainable_bytes / every)] if phase == "backward" else []
    # FSDP2 reduces in the backward pass of the last micro-batch, or in each; ZeRO-3 in each.
    once = sharding in FSDP and not recipe.sync_each_batch
    reduced_bytes = trainable_bytes / every if once else trainable_bytes
    if sharding == "fsdp_hybrid":
        gpus = max(1, cluster.gpus // split)
        inside, shard = (gpus - 1) / gpus, reduced_bytes / gpus
        nodes = (cluster.nodes - 1) / cluster.nodes
        gathered = ("all_gather", inside * weight_bytes)
        reduced = [("reduce_scatter", inside * reduced_bytes), ("all_reduce", 2 * nodes * shard)]
        return {"forward": [gathered], "backward": [gathered, *reduced]}.get(phase, [])
    if sharding in _GATHERED:
        gathered = ("all_gather", ring * weight_bytes)
        again = [] if sharding == "fsdp_grad_op" else [gathered]
        reduced_all = [("reduce_scatter", ring * reduced_bytes)]
        return {"forward": [gathered], "backward": [*again, *reduced_all]}.get(phase, [])
    # ZeRO-1 and 2 reduce buckets on every card, and 1 at the last micro-batch only: average_tensor() in
    # deepspeedai/DeepSpeed@v0.19.8:deepspeed/runtime/zero/stage_1_and_2.py.
    times = 1 / every if sharding == "zero1" else 1
    sent = {
        "backward": [("all_reduce", times * 2 * ring * trainable_bytes)],
        "step": [("all_gather", ring * trainable_bytes)],
    }
    return sent.get(phase, [])


def _copied(phase: str, recipe: Recipe, weights: int, trainable: int) -> list[tuple[str, float]]:
    """Return what goes over PCIe: weights that rest on the host are fetched twice, gradients go down."""
    copied = 0.0
    if recipe.offload.parameters != "none" and phase in ("forward", "backward"):
        copied += weights
    if recipe.offload.optimizer != "none":
        copied += {"backward": trainable, "step": trainable}.get(phase, 0)
    return [("host_copy", copied)]


def _host_step(phase: str, recipe: Recipe, trainable_parameters: int) -> list[tuple[str, float]]:
    if recipe.offload.optimizer == "none" or phase != "step":
        return []
    return [("host_optimizer", HOST_ADAM_BYTES * trainable_parameters)]


def _divided(each: Work, recipe: Recipe, shards: int) -> Work:
    """Return one card's part of the optimizer's work; none of it where it runs on the host."""
    if each.kind in COLLECTIVES:
        return each
    part = 0 if recipe.offload.optimizer != "none" else 1
    return Work(
        kind=each.kind,
        dtype=each.dtype,
        flops=part * each.flops // shards,
        moved_bytes=part * each.moved_bytes // shards,
        kernels=part * each.kernels,
    )
