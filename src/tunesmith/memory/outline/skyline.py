"""The skyline of a run: the instants that can be its peak, each as a count of every kind of storage.

Sizes at a few widely spread points, and gradients counted in full, in part, or only while each is born,
stand for all the variations that an outline answers; an instant that is the largest of its phase in none
of them is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, NamedTuple

from tunesmith.memory.ledger.unrolling import without_layer
from tunesmith.memory.outline.forms import Form, Where, form_of
from tunesmith.memory.outline.sampling import Sampled, unpacked
from tunesmith.memory.timeline import Phase, Storage, Timeline

Counts = tuple[tuple[int, int], ...]
"""Pairs of a column's index and how often it counts."""

FAMILIES: Final = ("load", "pass", "accumulated", "sharded", "clip", "step", "end")
"""Kinds of instants: while the run is built, in a forward or backward pass, in the pass of a later
micro-batch, in a pass whose gradients are reduced layer by layer, while gradients are clipped, in the
optimizer's step, and after it."""

_SHARE: Final = 0.125
_BATCHES: Final = (1, 2, 4, 8, 16, 64)
_LAYER: Final = re.compile(r"(?<![^.])\d+(?![^.])")


class Column(NamedTuple):
    """A kind of storage."""

    category: str
    """One of the timeline's categories."""
    form: Form
    """Its size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """An instant that can be the peak."""

    phase: str
    """Phase of the run."""
    family: str
    """One of FAMILIES."""
    module: str
    """Module at work, a star for the number of its layer; of a ``sharded`` one with the number."""
    counts: Counts
    """What is alive then; of an ``accumulated`` one without the gradients of earlier micro-batches, of a
    ``sharded`` one with only the gradients of the layer at work."""
    done: Counts = ()
    """Of a ``sharded`` one: gradients of layers that are through."""
    reducing: Counts = ()
    """Of a ``sharded`` one: gradients of the layer that was through last."""


@dataclass(frozen=True, kw_only=True)
class Skyline:
    """What of a run has to be known for its peak under every variation."""

    columns: tuple[Column, ...]
    """Kinds of storages."""
    spots: tuple[Spot, ...]
    """The instants that can be the peak."""
    built: Counts
    """What is alive when the run is built: weights and what belongs to them."""
    gradients: Counts
    """All gradients, when the last micro-batch is through."""
    states: Counts
    """All optimizer states."""
    step_start: Counts
    """What is alive when the optimizer's second step begins."""
    inputs: Counts
    """One micro-batch that is fetched before the step begins; empty where it is fetched when it is due."""
    layer: Counts
    """What one round of layers adds to ``built``."""
    held: Counts
    """What is alive when the second step's forward pass ends: what the backward pass needs."""
    head: Counts
    """The largest weight outside the layers: the embedding or the head."""


def skyline(sampled: Sampled) -> Skyline:
    """Return the skyline of the *sampled* run."""
    board = _Board(sampled)
    timeline = sampled.timeline
    phases = {phase.name: phase for phase in timeline.phases}
    building = [phase for phase in timeline.phases if family_of(phase.name) == "load"]
    spots = [*board.spots(), *board.sharded_spots()]
    ends = board.snapshots(
        {
            "built": building[-1].end - 1 if building else -1,
            "held": phases["step2.forward"].end - 1,
            "passed": phases["step2.backward"].end - 1,
            "stepped": phases["step1.step"].end - 1,
            "began": phases["step2.begin"].end - 1 if "step2.begin" in phases else -1,
            "starts": phases["step2.step"].start - 1,
        }
    )
    layer = board.layer()
    return Skyline(
        columns=tuple(board.columns),
        spots=tuple(spots),
        built=_sparse(ends["built"]),
        gradients=board.only(ends["passed"], "gradients"),
        states=board.only(ends["stepped"], "optimizer states"),
        step_start=_sparse(ends["starts"]),
        inputs=board.only(ends["began"], "inputs"),
        layer=layer,
        held=_sparse(ends["held"]),
        head=board.head(ends["built"], layer),
    )


