"""A Ledger from a few small traces, checked on one that the fit has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tunesmith.architecture import Architecture
from tunesmith.errors import UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.allocator import AllocatorSettings, replay
from tunesmith.memory.estimate import Traced
from tunesmith.memory.ledger.closed import Ledger, Range
from tunesmith.memory.ledger.instants import live_peak, phases_of
from tunesmith.memory.ledger.layers import with_layers
from tunesmith.memory.ledger.scaling import Trace, layers_for
from tunesmith.memory.ledger.sizes import Point, Size, fitted, rounded
from tunesmith.memory.ledger.unrolling import unrolling
from tunesmith.memory.timeline import Timeline
from tunesmith.recipe import Recipe

_LEAST_POINTS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    """The whole model's timeline at one point, and what the allocator makes of it."""

    point: Point
    timeline: Timeline
    live_bytes: int
    allocated_bytes: int
    reserved_bytes: int


def fit(architecture: Architecture, recipe: Recipe, gpu: Gpu, *, trace: Trace) -> Ledger:
    """Return the ledger of *recipe*'s class around its own batch and length.

    Points at which the step runs other operations than at the recipe's own (kernels are chosen by shape)
    bound the range in which it holds. Between two points with the same operations it is taken to run them
    too. Raises UnsupportedError where layers do not repeat, or a size is no form that is known.
    """
    sampler = _Sampler(architecture, recipe, gpu, trace)
    samples, check = _agreeing(sampler, recipe, architecture.name)
    own = samples[0].timeline
    sizes = _sizes([sample.timeline for sample in samples], [sample.point for sample in samples])
    columns, phases = phases_of(own, sizes)
    unseen = sampler.at(check)
    odd = sampler.at((check[0], check[1] + 5))
    ledger = Ledger(
        columns=columns,
        phases=phases,
        range=_range([sample.point for sample in samples], multiple=8),
        allocated_ratio=_ratios([s.allocated_bytes / s.live_bytes for s in samples]),
        reserved_ratio=_ratios([s.reserved_bytes / s.live_bytes for s in samples]),
        residual={},
        num_traces=sampler.num_traces,
    ).near_peaks()
    return _checked(ledger, unseen, odd)


def _agreeing(sampler: _Sampler, recipe: Recipe, name: str) -> tuple[list[_Sample], Point]:
    """Return samples at which the step runs the same operations, and the point that checks their ledger."""
    for points, check in (_points(recipe), _points_of_one_batch(recipe)):
        samples = [sample for sample in map(sampler.at, points) if sample is not None]
        if len(samples) >= _LEAST_POINTS:
            return samples, check
    raise UnsupportedError(
        f"the step of {name} runs other operations at most points around its batch of "
        f"{recipe.per_device_train_batch_size} and length of {recipe.sequence_length}; trace instead."
    )


