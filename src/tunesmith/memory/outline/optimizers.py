"""What optimizers take, found by running each one's real step on a few layers at a tiny length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tunesmith.architecture import Architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory import cache
from tunesmith.memory.allocator import AllocatorSettings, replay
from tunesmith.memory.ledger import Trace, scaled_trace
from tunesmith.memory.ledger.sizes import rounded
from tunesmith.recipe import Recipe

_LENGTH: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerStep:
    """What one optimizer takes beside a model whose gradients are known."""

    gradients_bytes: int
    """Gradients it was run with; what it takes grows in proportion."""
    states_bytes: int
    """States that live from the first step on."""
    step_bytes: int
    """What the step adds at most to what is alive before the first: states and temporaries."""


def optimizer_step(
    architecture: Architecture, recipe: Recipe, gpu: Gpu, optim: str, *, trace: Trace
) -> OptimizerStep:
    """Return what *optim* takes for the parameters that learn in *recipe*.

    The forward and backward passes do not matter and are made as short as can be. Raises UnsupportedError
    or MissingExtraError for an optimizer that cannot be run.
    """
    tiny = _tiny(recipe).replace(optim=optim)
    name = cache.key(
        optimizer_step=tiny.to_mapping(),
        config=architecture.config_json,
        kernels=gpu.name,
    )
    known = _kept(name)
    if known is None:
        known = _measured(architecture, tiny, gpu, trace)
        cache.write(name, {field: getattr(known, field) for field in OptimizerStep.__dataclass_fields__})
    return known


def _tiny(recipe: Recipe) -> Recipe:
    """Return the shortest run with the same parameters that learn, of the same types."""
    changes: dict[str, object] = {
        "per_device_train_batch_size": 1,
        "sequence_length": _LENGTH,
        "gradient_checkpointing": False,
        "gradient_accumulation_steps": 1,
    }
    return recipe.replace(**changes)


def _measured(architecture: Architecture, tiny: Recipe, gpu: Gpu, trace: Trace) -> OptimizerStep:
    try:
        timeline = scaled_trace(architecture, tiny, gpu, trace=trace).timeline
    except UnsupportedError:  # its layers do not repeat
        timeline = trace(architecture, tiny, gpu).timeline
    settings = AllocatorSettings.parse(tiny.hardware.alloc_conf or "")
    run = replay(timeline, settings=settings)
    ends = {phase.name: phase for phase in run.phases}
    spans = {phase.name: phase for phase in timeline.phases}
    before = run.allocated_after[spans["step1.step"].start - 1]
    most = max(ends[name].allocated_peak_bytes for name in ("step1.step", "step2.step"))
    gradients = states = 0
    for name, category in (("step1.backward", "gradients"), ("step1.step", "optimizer states")):
        born = {}
        for event in timeline.events[spans[name].start : spans[name].end]:
            born[event] = True
            if event < 0:
                born.pop(-event, None)
        live = [timeline.storages[event - 1] for event in born if event > 0]
        total = sum(rounded(storage.bytes) for storage in live if storage.category == category)
        gradients, states = (total, states) if category == "gradients" else (gradients, total)
    # Blocks of states can be larger than asked for, where what is left of a segment is too small to split.
    states = max(states, ends["step1.step"].allocated_end_bytes - before) if states else 0
    return OptimizerStep(gradients_bytes=gradients, states_bytes=states, step_bytes=most - before)


def _kept(name: str) -> OptimizerStep | None:
    kept = cache.read(name)
    fields = OptimizerStep.__dataclass_fields__
    if kept is None or any(type(kept.get(field)) is not int or kept[field] < 0 for field in fields):
        return None
    return OptimizerStep(**{field: kept[field] for field in fields})
