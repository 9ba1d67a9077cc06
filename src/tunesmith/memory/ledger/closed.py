"""Ledger: the peak of one class of recipes as a maximum of exact sums, evaluated in microseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import ge
from typing import Any

from tunesmith.errors import UnsupportedError
from tunesmith.memory.ledger.sizes import Size, Term, rounded, size_at
from tunesmith.memory.timeline import CATEGORIES

_GRID = 13
_MARGIN = 0.005
_LARGEST = 1 << 62

Counts = tuple[tuple[int, int], ...]
"""Pairs of a column's index and how often it counts."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An instant at which memory may peak."""

    counts: Counts
    """What is alive then, in columns of the ledger."""
    parts: tuple[tuple[str, Counts], ...]
    """The same by category."""
    module: str
    """Module at work."""
    operation: str
    """Operation at work."""


@dataclass(frozen=True, kw_only=True)
class LedgerPhase:
    """The instants of one phase that can be its peak, and its end."""

    name: str
    candidates: tuple[Candidate, ...]
    end: Counts


@dataclass(frozen=True, kw_only=True)
class Range:
    """Where a ledger holds: the step runs the same operations there."""

    batch: tuple[int, int]
    """Least and most sequences."""
    length: tuple[int, int]
    """Least and most tokens in a sequence."""
    tokens: tuple[int, int]
    """Least and most tokens in a batch."""
    length_multiple: int
    """What the length must be a multiple of."""

    def holds(self, batch: int, length: int) -> bool:
        """Return whether *batch* sequences of *length* tokens lie inside."""
        inside = self.batch[0] <= batch <= self.batch[1] and self.length[0] <= length <= self.length[1]
        return (
            inside
            and self.tokens[0] <= batch * length <= self.tokens[1]
            and length % self.length_multiple == 0
        )

    def grid(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield *count* by *count* points in equal ratios between the least and the most."""
        for batch in _ratios(self.batch, count):
            for length in _ratios(self.length, count):
                yield batch, length


def _ratios(limits: tuple[int, int], count: int) -> list[int]:
    low, high = limits
    return sorted({round(low * (high / low) ** (step / (count - 1))) for step in range(count)})


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What a ledger says of one batch and length."""

    live_bytes: int
    """Live storages, each in whole blocks, at their most: exact."""
    allocated_bytes: tuple[int, int]
    """The same as the allocator counts it, which leaves some blocks larger than asked: least and most."""
    reserved_bytes: tuple[int, int]
    """What the allocator holds of the card: least and most, by the ratios seen at the fitted points."""
    phase: str
    """Phase of the peak."""
    module: str
    """Module at work then."""
    operation: str
    """Operation at work then."""
    parts: Mapping[str, int]
    """Bytes by category then; they sum to ``live_bytes``."""
    phases: tuple[tuple[str, int, int], ...]
    """Name, peak and end of every phase, in live bytes."""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The memory of a recipe's class, batch and length left open.

    A class fixes the model, the card and every choice of the recipe but ``per_device_train_batch_size`` and
    ``sequence_length``.
    """

    columns: tuple[Size, ...]
    """Sizes, each rounded to whole blocks, of which all sums are made."""
    phases: tuple[LedgerPhase, ...]
    """The phases in order."""
    range: Range
    """Where it holds."""
    allocated_ratio: tuple[float, float]
    """Least and most of allocated over live bytes, seen in replays of the allocator."""
    reserved_ratio: tuple[float, float]
    """Least and most of reserved over live bytes, seen in replays of the allocator."""
    residual: Mapping[str, float]
    """At a point that was not used for the fit, (ledger - replayed trace) / trace.

    Of ``live_bytes``; and how far the trace's allocated and reserved bytes lie outside their ranges.
    """
    num_traces: int
    """Small traces that were run for it."""

    def live_bytes(self, batch: int, length: int) -> int:
        """Return the peak of live bytes for *batch* sequences of *length* tokens."""
        values = self._values(batch, length)
        return max(_sum(counts, values) for counts in self._tops)

    def evaluate(self, batch: int, length: int) -> Evaluation:
        """Return all the ledger knows of *batch* sequences of *length* tokens.

        Raises UnsupportedError outside ``range``.
        """
        values = self._values(batch, length)
        phases, best, where, most = [], None, "", -1
        for phase in self.phases:
            top = max(phase.candidates, key=lambda each: _sum(each.counts, values))
            peak = _sum(top.counts, values)
            phases.append((phase.name, peak, _sum(phase.end, values)))
            if peak > most:
                best, where, most = top, phase.name, peak
        assert best is not None
        parts = {category: _sum(counts, values) for category, counts in best.parts}
        assert sum(parts.values()) == most
        low, high = self.allocated_ratio
        reserved_low, reserved_high = self.reserved_ratio
        return Evaluation(
            live_bytes=most,
            allocated_bytes=(int(most * low), int(most * high) + 1),
            reserved_bytes=(int(most * reserved_low), int(most * reserved_high) + 1),
            phase=where,
            module=best.module,
            operation=best.operation,
            parts=parts,
            phases=tuple(phases),
        )

    @cached_property
    def _tops(self) -> tuple[Counts, ...]:
        """What is alive at the instants that can be the peak of the whole run."""
        instants = [each.counts for phase in self.phases for each in phase.candidates]
        return tuple(instants[index] for index in sorted(self._near_peak(instants)))

    def near_peaks(self) -> Ledger:
        """Return the ledger without the instants that stay clearly below their phase's peak in its range."""
        phases = []
        for phase in self.phases:
            near = self._near_peak([each.counts for each in phase.candidates])
            phases.append(replace(phase, candidates=tuple(phase.candidates[index] for index in sorted(near))))
        return replace(self, phases=tuple(phases))

    def _near_peak(self, instants: Sequence[Counts]) -> set[int]:
        """Return the indexes of the *instants* that come within a margin of the largest on a grid.

        The margin is what a sum of powers can gain between two neighbours of the grid over the larger of
        two others that beat it at both: at most (ln step)**2 / 8 for powers one apart.
        """
        near: set[int] = set()
        for batch, length in self.range.grid(_GRID):
            values = [size_at(size, batch, length) for size in self.columns]
            sums = [_sum(counts, values) for counts in instants]
            least = max(sums) * (1 - _MARGIN)
            near.update(index for index, total in enumerate(sums) if total >= least)
        return near

    def _values(self, batch: int, length: int) -> list[int]:
        if not self.range.holds(batch, length):
            raise UnsupportedError(
                f"{batch} sequences of {length} tokens lie outside this ledger, which holds for "
                f"{self.range}. Fit another there, or trace."
            )
        return [rounded(size_at(size, batch, length)) for size in self.columns]

    def to_mapping(self) -> dict[str, Any]:
        """Return the ledger as plain JSON types."""
        return {
            "columns": self.columns,
            "phases": [
                {
                    "name": phase.name,
                    "candidates": [
                        {name: getattr(each, name) for name in Candidate.__dataclass_fields__}
                        for each in phase.candidates
                    ],
                    "end": phase.end,
                }
                for phase in self.phases
            ],
            "range": vars(self.range),
            "allocated_ratio": self.allocated_ratio,
            "reserved_ratio": self.reserved_ratio,
            "residual": dict(self.residual),
            "num_traces": self.num_traces,
        }

    @classmethod
    def from_mapping(cls, kept: Mapping[str, Any]) -> Ledger:
        """Return the ledger that *kept* describes; raises ValueError where it describes none."""
        try:
            columns = tuple(map(_size, kept["columns"]))
            return cls(
                columns=columns,
                phases=tuple(_phase(phase, len(columns)) for phase in kept["phases"]),
                range=Range(
                    batch=_two(kept["range"]["batch"], int),
                    length=_two(kept["range"]["length"], int),
                    tokens=_two(kept["range"]["tokens"], int),
                    length_multiple=max(1, _of(kept["range"]["length_multiple"], int)),
                ),
                allocated_ratio=_two(kept["allocated_ratio"], float),
                reserved_ratio=_two(kept["reserved_ratio"], float),
                residual={_of(name, str): _of(value, float) for name, value in kept["residual"].items()},
                num_traces=_of(kept["num_traces"], int),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no ledger: {error!r}") from error


def not_below(vectors: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the *vectors* that are above every other one somewhere."""
    above: list[tuple[int, ...]] = []
    for vector in sorted(vectors, key=sum, reverse=True):
        if not any(all(map(ge, other, vector)) for other in above):
            above.append(vector)
    return above


def _sum(counts: Counts, values: Sequence[int]) -> int:
    return sum(count * values[column] for column, count in counts)


def _phase(kept: Mapping[str, Any], num_columns: int) -> LedgerPhase:
    candidates = tuple(
        Candidate(
            counts=_pairs(each["counts"], num_columns),
            parts=tuple((_category(name), _pairs(counts, num_columns)) for name, counts in each["parts"]),
            module=_of(each["module"], str),
            operation=_of(each["operation"], str),
        )
        for each in kept["candidates"]
    )
    if not candidates:
        raise ValueError("a phase without an instant")
    return LedgerPhase(
        name=_of(kept["name"], str), candidates=candidates, end=_pairs(kept["end"], num_columns)
    )


def _size(kept: Any) -> Size:
    size = tuple((_of(count, int), Term(*(_of(value, int) for value in term))) for count, term in kept)
    small = all(0 <= term.batch <= 2 and 0 <= term.length <= 3 and min(term) >= 0 for _, term in size)
    if not small or any(term.tile < 1 for _, term in size):
        raise ValueError("a size of no known form")
    return size


def _pairs(kept: Any, limit: int) -> Counts:
    """Return pairs of whole numbers of which the first is an index below *limit*."""
    pairs = tuple((_of(a, int), _of(b, int)) for a, b in kept)
    if any(not 0 <= index < limit for index, _ in pairs):
        raise ValueError("an index out of range")
    return pairs


def _two(kept: Any, kind: Any) -> Any:
    low, high = (_of(value, kind) for value in kept)
    if not 0 < low <= high:
        raise ValueError(f"{low!r} to {high!r} is no range")
    return low, high


def _of(value: Any, kind: Any) -> Any:
    if type(value) is not kind or (kind is int and abs(value) >= _LARGEST):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value


def _category(value: Any) -> str:
    if value not in CATEGORIES:
        raise ValueError(f"{value!r} is no category")
    return str(value)
