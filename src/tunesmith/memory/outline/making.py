"""An Outline from a few small traces, or from disk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from tunesmith.architecture import Architecture
from tunesmith.errors import MissingExtraError, UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory import cache
from tunesmith.memory.allocator import AllocatorSettings, replay
from tunesmith.memory.ledger import Trace
from tunesmith.memory.ledger.instants import live_peak
from tunesmith.memory.ledger.sizes import rounded
from tunesmith.memory.outline.keeping import packed_outline, unpacked_outline
from tunesmith.memory.outline.optimizers import OptimizerStep, optimizer_step
from tunesmith.memory.outline.outlines import Outline
from tunesmith.memory.outline.sampling import Sampled, at_point, sample
from tunesmith.memory.outline.skyline import skyline
from tunesmith.memory.outline.working import work_forms
from tunesmith.recipe import Recipe


def outline(
    architecture: Architecture, recipe: Recipe, gpu: Gpu, *, trace: Trace, optims: Sequence[str] = ()
) -> Outline:
    """Return the outline of *recipe*'s class, which also knows what *optims* take.

    Optimizers that are not installed are left out. Raises UnsupportedError where layers do not repeat, or
    the step runs other operations at almost every batch and length.
    """
    own = one_card(recipe)
    name = cache.key(
        outline=own.replace(per_device_train_batch_size=1).to_mapping(),
        model=architecture.name,
        config=architecture.config_json,
        kernels=gpu.name,
    )
    kept = cache.read(name)
    found = None if kept is None else unpacked_outline(kept)
    if found is None:
        found = _traced(architecture, own, gpu, trace)
        cache.write(name, packed_outline(found))
    others: dict[str, OptimizerStep] = {}
    for optim in dict.fromkeys(optims):
        if optim != own.optim:
            with suppress(MissingExtraError, UnsupportedError):
                others[optim] = optimizer_step(architecture, own, gpu, optim, trace=trace)
    return replace(found, optimizers=others)


def _traced(architecture: Architecture, own: Recipe, gpu: Gpu, trace: Trace) -> Outline:
    sampled = sample(architecture, own, gpu, trace)
    block_bytes, reserved_ratio = _excess(sampled, own)
    return Outline(
        skyline=skyline(sampled),
        r=sampled.points[0].r,
        optim=own.optim,
        optimizers={},
        layers=sampled.layers.count,
        round_layers=sampled.layers.period,
        block_bytes=block_bytes,
        reserved_ratio=reserved_ratio,
        work_forms=work_forms(sampled.work),
        parameters=sampled.parameters,
        trainable_parameters=sampled.trainable_parameters,
        num_traces=sampled.num_traces,
    )


def one_card(recipe: Recipe) -> Recipe:
    """Return the recipe that stands for the class of *recipe*: one card, one micro-batch."""
    changes = {
        "gradient_accumulation_steps": 1,
        "sharding": "none",
        "hardware.gpus": 1,
        "hardware.nodes": 1,
        "offload.optimizer": "none",
        "offload.parameters": "none",
        "hardware.gpu": None,
        "training": None,
        "deepspeed": None,
    }
    kwargs = {k: v for k, v in recipe.gradient_checkpointing_kwargs.items() if k != "every_n_layers"}
    return recipe.replace(**changes, gradient_checkpointing_kwargs=kwargs)


def _excess(sampled: Sampled, recipe: Recipe) -> tuple[int, float]:
    """Return allocated minus live bytes at the first point, and the larger reserved over allocated of two."""
    settings = AllocatorSettings.parse(recipe.hardware.alloc_conf or "")
    excess, reserved = 0, []
    for number in (0, 1):
        timeline = at_point(sampled.timeline, number)
        run = replay(timeline, settings=settings)
        if number == 0:
            live = live_peak(timeline, [rounded(storage.bytes) for storage in timeline.storages])
            excess = run.allocated_bytes - live
        reserved.append(run.reserved_bytes / run.allocated_bytes)
    return excess, max(reserved)
