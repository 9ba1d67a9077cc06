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
from tunesmith.memory.outline.sharding import Kept
from tunesmith.memory.outline.skyline import Skyline, skyline
from tunesmith.memory.outline.working import work_forms
from tunesmith.recipe import Recipe


def outline(
    architecture: Architecture, recipe: Recipe, gpu: Gpu, *, trace: Trace, optims: Sequence[str] = ()
) -> Outline:
    """Return the outline of *recipe*'s class, which also knows what *optims* take.

    Optimizers that are not installed are left out. Raises UnsupportedError where the step cannot be
    run, or runs other operations at almost every batch and length.
    """
    own = one_card(recipe)
    found = _known(architecture, own, gpu, trace)
    many = own.parallel is None and (recipe.hardware.world_size > 1 or recipe.sharding != "none")
    cast = cast_class(own) if many else None
    if cast is not None:
        with suppress(UnsupportedError):
            other = _known(architecture, cast, gpu, trace)
            kept = replace(
                other.kept,
                frozen_bytes=2.0 if own.precision.weights == "float32" else 1.0,
                trainable_bytes=_learning_bytes(own) / other.kept.item_bytes,
            )
            found = replace(found, kept=kept, cast=other)
    others = _others(architecture, own, gpu, optims, trace)
    if found.cast is not None and cast is not None:
        found = replace(
            found, cast=replace(found.cast, optimizers=_others(architecture, cast, gpu, optims, trace))
        )
    return replace(found, optimizers=others)


def cast_class(own: Recipe) -> Recipe | None:
    """Return the class that FSDP and ZeRO compute *own* in, if it is another: 16 bits without autocast."""
    autocast = own.precision.autocast
    if autocast is None:
        return None
    changes = {"precision.weights": autocast, "precision.autocast": None}
    if own.adapter is not None:
        changes["precision.adapter"] = autocast
    return own.replace(**changes)


def _learning_bytes(own: Recipe) -> int:
    """Return the bytes in which FSDP keeps an element that learns: float32, unless weights are quantised.

    accelerate leaves a quantised model's types alone, and TRL casts its adapters to bfloat16.
    """
    if own.quantization is None:
        return 4
    return 4 if (own.precision.adapter or ("bfloat16", "float32")[own.trainer != "sft"]) == "float32" else 2


def _others(
    architecture: Architecture, own: Recipe, gpu: Gpu, optims: Sequence[str], trace: Trace
) -> dict[str, OptimizerStep]:
    found: dict[str, OptimizerStep] = {}
    for optim in dict.fromkeys(optims):
        if optim != own.optim:
            with suppress(MissingExtraError, UnsupportedError):
                found[optim] = optimizer_step(architecture, own, gpu, optim, trace=trace)
    return found


def _known(architecture: Architecture, own: Recipe, gpu: Gpu, trace: Trace) -> Outline:
    """Return the outline that is kept on disk, or a new one, which is kept."""
    name = _name(architecture, own, gpu)
    kept = cache.read(name)
    found = None if kept is None else unpacked_outline(kept)
    if found is None:
        found = _traced(architecture, own, gpu, trace)
        cache.write(name, packed_outline(found))
    return found


def outline_is_kept(architecture: Architecture, recipe: Recipe, gpu: Gpu) -> bool:
    """Return whether the outline of *recipe*'s class is on disk."""
    return cache.read(_name(architecture, one_card(recipe), gpu)) is not None


def _name(architecture: Architecture, own: Recipe, gpu: Gpu) -> str:
    return cache.key(
        outline=own.replace(per_device_train_batch_size=1).to_mapping(),
        model=architecture.name,
        config=architecture.config_json,
        kernels=gpu.name,
    )


def _traced(architecture: Architecture, own: Recipe, gpu: Gpu, trace: Trace) -> Outline:
    sampled = sample(architecture, own, gpu, trace)
    block_bytes, reserved_ratio = _excess(sampled, own)
    sky = skyline(sampled)
    return Outline(
        skyline=sky,
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
        offloaded_token_bytes=_offloaded_token_bytes(architecture, own),
        kept=Kept(
            frozen_bytes=1.0,
            trainable_bytes=1.0,
            whole_layers=own.quantization is not None and own.quantization.quant_storage == "uint8",
            quantized=own.quantization is not None,
            bucket_elements=(architecture.hidden_size or 0) ** 2,
            item_bytes=_item_bytes(sky, sampled, own.hardware.gpus),
        ),
    )


def _offloaded_token_bytes(architecture: Architecture, own: Recipe) -> int:
    """Return the bytes of a checkpointed layer's input for a token; 0 where it rests on the card."""
    on_host = own.activation_offloading or own.gradient_checkpointing_kwargs.get("offload", False)
    if not (on_host and own.gradient_checkpointing):
        return 0
    return (architecture.hidden_size or 0) * (4 if own.precision.weights == "float32" else 2)


def _item_bytes(sky: Skyline, sampled: Sampled, cards: int) -> int:
    """Return the bytes of one element of the weights that learn, which *cards* split: gradients' type."""
    total = sum(count * sky.columns[n].form.at(sampled.points[0]) for n, count in sky.gradients)
    return 4 if total * cards >= 3 * sampled.trainable_parameters else 2


def one_card(recipe: Recipe) -> Recipe:
    """Return the recipe that stands for the class of *recipe*: one card, one micro-batch.

    Where cards split every layer, as many as do.
    """
    tensor = recipe.parallel.tensor if recipe.parallel is not None else 1
    changes = {
        "gradient_accumulation_steps": 1,
        "sync_each_batch": False,
        "sharding": "none",
        "hardware.gpus": tensor,
        "parallel": {"tensor": tensor} if tensor > 1 else None,
        "hardware.nodes": 1,
        "offload.optimizer": "none",
        "offload.parameters": "none",
        "hardware.gpu": None,
        "training": None,
        "deepspeed": None,
    }
    if recipe.quantization is not None:
        changes["quantization.device_map"] = None
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
