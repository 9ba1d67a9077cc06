"""The data behind a drawing, as plain JSON types: a few thousand instants, and what is alive at them.

format, version     "tunesmith timeline", 1
estimate            what `tunesmith estimate --json` prints
card                the card's name, its memory and its CUDA context; null if none is named
peak                the event, and the column that shows it
colors              the colour of each category
phases              name, events [start, end) and columns [first, stop)
columns             for each column: the event it shows, allocated and reserved bytes, bytes by category,
                    and the module and operation at work (indices into modules and operations)
storages            the largest that are alive at a column: born at event birth, released at event end,
                    bytes of the block, and indices of category, module and operation
categories, modules, operations    the names that indices stand for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tunesmith.memory.estimate import Estimate
from tunesmith.report.columns import Columns, Course, lifetimes, reduced, seen, weights
from tunesmith.report.palette import COLORS

COLUMNS: Final = 3600
"""Columns of a whole run: with a phase zoomed to a screen's width, about one for each pixel."""
STORAGES: Final = 8000
"""Storages told one by one; the rest only count in the sums."""


class Names:
    """Names by the order in which they were first asked for."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def index(self, name: str) -> int:
        """Return the index of *name*."""
        return self._index.setdefault(name, len(self._index))

    def names(self) -> list[str]:
        """Return all names in order."""
        return list(self._index)


def drawing(estimate: Estimate, course: Course) -> dict[str, Any]:
    """Return the data behind the drawings of *estimate*; names are as the model has them, unescaped."""
    timeline, gpu = course.timeline, estimate.gpu
    columns = reduced(course, counts=[round(share * COLUMNS) for share in weights(timeline.phases)])
    categories, modules, operations = Names(), Names(), Names()
    for category in columns.parts:
        categories.index(category)
    at_work = [timeline.storages[abs(timeline.events[event]) - 1] for event in columns.events]
    lives = lifetimes(timeline)
    told = _told(course, columns, lives)
    storages = [timeline.storages[index] for index in told]
    return {
        "format": "tunesmith timeline",
        "version": 1,
        "estimate": estimate.to_mapping(),
        "card": None
        if gpu is None
        else {"name": gpu.name, "memory_bytes": gpu.memory_bytes, "context_bytes": gpu.context_bytes or 0},
        "peak": {"event": columns.events[columns.peak], "column": columns.peak},
        "colors": {category: COLORS[category] for category in columns.parts},
        "phases": [
            {
                "name": span.phase.name,
                "start": span.phase.start,
                "end": span.phase.end,
                "first": span.first,
                "stop": span.stop,
            }
            for span in columns.spans
        ],
        "columns": {
            "event": list(columns.events),
            "allocated_bytes": list(columns.allocated_bytes),
            "reserved_bytes": list(columns.reserved_bytes),
            "parts": {category: list(column) for category, column in columns.parts.items()},
            "module": [modules.index(storage.module) for storage in at_work],
            "operation": [operations.index(storage.operation) for storage in at_work],
        },
        "storages": {
            "birth": [lives[index][0] for index in told],
            "end": [lives[index][1] for index in told],
            "bytes": [course.blocks[index + 1] for index in told],
            "category": [categories.index(storage.category) for storage in storages],
            "module": [modules.index(storage.module) for storage in storages],
            "operation": [operations.index(storage.operation) for storage in storages],
        },
        "categories": categories.names(),
        "modules": modules.names(),
        "operations": operations.names(),
    }


def _told(course: Course, columns: Columns, lives: Sequence[tuple[int, int]]) -> list[int]:
    """Return the storages that say most of what is alive at the columns, in order of birth.

    Half of them for their bytes times the columns that they live through, so that whatever stays is there;
    the others for their bytes, so that what makes a short peak is there too.
    """
    shown = seen(lives, columns.events)
    lasting = sorted(shown, key=lambda index: (-course.blocks[index + 1] * shown[index], index))
    told, rest = lasting[: STORAGES // 2], lasting[STORAGES // 2 :]
    rest.sort(key=lambda index: (-course.blocks[index + 1], index))
    return sorted(told + rest[: STORAGES - len(told)])
