"""The whole model's run at three points at once, from a few of its layers.

Few layers are traced at three points and one round more of them at one. The bytes that a storage takes at
the three points are packed into one whole number, side by side: unrolling only adds and multiplies sizes,
so it carries all three through at once. Where layers do not repeat, all of them are traced at each point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from tunesmith.architecture import Architecture
from tunesmith.errors import RecipeError, UnsupportedError
from tunesmith.hardware import Gpu
from tunesmith.memory.estimate import Traced
from tunesmith.memory.ledger import Layers, Trace, layers_for, unrolling, with_layers
from tunesmith.memory.ledger.scaling import scaled_work
from tunesmith.memory.ledger.unrolling import without_layer
from tunesmith.memory.outline.forms import Where
from tunesmith.memory.timeline import Storage, Timeline
from tunesmith.memory.work import Work
from tunesmith.recipe import Recipe

_LANE: Final = 60
_MASK: Final = (1 << _LANE) - 1
_FAR: Final = 9_000  # tokens of more than two chunks
_CHUNK: Final = 4096  # TOKEN_CHUNK_SIZE of trl/kernels/chunked_logprob.py at v1.16.0
_SHORT: Final = 520
_FEW: Final = 1_100  # tokens; fewer need no scratch memory for some sums
_MANY: Final = 1_800
_POINTS: Final = 3
_LEAST: Final = 8

_Seen = tuple[str, str, str, int]
"""A storage's category, module, operation and size."""
WorkByPhase = Mapping[str, tuple[Work, ...]]


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The whole run, each size at every point."""

    timeline: Timeline
    """The whole model's events; ``bytes`` of a storage are packed, see ``unpacked``."""
    few: Timeline
    """The same of the fewest layers; of all where layers do not repeat."""
    more: Timeline
    """The same of one round more, if there is one."""
    layers: Layers
    """How the layers repeat."""
    points: tuple[Where, ...]
    """The points, whose sizes lie side by side in every storage's bytes."""
    work: tuple[tuple[Where, WorkByPhase], ...]
    """What the whole model computes at the first two points."""
    traced: Traced
    """The trace of the fewest layers at the first point."""
    parameters: int
    """Parameters of the whole model."""
    trainable_parameters: int
    """Those that learn."""
    num_traces: int
    """Small traces that were run."""


def unpacked(packed: int) -> tuple[tuple[int, ...], int]:
    """Return the sizes at each point that *packed* holds, and the most tokens that count; 0 for all."""
    sizes = tuple(packed >> (_LANE * number) & _MASK for number in range(_POINTS))
    return sizes, _CHUNK if packed >> (_LANE * _POINTS) else 0


def at_point(timeline: Timeline, number: int) -> Timeline:
    """Return the packed *timeline* with the sizes of one point; storages of one size share a cause."""
    shift = _LANE * number
    known: dict[tuple[int, int], Storage] = {}
    storages = []
    for storage in timeline.storages:
        key = storage.bytes, storage.stream
        if key not in known:
            known[key] = replace(storage, bytes=storage.bytes >> shift & _MASK)
        storages.append(known[key])
    return replace(timeline, storages=tuple(storages))


def sample(architecture: Architecture, recipe: Recipe, gpu: Gpu, trace: Trace) -> Sampled:
    """Return the whole run of *recipe*'s class at three points.

    All layers are traced where they do not repeat, at one length, which most of them run alike. Raises
    UnsupportedError where too few points run the same operations.
    """
    layers = _repeating(architecture, recipe)
    if layers is not None:
        sampler = _Sampler(architecture, recipe, gpu, trace, layers)
        few, capped = _points(architecture, recipe, sampler)
        with suppress(UnsupportedError):  # no rounds are found in the events: all layers are traced
            return sampler.joined(few, capped)
    sampler = _Sampler(architecture, recipe, gpu, trace, None)
    return sampler.whole(*_points(architecture, recipe, sampler, whole=True))


def _repeating(architecture: Architecture, recipe: Recipe) -> Layers | None:
    """Return how the layers repeat, or None where they do not, or are too few."""
    try:
        return layers_for(architecture, recipe)
    except UnsupportedError:
        return None


def _points(
    architecture: Architecture, recipe: Recipe, sampler: _Sampler, *, whole: bool = False
) -> tuple[list[tuple[Where, Traced]], frozenset[_Seen]]:
    """Return traces at three points that run the same operations, and what stops growing at one chunk."""
    rank = recipe.adapter.r if recipe.adapter is not None and recipe.adapter.r else 0
    length = max(64, recipe.sequence_length)
    for own, larger, smaller in (_any(length, rank, alike=whole), _one_chunk(length, rank)):
        few = [(own, sampler.few(own))]
        for wanted in (larger, smaller):
            found = next(_agreeing(sampler, few[0][1], wanted), None)
            if found is not None:
                few.append(found)
        if len(few) == _POINTS:
            within = max(where.batch * where.length for where, _ in few) <= _CHUNK
            return few, sampler.beyond(few) if within else frozenset()
    raise UnsupportedError(
        f"the step of {architecture.name} runs other operations at every other batch and length than "
        f"at {own.batch} x {own.length}; trace instead."
    )


