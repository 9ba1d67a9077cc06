"""What is alive at the peak: the storages that add up to it, grouped by what they are and what made them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from tunesmith.memory.allocator import AllocatorSettings, replay
from tunesmith.memory.estimate import Estimate, blocks_at_peak

_NUMBER: Final = re.compile(r"(?<![^.])\d+(?![^.])")
_OUTERMOST: Final = re.compile(r"^base_model\.model(\.|$)")
_PLACELESS: Final = ("cublas workspaces",)
"""What belongs to a thread, whichever module came first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Storages of one category that the same operation made in the same place of every layer."""

    category: str
    """One of CATEGORIES."""
    module: str
    """The module's path with ``*`` for the layer's number; empty outside the model."""
    operation: str
    """The operation, without its namespace."""
    sizes: tuple[int, ...]
    """Bytes asked for by each storage, in order of birth."""
    layers: tuple[str, ...]
    """The path of the layer that each is in; empty where the path has no number."""
    block_bytes: int
    """Bytes of the blocks that hold them, after the allocator's rounding."""

    @property
    def bytes(self) -> int:
        """Return the bytes asked for by all of them."""
        return sum(self.sizes)


def alive_at_peak(estimate: Estimate) -> tuple[Group, ...]:
    """Return the groups that are alive at the peak, the largest first; together they are the peak.

    Without a timeline there is nothing to group, and the answer is empty.
    """
    timeline = estimate.timeline
    if timeline is None:
        return ()
    settings = AllocatorSettings.parse(estimate.recipe.hardware.alloc_conf or "")
    block = blocks_at_peak(timeline, replay(timeline, settings=settings))
    members: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for event in sorted(block):
        storage = timeline.storages[event - 1]
        module = "" if storage.category in _PLACELESS else pattern(storage.module)
        members[storage.category, module, plain(storage.operation)].append(event)
    groups = []
    for (category, module, operation), births in members.items():
        groups.append(
            Group(
                category=category,
                module=module,
                operation=operation,
                sizes=tuple(timeline.storages[event - 1].bytes for event in births),
                layers=tuple(
                    _layer(timeline.storages[event - 1].module) if module else "" for event in births
                ),
                block_bytes=sum(block[event] for event in births),
            )
        )
    assert sum(group.block_bytes for group in groups) == estimate.peak.allocated_bytes
    return tuple(sorted(groups, key=lambda group: (-group.block_bytes, group.module, group.operation)))


def pattern(module: str) -> str:
    """Return *module* without the names PEFT puts around it and with ``*`` for every number.

    >>> pattern("base_model.model.model.layers.31.mlp.experts.7.lora_A.default")
    'model.layers.*.mlp.experts.*.lora_A'
    """
    return _NUMBER.sub("*", _OUTERMOST.sub("", module).removesuffix(".default"))


def plain(operation: str) -> str:
    """Return *operation* without its namespace, e.g. ``mm`` for ``aten::mm``."""
    return operation.rpartition("::")[2]


def _layer(module: str) -> str:
    """Return the path up to its first number, which names the layer; empty where there is none."""
    found = _NUMBER.search(module)
    return module[: found.end()] if found else ""
