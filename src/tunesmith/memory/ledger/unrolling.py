"""The Timeline of many layers from the Timelines of few: what repeats is found, checked, and repeated.

A step is a handful of loops over layers (loading, forward, backward, clipping, the optimizer, zero_grad).
Laid beside each other, the traces of L and L + p layers differ by one more round of each loop, and by a
few sizes that count layers, such as the norms that clipping stacks. Both differences are exact, so the
Timeline of L + n p layers follows, event by event; the allocator can be replayed over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tunesmith.errors import UnsupportedError
from tunesmith.memory.timeline import Phase, Storage, Timeline

_WINDOWS = (48, 24, 12, 6, 3, 1)
_SIMILAR = 8
_LAYER = re.compile(r"(?<![^.])\d+(?![^.])")
_Key = tuple[int, str, str, str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Event:
    """One event of a timeline, in terms that do not depend on how many layers there are."""

    born: bool
    storage: Storage
    kind: int
    """Number of the storage's kind: its size, cause and module but for the layer."""
    rank: int
    """For a release: how many storages of its kind were born later and live."""
    age: int
    """For a release: how many storages of its kind were born earlier and live."""
    phase: int
    bare: str
    """Its module but for the number of the layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """The same event with L layers (``few``) and with L + p (``more``)."""

    few: _Event
    more: _Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One more round of a loop over layers."""

    events: tuple[_Event, ...]
    before: tuple[_Event, ...]
    """The same stretch one round earlier; empty if what comes before is something else."""
    descends: bool
    """Whether the loop runs from the last layer to the first."""


@dataclass(frozen=True, kw_only=True)
class Unrolling:
    """What two Timelines have in common and what one more round adds, in order."""

    steps: tuple[Pair | Round, ...]
    phases: tuple[tuple[str, bool], ...]
    """Name of each phase, and whether it begins with an empty cache."""
    period: int
    """Layers in one round."""

    def timeline(self, rounds: int) -> Timeline:
        """Return the Timeline with *rounds* more rounds than the first one; 0 and 1 give back the two."""
        writer = _Writer(len(self.phases))
        for step in self.steps:
            if isinstance(step, Pair):
                writer.pair(step, rounds)
            else:
                for number in range(rounds):
                    writer.round(step, number, rounds, self.period)
        return writer.timeline(self.phases)


def unrolling(few: Timeline, more: Timeline, *, period: int = 1) -> Unrolling:
    """Return how *more*, of *period* more layers, comes from *few*.

    Raises UnsupportedError where the two do not differ by whole rounds of loops.
    """
    kinds: dict[_Key, int] = {}
    a, b = _events(few, kinds), _events(more, kinds)
    phases = tuple((phase.name, phase.empties_cache) for phase in few.phases)
    if phases != tuple((phase.name, phase.empties_cache) for phase in more.phases):
        raise UnsupportedError("the phases change with the number of layers; trace all layers instead.")
    return Unrolling(steps=tuple(_aligned(_Side(a), _Side(b))), phases=phases, period=period)


class _Side:
    """A timeline's events with two views for comparison: with sizes and without."""

    def __init__(self, events: list[_Event]) -> None:
        self.events = events
        self.exact = [(e.kind if e.born else -e.kind) for e in events]
        self.loose = [(e.born, e.phase, e.storage.operation, e.storage.category, e.bare) for e in events]

    def __len__(self) -> int:
        return len(self.events)


def _aligned(few: _Side, more: _Side) -> Iterator[Pair | Round]:
    """Yield the events of *few* in order, with the rounds that only *more* has where they begin."""
    i = j = 0
    spare = len(more) - len(few)
    descends = False
    while i < len(few) or j < len(more):
        if i < len(few) and j < len(more) and few.exact[i] == more.exact[j]:
            pair = Pair(few=few.events[i], more=more.events[j])
            shift = _shift(pair)
            descends = shift > 0 if shift is not None else descends
            yield pair
            i, j = i + 1, j + 1
            continue
        length = _round_length(few.exact, i, more.exact, j, spare)
        likely = not length and _same_cause(few, i, more, j, _SIMILAR)
        length = length or (0 if likely else _round_length(few.loose, i, more.loose, j, spare))
        if likely or (not length and _same_cause(few, i, more, j, 1)):
            yield Pair(few=few.events[i], more=more.events[j])
            i, j = i + 1, j + 1
            continue
        if not length:
            raise UnsupportedError(
                f"event {i} ({_said(few, i)}) does not repeat with the layers; trace all layers instead."
            )
        start = j - length
        repeats = start >= 0 and more.exact[start:j] == more.exact[j : j + length]
        yield Round(
            events=tuple(more.events[j : j + length]),
            before=tuple(more.events[start:j]) if repeats else (),
            descends=descends,
        )
        j, spare = j + length, spare - length


def _round_length(few: Sequence[object], i: int, more: Sequence[object], j: int, spare: int) -> int:
    """Return how many events of *more* must be skipped for the two to agree again, or 0.

    The longer they then agree the better; a short loop right behind this one limits how long they can.
    """
    if i == len(few):
        return len(more) - j
    for periodic in (True, False):
        for window in _WINDOWS:
            ahead = few[i : i + window]
            for length in range(1, min(spare, len(more) - j - 1) + 1):
                if more[j + length] != ahead[0] or more[j + length : j + length + window] != ahead:
                    continue
                if not periodic or (j >= length and more[j - length : j] == more[j : j + length]):
                    return length
    return 0


