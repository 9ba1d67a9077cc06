"""Which instants of a run can be its peak, whatever the batch and length: the others are proved away.

At each instant what is alive is a vector: how often each column of sizes counts. Sizes are not negative,
so an instant whose vector is nowhere above another's, or above a mixture of two others, is never the peak.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunesmith.memory.ledger.closed import Candidate, Counts, LedgerPhase, not_below
from tunesmith.memory.ledger.sizes import Size, columns_of
from tunesmith.memory.ledger.unrolling import without_layer
from tunesmith.memory.timeline import Phase, Timeline

_Vector = tuple[int, ...]
_REACH = 25
_ROUNDING = 1e-12


def phases_of(timeline: Timeline, sizes: Sequence[Size]) -> tuple[tuple[Size, ...], tuple[LedgerPhase, ...]]:
    """Return the columns and, phase by phase, the instants of *timeline* that can be peaks.

    *sizes* holds the size of each storage.
    """
    columns: dict[Size, int] = {}
    adds: list[Counts] = []
    known: dict[Size, Counts] = {}
    for size in sizes:
        if size not in known:
            known[size] = tuple((columns.setdefault(c, len(columns)), n) for c, n in columns_of(size))
        adds.append(known[size])
    running = [0] * len(columns)
    kept: list[tuple[list[int], int, _Vector]] = []
    for phase in timeline.phases:
        seen: dict[_Vector, int] = {tuple(running): phase.start - 1}
        for index in range(phase.start, phase.end):
            event = timeline.events[index]
            sign = 1 if event > 0 else -1
            for column, count in adds[abs(event) - 1]:
                running[column] += sign * count
            last = index + 1 == phase.end or timeline.events[index + 1] < 0
            if event > 0 and last:
                seen.setdefault(tuple(running), index)
        kept.append((_frontier(seen, timeline), phase.end, tuple(running)))
    return tuple(columns), _described(timeline, adds, kept)


def _frontier(seen: dict[_Vector, int], timeline: Timeline) -> list[int]:
    """Return the instants, of those *seen*, that no other and no mixture of two others is above everywhere.

    The same operation in one layer after the other makes a row whose ends are above all between them.
    """
    families: dict[tuple[str, str], list[_Vector]] = {}
    for vector in sorted(not_below(list(seen)), key=lambda each: seen[each]):
        index = seen[vector]
        storage = timeline.storages[abs(timeline.events[index]) - 1] if index >= 0 else None
        family = (without_layer(storage.module), storage.operation) if storage else ("", "")
        families.setdefault(family, []).append(vector)
    left = [vector for family in families.values() for vector in _ends(family)]
    left.sort(key=lambda each: seen[each])
    for offset in (0, 1):
        left = [
            vector
            for position, vector in enumerate(left)
            if position % 2 == offset or not _between_any(vector, left, position)
        ]
    return sorted(seen[vector] for vector in left)


def _ends(family: list[_Vector]) -> list[_Vector]:
    """Return the *family* in order without those between others, as a scan for a convex hull does."""
    hull: list[_Vector] = []
    for vector in family:
        while len(hull) > 1 and _mixed(hull[-2], hull[-1], vector):
            hull.pop()
        hull.append(vector)
    return hull


def _between_any(vector: _Vector, others: list[_Vector], position: int) -> bool:
    """Return whether *vector* lies below a mixture of one of the *others* before it and one after it."""
    return any(
        _mixed(others[position - reach], vector, others[position + reach])
        for reach in range(1, min(position, len(others) - 1 - position, _REACH) + 1, 2)
    )


def _mixed(first: _Vector, middle: _Vector, last: _Vector) -> bool:
    """Return whether some mixture of *first* and *last* is nowhere below *middle*.

    The share t of *first* must satisfy t * first + (1 - t) * last >= middle in every column.
    """
    low, high = 0.0, 1.0
    for a, b, c in zip(first, middle, last, strict=True):
        if a == c:
            if b > a:
                return False
        elif a > c:
            low = max(low, (b - c) / (a - c))
        else:
            high = min(high, (b - c) / (a - c))
        if low > high + _ROUNDING:
            return False
    return True


def _described(
    timeline: Timeline, adds: Sequence[Counts], kept: Sequence[tuple[list[int], int, _Vector]]
) -> tuple[LedgerPhase, ...]:
    """Return the phases with what is alive at each kept instant, by category."""
    alive: dict[str, dict[int, int]] = {}
    phases = []
    for phase, (instants, end, final) in zip(timeline.phases, kept, strict=True):
        candidates, wanted = [], set(instants)
        if phase.start - 1 in wanted:
            candidates.append(_candidate(timeline, alive, phase.start - 1))
        for index in range(phase.start, end):
            _count(alive, timeline, adds, index)
            if index in wanted:
                candidates.append(_candidate(timeline, alive, index))
        phases.append(LedgerPhase(name=phase.name, candidates=tuple(candidates), end=_sparse(final)))
    return tuple(phases)


def _count(alive: dict[str, dict[int, int]], timeline: Timeline, adds: Sequence[Counts], index: int) -> None:
    """Add to, or take from, what is alive the storage of event *index*."""
    event = timeline.events[index]
    storage = abs(event) - 1
    of = alive.setdefault(timeline.storages[storage].category, {})
    for column, count in adds[storage]:
        of[column] = of.get(column, 0) + (count if event > 0 else -count)


def _candidate(timeline: Timeline, alive: dict[str, dict[int, int]], index: int) -> Candidate:
    parts = {
        category: tuple(sorted((column, count) for column, count in of.items() if count))
        for category, of in alive.items()
    }
    total: dict[int, int] = {}
    for counts in parts.values():
        for column, count in counts:
            total[column] = total.get(column, 0) + count
    module = operation = ""
    if index >= 0:
        storage = timeline.storages[abs(timeline.events[index]) - 1]
        module, operation = storage.module, storage.operation
    return Candidate(
        counts=tuple(sorted(total.items())),
        parts=tuple((category, counts) for category, counts in parts.items() if counts),
        module=module,
        operation=operation,
    )


def _sparse(vector: _Vector) -> Counts:
    return tuple((column, count) for column, count in enumerate(vector) if count)


def live_peak(timeline: Timeline, sizes: Sequence[int]) -> int:
    """Return the most that is alive at once in *timeline* where storage i holds ``sizes[i]`` bytes."""
    now = most = 0
    for event in timeline.events[: _last(timeline.phases)]:
        now += sizes[event - 1] if event > 0 else -sizes[-event - 1]
        most = max(most, now)
    return most


def _last(phases: Sequence[Phase]) -> int:
    return phases[-1].end if phases else 0
