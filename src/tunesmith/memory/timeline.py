"""Timeline: every storage of a run, born and released in order, each with its cause.

This is the one thing that flows through the heart of the house: the recorder writes it, the
allocator replays it, the estimate reads it, the report draws it. It knows nothing of torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CATEGORIES: Final = (
    "weights",
    "adapter weights",
    "quantization constants",
    "buffers",
    "gradients",
    "optimizer states",
    "activations",
    "autocast copies",
    "logits and loss",
    "inputs",
    "temporaries",
    "cublas workspaces",
    "gathered parameters",
    "communication buffers",
)
"""What a storage can be, in the order in which charts stack them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """One allocation and its cause."""

    bytes: int
    """What was asked of the allocator, before rounding."""
    category: str
    """One of CATEGORIES."""
    module: str
    """Path of the module in whose call it was born, e.g. ``model.layers.3.mlp``; empty outside."""
    operation: str
    """The operation that made it, e.g. ``aten.mm``."""
    stream: int = 0
    """The CUDA stream it belongs to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """A named stretch of the run: events[start:end] happened in it."""

    name: str
    start: int
    end: int
    empties_cache: bool = False
    """Whether it begins with ``torch.cuda.empty_cache()``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Storages and the order in which they were born and released.

    ``events`` holds ``i + 1`` for the birth of ``storages[i]`` and ``-(i + 1)`` for its release.
    ``phases`` cover the events in order, without gaps.
    """

    storages: tuple[Storage, ...]
    events: tuple[int, ...]
    phases: tuple[Phase, ...]

    def __iter__(self) -> Iterator[tuple[bool, int, Storage]]:
        """Yield ``(born, index, storage)`` for every event in order."""
        for event in self.events:
            index = abs(event) - 1
            yield event > 0, index, self.storages[index]