def _same_cause(few: _Side, i: int, more: _Side, j: int, count: int) -> bool:
    """Return whether the next *count* events are the same but for sizes, which may count layers."""
    ahead = few.loose[i : i + count]
    return bool(ahead) and more.loose[j : j + count] == ahead


def _said(side: _Side, index: int) -> str:
    if index >= len(side):
        return "the end"
    event = side.events[index]
    what = "birth" if event.born else "release"
    return f"{what} of {event.storage.operation} in {event.storage.module or 'no module'}"


def _events(timeline: Timeline, kinds: dict[_Key, int]) -> list[_Event]:
    """Return the events of *timeline*; equal kinds have equal numbers in every call with the same *kinds*."""
    phase_of = [number for number, p in enumerate(timeline.phases) for _ in range(p.end - p.start)]
    live: dict[int, list[int]] = {}
    kind_of: list[int] = []
    bare_of = [without_layer(storage.module) for storage in timeline.storages]
    for storage, bare in zip(timeline.storages, bare_of, strict=True):
        key = (storage.bytes, storage.category, bare, storage.operation, storage.stream)
        kind_of.append(kinds.setdefault(key, len(kinds) + 1))
    events = []
    # What comes after the last phase is the teardown of the trace itself.
    for number, phase in zip(timeline.events, phase_of, strict=False):
        born, index = number > 0, abs(number) - 1
        storage, kind, rank, age = timeline.storages[index], kind_of[index], 0, 0
        same = live.setdefault(kind, [])
        if born:
            same.append(index)
        else:
            age = same.index(index) if len(same) < 2 or same[-1] != index else len(same) - 1
            rank = len(same) - 1 - age
            same.pop(age)
        events.append(
            _Event(
                born=born, storage=storage, kind=kind, rank=rank, age=age, phase=phase, bare=bare_of[index]
            )
        )
    return events


def without_layer(module: str) -> str:
    """Return the path *module* with a star for the number of its layer."""
    return _LAYER.sub("*", module, count=1)


def _layer(module: str) -> int | None:
    found = _LAYER.search(module)
    return int(found[0]) if found else None


def _shift(pair: Pair) -> int | None:
    """Return by how many layers the event moved when layers were added; None where it names no layer."""
    few, more = _layer(pair.few.storage.module), _layer(pair.more.storage.module)
    return None if few is None or more is None or not pair.few.born else more - few


class _Writer:
    """Writes a Timeline event by event, choosing which storage of a kind is released."""

    def __init__(self, num_phases: int) -> None:
        self._storages: list[Storage] = []
        self._events: list[int] = []
        self._live: dict[int, list[int]] = {}
        self._counts = [0] * num_phases

    def pair(self, pair: Pair, rounds: int) -> None:
        """Write an event that both timelines have."""
        few, more = pair.few, pair.more
        if not few.born:
            self._release(few.kind, few.rank + rounds * (more.rank - few.rank), few.phase)
            return
        bytes_ = few.storage.bytes + rounds * (more.storage.bytes - few.storage.bytes)
        shift = _shift(pair) or 0
        self._birth(few, _moved(few.storage, rounds * shift, bytes_))

    def round(self, added: Round, number: int, rounds: int, period: int) -> None:
        """Write round *number* of *rounds*."""
        layers = (rounds - 1 - number if added.descends else number) * period
        for position, event in enumerate(added.events):
            if event.born:
                self._birth(event, _moved(event.storage, layers, event.storage.bytes))
                continue
            before = added.before[position] if added.before else event
            by_age = before.rank != event.rank and before.age == event.age
            rank = len(self._live.get(event.kind, ())) - 1 - event.age if by_age else event.rank
            self._release(event.kind, rank, event.phase)

    def timeline(self, named: tuple[tuple[str, bool], ...]) -> Timeline:
        """Return what was written."""
        phases, start = [], 0
        for (name, empties), count in zip(named, self._counts, strict=True):
            phases.append(Phase(name=name, start=start, end=start + count, empties_cache=empties))
            start += count
        return Timeline(storages=tuple(self._storages), events=tuple(self._events), phases=tuple(phases))

    def _birth(self, event: _Event, storage: Storage) -> None:
        self._storages.append(storage)
        index = len(self._storages)
        self._live.setdefault(event.kind, []).append(index)
        self._events.append(index)
        self._counts[event.phase] += 1

    def _release(self, kind: int, rank: int, phase: int) -> None:
        same = self._live.get(kind)
        if not same:
            raise UnsupportedError("a storage is released that was not born; trace all layers instead.")
        self._events.append(-same.pop(max(0, len(same) - 1 - max(0, rank))))
        self._counts[phase] += 1


def _moved(storage: Storage, layers: int, count: int) -> Storage:
    if not layers and count == storage.bytes:
        return storage
    found = _LAYER.search(storage.module) if layers else None
    module = storage.module
    if found:
        module = f"{module[: found.start()]}{int(found[0]) + layers}{module[found.end() :]}"
    return Storage(
        bytes=count,
        category=storage.category,
        module=module,
        operation=storage.operation,
        stream=storage.stream,
    )
