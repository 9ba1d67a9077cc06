"""How long one optimizer step takes: a roofline for each kind of work, and what can hide behind what.

A kernel's time is its arithmetic at the rate of its type and its traffic at the rate of the memory; Python
must launch it in time. Communication hides behind computation at best and adds to it at worst, but for what
the next kernel waits for, which always adds: tensor parallelism has four such sums in a layer, forward and
backward (Shoeybi et al., Megatron-LM, https://arxiv.org/abs/1909.08053, section 3).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tunesmith.errors import HardwareError
from tunesmith.hardware import Cluster, Gpu
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe
from tunesmith.throughput.efficiency import LEAST, MOST, Efficiency, efficiency
from tunesmith.throughput.interval import Interval
from tunesmith.throughput.links import Links, links

COLLECTIVES = ("all_gather", "reduce_scatter", "all_reduce")
"""Kinds of work that go over the links between cards, and can hide."""

HOST_ADAM_BYTES_PER_SECOND = 50 * 10**9
"""Memory bandwidth of the host that the optimizer of one card's process has when states rest on the host.

A node of eight cards with two sockets of eight DDR4-3200 channels has 410 GB/s in all.
"""


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """One optimizer step, and where its time goes."""

    seconds: Interval
    """From the least to the most."""
    phases: Mapping[str, Interval]
    """The same by ``forward``, ``backward``, ``clip``, ``step``, all micro-batches of a step together."""
    parts: Mapping[str, float]
    """Seconds by kind of work, each alone, before anything hides behind anything; ``launch`` is Python's
    time."""


@dataclass(slots=True)
class _Phase:
    """Seconds of one phase, by what they wait for."""

    kernels: float = 0.0
    launch: float = 0.0
    awaited: float = 0.0
    sent: float = 0.0
    copied: float = 0.0
    host: float = 0.0

    def least(self) -> float:
        return max(self.kernels + self.awaited, self.launch, self.sent, self.copied) + self.host

    def most(self) -> float:
        return max(self.kernels + self.awaited, self.launch) + self.sent + self.copied + self.host


def step_seconds(work: Mapping[str, Sequence[Work]], cluster: Cluster, recipe: Recipe) -> Interval:
    """Return how long one optimizer step takes, from what one card does in it.

    *work* holds the phases of a trace. Of ``step1`` and ``step2`` the second counts; forward and backward are
    repeated for accumulation, unless the trace holds every micro-batch itself.
    """
    bare = bare_seconds(work, cluster, recipe)
    return Interval(bare.low * LEAST, bare.high * MOST)


def bare_seconds(
    work: Mapping[str, Sequence[Work]],
    cluster: Cluster,
    recipe: Recipe,
    *,
    reached: Efficiency | None = None,
) -> Interval:
    """Return the same before it is widened to what published runs show; *reached* replaces the fitted shares.

    The two ends differ by what hides behind what, and agree for one card that holds all it needs.
    """
    low = high = 0.0
    for _, times, phase in _phases(work, cluster, recipe, reached):
        low += times * phase.least()
        high += times * phase.most()
    return Interval(low, high)


def step_time(work: Mapping[str, Sequence[Work]], cluster: Cluster, recipe: Recipe) -> StepTime:
    """Return the same with its parts."""
    phases: dict[str, Interval] = {}
    parts: dict[str, float] = {}
    for name, times, phase in _phases(work, cluster, recipe, None):
        before = phases.get(name, Interval(0.0, 0.0))
        phases[name] = Interval(
            before.low + times * LEAST * phase.least(), before.high + times * MOST * phase.most()
        )
        parts["launch"] = parts.get("launch", 0.0) + times * phase.launch
    rates, reach = _rates(cluster.gpu, None), _links(cluster)
    for _, times, works in _of_one_step(work, recipe):
        for each in works:
            seconds = times * _seconds(each, rates, reach, cluster, recipe)
            parts[each.kind] = parts.get(each.kind, 0.0) + seconds
    total = Interval(sum(p.low for p in phases.values()), sum(p.high for p in phases.values()))
    return StepTime(seconds=total, phases=phases, parts=parts)


# -- one phase ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rates:
    """Seconds for one unit of work."""

    flop: Mapping[str, float]
    """By dtype, for matrix products."""
    attention_flop: Mapping[str, float]
    """By dtype, for attention."""
    byte: float
    launch: float


@functools.lru_cache(maxsize=256)
def _rates(gpu: Gpu, reached: Efficiency | None) -> _Rates:
    """Return the seconds of a unit on *gpu*, with the efficiencies *reached* or, without, the fitted ones."""
    reached = reached or efficiency(gpu)
    peaks = dict(gpu.peak_flops)
    if "fp32" not in peaks:
        raise HardwareError(f"{gpu.name}: no arithmetic rate is published for it, so no time can be told.")
    for dtype in ("fp16", "bf16", "int8"):
        peaks.setdefault(dtype, peaks["fp32"])
    return _Rates(
        {dtype: 1 / (peak * reached.matmul) for dtype, peak in peaks.items()},
        {dtype: 1 / (peak * reached.attention) for dtype, peak in peaks.items()},
        1 / (gpu.bandwidth_bytes_per_second * reached.bandwidth),
        reached.launch_seconds,
    )


@functools.lru_cache(maxsize=1024)
def _links(cluster: Cluster) -> Links:
    return links(cluster)


def _phases(
    work: Mapping[str, Sequence[Work]], cluster: Cluster, recipe: Recipe, reached: Efficiency | None
) -> list[tuple[str, float, _Phase]]:
    """Return the name of each phase of a step, how often it runs, and its seconds."""
    rates, reach = _rates(cluster.gpu, reached), _links(cluster)
    found = []
    for name, times, works in _of_one_step(work, recipe):
        phase = _Phase()
        for each in works:
            seconds = _seconds(each, rates, reach, cluster, recipe)
            if each.kind in COLLECTIVES:
                phase.sent += seconds
            elif each.kind == "host_copy" and _copies_in_line(recipe):
                phase.awaited += seconds
            elif each.kind == "host_copy":
                phase.copied += seconds
            elif each.kind == "host_optimizer":
                phase.host += seconds
            else:
                if each.kind == "awaited" and _goes_round(recipe):
                    phase.sent += seconds
                elif each.kind == "awaited":
                    phase.awaited += seconds
                else:
                    phase.kernels += seconds
                phase.launch += each.kernels * rates.launch
        found.append((name, times, phase))
    return found


def _copies_in_line(recipe: Recipe) -> bool:
    """Return whether what goes to the host and back does so on the stream that computes.

    transformers' offload of checkpointed layers' inputs does, by save_on_cpu() of torch/autograd/graph.py at
    v2.13.0; TRL, FSDP2 and DeepSpeed have streams of their own.
    """
    kwargs = recipe.gradient_checkpointing_kwargs
    return recipe.gradient_checkpointing and bool(kwargs.get("offload")) and not recipe.activation_offloading


def _of_one_step(
    work: Mapping[str, Sequence[Work]], recipe: Recipe
) -> list[tuple[str, float, Sequence[Work]]]:
    """Return the phases of the second step by their last name, with how often each runs."""
    names = [name for name in work if name.startswith("step2.")] or list(work)
    traced = sum(name.endswith("forward") for name in names) or 1
    repeats = recipe.gradient_accumulation_steps / traced
    return [
        (last, repeats if last in ("forward", "backward") else 1.0, work[name])
        for name in names
        for last in (name.rpartition(".")[2],)
    ]


def _goes_round(recipe: Recipe) -> bool:
    """Return whether what is awaited is another part of a sequence, sent while one before it is computed."""
    parallel = recipe.parallel
    return parallel is not None and parallel.context > 1 and parallel.tensor == parallel.expert == 1


def _inner_cards(recipe: Recipe) -> int:
    """Return how many cards, counted on from rank 0, exchange what is awaited inside a layer."""
    parallel = recipe.parallel
    return 1 if parallel is None else max(parallel.tensor * parallel.context, parallel.expert)


def _seconds(each: Work, rates: _Rates, reach: Links, cluster: Cluster, recipe: Recipe) -> float:
    """Return how long *each* takes with nothing beside it."""
    kind = each.kind
    if kind == "matmul":
        return each.flops * rates.flop[each.dtype] + each.moved_bytes * rates.byte
    if kind == "attention":
        return each.flops * rates.attention_flop[each.dtype] + each.moved_bytes * rates.byte
    if kind in COLLECTIVES:
        hybrid = recipe.sharding == "fsdp_hybrid" and kind != "all_reduce"
        return each.moved_bytes / (reach.inside if cluster.nodes == 1 or hybrid else reach.between)
    if kind == "awaited":
        return each.moved_bytes / (reach.inside if _inner_cards(recipe) <= cluster.gpus else reach.between)
    if kind == "host_copy":
        return each.moved_bytes / reach.host
    if kind == "host_optimizer":
        return each.moved_bytes / HOST_ADAM_BYTES_PER_SECOND
    return each.moved_bytes * rates.byte
