"""A whole model's trace from two traces of a few of its layers, exact and many times faster."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tunesmith.architecture import Architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.estimate import Traced
from tunesmith.memory.host import HostBlock
from tunesmith.memory.ledger.layers import Layers, layers_of, with_layers
from tunesmith.memory.ledger.unrolling import unrolling
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe
from tunesmith.recipe.names import FSDP, ZERO

Trace = Callable[[Architecture, Recipe, Gpu], Traced]
"""What runs a step and records it; tunesmith.memory.trace.trace, which needs PyTorch."""

ACTIVATIONS_KEPT: Final = 5
"""Saved tensors that TRL keeps on the card until their copies are done: max_fwd_stash_size in
huggingface/trl@v1.16.0:trl/models/activation_offloading.py. Of a checkpointed layer one is saved."""

_SINGLE = re.compile(r"\d|layer|\[")
"""What a pattern of names holds when it may tell layers apart."""


def scaled_trace(architecture: Architecture, recipe: Recipe, gpu: Gpu, *, trace: Trace) -> Traced:
    """Return what *trace* would return for the whole model, from two traces of a few layers.

    Raises UnsupportedError where the layers do not repeat, or single layers are chosen by the recipe.
    """
    if recipe.sharding in ZERO:
        raise UnsupportedError(
            f"sharding {recipe.sharding}: DeepSpeed cuts buckets and shares without regard to layers, so "
            "no few of them tell the others; all layers have to be traced."
        )
    layers = layers_for(architecture, recipe)
    few, more = (
        trace(with_layers(architecture, layers, count), recipe, gpu)
        for count in (layers.fewest, layers.fewest + layers.period)
    )
    rounds, counts = layers.rounds, f"{layers.fewest} and {layers.fewest + layers.period}"
    timeline = unrolling(few.timeline, more.timeline, period=layers.period).timeline(rounds)
    return replace(
        few,
        timeline=timeline,
        parameters=few.parameters + rounds * (more.parameters - few.parameters),
        trainable_parameters=few.trainable_parameters
        + rounds * (more.trainable_parameters - few.trainable_parameters),
        work=scaled_work(few.work, more.work, rounds),
        host=tuple(_scaled_host(few.host, more.host, rounds)),
        assumptions=(
            *few.assumptions,
            f"All {layers.count} layers follow from traces of {counts}.",
        ),
    )


def _scaled_host(few: Sequence[HostBlock], more: Sequence[HostBlock], rounds: int) -> Iterator[HostBlock]:
    """Yield the host's blocks of *rounds* more rounds of layers, of equal kind in both runs."""
    if [replace(block, bytes=0) for block in few] != [replace(block, bytes=0) for block in more]:
        raise UnsupportedError("the host's blocks change with the number of layers; trace all of them.")
    for less, added in zip(few, more, strict=True):
        yield replace(less, bytes=less.bytes + rounds * (added.bytes - less.bytes))


def scaled_work(
    few: Mapping[str, Sequence[Work]], more: Mapping[str, Sequence[Work]], rounds: int
) -> dict[str, tuple[Work, ...]]:
    """Return the work of *rounds* more rounds of layers than *few* has, of which *more* has one."""
    scaled = {}
    for phase, works in few.items():
        less = {(each.kind, each.dtype): each for each in works}
        added = {(each.kind, each.dtype): each for each in more.get(phase, works)}
        nothing = Work(kind="", dtype="", flops=0, moved_bytes=0, kernels=0)
        scaled[phase] = tuple(
            Work(
                kind=key[0],
                dtype=key[1],
                **{
                    name: getattr(a, name) + rounds * (getattr(b, name) - getattr(a, name))
                    for name in ("flops", "moved_bytes", "kernels")
                },
            )
            for key in sorted({*less, *added})
            for a, b in ((less.get(key, nothing), added.get(key, nothing)),)
        )
    return scaled


def layers_for(architecture: Architecture, recipe: Recipe) -> Layers:
    """Return how the layers repeat under *recipe*, which may train the last ones only.

    Raises UnsupportedError where the layers do not repeat, or the recipe names single ones.
    """
    layers = layers_of(architecture)
    named: list[str] = []
    if recipe.adapter is not None:
        targets = recipe.adapter.target_modules
        named += [targets] if isinstance(targets, str) else targets or ()
        named += [*recipe.adapter.modules_to_save, *(key for key in recipe.adapter.options if "layer" in key)]
    if recipe.freeze is not None:
        named += recipe.freeze.trainable or ()
        layers = replace(layers, tail=max(layers.tail, recipe.freeze.last_n_layers or 0))
    every = (
        recipe.gradient_checkpointing_kwargs.get("every_n_layers", 1) if recipe.gradient_checkpointing else 1
    )
    layers = replace(layers, period=math.lcm(layers.period, every))
    tensor = recipe.parallel.tensor if recipe.parallel is not None else 1
    if recipe.hardware.world_size > tensor and recipe.sharding in ("none", "ddp"):
        raise UnsupportedError("DDP's buckets do not end where layers end; all layers have to be traced.")
    if recipe.sharding in FSDP:  # the first and last layers are gathered beside embedding and head
        layers = replace(layers, head=layers.head + 1, tail=layers.tail + 1)
    if recipe.activation_offloading and recipe.gradient_checkpointing:
        # What the last layers save is still on the card when the pass turns back.
        layers = replace(layers, head=layers.head + 1, tail=layers.tail + ACTIVATIONS_KEPT)
    single = [name for name in named if _SINGLE.search(name)]
    if single:
        raise UnsupportedError(f"{single[0]} may mean single layers; all layers have to be traced.")
    if layers.rounds < 2:
        raise UnsupportedError(f"{architecture.name} has too few layers beside those that stand apart.")
    return layers