def family_of(phase: str) -> str:
    """Return the family of the instants in *phase*."""
    if not phase.startswith("step"):
        return "end" if phase == "end" else "load"
    last = phase.rpartition(".")[2]
    return {"clip": "clip", "step": "step", "end": "end"}.get(last, "pass")


class _Board:
    """The events of a run as numbers of columns, and what is alive at any of them."""

    def __init__(self, sampled: Sampled) -> None:
        self.columns: list[Column] = []
        self._sampled = sampled
        self._numbers: dict[tuple[str, int], int] = {}
        self._timeline = sampled.timeline
        last = self._timeline.phases[-1].end
        of = [self._number(storage.category, storage.bytes) for storage in self._timeline.storages]
        self._codes = [of[e - 1] + 1 if e > 0 else -of[-e - 1] - 1 for e in self._timeline.events[:last]]

    def _number(self, category: str, packed: int) -> int:
        key = category, packed
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.columns)
            points = self._sampled.points
            sizes, most = unpacked(packed)
            self.columns.append(Column(category, form_of(sizes, points, most=most)))
        return number

    def spots(self) -> list[Spot]:
        """Return the instants that are the largest of their phase in some scenario."""
        found: dict[tuple[int, bool], Phase] = {}
        for values in self._scenarios():
            totals = list(accumulate(map(values.__getitem__, self._codes)))
            for phase in self._timeline.phases:
                if phase.end > phase.start:
                    stretch = totals[phase.start : phase.end]
                    found[phase.start + stretch.index(max(stretch)), False] = phase
        codes, origin = self._fleeting()
        for values in self._scenarios(gradients=1):
            totals = list(accumulate(map(values.__getitem__, codes)))
            for phase in self._timeline.phases:
                if phase.name.startswith("step2") and family_of(phase.name) == "pass":
                    start, end = origin.index(phase.start), origin.index(phase.end)
                    stretch = totals[start:end]
                    found[origin[start + stretch.index(max(stretch))], True] = phase
        plain = self.snapshots({index: index for index, _ in found})
        born = {index: self._born_gradients(index) for index, apart in found if apart}
        spots = []
        for (index, apart), phase in sorted(found.items(), key=lambda each: each[0]):
            counts = dict(enumerate(plain[index]))
            if apart:
                counts = {
                    n: count
                    for n, count in counts.items()
                    if self.columns[n].category not in ("gradients", "optimizer states")
                } | born[index]
            spots.append(self._spot(index, phase, counts, "accumulated" if apart else ""))
        return list(dict.fromkeys(spots))

    def _spot(self, index: int, phase: Phase, counts: Mapping[int, int], family: str) -> Spot:
        return Spot(
            phase=phase.name,
            family=family or family_of(phase.name),
            module=without_layer(self._storage(index).module),
            counts=_sparse_of(counts),
        )

    def _scenarios(self, gradients: float | None = None) -> Iterator[list[int]]:
        """Yield the bytes of every column under each scenario, its negative under the negative index."""
        for where in _spread(self._sampled.points[0]):
            sizes = [column.form.at(where) for column in self.columns]
            for share in (1, _SHARE) if gradients is None else (gradients,):
                weighed = [
                    int(size * share) if column.category == "gradients" else size
                    for size, column in zip(sizes, self.columns, strict=True)
                ]
                yield [0, *weighed, *(-size for size in reversed(weighed))]

    def sharded_spots(self) -> list[Spot]:
        """Return the largest instants, in layers and outside, of passes that reduce layer by layer."""
        passes = [p for p in self._timeline.phases if p.name in ("step2.forward", "step2.backward")]
        start, end = passes[0].start, passes[-1].end
        lasting = self.snapshots({"start": start - 1})["start"]
        codes, origin = self._reduced(start, end)
        sides = [_side(self._storage(index).module) for index in origin]
        found: set[int] = set()
        n = len(self.columns)
        own = self._sampled.points[0]
        for batch in _BATCHES:
            sizes = [column.form.at(own._replace(batch=batch)) for column in self.columns]
            values = [*sizes, *(int(size * _SHARE) for size in sizes), *sizes]
            table = [0, *values, *(-value for value in reversed(values))]
            base = sum(count * size for count, size in zip(lasting, sizes, strict=True))
            totals = list(accumulate(map(table.__getitem__, codes), initial=base))[1:]
            for phase in passes:
                stretch = [i for i, index in enumerate(origin) if phase.start <= index < phase.end]
                for side in set(sides):
                    of = [i for i in stretch if sides[i] == side]
                    if of:
                        found.add(max(of, key=totals.__getitem__))
        spots, stops = [], sorted(found)
        counts = dict(enumerate([*lasting, *[0] * (2 * n)]))
        for position, code in enumerate(codes):
            counts[abs(code) - 1] += 1 if code > 0 else -1
            if stops and position == stops[0]:
                stops.pop(0)
                spots.append(self._sharded_spot(origin[position], counts))
        return list(dict.fromkeys(spots))

    def _sharded_spot(self, index: int, counts: Mapping[int, int]) -> Spot:
        n = len(self.columns)
        phase = next(p for p in self._timeline.phases if p.start <= index < p.end)
        of = [{c % n: k for c, k in counts.items() if c // n == part} for part in range(3)]
        spot = self._spot(index, phase, of[0], "sharded")
        return replace(
            spot, module=self._storage(index).module, done=_sparse_of(of[1]), reducing=_sparse_of(of[2])
        )

    def _reduced(self, start: int, end: int) -> tuple[list[int], list[int]]:
        """Return the events of a pass in which each layer's gradients are reduced once it is through.

        Columns are there three times: as they are, for gradients that are done, and being reduced. The
        second list holds the index of each event in the run.
        """
        n = len(self.columns)
        gradients = {number for number, column in enumerate(self.columns) if column.category == "gradients"}
        codes: list[int] = []
        origin: list[int] = []
        unit, current, reducing, done_layers = "", list[int](), list[int](), False
        for index in range(start, end):
            code = self._codes[index]
            if code - 1 in gradients:
                module = self._storage(index).module
                # What comes after the layers is one unit: FSDP2's head with the final norm.
                at = unit_of(module) if _LAYER.search(module) or done_layers else "head"
                done_layers = done_layers or at != "head"
                if at != unit:
                    for number in reducing:
                        codes.append(-(2 * n + number + 1))
                    for number in current:
                        codes += [-(number + 1), n + number + 1, 2 * n + number + 1]
                    origin += [index] * (len(codes) - len(origin))
                    unit, current, reducing = at, [], current
                current.append(code - 1)
            codes.append(code)
            origin.append(index)
        return codes, origin

    def _storage(self, index: int) -> Storage:
        return self._timeline.storages[abs(self._timeline.events[index]) - 1]

    def head(self, built: Sequence[int], layer: Counts) -> Counts:
        """Return the largest weight of what is *built* that is in no layer."""
        rounds = self._sampled.layers.count // self._sampled.layers.period
        inside = dict(layer)
        own = self._sampled.points[0]
        outside = [
            (self.columns[number].form.at(own), number)
            for number, count in enumerate(built)
            if self.columns[number].category == "weights" and count > rounds * inside.get(number, 0)
        ]
        return ((max(outside)[1], 1),) if outside else ()

    def _fleeting(self) -> tuple[list[int], list[int]]:
        """Return the events as of a later micro-batch, where a gradient is added to its like and given back.

        The second list holds the index of each in the run.
        """
        codes, origin, pending = [], [], 0
        gradients = {n + 1 for n, column in enumerate(self.columns) if column.category == "gradients"}
        for index, code in enumerate(self._codes):
            if pending and code < 0:
                codes.append(-pending)
                origin.append(index)
                pending = 0
            if -code in gradients:
                code = 0
            elif code in gradients:
                if pending:
                    codes.append(-pending)
                    origin.append(index)
                pending = code
            codes.append(code)
            origin.append(index)
        return codes, [*origin, len(self._codes)]

    def _born_gradients(self, index: int) -> dict[int, int]:
        """Return the gradient that event *index* bears or that was born right before, not yet added."""
        for before in range(index, max(-1, index - 4), -1):
            code = self._codes[before]
            if code > 0 and self.columns[code - 1].category == "gradients":
                return {code - 1: 1}
            if code < 0:
                break
        return {}

    def snapshots(self, wanted: Mapping[object, int]) -> dict[object, list[int]]:
        """Return how often each column counts right after the events *wanted*, by their keys."""
        counts = [0] * len(self.columns)
        taken: dict[int, list[int]] = {-1: list(counts)}
        stops = set(wanted.values())
        for index, code in enumerate(self._codes):
            if code > 0:
                counts[code - 1] += 1
            else:
                counts[-code - 1] -= 1
            if index in stops:
                taken[index] = list(counts)
        return {key: taken[index] for key, index in wanted.items()}

    def only(self, counts: Sequence[int], category: str) -> Counts:
        """Return the *counts* of one category."""
        return tuple((n, c) for n, c in enumerate(counts) if c and self.columns[n].category == category)

    def layer(self) -> Counts:
        """Return what one round of layers adds to what is alive when the run is built.

        Where layers do not repeat it is an even share of what most of them have.
        """
        added: dict[int, int] = {}
        if self._sampled.more is self._sampled.few:
            for number in self._built(self._timeline):
                added[number] = added.get(number, 0) + 1
            count = self._sampled.layers.count
            return tuple((n, each // count) for n, each in sorted(added.items()) if each >= count)
        for timeline, sign in ((self._sampled.more, 1), (self._sampled.few, -1)):
            for number in self._built(timeline):
                added[number] = added.get(number, 0) + sign
        return tuple((n, count) for n, count in sorted(added.items()) if count)

    def _built(self, timeline: Timeline) -> list[int]:
        live = {}
        for phase in timeline.phases:
            if family_of(phase.name) != "load":
                break
            for event in timeline.events[phase.start : phase.end]:
                if event > 0:
                    storage = timeline.storages[event - 1]
                    live[event] = self._number(storage.category, storage.bytes)
                else:
                    del live[-event]
        return list(live.values())


def layer_of(module: str) -> int | None:
    """Return the number of the layer that *module* lies in; None outside the layers."""
    found = _LAYER.search(module)
    return int(found[0]) if found else None


def _side(module: str) -> int:
    """Return whether *module* is outside the layers, in the first, or in another: gathering differs."""
    layer = layer_of(module)
    return 0 if layer is None else 1 + (layer > 0)


def unit_of(module: str) -> str:
    """Return the path of the layer that *module* lies in, else its own.

    >>> unit_of("model.layers.3.mlp.up_proj"), unit_of("lm_head")
    ('model.layers.3', 'lm_head')
    """
    found = _LAYER.search(module)
    return module[: found.end()] if found else module


def _spread(own: Where) -> Iterator[Where]:
    """Yield points that are far apart, around the batch and length at which the run was traced."""
    yield own
    for batch, length, ranks in ((1, max(64, own.length // 16), 1), (1, own.length, 1), (64, own.length, 16)):
        yield Where(batch, length, own.r * ranks)


def _sparse_of(counts: Mapping[int, int]) -> Counts:
    return tuple((n, count) for n, count in sorted(counts.items()) if count)


def _sparse(counts: Sequence[int]) -> Counts:
    return tuple((n, count) for n, count in enumerate(counts) if count)