_Choice = tuple[Where, list[Where], list[Where]]


def _any(length: int, r: int, *, alike: bool) -> _Choice:
    """Return the own point, points of more tokens than one chunk of the loss, and points of fewer.

    *alike*: all of one length, which is enough for a search.
    """
    more = [(max(5, _CHUNK * 3 // 2 // each + 1), each) for each in (length // 8 * 8 + 104, length)]
    less = dict.fromkeys((min(_SHORT, length // 16 * 8 + 8), min(1032, length), length // 2, length))
    if alike:
        more, less = more[1:], {length: None}
    return (
        Where(max(2, -(-_MANY // length)), length, r),
        [Where(batch, each, r) for batch, each in (*more, (3, 2 * length))],
        [Where(max(3, _FEW // each + 1), each, 3 * r) for each in less if each >= _LEAST],
    )


def _one_chunk(length: int, r: int) -> _Choice:
    """Return three points within one chunk of the loss, for a loss that runs other operations beyond it."""
    length = min(length, _CHUNK // 4)
    own = max(2, -(-_MANY // length))
    less = [each for each in (length // 16 * 8 + 8, length // 2, length) if each >= _LEAST]
    return (
        Where(own, length, r),
        [Where(own + 1, length + 104, r), Where(own + 1, length, r), Where(own + 2, length, r)],
        [Where(max(3, _FEW // each + 1), each, 3 * r) for each in less],
    )


def _agreeing(sampler: _Sampler, first: Traced, wanted: Iterable[Where]) -> Iterator[tuple[Where, Traced]]:
    """Yield the traces at the *wanted* points that run the same operations as the *first* one."""
    causes = _causes(first.timeline)
    for where in wanted:
        with suppress(RecipeError, UnsupportedError):
            traced = sampler.few(where)
            if _causes(traced.timeline) == causes:
                yield where, traced


class _Sampler:
    """Runs few layers at a point, or all of them where *layers* is None."""

    def __init__(
        self, architecture: Architecture, recipe: Recipe, gpu: Gpu, trace: Trace, layers: Layers | None
    ) -> None:
        self.num_traces = 0
        self._recipe, self._gpu, self._trace = recipe, gpu, trace
        count = max(1, architecture.num_hidden_layers or 1)
        self._layers = layers or Layers(count=count, period=1, head=count, tail=0)
        self._few = self._more = architecture
        if layers is not None:
            counts = (layers.fewest, layers.fewest + layers.period)
            self._few, self._more = (with_layers(architecture, layers, count) for count in counts)

    def few(self, where: Where) -> Traced:
        """Return the trace of the fewest layers there."""
        return self._run(self._few, where)

    def _run(self, architecture: Architecture, where: Where) -> Traced:
        self.num_traces += 1
        changes = {"per_device_train_batch_size": where.batch, "sequence_length": where.length}
        if where.r:
            changes["adapter.r"] = where.r
        return self._trace(architecture, self._recipe.replace(**changes), self._gpu)

    def beyond(self, few: list[tuple[Where, Traced]]) -> frozenset[_Seen]:
        """Return the storages, by cause and size at the first point, that stop growing at one chunk.

        They are of a whole chunk in a run of several, and never of all its tokens.
        """
        (own, traced), *_ = few
        tokens, far = own.batch * own.length, _FAR // own.length + 1
        try:
            large = self.few(Where(far, own.length, own.r)).timeline
        except (RecipeError, UnsupportedError):
            return frozenset()
        there = {(*_cause(storage), storage.bytes) for storage in large.storages}
        capped = set()
        for storage in traced.timeline.storages:
            each, left = divmod(storage.bytes, tokens)
            cause = _cause(storage)
            whole, chunk = (*cause, each * far * own.length), (*cause, each * _CHUNK)
            if each and not left and whole not in there and chunk in there:
                capped.add((*cause, storage.bytes))
        return frozenset(capped)

    def whole(self, traced: list[tuple[Where, Traced]], capped: frozenset[_Seen]) -> Sampled:
        """Return the whole run from all layers at three points."""
        (first, a), (second, b), (third, _) = traced
        timeline = _packed([each.timeline for _, each in traced], capped)
        return Sampled(
            timeline=timeline,
            few=timeline,
            more=timeline,
            layers=self._layers,
            points=(first, second, third),
            work=((first, a.work), (second, b.work)),
            traced=a,
            parameters=a.parameters,
            trainable_parameters=a.trainable_parameters,
            num_traces=self.num_traces,
        )

    def joined(self, few: list[tuple[Where, Traced]], capped: frozenset[_Seen]) -> Sampled:
        """Return the whole run from *few* layers at three points and one round more at two."""
        (first, a), (second, b), (third, c) = few
        more = self._run(self._more, first)
        rounds = self._layers.rounds
        short = _packed([a.timeline, b.timeline, c.timeline], capped)
        elsewhere = _elsewhere(more.timeline, short)
        if elsewhere is None:
            elsewhere = [self._run(self._more, where).timeline for where in (second, third)]
        long = _packed([more.timeline, *elsewhere], capped)
        work = scaled_work(a.work, more.work, rounds)
        timeline = unrolling(short, long, period=self._layers.period).timeline(rounds)
        return Sampled(
            timeline=timeline,
            few=short,
            more=long,
            layers=self._layers,
            points=(first, second, third),
            work=(
                (first, work),
                (second, _in_proportion(b.work, a.work, work)),
            ),
            traced=a,
            parameters=a.parameters + rounds * (more.parameters - a.parameters),
            trainable_parameters=a.trainable_parameters
            + rounds * (more.trainable_parameters - a.trainable_parameters),
            num_traces=self.num_traces,
        )


def _cause(storage: Storage) -> tuple[str, str, str]:
    return storage.category, without_layer(storage.module), storage.operation


def _causes(timeline: Timeline) -> tuple[object, ...]:
    return timeline.events, [(s.category, s.module, s.operation) for s in timeline.storages]


def _elsewhere(more: Timeline, short: Timeline) -> list[Timeline] | None:
    """Return *more*, traced at the first point, at the others: its storages are those of *short*'s layers.

    None where storages of one cause and size here differ there, or one is not among the layers' and its kind
    changes with the batch or length; what counts layers, such as the norms that clipping stacks, does not.
    """
    known: dict[_Seen, tuple[int, ...] | None] = {}
    changing = set()
    for storage in short.storages:
        (here, *there), _ = unpacked(storage.bytes)
        key = (*_cause(storage), here)
        sizes = tuple(there)
        known[key] = sizes if known.get(key, sizes) == sizes else None
        if any(size != here for size in sizes):
            changing.add(key[:3])
    columns: list[list[Storage]] = [[] for _ in range(_POINTS - 1)]
    for storage in more.storages:
        cause = _cause(storage)
        key = (*cause, storage.bytes)
        found = known.get(key) if key in known or cause in changing else (storage.bytes,) * (_POINTS - 1)
        if found is None:
            return None
        for column, size in zip(columns, found, strict=True):
            column.append(replace(storage, bytes=size))
    return [replace(more, storages=tuple(column)) for column in columns]


def _packed(timelines: list[Timeline], capped: frozenset[_Seen]) -> Timeline:
    first = timelines[0]
    if any(timeline.events != first.events for timeline in timelines):
        raise UnsupportedError("the order of releases changes with the batch or length; trace instead.")
    storages = []
    for same in zip(*(timeline.storages for timeline in timelines), strict=True):
        packed = sum(storage.bytes << (_LANE * number) for number, storage in enumerate(same))
        if capped and (*_cause(same[0]), same[0].bytes) in capped:
            packed += 1 << (_LANE * _POINTS)
        storages.append(replace(same[0], bytes=packed))
    return replace(first, storages=tuple(storages))


def _in_proportion(few: WorkByPhase, here: WorkByPhase, whole: WorkByPhase) -> WorkByPhase:
    """Return the whole model's work at another point, where *few* layers take what they take there.

    The layers' share of each kind is the same as *here*: exact for what grows with tokens alone, as matrix
    products do, and for what does not grow.
    """
    scaled = {}
    for phase, works in whole.items():
        there = {(work.kind, work.dtype): work for work in few.get(phase, ())}
        own = {(work.kind, work.dtype): work for work in here.get(phase, ())}
        scaled[phase] = tuple(
            _times(work, there.get((work.kind, work.dtype), work), own.get((work.kind, work.dtype), work))
            for work in works
        )
    return scaled


def _times(whole: Work, few: Work, here: Work) -> Work:
    def times(name: str) -> int:
        of: int = getattr(here, name)
        return round(getattr(whole, name) * getattr(few, name) / of) if of else int(getattr(whole, name))

    return Work(
        kind=whole.kind,
        dtype=whole.dtype,
        flops=times("flops"),
        moved_bytes=times("moved_bytes"),
        kernels=times("kernels"),
    )
