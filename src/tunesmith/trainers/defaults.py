"""Defaults: what a trainer does where its file says nothing, each value beside its source file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

MISSING: Final = object()
"""The default of a key that has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """The defaults of one release of a trainer."""

    package: str
    """Package and version, as pip writes them."""
    tables: Mapping[str, Mapping[str, Any]]
    """Source file to the defaults that it gives, by the key's name."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the trainer does whatever its file says, to the source file that does it."""

    def of(self, name: str) -> tuple[Any, str]:
        """Return the default of *name* and where it is given; MISSING and "" where none is known."""
        for place, table in self.tables.items():
            if name in table:
                return table[name], place
        return MISSING, ""


@cache
def known_names(trainer: str) -> frozenset[str]:
    """Return every key that a file of *trainer* may hold, as the release named in schemas.json has them."""
    text = resources.files(__package__).joinpath("schemas.json").read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)[trainer]
    return frozenset(schema["names"])