def _points(recipe: Recipe) -> tuple[list[Point], Point]:
    """Return the points of the fit, the recipe's own first, and the one that checks it.

    Every length is a multiple of 8, to which attention pads; odd ones are tried afterwards.
    """
    batch, length = recipe.per_device_train_batch_size, max(64, recipe.sequence_length // 8 * 8)
    points = [
        (batch, length),
        (4 * batch, length),
        (batch, 4 * length),
        (2 * batch, 2 * length + 24),
        (batch + 1, length + 104),
        (8 * batch, 2 * length),
        (batch, max(64, length // 16 * 8)),
    ]
    return list(dict.fromkeys(points)), (3 * batch, length + length // 16 * 8 + 40)


def _points_of_one_batch(recipe: Recipe) -> tuple[list[Point], Point]:
    """Return points like _points() of the recipe's batch only: some layouts need no copy for one sequence."""
    (own, *others), (_, check) = _points(recipe)
    lengths = [length for _, length in others if length != own[1]]
    return [own, *dict.fromkeys((own[0], length) for length in lengths)], (own[0], check)


class _Sampler:
    """Traces few layers at a point, compares the operations, and unrolls to all layers."""

    def __init__(self, architecture: Architecture, recipe: Recipe, gpu: Gpu, trace: Trace) -> None:
        self.num_traces = 0
        self._recipe, self._gpu, self._trace = recipe, gpu, trace
        self._layers = layers_for(architecture, recipe)
        self._settings = AllocatorSettings.parse(recipe.hardware.alloc_conf or "")
        counts = (self._layers.fewest, self._layers.fewest + self._layers.period)
        self._few, self._more = (with_layers(architecture, self._layers, count) for count in counts)
        self._causes: object = None

    def at(self, point: Point) -> _Sample | None:
        """Return the sample at *point*; None where the step runs other operations than at the first one."""
        few = self._run(self._few, point).timeline
        causes = (few.events, [(s.category, s.module, s.operation) for s in few.storages])
        if self._causes is None:
            self._causes = causes
        elif causes != self._causes:
            return None
        more = self._run(self._more, point).timeline
        timeline = unrolling(few, more, period=self._layers.period).timeline(self._layers.rounds)
        run = replay(timeline, settings=self._settings)
        return _Sample(
            point=point,
            timeline=timeline,
            live_bytes=live_peak(timeline, [rounded(storage.bytes) for storage in timeline.storages]),
            allocated_bytes=run.allocated_bytes,
            reserved_bytes=run.reserved_bytes,
        )

    def _run(self, architecture: Architecture, point: Point) -> Traced:
        self.num_traces += 1
        changed = self._recipe.replace(per_device_train_batch_size=point[0], sequence_length=point[1])
        return self._trace(architecture, changed, self._gpu)


def _sizes(timelines: Sequence[Timeline], points: Sequence[Point]) -> list[Size]:
    """Return the size of each storage as a function, from its bytes at every point."""
    own = timelines[0]
    if any(timeline.events != own.events for timeline in timelines):
        raise UnsupportedError("the order of releases changes with the batch or length; trace instead.")
    known: dict[tuple[int, ...], Size] = {}
    sizes = []
    for same in zip(*(timeline.storages for timeline in timelines), strict=True):
        values = tuple(storage.bytes for storage in same)
        if values not in known:
            size = fitted(values, points)
            if size is None:
                cause = f"{same[0].operation} in {same[0].module or 'no module'}"
                raise UnsupportedError(f"the sizes {values} of {cause} are of no known form; trace instead.")
            known[values] = size
        sizes.append(known[values])
    return sizes


def _range(points: Sequence[Point], *, multiple: int) -> Range:
    batches, lengths = zip(*points, strict=True)
    tokens = [batch * length for batch, length in points]
    return Range(
        batch=(min(batches), max(batches)),
        length=(min(lengths), max(lengths)),
        tokens=(min(tokens), max(tokens)),
        length_multiple=multiple,
    )


def _ratios(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _checked(ledger: Ledger, unseen: _Sample | None, odd: _Sample | None) -> Ledger:
    """Return *ledger* with its residual at the *unseen* point, and for any length if the *odd* one agrees."""
    if unseen is None or not ledger.range.holds(*unseen.point):
        raise UnsupportedError("the point that was to check the ledger runs other operations; trace instead.")
    found = ledger.evaluate(*unseen.point)
    residual = {"live_bytes": found.live_bytes / unseen.live_bytes - 1}
    for name, (low, high), true in (
        ("allocated_bytes", found.allocated_bytes, unseen.allocated_bytes),
        ("reserved_bytes", found.reserved_bytes, unseen.reserved_bytes),
    ):
        residual[name] = (max(0, low - true) - max(0, true - high)) / true
    multiple = ledger.range.length_multiple
    if odd is not None:
        anywhere = replace(ledger, range=replace(ledger.range, length_multiple=1))
        multiple = 1 if anywhere.evaluate(*odd.point).live_bytes == odd.live_bytes else multiple
    return replace(ledger, residual=residual, range=replace(ledger.range, length_multiple=multiple))
