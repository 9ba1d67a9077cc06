"""Estimate: what a recipe needs on a card, in parts that sum to the total, at an instant that has a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tunesmith.hardware import Gpu
from tunesmith.memory.allocator import AllocatorSettings, PhaseMemory, Replay, replay
from tunesmith.memory.host import HostBlock
from tunesmith.memory.timeline import CATEGORIES, Timeline
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The three totals, from what tensors hold to what the whole process takes."""

    allocated_bytes: int
    """Live blocks: torch.cuda.max_memory_allocated()."""
    reserved_bytes: int
    """Segments of the caching allocator: torch.cuda.max_memory_reserved(), had the card room for all."""
    process_bytes: int
    """Reserved, the CUDA context and, of many cards, NCCL's buffers: what nvidia-smi shows."""


@dataclass(frozen=True, kw_only=True)
class Instant:
    """Where in a step something happens."""

    phase: str
    """Phase of the run, e.g. ``step2.backward``."""
    module: str
    """Module at work, e.g. ``model.layers.31.mlp``; empty outside the model."""
    operation: str
    """Operation at work, e.g. ``aten::mm``."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One change to the recipe, and what the run would need then."""

    change: Mapping[str, Any]
    """Dotted keys of the recipe and their new values."""
    allocated_bytes: int
    """Peak of live blocks after the change."""
    reserved_bytes: int
    """Peak of the allocator's segments after the change."""
    process_bytes: int
    """What the process takes after the change."""
    saved_bytes: int
    """By how much ``process_bytes`` falls."""
    fits: bool | None
    """Whether the changed run fits; None when no card is named."""
    reason: str
    """Why it saves, and what it costs, in English."""
    reason_zh: str
    """The same in Chinese."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run needs, and why."""

    model: str
    """Name of the model."""
    recipe: Recipe
    """The run that was estimated."""
    peak: Peak
    """The totals at their largest."""
    peak_at: Instant
    """Where allocated memory is largest."""
    parts: Mapping[str, int]
    """Bytes by category at that instant; they sum to ``peak.allocated_bytes`` exactly."""
    phases: tuple[PhaseMemory, ...]
    """Each phase's own peak, what is left at its end, and what is reserved."""
    parameters: int
    """Parameters of the base model, shared ones once."""
    trainable_parameters: int
    """Parameters that learn, adapters included."""
    fits: bool | None
    """Whether the run ends on the card without an out-of-memory error; None when no card is named."""
    margin_bytes: int | None
    """Card memory left over, or missing when negative; None when no card is named."""
    assumptions: tuple[str, ...]
    """What was taken for granted."""
    versions: Mapping[str, str]
    """Versions of the libraries whose code was run."""
    host: tuple[HostBlock, ...] = ()
    """What the process of one card keeps in the memory of the host; offloaded parts."""
    host_bytes: int = 0
    """The same in bytes for all cards of a node."""
    engine: str
    """``trace``: the step was run; ``ledger``: a closed form, fitted to traces, was evaluated."""
    gpu: Gpu | None = None
    """The card, if one is named."""
    timeline: Timeline | None = field(default=None, repr=False)
    """Every birth and release, when the step was run."""
    suggestions: tuple[Suggestion, ...] = ()
    """What one change would save, the most first; empty unless they were asked for."""
    view: Callable[[Estimate], str] | None = field(default=None, repr=False, compare=False)
    """How notebooks show it; the API hands it in, for drawings lie in a layer that memory may not import."""

    def _repr_html_(self) -> str | None:
        """Return the estimate as a notebook shows it; None, for its plain text, without a view."""
        return None if self.view is None else self.view(self)

    def to_mapping(self) -> dict[str, Any]:
        """Return the estimate as plain JSON types."""
        return {
            "model": self.model,
            "recipe": self.recipe.to_mapping(),
            "peak": _fields(self.peak),
            "peak_at": _fields(self.peak_at),
            "parts": dict(self.parts),
            "phases": [_fields(phase) for phase in self.phases],
            "parameters": self.parameters,
            "trainable_parameters": self.trainable_parameters,
            "fits": self.fits,
            "margin_bytes": self.margin_bytes,
            "host_bytes": self.host_bytes,
            "host": [_fields(block) for block in self.host],
            "assumptions": list(self.assumptions),
            "versions": dict(self.versions),
            "engine": self.engine,
            "suggestions": [_fields(each) | {"change": dict(each.change)} for each in self.suggestions],
        }


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What a trace yields, before a card is asked whether it fits."""

    timeline: Timeline
    """Every birth and release of two optimizer steps."""
    parameters: int
    """Parameters of the base model, shared ones once."""
    trainable_parameters: int
    """Parameters that learn."""
    assumptions: tuple[str, ...]
    """What was taken for granted."""
    versions: Mapping[str, str]
    """Versions of the libraries whose code was run."""
    host: tuple[HostBlock, ...] = ()
    """What the process of one card keeps in the memory of the host."""
    work: Mapping[str, tuple[Work, ...]] = field(default_factory=dict)
    """What each phase computes and moves, by the phase's name."""


def estimate_from(traced: Traced, *, model: str, recipe: Recipe, gpu: Gpu | None) -> Estimate:
    """Return the estimate of *recipe* on *gpu* from its trace: the allocator is replayed over it.

    Raises RecipeError when ``hardware.alloc_conf`` is not one PyTorch's allocator takes.
    """
    settings = AllocatorSettings.parse(recipe.hardware.alloc_conf or "")
    free = replay(traced.timeline, settings=settings)
    outside_bytes = _outside_bytes(gpu, recipe)
    peak = Peak(
        allocated_bytes=free.allocated_bytes,
        reserved_bytes=free.reserved_bytes,
        process_bytes=free.reserved_bytes + outside_bytes,
    )
    fits: bool | None = None
    margin_bytes: int | None = None
    notes: tuple[str, ...] = ()
    if gpu is not None:
        fits, margin_bytes, notes = _fit(traced.timeline, peak, gpu.memory_bytes, outside_bytes, settings)
        notes += _nccl_notes(gpu, recipe)
    return Estimate(
        model=model,
        recipe=recipe,
        peak=peak,
        peak_at=_instant(traced.timeline, free.peak_event),
        parts=_parts(traced.timeline, free),
        phases=_phases(free, recipe),
        parameters=traced.parameters,
        trainable_parameters=traced.trainable_parameters,
        fits=fits,
        margin_bytes=margin_bytes,
        assumptions=(*traced.assumptions, *notes),
        versions=traced.versions,
        host=traced.host,
        host_bytes=recipe.hardware.gpus * sum(block.bytes for block in traced.host if block.place == "cpu"),
        engine="trace",
        gpu=gpu,
        timeline=traced.timeline,
    )


def _outside_bytes(gpu: Gpu | None, recipe: Recipe) -> int:
    """Return what the process takes outside the allocator: the CUDA context and NCCL's buffers."""
    if gpu is None:
        return 0
    return (gpu.context_bytes or 0) + gpu.nccl_bytes(recipe.hardware.world_size)


def _nccl_notes(gpu: Gpu, recipe: Recipe) -> tuple[str, ...]:
    """Return what was taken for granted of NCCL, where there is any."""
    count = gpu.nccl_bytes(recipe.hardware.world_size)
    if not count:
        return ()
    return (f"NCCL's buffers are taken to be {count >> 20} MiB a card, an estimate; the process holds them.",)


def _fit(
    timeline: Timeline, peak: Peak, memory_bytes: int, outside_bytes: int, settings: AllocatorSettings
) -> tuple[bool, int, tuple[str, ...]]:
    """Return whether the run ends on the card, the margin, and what had to happen for it.

    A run whose reserved memory would not fit may still end: when cudaMalloc fails, the allocator gives
    cached segments back and tries again.
    """
    margin = memory_bytes - peak.process_bytes
    if margin >= 0:
        return True, margin, ()
    limited = replay(timeline, total_bytes=memory_bytes - outside_bytes, settings=settings)
    if limited.out_of_memory is not None:
        return False, margin, ()
    left = memory_bytes - outside_bytes - limited.reserved_bytes
    note = (
        f"It fits only because the allocator gives cached memory back {limited.retries} times, "
        "which costs time."
    )
    return True, left, (note,)


def _instant(timeline: Timeline, event: int) -> Instant:
    phase = next((p.name for p in timeline.phases if p.start <= event < p.end), "")
    storage = timeline.storages[abs(timeline.events[event]) - 1]
    return Instant(phase=phase, module=storage.module, operation=storage.operation)


def block_bytes(timeline: Timeline, run: Replay) -> dict[int, int]:
    """Return the bytes of the block that holds each storage, by the event of its birth.

    A block can be larger than was asked for: it is rounded, or what is left of it is too small to split off.
    """
    before = (0, *run.allocated_after)
    steps = zip(timeline.events, pairwise(before), strict=False)  # a run that ended early has fewer
    return {event: now - was for event, (was, now) in steps if event > 0}


def blocks_at_peak(timeline: Timeline, run: Replay) -> dict[int, int]:
    """Return the bytes of the blocks that are live at the peak, by the event of their birth, in order."""
    block = block_bytes(timeline, run)
    live: dict[int, int] = {}
    for event in timeline.events[: run.peak_event + 1]:
        if event > 0:
            live[event] = block[event]
        else:
            del live[-event]
    return live


def _parts(timeline: Timeline, run: Replay) -> dict[str, int]:
    """Return the bytes of the blocks that are live at the peak, by category, none left out."""
    parts = dict.fromkeys(CATEGORIES, 0)
    for event, count in blocks_at_peak(timeline, run).items():
        parts[timeline.storages[event - 1].category] += count
    assert sum(parts.values()) == run.allocated_bytes
    return {category: count for category, count in parts.items() if count}


def _phases(run: Replay, recipe: Recipe) -> tuple[PhaseMemory, ...]:
    """Return the phases; for a trainer also under the names of the callbacks that close them.

    TrainerCallback sees forward, backward and clipping of the last micro-batch as one stretch, and each
    earlier micro-batch as a substep.
    """
    if recipe.trainer == "loop":
        return run.phases
    phases: list[PhaseMemory] = []
    stretch: list[PhaseMemory] = []
    last = recipe.gradient_accumulation_steps
    for index, phase in enumerate(run.phases):
        phases.append(phase)
        step, *rest = phase.name.split(".")
        if not rest or rest[-1] in ("step", "end", "begin"):
            continue
        stretch.append(phase)
        following = run.phases[index + 1].name if index + 1 < len(run.phases) else ""
        if rest[-1] == "backward" and last > 1 and rest[0] != str(last):
            phases.append(_merged(f"{step}.substep", stretch))
            stretch = []
        elif following == f"{step}.step":
            phases.append(_merged(f"{step}.fwd_bwd_clip", stretch))
            stretch = []
    return tuple(phases)


def _merged(name: str, stretch: list[PhaseMemory]) -> PhaseMemory:
    return PhaseMemory(
        name=name,
        allocated_peak_bytes=max(phase.allocated_peak_bytes for phase in stretch),
        allocated_end_bytes=stretch[-1].allocated_end_bytes,
        reserved_bytes=max(phase.reserved_bytes for phase in stretch),
    )


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
